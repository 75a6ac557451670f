//! What is worth telling, and stops nothing.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::file::MAX_FILE_SIZE;
use crate::helper::HelperFault;

/// Why a place that may hold a login was passed over.
///
/// None of them has a secret in it: of what is malformed only the place is told.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A file that somebody named is not there.
    #[error("no logins are read from `{}`, named by {by}: there is no such file", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Who named it: a variable, or the caller.
        by: String,
    },
    /// A file is there and cannot be read.
    #[error("no logins are read from `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// A file is too large to be one of logins.
    #[error("no logins are read from `{}`: it has more than {MAX_FILE_SIZE} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not the JSON that it should be.
    #[error("no logins are read from `{}`: it is not valid at line {line}, column {column}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 if it is none in particular.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The entry for this registry cannot be used.
    #[error("the login for `{key}` in `{}` cannot be used: {fault}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry's name in it.
        key: String,
        /// What is wrong.
        fault: EntryFault,
    },
    /// A helper gave no answer that can be used.
    #[error("no login for `{server}` comes from the helper `{helper}` that `{}` names: {fault}", path.display())]
    Helper {
        /// The program.
        helper: String,
        /// What it was asked for.
        server: String,
        /// The file that names it.
        path: PathBuf,
        /// What is wrong.
        fault: Arc<HelperFault>,
    },
}

/// What is wrong with an entry of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// Not an object of texts.
    #[error("it is not an object whose `auth`, `username`, `password` and tokens are texts")]
    Shape,
    /// `auth` is not base64 of text.
    #[error("its `auth` is not text in base64")]
    Encoding,
    /// `auth` has no colon.
    #[error("its `auth` is not a name and a password with a colon between them")]
    NoColon,
    /// A name without a password, or a password without a name.
    #[error("it has a name or a password, and not both")]
    Incomplete,
}
