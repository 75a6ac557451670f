//! Archives of images: digests follow the bytes that they name.

use std::io::Read;

use cooperage_compress::sniffing_decoder;
use cooperage_digest::Digest;
use cooperage_image_spec::Json;

use super::tar::{self, Piece, pieces};
use crate::layout::replace;

const HEX: usize = 64;
/// As deep as a layer lies below an index of indexes.
const ROUNDS: usize = 4;
/// What of a layer is unpacked at most.
const LAYER: u64 = 1 << 20;

/// Makes checksums right, then diff IDs, then the digests by which blobs are named, from the
/// bottom up. All are of one length, so nothing moves.
pub(crate) fn repair(archive: &mut Vec<u8>) {
    tar::repair(archive);
    if let Some(changed) = diff_ids(archive) {
        for (old, new) in changed {
            replace(archive, old.as_bytes(), new.as_bytes());
        }
    }
    for _ in 0..ROUNDS {
        let changed: Vec<(Vec<u8>, String)> = pieces(archive)
            .into_iter()
            .filter_map(|piece| {
                let old = name(archive, piece).strip_prefix(b"blobs/sha256/")?;
                let new = Digest::of(body(archive, piece)).encoded().to_owned();
                (old.len() == HEX && old != new.as_bytes()).then(|| (old.to_vec(), new))
            })
            .collect();
        if changed.is_empty() {
            break;
        }
        for (old, new) in changed {
            replace(archive, &old, new.as_bytes());
        }
    }
    tar::repair(archive);
}

fn name(archive: &[u8], piece: Piece) -> &[u8] {
    let field = &archive[piece.start..piece.start + 100];
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(100);
    &field[..end]
}

fn body(archive: &[u8], piece: Piece) -> &[u8] {
    &archive[piece.body.min(piece.body_end)..piece.body_end]
}

/// The diff IDs that the configs of `manifest.json` state, and those that the layers have.
fn diff_ids(archive: &[u8]) -> Option<Vec<(String, String)>> {
    let pieces = pieces(archive);
    let find = |path: &str| {
        let found = pieces
            .iter()
            .find(|piece| name(archive, **piece) == path.as_bytes());
        found.map(|piece| body(archive, *piece))
    };
    let manifest = Json::parse(find("manifest.json")?).ok()?;
    let mut changed = Vec::new();
    for image in manifest.as_array()? {
        let config = Json::parse(find(image.get("Config")?.as_str()?)?).ok()?;
        let stated = config.get("rootfs")?.get("diff_ids")?.as_array()?;
        for (stated, layer) in stated.iter().zip(image.get("Layers")?.as_array()?) {
            let stated = stated.as_str()?.strip_prefix("sha256:")?;
            let Some(layer) = find(layer.as_str()?) else {
                continue;
            };
            let mut tar = Vec::new();
            let (_, reader) = sniffing_decoder(layer).ok()?;
            reader.take(LAYER).read_to_end(&mut tar).ok()?;
            let actual = Digest::of(&tar).encoded().to_owned();
            if stated.len() == HEX && stated != actual {
                changed.push((stated.to_owned(), actual));
            }
        }
    }
    Some(changed)
}
