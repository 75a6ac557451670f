//! What an entry has besides its content.

use std::collections::BTreeMap;

/// Mode, owner, time and extended attributes of an entry.
///
/// The constructors give what a layer holds when nobody says otherwise: owned by root, no names,
/// modification time 0, no extended attributes.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Attributes {
    /// Permission bits with setuid (`0o4000`), setgid (`0o2000`) and sticky (`0o1000`):
    /// `0..=0o7777`.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// The owner's name, which image tools ignore; empty for none.
    pub user: Vec<u8>,
    /// The group's name, which image tools ignore; empty for none.
    pub group: Vec<u8>,
    /// When the content was last modified.
    pub mtime: Mtime,
    /// Extended attributes by name, such as `security.capability`.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Attributes {
    /// The most that a mode can be.
    pub const MODE_MAX: u32 = 0o7777;

    /// Attributes of root's with this mode.
    #[must_use]
    pub fn with_mode(mode: u32) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            user: Vec::new(),
            group: Vec::new(),
            mtime: Mtime::EPOCH,
            xattrs: BTreeMap::new(),
        }
    }

    /// A file that everyone may read: mode 0644.
    #[must_use]
    pub fn file() -> Self {
        Self::with_mode(0o644)
    }

    /// A file that everyone may execute: mode 0755.
    #[must_use]
    pub fn executable() -> Self {
        Self::with_mode(0o755)
    }

    /// A directory that everyone may enter: mode 0755.
    #[must_use]
    pub fn directory() -> Self {
        Self::with_mode(0o755)
    }

    /// A symbolic link: mode 0777, which no system heeds.
    #[must_use]
    pub fn symlink() -> Self {
        Self::with_mode(0o777)
    }
}

/// A point in time, as `seconds + nanoseconds / 10⁹` after 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mtime {
    /// Whole seconds, rounded down; negative before 1970.
    pub seconds: i64,
    /// What is above the whole second: `0..1_000_000_000`.
    pub nanoseconds: u32,
}

impl Mtime {
    /// 1970-01-01 00:00 UTC.
    pub const EPOCH: Self = Self {
        seconds: 0,
        nanoseconds: 0,
    };

    /// A whole second.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Self {
            seconds,
            nanoseconds: 0,
        }
    }
}
