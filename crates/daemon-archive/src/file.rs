//! A file that many readers share, each with a place of its own.
//!
//! The one module with calls that exist on one kind of host only.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use crate::read::Span;

/// An open file, read by position.
#[derive(Clone, Debug)]
pub(crate) struct SharedFile(Arc<Inner>);

#[cfg(any(unix, windows))]
type Inner = File;
#[cfg(not(any(unix, windows)))]
type Inner = std::sync::Mutex<File>;

impl SharedFile {
    #[cfg(any(unix, windows))]
    pub(crate) fn new(file: File) -> Self {
        Self(Arc::new(file))
    }

    #[cfg(not(any(unix, windows)))]
    pub(crate) fn new(file: File) -> Self {
        Self(Arc::new(std::sync::Mutex::new(file)))
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&*self.0, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        // It moves the handle's own place, which nobody here reads from.
        std::os::windows::fs::FileExt::seek_read(&*self.0, buffer, offset)
    }

    #[cfg(not(any(unix, windows)))]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        use std::io::Seek;
        let mut file = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(io::SeekFrom::Start(offset))?;
        file.read(buffer)
    }

    /// Reads one piece of the file; a file that has been cut short ends early.
    pub(crate) fn reader(&self, span: Span) -> SpanReader {
        SpanReader {
            file: self.clone(),
            at: span.offset,
            left: span.len,
        }
    }

    /// Reads the whole file, however long it is.
    pub(crate) fn whole(&self) -> SpanReader {
        self.reader(Span {
            offset: 0,
            len: u64::MAX,
        })
    }
}

/// One piece of a [`SharedFile`].
#[derive(Clone, Debug)]
pub(crate) struct SpanReader {
    file: SharedFile,
    at: u64,
    left: u64,
}

impl Seek for SpanReader {
    /// Seeks forward, as one who skips does; anything else is not supported.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let distance = match to {
            SeekFrom::Current(distance) => u64::try_from(distance).ok(),
            SeekFrom::Start(at) => at.checked_sub(self.at),
            SeekFrom::End(_) => None,
        };
        let Some(distance) = distance.filter(|&distance| distance <= self.left) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        self.at = self.at.saturating_add(distance);
        self.left -= distance;
        Ok(self.at)
    }
}

impl Read for SpanReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |n| n.min(buffer.len()));
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Makes a rename in `directory` outlast a power cut, where the host can.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}

/// A temporary file in `directory` with the permissions of an ordinary new file, not the 0600 of
/// temporary ones: it is to become the archive.
pub(crate) fn new_archive(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("archive-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(directory)
}

/// A lock on a directory, let go of when dropped, and by the system when the process ends in
/// whatever way.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    #[cfg(unix)]
    _directory: File,
}

impl DirectoryLock {
    /// Locks a directory of one's own; `NotFound` if it went away meanwhile.
    pub(crate) fn take(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        {
            use rustix::fs::{FlockOperation, flock};
            let directory = File::open(path)?;
            rustix::io::retry_on_intr(|| flock(&directory, FlockOperation::LockExclusive))?;
            unix::still_there(&directory, path)?;
            Ok(Self {
                _directory: directory,
            })
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            Ok(Self {})
        }
    }

    /// Locks a directory that a killed process of the same user left; `None` if it is in use, or
    /// nobody can tell.
    pub(crate) fn take_left(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;

            use rustix::fs::{FlockOperation, flock};
            let directory = File::open(path).ok()?;
            let owner = directory.metadata().ok()?.uid();
            if owner != rustix::process::geteuid().as_raw() {
                return None;
            }
            flock(&directory, FlockOperation::NonBlockingLockExclusive).ok()?;
            unix::still_there(&directory, path).ok()?;
            Some(Self {
                _directory: directory,
            })
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            None
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    /// Whether an open directory still has its name.
    pub(super) fn still_there(directory: &File, path: &Path) -> io::Result<()> {
        let (ours, named) = (directory.metadata()?, fs::symlink_metadata(path)?);
        if (ours.dev(), ours.ino()) == (named.dev(), named.ino()) {
            return Ok(());
        }
        Err(io::ErrorKind::NotFound.into())
    }
}
