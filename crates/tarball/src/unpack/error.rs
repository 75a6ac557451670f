//! Why a tree cannot be unpacked.

use std::io;
use std::path::PathBuf;

use super::Omission;
use crate::FoldError;

/// Why a tree cannot be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The directory is there and holds something.
    #[error("`{}` is not empty, and may not be replaced", directory.display())]
    Occupied {
        /// The directory.
        directory: PathBuf,
    },
    /// Something else has the name already, or a link that leads nowhere.
    #[error("`{}` is there already, and is not a directory", directory.display())]
    NotADirectory {
        /// What was to become the directory.
        directory: PathBuf,
    },
    /// The path does not end in a name, so that nothing can be put beside it.
    #[error("`{}` does not end in a name: give the directory by the name that it is to have", directory.display())]
    NoName {
        /// The path.
        directory: PathBuf,
    },
    /// The directory cannot be looked at, made or put in place.
    #[error("cannot {action} `{}`", directory.display())]
    Directory {
        /// What was being done.
        action: &'static str,
        /// The directory.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The tree contradicts itself.
    #[error("the tree cannot be unpacked")]
    Tree {
        /// What is wrong with it.
        source: FoldError,
    },
    /// The bytes of a file cannot be read.
    #[error("cannot read `{}` for entry `{entry}`", path.display())]
    Read {
        /// Where they are; empty for bytes in memory.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The bytes of a file end too early.
    #[error("entry `{entry}` has {actual} bytes, expected {expected}")]
    Short {
        /// The entry.
        entry: String,
        /// Its length as the tree has it, in bytes.
        expected: u64,
        /// How many there were.
        actual: u64,
    },
    /// An entry cannot be made.
    #[error("cannot {action} `{entry}`")]
    Entry {
        /// What was being done.
        action: &'static str,
        /// The entry.
        entry: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The system refuses an attribute or a device, and it was not to be left out.
    #[error("the system refuses `{entry}` its {what}")]
    Refused {
        /// The entry.
        entry: String,
        /// What of it.
        what: Omission,
        /// What the operating system said.
        source: io::Error,
    },
}
