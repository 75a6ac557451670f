//! Unix: `flock`, inodes, modes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, flock, futimens};
use rustix::io::{Errno, retry_on_intr};

use super::Patience;

/// The lock file at `path`, which nobody else has. Let go of, and removed, when dropped; let go of
/// by the system when the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// `None` if others have it and there is no patience.
    pub(crate) fn take(path: &Path, patience: Patience) -> io::Result<Option<Self>> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            if !take_lock(&file, patience)? {
                return Ok(None);
            }
            // Whoever had it may have removed the file: then nobody else sees this lock.
            if is_at(&file, path)? {
                let path = path.to_owned();
                return Ok(Some(Self { file, path }));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is held: the next one to take the lock finds another file, or none.
        let _ = fs::remove_file(&self.path);
        // Closing is not enough: a process that another thread is just starting has the open file
        // too until it executes its program, and the lock with it.
        let _ = retry_on_intr(|| flock(&self.file, FlockOperation::Unlock));
    }
}

/// Takes a file for one alone; whether it was free.
pub(crate) fn take_lock(file: &File, patience: Patience) -> io::Result<bool> {
    let operation = match patience {
        Patience::Wait => FlockOperation::LockExclusive,
        Patience::Try => FlockOperation::NonBlockingLockExclusive,
    };
    match retry_on_intr(|| flock(file, operation)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Says that the file is in use, until [`unshare`] or the end of the process.
pub(crate) fn share(file: &File) -> io::Result<()> {
    Ok(retry_on_intr(|| flock(file, FlockOperation::LockShared))?)
}

/// Lets go of a lock.
pub(crate) fn unshare(file: &File) {
    let _ = retry_on_intr(|| flock(file, FlockOperation::Unlock));
}

/// Whether the open file is the one that lies at `path`.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        result => result?,
    };
    let own = file.metadata()?;
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

/// Has the file's time say that it was used just now; by the system's clock, not read here.
pub(crate) fn mark_used(file: &File) {
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: time(UTIME_OMIT),
        last_modification: time(UTIME_NOW),
    };
    // Who may only read the cache does not mark.
    let _ = futimens(file, &times);
}

/// Makes a directory, and those above it, that only its owner can look into: base images may be
/// private.
pub(crate) fn make_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
