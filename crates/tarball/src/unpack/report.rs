//! What was unpacked, and what was not.

use std::fmt;

use crate::TreePath;
use crate::path::lossy;

/// What was unpacked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unpacked {
    /// How many names were made, those of parents that the tree lacks too, the root not counted.
    pub entries: u64,
    /// How many bytes of files were written.
    pub bytes: u64,
    /// What was left out since the system refused it, ordered by path; empty with
    /// [`super::Refused::Fail`].
    pub left_out: Vec<LeftOut>,
}

/// Something that was left out.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct LeftOut {
    /// Of which entry.
    pub path: TreePath,
    /// What of it.
    pub what: Omission,
}

/// What can be left out of an entry.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Omission {
    /// The device itself: nothing is there. So it is for its other names.
    Device,
    /// Owner and group: whoever unpacks owns it.
    Owner,
    /// Setuid and setgid.
    SetId,
    /// An extended attribute.
    Xattr {
        /// Its name.
        name: Vec<u8>,
    },
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => f.pad("device"),
            Self::Owner => f.pad("owner"),
            Self::SetId => f.pad("setuid or setgid bit"),
            Self::Xattr { name } => write!(f, "extended attribute `{}`", lossy(name)),
        }
    }
}
