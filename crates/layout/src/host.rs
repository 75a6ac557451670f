//! What differs between systems: locks, modes, opening what may be no file, syncing a directory.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    Lock, create_private, open_regular, set_directory_mode, set_file_mode, sync_directory,
};

#[cfg(not(unix))]
mod portable;
#[cfg(not(unix))]
pub(crate) use portable::{
    Lock, create_private, open_regular, set_directory_mode, set_file_mode, sync_directory,
};

/// What a lock is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    /// The blobs: shared by those who write or count on some, exclusive for who removes some.
    Blobs,
    /// `index.json`: exclusive for who reads it, changes it and writes it back.
    Index,
}

/// How many may have a lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Any number.
    Shared,
    /// One.
    Exclusive,
}

/// What to do while others have a lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    /// Wait until it is free.
    Wait,
    /// Give up at once.
    Try,
}
