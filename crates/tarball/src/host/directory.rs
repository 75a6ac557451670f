//! Work in directories by handle: one name at a time, or beneath a handle, and no link is followed.
//!
//! On hosts where that cannot be had there is no [`Parent`], so that nothing else is ever called.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(target_os = "linux")]
mod remove;
#[cfg(target_os = "linux")]
mod resolve;

#[cfg(target_os = "linux")]
pub(crate) use linux::{Directory, Node, Parent, Root};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{Directory, Node, Parent, Root};

/// What an operation failed with, as far as anything follows from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// The one who asked may not, or it means nothing to this file system or user namespace.
    Refused,
    /// A directory was to be replaced, and is not empty.
    NotEmpty,
    /// Anything else.
    Other,
}

/// What an error of this module's means.
pub(crate) fn failure(error: &std::io::Error) -> Failure {
    #[cfg(target_os = "linux")]
    return linux::failure(error);
    #[cfg(not(target_os = "linux"))]
    return portable::failure(error);
}
