//! Why an archive cannot be written.

use std::io;

use cooperage_compress::Codec;
use cooperage_digest::Digest;
use cooperage_image_spec::{DocumentError, MediaType, Platform};

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The source has not got a blob, or not the one that was asked for.
    #[error("cannot read the image")]
    Source(#[from] cooperage_blob::Error),
    /// The archive cannot be written to.
    #[error("cannot write the archive")]
    Output(#[source] io::Error),
    /// What is to be written is neither a manifest nor an index.
    #[error("`{digest}` is no image but `{media_type}`")]
    NotAnImage {
        /// Its digest.
        digest: Digest,
        /// Its media type.
        media_type: MediaType,
    },
    /// A document is malformed.
    #[error("`{digest}` is not a valid document")]
    Document {
        /// Its digest.
        digest: Digest,
        /// Where and why.
        source: DocumentError,
    },
    /// Indexes lie in one another too deep, or one has too many manifests.
    #[error(
        "index `{digest}` nests deeper than {depth} levels or lists more than {count} manifests"
    )]
    TooDeep {
        /// The outermost.
        digest: Digest,
        /// The most levels.
        depth: usize,
        /// The most manifests.
        count: usize,
    },
    /// An index has images for several platforms, and none was chosen.
    #[error("`{digest}` has images for {}: choose a platform", list(available))]
    SeveralPlatforms {
        /// The index.
        digest: Digest,
        /// What it has.
        available: Vec<Platform>,
    },
    /// There is no image for the chosen platform.
    #[error("`{digest}` has no image for {wanted}, only for {}", list(available))]
    NoSuchPlatform {
        /// The index or manifest.
        digest: Digest,
        /// What was asked for.
        wanted: Box<Platform>,
        /// What it has.
        available: Vec<Platform>,
    },
    /// A name cannot stand in a docker archive.
    #[error("`{name}` cannot name an image of an archive: take the digest off")]
    Name {
        /// The name.
        name: String,
    },
    /// Two images were given the same name.
    #[error("`{name}` is to name both `{first}` and `{second}`")]
    NameTwice {
        /// The name.
        name: String,
        /// One image's manifest or index.
        first: Digest,
        /// The other's.
        second: Digest,
    },
    /// Manifest and config disagree.
    #[error("manifest `{digest}` has {layers} layers, but its config has {diff_ids} diff IDs")]
    LayerCount {
        /// The manifest.
        digest: Digest,
        /// Layers in the manifest.
        layers: usize,
        /// Diff IDs in the config.
        diff_ids: usize,
    },
    /// A layer that `docker load` cannot unpack.
    #[error("layer `{digest}` is `{media_type}`, which no reader of docker archives unpacks")]
    LayerType {
        /// The layer.
        digest: Digest,
        /// Its media type.
        media_type: MediaType,
    },
    /// Layers were to be recompressed to something else than gzip or none.
    #[error("layers cannot be recompressed to {codec} for a docker archive: use gzip or none")]
    Encoding {
        /// What was asked for.
        codec: Codec,
    },
    /// A layer cannot be recompressed.
    #[error("cannot recompress layer `{digest}`")]
    Recompress {
        /// The layer.
        digest: Digest,
        /// What the codec or the system said.
        source: io::Error,
    },
    /// A recompressed layer is not what the config says.
    #[error("layer `{digest}`: the config says diff ID {expected}, found {actual}")]
    DiffId {
        /// The layer.
        digest: Digest,
        /// What the config says.
        expected: Digest,
        /// What it is.
        actual: Digest,
    },
    /// Recompressed layers take more room than allowed.
    #[error(
        "recompressed layers take more than the {limit} bytes that may be spooled: raise the limit"
    )]
    SpoolFull {
        /// [`WriteOptions::spool_limit`](crate::WriteOptions::spool_limit).
        limit: u64,
    },
}

fn list(platforms: &[Platform]) -> String {
    let texts: Vec<_> = platforms.iter().map(ToString::to_string).collect();
    if texts.is_empty() {
        "no platform".into()
    } else {
        texts.join(", ")
    }
}
