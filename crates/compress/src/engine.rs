//! Compresses blocks on several threads and hands them on in order.

use std::any::Any;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use crate::blocks::Tally;
use crate::codec::{self, BlockEncoder, CodecError};
use crate::pool::Pool;
use crate::{BlockRecord, Blocks, Encoding};

/// Why blocks could not be encoded; `E` is what [`Blocks::read`] fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError<E> {
    /// A block could not be read.
    #[error("cannot read block {index} of the layer")]
    Read {
        /// Which block, counted from 0.
        index: usize,
        /// What reading it failed with.
        source: E,
    },
    /// The sink did not take the bytes.
    #[error("cannot write the compressed layer")]
    Write(#[source] io::Error),
    /// The codec failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// More threads than this are not started, however many are asked for.
const MAX_WORKERS: usize = 256;

/// Where encoded blocks go: the uncompressed bytes of a block, and the same as stored.
pub type BlockSink<'a> = dyn FnMut(&[u8], &[u8]) -> io::Result<()> + 'a;

/// Compresses blocks in parallel and hands them in order to `sink(raw, stored)`: the uncompressed
/// bytes of a block and the same as stored.
///
/// `sink` is called on the calling thread, so that one pass can hash both. What the format has
/// before and behind the blocks goes through the same sink with empty `raw`, so the stored layer
/// is all that came as `stored`, one after the other. A block without bytes is skipped, though it
/// has a record; there is one for each block. zstd without any bytes is one empty frame.
///
/// The result does not depend on `threads`. With one thread everything happens on the calling
/// thread; else up to `threads` workers compress beside it. With *P* workers at most *P* + 3 blocks
/// are in memory, each with its stored form, which is never more than 1/8 and 4 KiB larger.
///
/// # Errors
///
/// The first in the order of blocks, whatever the threads came to first; no block behind it
/// reaches the sink. What the sink got before it is incomplete and must be thrown away.
///
/// # Panics
///
/// When [`Blocks::read`] or `sink` does, after all workers have ended.
///
/// # Examples
///
/// ```
/// use cooperage_compress::{Encoding, encode_blocks};
///
/// let blocks = [&b"one block, "[..], b"and another"];
/// let (mut tar, mut layer) = (Vec::new(), Vec::new());
/// let records = encode_blocks(
///     &blocks[..],
///     &Encoding::default(),
///     std::thread::available_parallelism()?,
///     &mut |raw, stored| {
///         tar.extend_from_slice(raw); // hashed, this is the diff ID
///         layer.extend_from_slice(stored); // and this the layer's digest
///         Ok(())
///     },
/// )?;
/// assert_eq!(tar, b"one block, and another");
/// assert_eq!((records[1].offset, records[1].len), (11, 11));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode_blocks<B: Blocks + ?Sized>(
    blocks: &B,
    encoding: &Encoding,
    threads: NonZeroUsize,
    sink: &mut BlockSink<'_>,
) -> Result<Vec<BlockRecord>, EncodeError<B::Error>> {
    let mut tally = Tally::default();
    let header = codec::header(encoding);
    pass(header, &mut tally, sink)?;
    let records = encode_body(blocks, encoding, threads, &mut tally, sink)?;
    let trailer = codec::trailer(encoding, tally.crc32(), tally.len)?;
    pass(&trailer, &mut tally, sink)?;
    Ok(records)
}

fn pass<E>(
    stored: &[u8],
    tally: &mut Tally,
    sink: &mut BlockSink<'_>,
) -> Result<(), EncodeError<E>> {
    if !stored.is_empty() {
        tally.pass(stored);
        sink(&[], stored).map_err(EncodeError::Write)?;
    }
    Ok(())
}

/// Encodes blocks without what stands before and behind them.
pub(crate) fn encode_body<B: Blocks + ?Sized>(
    blocks: &B,
    encoding: &Encoding,
    threads: NonZeroUsize,
    tally: &mut Tally,
    sink: &mut BlockSink<'_>,
) -> Result<Vec<BlockRecord>, EncodeError<B::Error>> {
    let mut output = Output {
        tally,
        sink,
        records: Vec::new(),
    };
    let workers = threads.get().min(blocks.count()).min(MAX_WORKERS);
    if workers > 1 {
        in_parallel(blocks, encoding, workers, &mut output)?;
    } else {
        inline(blocks, encoding, &mut output)?;
    }
    Ok(output.records)
}

/// Takes encoded blocks, in order.
struct Output<'a, 's> {
    tally: &'a mut Tally,
    sink: &'a mut BlockSink<'s>,
    records: Vec<BlockRecord>,
}

impl Output<'_, '_> {
    fn put(&mut self, slot: &Slot) -> io::Result<()> {
        self.records.push(
            self.tally
                .add(slot.raw.len(), slot.stored.len(), slot.crc32),
        );
        if slot.raw.is_empty() {
            Ok(())
        } else {
            (self.sink)(&slot.raw, &slot.stored)
        }
    }
}

/// The buffers of one block.
#[derive(Default)]
pub(crate) struct Slot {
    raw: Vec<u8>,
    stored: Vec<u8>,
    crc32: u32,
}

impl Slot {
    /// Reads block `index` and encodes it.
    fn fill<B: Blocks + ?Sized>(
        &mut self,
        blocks: &B,
        index: usize,
        encoder: &mut dyn BlockEncoder,
        room: &mut Vec<u8>,
    ) -> Result<(), EncodeError<B::Error>> {
        self.raw.clear();
        self.stored.clear();
        blocks
            .read(index, &mut self.raw)
            .map_err(|source| EncodeError::Read { index, source })?;
        self.crc32 = crc32fast::hash(&self.raw);
        if !self.raw.is_empty() {
            // Codecs touch room for the worst case. There is one such room a worker, not one a
            // block, and the block keeps what it needs.
            encoder.encode(&self.raw, room)?;
            self.stored.extend_from_slice(room);
        }
        Ok(())
    }
}

fn inline<B: Blocks + ?Sized>(
    blocks: &B,
    encoding: &Encoding,
    output: &mut Output<'_, '_>,
) -> Result<(), EncodeError<B::Error>> {
    let mut encoder = codec::block_encoder(encoding)?;
    let (mut slot, mut room) = (Slot::default(), Vec::new());
    for index in 0..blocks.count() {
        slot.fill(blocks, index, &mut *encoder, &mut room)?;
        output.put(&slot).map_err(EncodeError::Write)?;
    }
    Ok(())
}

fn in_parallel<B: Blocks + ?Sized>(
    blocks: &B,
    encoding: &Encoding,
    workers: usize,
    output: &mut Output<'_, '_>,
) -> Result<(), EncodeError<B::Error>> {
    let encoders = (0..workers).map(|_| codec::block_encoder(encoding));
    let encoders = encoders.collect::<Result<Vec<_>, _>>()?;
    let pool = &Pool::new(blocks.count(), workers + 3);
    thread::scope(|scope| {
        // Also when the sink fails or panics, the workers end and the scope with them.
        let _stop = StopOnDrop(pool);
        let mut spawned = 0;
        for mut encoder in encoders {
            let work = move || work(blocks, &mut *encoder, pool);
            let worker = thread::Builder::new().name("compress".into());
            spawned += usize::from(worker.spawn_scoped(scope, work).is_ok());
        }
        if spawned == 0 {
            // A system that has no thread to give is slow, not broken.
            return inline(blocks, encoding, output);
        }
        for index in 0..blocks.count() {
            match pool.receive(index) {
                Ok(slot) => {
                    output.put(&slot).map_err(EncodeError::Write)?;
                    pool.give_back(slot);
                }
                Err(Failure::Error(error)) => return Err(error),
                Err(Failure::Panic(payload)) => panic::resume_unwind(payload),
            }
        }
        Ok(())
    })
}

fn work<B: Blocks + ?Sized>(
    blocks: &B,
    encoder: &mut dyn BlockEncoder,
    pool: &Pool<Failure<B::Error>>,
) {
    let mut room = Vec::new();
    while let Some((index, mut slot)) = pool.take() {
        // Caught, so that whoever waits for this block learns of it; nothing that the panic left
        // half done is used again.
        let filled = panic::catch_unwind(AssertUnwindSafe(|| {
            slot.fill(blocks, index, &mut *encoder, &mut room)
        }));
        pool.deliver(
            index,
            match filled {
                Ok(Ok(())) => Ok(slot),
                Ok(Err(error)) => Err(Failure::Error(error)),
                Err(payload) => Err(Failure::Panic(payload)),
            },
        );
    }
}

/// Why a worker has no block to deliver.
enum Failure<E> {
    Error(EncodeError<E>),
    Panic(Box<dyn Any + Send>),
}

struct StopOnDrop<'a, F>(&'a Pool<F>);

impl<F> Drop for StopOnDrop<'_, F> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
