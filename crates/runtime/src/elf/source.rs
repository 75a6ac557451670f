//! Bounded reads at an offset, and what can be wrong with what they give.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes that can be read at an offset.
pub trait ReadAt {
    /// Reads at most `buffer.len()` bytes from `offset` on; 0 means the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for &[u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..))
            .unwrap_or(&[]);
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

/// A file of the build machine. A directory, a pipe or a device is refused.
#[derive(Debug)]
pub struct FileSource(File);

impl FileSource {
    /// Opens a regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Asked before opening: opening a pipe would wait for its writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        File::open(path).map(Self)
    }
}

impl ReadAt for FileSource {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = &self.0;
        file.seek(SeekFrom::Start(offset))?;
        file.read(buffer)
    }
}

/// What went wrong while reading.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    Malformed(Cow<'static, str>),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(crate) fn malformed<T>(what: impl Into<Cow<'static, str>>) -> Result<T, Fault> {
    Err(Fault::Malformed(what.into()))
}

/// Fills as much of the buffer as there is.
pub(crate) fn read_up_to(source: &dyn ReadAt, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        let Some(at) = offset.checked_add(done as u64) else {
            break;
        };
        // An offset beyond what a file can have is beyond its end, not a failure of the disk.
        if i64::try_from(at).is_err() {
            break;
        }
        match source.read_at(at, &mut buffer[done..]) {
            Ok(0) => break,
            Ok(got) => done += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Reads exactly `len` bytes; the caller has bounded `len`.
pub(crate) fn read_exactly(
    source: &dyn ReadAt,
    offset: u64,
    len: usize,
    what: &'static str,
) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; len];
    if read_up_to(source, offset, &mut bytes)? < len {
        return malformed(format!("the file ends inside its {what}"));
    }
    Ok(bytes)
}

/// Reads numbers out of a record, in the file's byte order and word size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) is_64: bool,
    pub(crate) big_endian: bool,
}

impl Layout {
    /// A number of `size` bytes (1 to 8) at `at`, or 0 where the record is too short: the callers
    /// cut their records to size first.
    pub(crate) fn number(self, record: &[u8], at: usize, size: usize) -> u64 {
        let Some(bytes) = record.get(at..at.saturating_add(size)) else {
            return 0;
        };
        let fold = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        if self.big_endian {
            bytes.iter().fold(0, fold)
        } else {
            bytes.iter().rev().fold(0, fold)
        }
    }

    pub(crate) fn half(self, record: &[u8], at: usize) -> u16 {
        self.number(record, at, 2) as u16
    }

    pub(crate) fn word(self, record: &[u8], at: usize) -> u32 {
        self.number(record, at, 4) as u32
    }
}
