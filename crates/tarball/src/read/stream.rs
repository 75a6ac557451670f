//! A stream that knows where it is.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use super::TarError;
use crate::content::fill;
use crate::write::header::BLOCK;

/// Shorter runs than this, in bytes, are read and thrown away even where one could seek.
const WORTH_SEEKING: u64 = 64 * 1024;

pub(super) struct Stream<R> {
    reader: R,
    /// Bytes from the start.
    pub(super) position: u64,
    /// Moves on by so many bytes, or says that there are fewer.
    skip: fn(&mut R, u64) -> io::Result<bool>,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            position: 0,
            skip: skip_reading,
        }
    }

    pub(super) fn seekable(reader: R) -> Self
    where
        R: Seek,
    {
        Self {
            reader,
            position: 0,
            skip: skip_seeking,
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }

    /// Reads until `buffer` is full or the stream ends.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let offset = self.position;
        let count = fill(&mut self.reader, buffer);
        let count = count.map_err(|source| TarError::Read { offset, source })?;
        self.position += count as u64;
        Ok(count)
    }

    /// The next block, or `None` if the stream ends before it.
    pub(super) fn block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut block = [0; BLOCK];
        match self.fill(&mut block)? {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ => Err(TarError::CutShort {
                offset: self.position,
                inside: "a header".into(),
            }),
        }
    }

    /// Whether there were so many bytes to skip.
    pub(super) fn skip(&mut self, len: u64) -> Result<bool, TarError> {
        if len == 0 {
            return Ok(true);
        }
        let offset = self.position;
        if len < WORTH_SEEKING {
            let mut buffer = [0; 4096];
            let mut rest = len;
            while rest > 0 {
                let want = rest.min(buffer.len() as u64) as usize;
                let count = self.fill(&mut buffer[..want])?;
                if count == 0 {
                    return Ok(false);
                }
                rest -= count as u64;
            }
            return Ok(true);
        }
        let done = (self.skip)(&mut self.reader, len);
        let done = done.map_err(|source| TarError::Read { offset, source })?;
        self.position = offset.saturating_add(len);
        Ok(done)
    }
}

fn skip_reading<R: Read>(reader: &mut R, len: u64) -> io::Result<bool> {
    Ok(io::copy(&mut reader.take(len), &mut io::sink())? == len)
}

fn skip_seeking<R: Read + Seek>(reader: &mut R, len: u64) -> io::Result<bool> {
    // One can seek beyond the end, so the last byte is read.
    let distance = i64::try_from(len - 1).map_err(io::Error::other)?;
    reader.seek(SeekFrom::Current(distance))?;
    Ok(fill(reader, &mut [0])? == 1)
}

impl<R> fmt::Debug for Stream<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
