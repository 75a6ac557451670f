//! What differs between systems: locks, permissions, syncing a directory.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Readers {
    /// Everyone, as far as the umask lets them.
    All,
    /// Its owner.
    Owner,
}

/// Makes a file, which must not be there yet.
pub(crate) fn create_file(path: &Path, readers: Readers) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(match readers {
            Readers::All => 0o666,
            Readers::Owner => 0o600,
        });
    }
    #[cfg(not(unix))]
    let _ = readers;
    options.open(path)
}

/// Makes a directory for its owner alone, which must not be there yet.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a rename in `directory` outlast a power cut, where the host can.
///
/// # Errors
///
/// What the system says.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}

/// A lock on a file or directory, let go of when dropped, and by the system when the process ends
/// in whatever way.
#[derive(Debug)]
pub(crate) struct Lock {
    #[cfg(unix)]
    _file: File,
}

impl Lock {
    /// Locks what this process has just made; `None` if it has gone away meanwhile: not locked yet,
    /// it was taken for one that was left behind.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        #[cfg(unix)]
        {
            use rustix::fs::{FlockOperation, flock};
            let file = match unix::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                result => result?,
            };
            rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
            Ok(unix::is_named(&file, path)?.then_some(Self { _file: file }))
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            Ok(Some(Self {}))
        }
    }

    /// Locks what a killed process of the same user left; `None` if somebody is at it, or nobody
    /// can tell.
    pub(crate) fn take_left(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;

            use rustix::fs::{FlockOperation, flock};
            let file = unix::open(path).ok()?;
            let owner = file.metadata().ok()?.uid();
            if owner != rustix::process::geteuid().as_raw() {
                return None;
            }
            flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
            let is_named = unix::is_named(&file, path).unwrap_or(false);
            is_named.then_some(Self { _file: file })
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            None
        }
    }
}

/// Removes a file, or a directory with all that it holds, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags};

    /// Opens what may be anything by now: no link is followed, and no pipe waited for.
    pub(super) fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
    }

    /// Whether what is open still has its name.
    pub(super) fn is_named(file: &File, path: &Path) -> io::Result<bool> {
        let ours = file.metadata()?;
        match fs::symlink_metadata(path) {
            Ok(named) => Ok((ours.dev(), ours.ino()) == (named.dev(), named.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
