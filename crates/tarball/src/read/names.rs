//! What the names in a tar mean.

use super::{TarError, TarKind};
use crate::path::{WHITEOUT_PREFIX, lossy};
use crate::{PathError, TreePath};

/// The longest name of an owner or a group, in bytes.
pub(super) const MAX_OWNER: usize = 1024;

const OPAQUE: &[u8] = b".wh..wh..opq";
const OF_AUFS: &[u8] = b".wh..wh.";

/// Where an entry belongs.
pub(super) enum Place {
    Entry(TreePath, TarKind),
    /// What AUFS, Docker's first store, keeps for itself.
    OfAufs,
}

/// A name in the one spelling that trees have.
fn normalise(name: &[u8]) -> Result<TreePath, PathError> {
    let parts: Vec<_> = name
        .split(|byte| *byte == b'/')
        .filter(|part| !matches!(*part, b"" | b"."))
        .collect();
    if parts.is_empty() && !name.is_empty() {
        return Ok(TreePath::root());
    }
    TreePath::new(&parts.join(&b'/'))
}

/// The path that a hard link leads to.
pub(super) fn target(link: &[u8], offset: u64) -> Result<TreePath, TarError> {
    normalise(link).map_err(|source| TarError::Path { offset, source })
}

pub(super) fn place(
    name: &[u8],
    kind: TarKind,
    len: u64,
    whiteouts: bool,
    offset: u64,
) -> Result<Place, TarError> {
    let path = normalise(name).map_err(|source| TarError::Path { offset, source })?;
    if path.is_root() && kind != TarKind::Directory {
        return Err(TarError::Root { offset });
    }
    if !whiteouts || !path.is_reserved() {
        return Ok(Place::Entry(path, kind));
    }
    let bad = |what| {
        Err(TarError::BadWhiteout {
            offset,
            name: lossy(name),
            what,
        })
    };
    let parent = path.parent().unwrap_or_else(TreePath::root);
    let file_name = path.file_name();
    if file_name != OPAQUE && path.as_bytes().starts_with(OF_AUFS) {
        return Ok(Place::OfAufs);
    }
    if parent.is_reserved() {
        return bad("lies below a name that begins with `.wh.`");
    }
    // AUFS makes them hard links of one another.
    if len != 0 || !matches!(kind, TarKind::File | TarKind::HardLink { .. }) {
        return bad("is not an empty file");
    }
    if file_name == OPAQUE {
        return Ok(Place::Entry(parent, TarKind::Opaque));
    }
    if file_name.starts_with(OF_AUFS) {
        return bad("is no whiteout that layers know");
    }
    let removed = file_name.strip_prefix(WHITEOUT_PREFIX).unwrap_or_default();
    match parent.join(removed) {
        Ok(path) => Ok(Place::Entry(path, TarKind::Whiteout)),
        Err(_) => bad("removes nothing that has a name"),
    }
}
