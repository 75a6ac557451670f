//! A file that many readers share, each with a place of its own.
//!
//! The one module with calls that exist on one kind of host only.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
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
