//! Unix: `flock`, modes, `O_NONBLOCK`.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::{Errno, retry_on_intr};

use super::{Mode, Patience, Subject};

/// A lock, let go of when dropped, and by the system when the process ends in whatever way.
///
/// Taken on things that every layout has and nobody replaces, the directory `blobs` and the file
/// `oci-layout`, so that a layout holds nothing but itself. Each lock is an open file of its own,
/// so it holds between threads too.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes a lock in the layout; `None` if others have it and there is no patience.
    pub(crate) fn take(
        layout: &Path,
        subject: Subject,
        mode: Mode,
        patience: Patience,
    ) -> io::Result<Option<Self>> {
        let file = match subject {
            Subject::Blobs => File::open(layout.join("blobs"))?,
            Subject::Index => open_for_lock(&layout.join("oci-layout"))?,
        };
        let operation = match (mode, patience) {
            (Mode::Shared, Patience::Wait) => FlockOperation::LockShared,
            (Mode::Shared, Patience::Try) => FlockOperation::NonBlockingLockShared,
            (Mode::Exclusive, Patience::Wait) => FlockOperation::LockExclusive,
            (Mode::Exclusive, Patience::Try) => FlockOperation::NonBlockingLockExclusive,
        };
        match retry_on_intr(|| flock(&file, operation)) {
            Ok(()) => Ok(Some(Self { file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting has the open file
        // too until it executes its program, and the lock with it. An error changes nothing, the
        // file is closed next.
        let _ = retry_on_intr(|| flock(&self.file, FlockOperation::Unlock));
    }
}

/// Network file systems give an exclusive lock only on what is open for writing.
fn open_for_lock(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            File::open(path)
        }
        result => result,
    }
}

/// Opens a regular file; anything else under its name (a fifo would block for ever, a device never
/// end) is `InvalidInput`.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "not a regular file",
    ))
}

/// Makes a file for this user alone, which must not be there yet.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// 0644, whatever the umask.
pub(crate) fn set_file_mode(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o644))
}

/// 0755, whatever the umask.
pub(crate) fn set_directory_mode(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some file systems cannot, and need not.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}
