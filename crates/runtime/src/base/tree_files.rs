//! A tree's files, as a root that paths are looked up in.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use cooperage_tarball::{Content, Kind, Tree, TreePath};

use super::{BaseError, content};
use crate::elf::ReadAt;
use crate::files::{Files, Node, locate};

pub(super) struct TreeFiles<'a>(pub(super) &'a Tree);

impl TreeFiles<'_> {
    /// The content of a regular file; no symlink is followed.
    pub(super) fn content(&self, path: &str) -> Option<Content> {
        content(self.0, &TreePath::parse(path).ok()?)
    }

    /// The whole of a small file, symlinks followed; `None` where it is not, or is too large.
    pub(super) fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, BaseError> {
        let failed = |source| BaseError::Read {
            path: path.to_owned(),
            source,
        };
        let located = locate(self, path).map_err(failed)?;
        let content = located.and_then(|located| self.content(&located.real));
        let Some(content) = content.filter(|content| content.len() <= limit) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let reader = content.open().map_err(failed)?;
        reader.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }
}

impl Files for TreeFiles<'_> {
    fn node(&self, path: &str) -> io::Result<Option<Node>> {
        if path.is_empty() {
            return Ok(Some(Node::Directory));
        }
        let Ok(path) = TreePath::parse(path) else {
            return Ok(None);
        };
        Ok(match self.0.get(&path).map(|entry| entry.kind) {
            // A tree need not name the directories above its entries.
            None => self.0.below(&path).next().map(|_| Node::Directory),
            Some(Kind::Directory) => Some(Node::Directory),
            Some(Kind::File { .. } | Kind::HardLink { .. }) => Some(Node::File),
            Some(Kind::Symlink { target }) => String::from_utf8(target).ok().map(Node::Symlink),
            Some(_) => Some(Node::Other),
        })
    }
}

/// Reads a content at any offset.
pub(super) enum ContentSource<'a> {
    Bytes(&'a [u8]),
    File { file: File, offset: u64, len: u64 },
}

impl<'a> ContentSource<'a> {
    pub(super) fn open(content: &'a Content) -> io::Result<Self> {
        Ok(match content {
            Content::Bytes(bytes) => Self::Bytes(bytes),
            Content::File { path, len } => Self::File {
                file: File::open(path)?,
                offset: 0,
                len: *len,
            },
            Content::Slice { path, offset, len } => Self::File {
                file: File::open(path)?,
                offset: *offset,
                len: *len,
            },
        })
    }
}

impl ReadAt for ContentSource<'_> {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read_at(at, buffer),
            Self::File { file, offset, len } => {
                let left = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX);
                let wanted = left.min(buffer.len());
                let Some(at) = offset.checked_add(at).filter(|_| wanted > 0) else {
                    return Ok(0);
                };
                let mut file = file;
                file.seek(SeekFrom::Start(at))?;
                file.read(&mut buffer[..wanted])
            }
        }
    }
}
