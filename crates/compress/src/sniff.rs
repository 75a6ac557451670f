//! What the first bytes of a layer tell.

use std::fmt;

/// How many bytes [`sniff`] looks at.
pub(crate) const LONGEST_MAGIC: u64 = 6;

/// What a layer begins like.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Detected {
    /// None of the others: a tar as it is, or something else altogether.
    None,
    /// gzip.
    Gzip,
    /// A Zstandard frame or a skippable one.
    Zstd,
    /// bzip2, which has no media type.
    Bzip2,
    /// xz, which has no media type.
    Xz,
}

impl fmt::Display for Detected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        })
    }
}

/// Tells by its first bytes, six are enough, how a layer is compressed.
///
/// # Examples
///
/// ```
/// use cooperage_compress::{Detected, sniff};
///
/// assert_eq!(sniff(b"\x1f\x8b\x08\x00"), Detected::Gzip);
/// assert_eq!(sniff(b"etc/passwd"), Detected::None);
/// ```
#[must_use]
pub fn sniff(start: &[u8]) -> Detected {
    if start.starts_with(&[0x1f, 0x8b, 8]) {
        Detected::Gzip
    } else if is_zstd_magic(start) {
        Detected::Zstd
    } else if start.starts_with(b"BZh") {
        Detected::Bzip2
    } else if start.starts_with(b"\xfd7zXZ\0") {
        Detected::Xz
    } else {
        Detected::None
    }
}

/// RFC 8878 § 3.1: a frame's magic number, or one of the sixteen of skippable frames.
pub(crate) fn is_zstd_magic(start: &[u8]) -> bool {
    matches!(
        start,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
    )
}
