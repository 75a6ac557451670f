//! What is checked of an entry before it is put into a tree.

use super::error::{Difference, EntryFault, TreeError};
use crate::{Attributes, Entry, Kind, TreePath};

pub(super) fn check_same(path: &TreePath, first: &Entry, second: &Entry) -> Result<(), TreeError> {
    let differs = match (&first.kind, &second.kind) {
        _ if first == second => return Ok(()),
        (Kind::Whiteout, Kind::Whiteout) => return Ok(()),
        (
            Kind::File { content, fold },
            Kind::File {
                content: other,
                fold: other_fold,
            },
        ) => {
            let same = content
                .same_bytes(other)
                .map_err(|source| TreeError::Compare {
                    path: path.display(),
                    first: first.origin.clone(),
                    second: second.origin.clone(),
                    source,
                })?;
            match () {
                () if !same => Difference::Content,
                () if first.attributes != second.attributes => Difference::Attributes,
                () if fold != other_fold => Difference::Folding,
                () => return Ok(()),
            }
        }
        (one, other) if one == other => Difference::Attributes,
        (Kind::Symlink { .. }, Kind::Symlink { .. })
        | (Kind::HardLink { .. }, Kind::HardLink { .. }) => Difference::Target,
        _ => Difference::Kind,
    };
    let (path, first, second) = (path.display(), first.origin.clone(), second.origin.clone());
    Err(TreeError::Conflict {
        path,
        difference: differs,
        first,
        second,
    })
}

pub(super) fn check_name(path: &TreePath) -> Result<(), TreeError> {
    if path.is_reserved() {
        return Err(TreeError::Reserved {
            path: path.display(),
        });
    }
    Ok(())
}

/// The longest file, in bytes; no file system holds one.
const MAX_LEN: u64 = 1 << 62;

pub(super) fn check_entry(path: &TreePath, entry: &Entry) -> Result<(), TreeError> {
    check_name(path)?;
    let fail = |fault| {
        Err(TreeError::Invalid {
            path: path.display(),
            fault,
        })
    };
    let attributes = &entry.attributes;
    if path.is_root() && entry.kind != Kind::Directory {
        return fail(EntryFault::Root);
    }
    match &entry.kind {
        Kind::File { content, .. } if content.len() > MAX_LEN => return fail(EntryFault::Size),
        Kind::Symlink { target } if target.is_empty() || target.contains(&0) => {
            return fail(EntryFault::Target);
        }
        Kind::HardLink { to } if to.is_root() || to == path => return fail(EntryFault::Link),
        Kind::HardLink { to } => check_name(to)?,
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor }
            if (*major).max(*minor) > Kind::DEVICE_MAX =>
        {
            return fail(EntryFault::Device);
        }
        _ => {}
    }
    if attributes.mode > Attributes::MODE_MAX {
        return fail(EntryFault::Mode {
            mode: attributes.mode,
        });
    }
    if attributes.mtime.nanoseconds >= 1_000_000_000 {
        return fail(EntryFault::Mtime);
    }
    if attributes.user.contains(&0) || attributes.group.contains(&0) {
        return fail(EntryFault::Owner);
    }
    let bad_name = |name: &&Vec<u8>| name.is_empty() || name.contains(&0) || name.contains(&b'=');
    if let Some(name) = attributes.xattrs.keys().find(bad_name) {
        return fail(EntryFault::Xattr {
            name: crate::path::lossy(name).into(),
        });
    }
    Ok(())
}
