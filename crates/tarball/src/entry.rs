//! Entries of a tree.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::{Attributes, Content, TreePath};

/// What stands at a path of a tree.
///
/// Two entries are equal when their attributes and kinds are; where they came from is of no account.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Mode, owner, time and extended attributes. Those of a [`Kind::Whiteout`] have no meaning,
    /// and those of a [`Kind::HardLink`] are the linked entry's, whatever stands here, since both
    /// names are one file.
    pub attributes: Attributes,
    /// What it is.
    pub kind: Kind,
    /// Where it came from, for error messages.
    pub origin: Origin,
}

impl Entry {
    /// An entry of unnamed origin.
    #[must_use]
    pub fn new(kind: Kind, attributes: Attributes) -> Self {
        Self {
            attributes,
            kind,
            origin: Origin::default(),
        }
    }

    /// A file that may be folded.
    #[must_use]
    pub fn file(content: Content, attributes: Attributes) -> Self {
        Self::new(
            Kind::File {
                content,
                fold: true,
            },
            attributes,
        )
    }

    /// A directory.
    #[must_use]
    pub fn directory(attributes: Attributes) -> Self {
        Self::new(Kind::Directory, attributes)
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(target: impl Into<Vec<u8>>) -> Self {
        Self::new(
            Kind::Symlink {
                target: target.into(),
            },
            Attributes::symlink(),
        )
    }

    /// Another name of the entry at `to`.
    #[must_use]
    pub fn hard_link(to: TreePath) -> Self {
        Self::new(Kind::HardLink { to }, Attributes::file())
    }

    /// The removal of what lower layers have at its path.
    #[must_use]
    pub fn whiteout() -> Self {
        Self::new(Kind::Whiteout, Attributes::file())
    }

    /// The same, with its origin named.
    #[must_use]
    pub fn with_origin(self, origin: impl Into<Origin>) -> Self {
        Self {
            origin: origin.into(),
            ..self
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.attributes == other.attributes && self.kind == other.kind
    }
}

impl Eq for Entry {}

/// What an entry is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Where its bytes are.
        content: Content,
        /// Whether it may become a hard link to a file with the same content and attributes.
        fold: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, as it stands in the link; never resolved here.
        target: Vec<u8>,
    },
    /// Another name of a file, symbolic link, fifo or device of the same tree.
    HardLink {
        /// The path of that entry, which may itself be a hard link.
        to: TreePath,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Its major number, at most [`Kind::DEVICE_MAX`].
        major: u32,
        /// Its minor number, at most [`Kind::DEVICE_MAX`].
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Its major number, at most [`Kind::DEVICE_MAX`].
        major: u32,
        /// Its minor number, at most [`Kind::DEVICE_MAX`].
        minor: u32,
    },
    /// The removal of what lower layers have at the entry's path. It stands under the path that it
    /// removes; how layers spell that, `.wh.` before the last component, shows in no path of a tree.
    Whiteout,
}

impl Kind {
    /// The largest number of a device: what seven octal digits hold.
    pub const DEVICE_MAX: u32 = 0o7_777_777;

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Directory => "directory",
            Self::Symlink { .. } => "symbolic link",
            Self::HardLink { .. } => "hard link",
            Self::Fifo => "fifo",
            Self::CharDevice { .. } => "character device",
            Self::BlockDevice { .. } => "block device",
            Self::Whiteout => "whiteout",
        }
    }
}

/// Where an entry came from, in words for people: `plan line 3`, a file, a layer.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Origin {
    words: Option<Arc<str>>,
    number: Option<NonZeroU32>,
}

impl Origin {
    /// Words and a number behind them: what many entries have in common, and the line of each.
    #[must_use]
    pub fn numbered(words: impl Into<Arc<str>>, number: NonZeroU32) -> Self {
        Self {
            words: Some(words.into()),
            number: Some(number),
        }
    }

    /// Whether it was named at all.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.words.is_some()
    }

    /// The number, and the origin without it.
    pub(crate) fn split(&self) -> (Self, Option<NonZeroU32>) {
        let words = self.words.clone();
        (
            Self {
                words,
                number: None,
            },
            self.number,
        )
    }

    pub(crate) fn with_number(self, number: Option<NonZeroU32>) -> Self {
        Self { number, ..self }
    }
}

impl From<&str> for Origin {
    fn from(text: &str) -> Self {
        Arc::<str>::from(text).into()
    }
}

impl From<String> for Origin {
    fn from(text: String) -> Self {
        Arc::<str>::from(text).into()
    }
}

impl From<Arc<str>> for Origin {
    fn from(text: Arc<str>) -> Self {
        Self {
            words: Some(text),
            number: None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.as_deref().unwrap_or("an unnamed source");
        match self.number {
            Some(number) => f.pad(&format!("{words} {number}")),
            None => f.pad(words),
        }
    }
}
