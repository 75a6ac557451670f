//! What is found in a tar.

use std::collections::BTreeMap;

use crate::{Attributes, TreePath};

/// An entry of a tar.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TarEntry {
    /// Its path; for a whiteout what it removes, for an opaque mark the directory.
    pub path: TreePath,
    /// Its name as the tar has it.
    pub name: Vec<u8>,
    /// Mode, owner, time and extended attributes.
    pub attributes: Attributes,
    /// What it is.
    pub kind: TarKind,
    /// The length of its body in bytes; 0 for all but files.
    pub len: u64,
    /// Where the first header about it begins, in bytes from the start of the tar.
    pub offset: u64,
    /// Where its body begins, or would.
    pub data_offset: u64,
    /// PAX records about it that mean nothing here, by key.
    pub other: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What an entry of a tar is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TarKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, as it stands in the link.
        target: Vec<u8>,
    },
    /// Another name of an entry before it, or of one in a lower layer.
    HardLink {
        /// That entry.
        to: TreePath,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// The removal of what lower layers have at the path.
    Whiteout,
    /// The mark of an opaque directory.
    Opaque,
}

/// What was found behind the end of a tar, which no reader heeds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Trailing {
    /// How many bytes of zeros, the two blocks that end the tar not counted.
    pub zeros: u64,
    /// How many bytes there are from the first block on that is not all zeros.
    pub other: u64,
}
