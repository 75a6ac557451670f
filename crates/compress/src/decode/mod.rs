//! Reads stored layers, ours and everyone's.

mod gzip;
mod zstd;

use std::io::{self, BufRead, BufReader, Read};

use crate::{Codec, Detected, sniff};

/// How many stored bytes are read at a time.
const BUFFER: usize = 64 << 10;

/// Decompresses a layer to its end.
///
/// gzip may have several members and zeros behind the last (tape blocks, as gzip itself allows);
/// zstd several frames, and skippable ones. Anything else behind the end is an error, and so is a
/// layer without a member or frame. The end is reported only after `reader` reported its own, so a
/// reader that verifies a digest at its end has done so.
///
/// Memory does not depend on what the layer says of itself: gzip needs its window of 32 KiB, zstd
/// at most 128 MiB, the largest window that it is taken with (as containerd and the `zstd` program
/// do unless told otherwise). How much comes out is for the caller to limit: a few bytes can stand
/// for gigabytes.
///
/// # Errors
///
/// What `reader` fails with is passed on as it is. What is wrong with the bytes is a
/// [`DecodeError`] inside an [`io::Error`] of kind [`InvalidData`](io::ErrorKind::InvalidData), or
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) where they break off. After an error every
/// further read fails.
///
/// # Examples
///
/// ```
/// use cooperage_compress::{Codec, decoder};
/// use std::io::Read;
///
/// let layer = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], b"\x03\x00", &[0; 8]].concat();
/// let mut tar = Vec::new();
/// decoder(Codec::Gzip, &layer[..]).read_to_end(&mut tar)?;
/// assert!(tar.is_empty());
///
/// let error = decoder(Codec::Gzip, &layer[..15]).read_to_end(&mut tar).unwrap_err();
/// assert_eq!(error.to_string(), "the gzip stream breaks off after 15 bytes");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn decoder<'r, R: Read + Send + 'r>(codec: Codec, reader: R) -> Box<dyn Read + Send + 'r> {
    decode_buffered(codec, BufReader::with_capacity(BUFFER, reader))
}

/// As [`decoder`], for a layer whose codec its first bytes tell.
///
/// What begins like none of them is taken for an uncompressed layer.
///
/// # Errors
///
/// When `reader` fails, and [`DecodeError::Unsupported`] for bzip2 and xz, which no media type of
/// an image exists for.
pub fn sniffing_decoder<'r, R: Read + Send + 'r>(
    reader: R,
) -> io::Result<(Codec, Box<dyn Read + Send + 'r>)> {
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    let mut start = Vec::new();
    reader
        .by_ref()
        .take(sniff::LONGEST_MAGIC)
        .read_to_end(&mut start)?;
    let codec = match sniff(&start) {
        Detected::None => Codec::None,
        Detected::Gzip => Codec::Gzip,
        Detected::Zstd => Codec::Zstd,
        format @ (Detected::Bzip2 | Detected::Xz) => {
            return Err(DecodeError::Unsupported { format }.into());
        }
    };
    Ok((
        codec,
        decode_buffered(codec, io::Cursor::new(start).chain(reader)),
    ))
}

fn decode_buffered<'r, R: BufRead + Send + 'r>(codec: Codec, r: R) -> Box<dyn Read + Send + 'r> {
    match codec {
        Codec::None => Box::new(r),
        Codec::Gzip => Box::new(Fused::new(gzip::Members::new(r))),
        Codec::Zstd => Box::new(Fused::new(zstd::Frames::new(r))),
    }
}

/// What is wrong with a stored layer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The stored bytes end within a member or a frame, or before the first.
    #[error("the {codec} stream breaks off after {offset} bytes")]
    Truncated {
        /// The codec it was read with.
        codec: Codec,
        /// How many stored bytes there are.
        offset: u64,
    },
    /// The stored bytes are not what the codec writes, or not what was stored.
    #[error("the {codec} stream is corrupt at or before byte {offset}: {reason}")]
    Corrupt {
        /// The codec it was read with.
        codec: Codec,
        /// How many stored bytes were read.
        offset: u64,
        /// What the codec said.
        reason: String,
    },
    /// Something else follows the last member or frame.
    #[error("the {codec} stream ends at byte {offset}, but other bytes follow")]
    TrailingGarbage {
        /// The codec it was read with.
        codec: Codec,
        /// Where the other bytes begin, in stored bytes.
        offset: u64,
    },
    /// A compression that no media type exists for.
    #[error("layers cannot be stored as {format}: no media type exists for it; use gzip or zstd")]
    Unsupported {
        /// What it begins like.
        format: Detected,
    },
}

impl From<DecodeError> for io::Error {
    fn from(error: DecodeError) -> Self {
        let kind = match error {
            DecodeError::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            DecodeError::Unsupported { .. } => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// Counts what was read, and remembers whether reading itself failed, so that a reader's own error
/// is not taken for a fault of the bytes.
struct Tap<R> {
    inner: R,
    offset: u64,
    failed: bool,
}

impl<R: BufRead> Tap<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            offset: 0,
            failed: false,
        }
    }
}

impl<R: BufRead> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Tap<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        loop {
            match self.inner.fill_buf() {
                // Asked again below, which costs nothing: the compiler does not understand yet
                // that a borrow is returned on one branch only.
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = true;
                    return Err(error);
                }
            }
        }
        self.inner.fill_buf().inspect_err(|_| self.failed = true)
    }

    fn consume(&mut self, amount: usize) {
        self.offset += amount as u64;
        self.inner.consume(amount);
    }
}

/// Fails for ever once it has failed.
struct Fused<R> {
    inner: R,
    failed: bool,
}

impl<R: Read> Fused<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            failed: false,
        }
    }
}

impl<R: Read> Read for Fused<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other(
                "an earlier read of the compressed layer failed",
            ));
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        let result = self.inner.read(buffer);
        self.failed = matches!(&result, Err(e) if e.kind() != io::ErrorKind::Interrupted);
        result
    }
}
