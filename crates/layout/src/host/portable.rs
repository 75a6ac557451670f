//! Other systems. On Windows a lock is a file of its own that is opened without sharing; where
//! there is neither, there is no lock, and writers of one layout must take turns by themselves.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::{Mode, Patience, Subject};

/// A lock, let go of when dropped, and by the system when the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// Takes a lock in the layout; `None` if others have it and there is no patience.
    pub(crate) fn take(
        layout: &Path,
        subject: Subject,
        mode: Mode,
        patience: Patience,
    ) -> io::Result<Option<Self>> {
        let path = layout.join(match subject {
            Subject::Blobs => crate::files::LOCK_NAMES[0],
            Subject::Index => crate::files::LOCK_NAMES[1],
        });
        loop {
            match (open_locked(&path, mode)?, patience) {
                (Some(file), _) => return Ok(Some(Self { _file: file })),
                (None, Patience::Try) => return Ok(None),
                (None, Patience::Wait) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

#[cfg(windows)]
fn open_locked(path: &Path, mode: Mode) -> io::Result<Option<Option<File>>> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    if !path.exists() {
        // Whether this one made it or another: the open below tells.
        let _ = OpenOptions::new().write(true).create_new(true).open(path);
    }
    let share = match mode {
        Mode::Shared => FILE_SHARE_READ,
        Mode::Exclusive => 0,
    };
    match OpenOptions::new().read(true).share_mode(share).open(path) {
        Ok(file) => Ok(Some(Some(file))),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(not(windows))]
fn open_locked(_path: &Path, _mode: Mode) -> io::Result<Option<Option<File>>> {
    Ok(Some(None))
}

/// Opens a regular file; anything else under its name is `InvalidInput`.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        return OpenOptions::new().read(true).open(path);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "not a regular file",
    ))
}

/// Makes a file, which must not be there yet.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
}

/// There are no modes here.
pub(crate) fn set_file_mode(_file: &File) -> io::Result<()> {
    Ok(())
}

/// There are no modes here.
pub(crate) fn set_directory_mode(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// A directory cannot be synced here; the system orders its own changes to names.
pub(crate) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}
