//! Why a tar cannot be read.

use std::io;

use crate::PathError;

/// Why a tar cannot be read.
///
/// Each `offset` is in bytes from the start of the tar, uncompressed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// The stream failed.
    #[error("cannot read the tar at byte {offset}")]
    Read {
        /// How far it was read.
        offset: u64,
        /// What the stream said.
        source: io::Error,
    },
    /// The stream ended in the midst of a header or body.
    #[error("the tar is cut short at byte {offset}, inside of `{inside}`")]
    CutShort {
        /// How far it was read.
        offset: u64,
        /// The entry, or `a header`.
        inside: String,
    },
    /// The stream ended without two blocks of zeros, and they were asked for.
    #[error("the tar stops at byte {offset} without the two blocks of zeros that end a tar")]
    NoEnd {
        /// Where they would be.
        offset: u64,
    },
    /// One block of zeros, and then something else.
    #[error("one block of zeros at byte {offset} with data behind it: some readers end here")]
    LoneZeroBlock {
        /// Where the block is.
        offset: u64,
    },
    /// A header is not what its checksum says; most often the bytes are no tar.
    #[error(
        "the header at byte {offset} adds up to {actual}, but its checksum is {expected}; is this a tar?"
    )]
    Checksum {
        /// Where the header is.
        offset: u64,
        /// What the header says.
        expected: i64,
        /// What was computed.
        actual: i64,
    },
    /// A number of a header is none, or is out of its range.
    #[error("the header at byte {offset} has `{found}` for its {field}, expected a number")]
    BadField {
        /// Where the header is.
        offset: u64,
        /// Which field.
        field: &'static str,
        /// Its bytes, escaped.
        found: String,
    },
    /// A PAX record is malformed.
    #[error("the record `{found}` at byte {offset} is not well-formed")]
    BadRecord {
        /// Where the header of the records is.
        offset: u64,
        /// The record.
        found: String,
    },
    /// A record about all entries that follow says what can only be said of one.
    #[error(
        "the record `{key}` at byte {offset} is for all entries that follow, which readers understand differently"
    )]
    GlobalRecord {
        /// Where the header of the records is.
        offset: u64,
        /// Its key.
        key: String,
    },
    /// Records or a long name are longer than 1 MiB.
    #[error("records or a long name of {actual} bytes at byte {offset}, at most 1048576 are read")]
    RecordsTooLong {
        /// Where their header is.
        offset: u64,
        /// Their length in bytes.
        actual: u64,
    },
    /// One thing is said of an entry twice, and readers differ in what they believe.
    #[error("the headers at byte {offset} say one thing twice about one entry")]
    SaidTwice {
        /// Where the second header is, or the first of all of the entry.
        offset: u64,
    },
    /// Records or a long name are the last in the tar.
    #[error(
        "records or a long name stand before the end of the tar at byte {offset}, without an entry"
    )]
    NothingFollows {
        /// Where the tar ends.
        offset: u64,
    },
    /// An entry that no layer can hold, or that readers understand differently.
    #[error("`{entry}` at byte {offset} is {what}, which is not supported")]
    Unsupported {
        /// Where its header is.
        offset: u64,
        /// Its name.
        entry: String,
        /// What it is.
        what: &'static str,
    },
    /// An entry of an unknown type.
    #[error("`{entry}` at byte {offset} is of the unknown type `{found}`")]
    UnknownType {
        /// Where its header is.
        offset: u64,
        /// Its name.
        entry: String,
        /// The byte that says the type, escaped.
        found: String,
    },
    /// A name is no path within the tree.
    #[error("the entry at byte {offset} has no name that can be used")]
    Path {
        /// Where the first header about it is.
        offset: u64,
        /// What is wrong with it.
        source: PathError,
    },
    /// The root of the tree is something else than a directory.
    #[error("the entry at byte {offset} is the tree's root, but no directory")]
    Root {
        /// Where the first header about it is.
        offset: u64,
    },
    /// The name of an owner or a group is longer than 1024 bytes, or has a NUL byte.
    #[error("the owner or group `{name}` at byte {offset} is too long or has a NUL byte")]
    BadOwner {
        /// Where the first header about it is.
        offset: u64,
        /// The name.
        name: String,
    },
    /// A name that begins with `.wh.` is no whiteout.
    #[error("`{name}` at byte {offset} {what}")]
    BadWhiteout {
        /// Where the first header about it is.
        offset: u64,
        /// The name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The reader was asked for more after an error.
    #[error("the tar could not be read further after an earlier error")]
    Failed,
}
