//! Why something cannot be put into a tree.

use std::io;

use crate::{Kind, Origin};

/// Why something cannot be put into a tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A path was given twice.
    #[error("`{path}` is given twice and differs in {difference}: by {first} and by {second}")]
    Conflict {
        /// The path.
        path: String,
        /// In what the two differ.
        difference: Difference,
        /// Where the entry came from that is in the tree.
        first: Origin,
        /// Where the one came from that was refused.
        second: Origin,
    },
    /// A path was given twice, and whether both are the same cannot be told.
    #[error("`{path}` is given twice, by {first} and by {second}, and cannot be compared")]
    Compare {
        /// The path.
        path: String,
        /// Where the entry came from that is in the tree.
        first: Origin,
        /// Where the one came from that was refused.
        second: Origin,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something stands below, or is marked as, what is not a directory.
    #[error(
        "`{path}` (from {origin}) needs `{parent}` to be a directory, but it is a {kind} (from {parent_origin})"
    )]
    NotADirectory {
        /// The path below.
        path: String,
        /// The path above.
        parent: String,
        /// What stands there.
        kind: &'static str,
        /// Where that came from.
        parent_origin: Origin,
        /// Where the one below came from.
        origin: Origin,
    },
    /// A name begins with `.wh.`, which layers keep for themselves.
    #[error(
        "`{path}` has a name that begins with `.wh.`, which would remove a file when the layer is unpacked; rename it"
    )]
    Reserved {
        /// The path.
        path: String,
    },
    /// There is no room for more.
    #[error("`{path}` is one entry too many: a tree holds about four thousand million")]
    Full {
        /// The path.
        path: String,
    },
    /// The entry could not be written to a tar, or not be read again.
    #[error("`{path}` {fault}")]
    Invalid {
        /// The path.
        path: String,
        /// What is wrong.
        fault: EntryFault,
    },
}

/// In what two entries of one path differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// One is a file, say, and the other a directory.
    #[error("kind")]
    Kind,
    /// The bytes of a file, or the numbers of a device.
    #[error("content")]
    Content,
    /// Where a link points.
    #[error("target")]
    Target,
    /// Mode, owner, time or extended attributes.
    #[error("attributes")]
    Attributes,
    /// Whether it may be folded.
    #[error("whether it may be folded")]
    Folding,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// The root is no directory.
    #[error("is the tree's root, which can only be a directory")]
    Root,
    /// A file is longer than 2⁶² bytes.
    #[error("is a file of more than 2^62 bytes")]
    Size,
    /// The target of a symbolic link is empty or has a NUL byte.
    #[error("is a symbolic link whose target is empty or has a NUL byte")]
    Target,
    /// A hard link leads to itself or to the root.
    #[error("is a hard link to itself or to the root")]
    Link,
    /// A device number is over [`Kind::DEVICE_MAX`].
    #[error("is a device with a number over {}", Kind::DEVICE_MAX)]
    Device,
    /// The mode has other bits than permissions, setuid, setgid and sticky.
    #[error("has mode {mode:#o}, at most 0o7777 is possible")]
    Mode {
        /// The mode.
        mode: u32,
    },
    /// There are a thousand million nanoseconds or more.
    #[error("has a modification time with a thousand million nanoseconds or more")]
    Mtime,
    /// The owner's or the group's name has a NUL byte.
    #[error("has a NUL byte in its owner's or group's name")]
    Owner,
    /// The name of an extended attribute is empty or has a NUL byte or `=`.
    #[error("has the extended attribute `{name}`: no name may be empty or have a NUL byte or `=`")]
    Xattr {
        /// The name.
        name: Box<str>,
    },
}
