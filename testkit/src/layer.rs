//! Layers by hand, for what no packer makes.

use std::fmt::Write as _;

use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The digest of some bytes, as descriptors name it: `sha256:…`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let start = "sha256:".to_owned();
    hash.iter().fold(start, |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

/// The layer metadata of an uncompressed blob: with it, anything at all comes into an image, since
/// who says that a layer was packed before is believed.
#[must_use]
pub fn layer_metadata(blob: &[u8]) -> String {
    let digest = sha256(blob);
    json!({
        "layer_metadata": 1,
        "descriptor": {
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": digest,
            "size": blob.len(),
        },
        "diff_id": digest,
        "size": blob.len(),
        "entries": 0,
        "history": {},
        "blocks": [],
    })
    .to_string()
}
