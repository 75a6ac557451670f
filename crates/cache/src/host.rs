//! What differs between systems: locks, marks of use, who may look into a directory.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{Lock, is_at, make_private_directory, mark_used, share, take_lock, unshare};

#[cfg(not(unix))]
mod portable;
#[cfg(not(unix))]
pub(crate) use portable::{
    Lock, is_at, make_private_directory, mark_used, share, take_lock, unshare,
};

/// What to do while others have a lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    /// Wait until it is free.
    Wait,
    /// Give up at once.
    Try,
}
