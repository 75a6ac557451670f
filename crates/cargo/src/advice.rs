//! What can be done about refusals of the system.

use std::error::Error;
use std::io::{self, ErrorKind};

use cooperage_daemon_archive::SinkError;
use cooperage_transport::DestinationError;

/// What to do about an error one of whose causes is a refusal of the system: a full disk, a limit,
/// a missing permission, or an output that cannot be one. `None` where that is not so, or nothing can be said in general.
///
/// # Examples
///
/// ```
/// use std::io;
///
/// let full = io::Error::from(io::ErrorKind::StorageFull);
/// assert!(cooperage_cargo::advice::of(&full).is_some_and(|hint| hint.contains("room")));
/// assert_eq!(cooperage_cargo::advice::of(&io::Error::other("odd")), None);
/// ```
#[must_use]
pub fn of(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        let advice = error.downcast_ref().and_then(of_io);
        if let Some(advice) = advice.or_else(|| of_output(error)) {
            return Some(advice);
        }
        next = error.source();
    }
    None
}

fn of_output(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(DestinationError::StandardOutput { .. }) = error.downcast_ref() {
        return Some("`cooperage copy oci:DIR docker-archive:-` writes to it");
    }
    match error.downcast_ref() {
        Some(SinkError::NotAFile { .. }) => Some(
            "name a file; `cooperage copy FROM docker-archive:-` writes to standard output, and so \
             to pipes and devices",
        ),
        _ => None,
    }
}

fn of_io(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some("make room there, or write elsewhere; temporary files go where `TMPDIR` says")
        }
        ErrorKind::FileTooLarge => {
            Some("raise the limit on the size of files, which `ulimit -f` shows")
        }
        ErrorKind::ReadOnlyFilesystem => Some("that file system is read-only: write elsewhere"),
        ErrorKind::PermissionDenied => {
            Some("let this user in: `ls -ld` shows whose a file is, and the directories above it")
        }
        _ => None,
    }
}
