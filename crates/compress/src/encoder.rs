//! A writer for bytes that nobody planned blocks for.

use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use crate::blocks::Tally;
use crate::engine::{self, EncodeError};
use crate::{BlockRecord, Encoding, Workers, codec};

/// Compresses what is written to it, cut every [`Encoding::block_size`] bytes whatever the sizes
/// of the writes, and writes that to `W`.
///
/// The bytes are those of [`encode_blocks`](crate::encode_blocks) over the same cuts, for any
/// number of threads. Holds two blocks for each thread, with their stored forms.
///
/// [`Encoder::finish`] must be called: dropped before, what `W` got is incomplete.
/// [`Write::flush`] flushes `W` alone and cuts no block, since how often a caller flushes must not
/// reach the bytes.
///
/// # Examples
///
/// ```
/// use cooperage_compress::{Codec, Encoder, Encoding, decoder};
/// use std::io::{Read, Write};
///
/// let mut encoder = Encoder::new(Vec::new(), Encoding::of(Codec::Zstd))?;
/// encoder.write_all(b"a foreign tar")?;
/// let layer = encoder.finish()?;
///
/// let mut tar = String::new();
/// decoder(Codec::Zstd, &layer[..]).read_to_string(&mut tar)?;
/// assert_eq!(tar, "a foreign tar");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Encoder<W: Write> {
    inner: W,
    encoding: Encoding,
    workers: Workers,
    /// Blocks that wait for one another; all but the last are full.
    batch: Vec<Vec<u8>>,
    /// Emptied blocks, for their capacity.
    spare: Vec<Vec<u8>>,
    tally: Tally,
    records: Vec<BlockRecord>,
    /// A write failed, so what came out is not what went in.
    failed: bool,
}

impl<W: Write> Encoder<W> {
    /// Compresses on the calling thread.
    ///
    /// # Errors
    ///
    /// When `inner` does not take the header, or the codec's library is not the one that the
    /// encoder's id stands for ([`CodecError`](crate::CodecError)).
    pub fn new(inner: W, encoding: Encoding) -> io::Result<Self> {
        Self::with_workers(inner, encoding, &Workers::new(NonZeroUsize::MIN))
    }

    /// Compresses on up to `threads` threads while the calling thread waits.
    ///
    /// # Errors
    ///
    /// As [`Encoder::new`].
    pub fn with_threads(inner: W, encoding: Encoding, threads: NonZeroUsize) -> io::Result<Self> {
        Self::with_workers(inner, encoding, &Workers::new(threads))
    }

    /// The same with threads and memory that are shared with other layers.
    ///
    /// # Errors
    ///
    /// As [`Encoder::new`].
    pub fn with_workers(mut inner: W, encoding: Encoding, workers: &Workers) -> io::Result<Self> {
        codec::block_encoder(&encoding).map_err(io::Error::other)?;
        let header = codec::header(&encoding);
        inner.write_all(header)?;
        let mut tally = Tally::default();
        tally.pass(header);
        let (batch, spare, records) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self {
            inner,
            encoding,
            workers: workers.clone(),
            batch,
            spare,
            tally,
            records,
            failed: false,
        })
    }

    /// What the encoded bytes are written to.
    pub const fn get_ref(&self) -> &W {
        &self.inner
    }

    /// How many bytes came in, uncompressed.
    pub fn total_in(&self) -> u64 {
        self.tally.len
            + self
                .batch
                .iter()
                .map(|block| block.len() as u64)
                .sum::<u64>()
    }

    /// Writes what is left and the trailer, and gives the writer back, not flushed.
    ///
    /// # Errors
    ///
    /// When the writer or the codec fails, or did so before.
    pub fn finish(self) -> io::Result<W> {
        self.finish_with_records().map(|(inner, _)| inner)
    }

    /// As [`Encoder::finish`], with where each block lies.
    ///
    /// # Errors
    ///
    /// As [`Encoder::finish`].
    pub fn finish_with_records(mut self) -> io::Result<(W, Vec<BlockRecord>)> {
        self.check()?;
        self.encode_batch()?;
        let trailer = codec::trailer(&self.encoding, self.tally.crc32(), self.tally.len);
        self.inner.write_all(&trailer.map_err(io::Error::other)?)?;
        Ok((self.inner, self.records))
    }

    fn check(&self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other(
                "an earlier write of the compressed layer failed",
            ));
        }
        Ok(())
    }

    fn block_size(&self) -> usize {
        self.encoding.block_size() as usize
    }

    fn encode_batch(&mut self) -> io::Result<()> {
        self.failed = true;
        let inner = &mut self.inner;
        let records = engine::encode_body(
            &self.batch[..],
            &self.encoding,
            &self.workers,
            &mut self.tally,
            &mut |_, stored| inner.write_all(stored),
        )
        .map_err(|error| match error {
            EncodeError::Write(error) => error,
            EncodeError::Codec(error) => io::Error::other(error),
            EncodeError::Read { source, .. } => match source {},
        })?;
        self.failed = false;
        self.records.extend(records);
        self.spare.append(&mut self.batch);
        Ok(())
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        let size = self.block_size();
        if self.batch.last().is_none_or(|block| block.len() == size) {
            // Encoded only when more comes, so that a batch never ends in an empty block.
            if self.batch.len() == self.workers.threads().get() * 2 {
                self.encode_batch()?;
            }
            if !bytes.is_empty() {
                let mut block = self.spare.pop().unwrap_or_default();
                block.clear();
                self.batch.push(block);
            }
        }
        let Some(block) = self.batch.last_mut() else {
            return Ok(0);
        };
        let taken = bytes.len().min(size - block.len());
        block.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("encoding", &self.encoding)
            .field("total_in", &self.total_in())
            .finish_non_exhaustive()
    }
}
