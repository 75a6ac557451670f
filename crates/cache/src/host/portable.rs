//! Other systems. On Windows a lock is a file that is opened without sharing; where there is
//! neither, there is no lock, and one process at a time may use a cache.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Patience;

/// The lock file at `path`, which nobody else has. Let go of, and removed, when dropped; let go of
/// by the system when the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock {
    file: Option<File>,
    path: PathBuf,
}

impl Lock {
    /// `None` if others have it and there is no patience.
    pub(crate) fn take(path: &Path, patience: Patience) -> io::Result<Option<Self>> {
        loop {
            match (open_locked(path)?, patience) {
                (Some(file), _) => {
                    return Ok(Some(Self {
                        file: Some(file),
                        path: path.to_owned(),
                    }));
                }
                (None, Patience::Try) => return Ok(None),
                (None, Patience::Wait) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.file.take());
        // Where the next one has it already, this is refused.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(windows)]
fn open_locked(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    match options.share_mode(0).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(not(windows))]
fn open_locked(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map(Some)
}

/// An open file cannot be told from one that nobody reads: removing it fails where it is in use.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn take_lock(_file: &File, _patience: Patience) -> io::Result<bool> {
    Ok(true)
}

/// Files in use cannot be removed on Windows; nothing is to be said.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn share(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Nothing was said.
pub(crate) fn unshare(_file: &File) {}

/// Nobody removes what is open.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

/// A file's time can be set to one that was read from the clock only, and that is not done here:
/// what was fetched first goes first.
pub(crate) fn mark_used(_file: &File) {}

/// There are no modes here.
pub(crate) fn make_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}
