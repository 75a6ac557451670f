//! Compresses blocks on several threads and hands them on in order.

use std::any::Any;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::ThreadPool;

use crate::blocks::Tally;
use crate::codec::{self, CodecError};
use crate::pool::{Arrivals, Lease, Tools, Workers};
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
/// thread; else up to `threads` others compress beside it, as [`Workers`] says, which is what layers
/// that are made at the same time share.
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
    Workers::new(threads).encode_blocks(blocks, encoding, sink)
}

impl Workers {
    /// As [`encode_blocks`], with threads and memory that are shared with other layers.
    ///
    /// # Errors
    ///
    /// As [`encode_blocks`].
    ///
    /// # Panics
    ///
    /// As [`encode_blocks`].
    pub fn encode_blocks<B: Blocks + ?Sized>(
        &self,
        blocks: &B,
        encoding: &Encoding,
        sink: &mut BlockSink<'_>,
    ) -> Result<Vec<BlockRecord>, EncodeError<B::Error>> {
        let mut tally = Tally::default();
        let header = codec::header(encoding);
        pass(header, &mut tally, sink)?;
        let records = encode_body(blocks, encoding, self, &mut tally, sink)?;
        let trailer = codec::trailer(encoding, tally.crc32(), tally.len)?;
        pass(&trailer, &mut tally, sink)?;
        Ok(records)
    }
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
    workers: &Workers,
    tally: &mut Tally,
    sink: &mut BlockSink<'_>,
) -> Result<Vec<BlockRecord>, EncodeError<B::Error>> {
    let lane = Lane {
        blocks,
        encoding,
        workers,
        failed: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
    };
    let mut output = Output {
        tally,
        sink,
        records: Vec::new(),
    };
    // A fault of the codec's library is one of the whole layer, and comes before any block.
    workers.keep(encoding, workers.tools(encoding)?);
    // For one block alone no thread is started.
    match (blocks.count() > 1).then(|| workers.pool()).flatten() {
        Some(pool) => lane.in_parallel(pool, &mut output)?,
        None => lane.inline(&mut output)?,
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

/// One layer's way through the workers.
struct Lane<'a, B: ?Sized> {
    blocks: &'a B,
    encoding: &'a Encoding,
    workers: &'a Workers,
    /// A block failed: none behind it is of any use, and all before it are under way.
    failed: AtomicBool,
    /// Nobody waits for what is not yet begun.
    is_over: AtomicBool,
}

type Arrival<'a, E> = Result<Lease<'a>, Failure<E>>;

impl<B: Blocks + ?Sized> Lane<'_, B> {
    fn inline(&self, output: &mut Output<'_, '_>) -> Result<(), EncodeError<B::Error>> {
        let mut lease = self.workers.first_slot();
        for index in 0..self.blocks.count() {
            self.fill(&mut lease.slot, index)?;
            output.put(&lease.slot).map_err(EncodeError::Write)?;
        }
        Ok(())
    }

    fn in_parallel(
        &self,
        pool: &ThreadPool,
        output: &mut Output<'_, '_>,
    ) -> Result<(), EncodeError<B::Error>> {
        let arrivals = &Arrivals::<Arrival<'_, B::Error>>::new();
        pool.in_place_scope(|scope| {
            // Also when the sink fails or panics, nothing more is begun.
            let _over = SetOnDrop(&self.is_over);
            let count = self.blocks.count();
            let mut begun = 0;
            for index in 0..count {
                while begun < count && !self.failed.load(Ordering::Relaxed) {
                    let lease = if begun == index {
                        self.workers.first_slot()
                    } else if let Some(lease) = self.workers.another_slot() {
                        lease
                    } else {
                        break;
                    };
                    let this = begun;
                    scope.spawn(move |_| arrivals.deliver(this, self.work(this, lease)));
                    begun += 1;
                }
                match arrivals.receive(index) {
                    Ok(lease) => output.put(&lease.slot).map_err(EncodeError::Write)?,
                    Err(Failure::Error(error)) => return Err(error),
                    Err(Failure::Panic(payload)) => panic::resume_unwind(payload),
                }
            }
            Ok(())
        })
    }

    /// What one thread does for one block. Nobody asks for it any more once the lane is over.
    fn work<'l>(&self, index: usize, mut lease: Lease<'l>) -> Arrival<'l, B::Error> {
        if self.is_over.load(Ordering::Relaxed) {
            return Ok(lease);
        }
        // Caught, so that whoever waits for this block learns of it; nothing that the panic left
        // half done is used again.
        let filled = panic::catch_unwind(AssertUnwindSafe(|| self.fill(&mut lease.slot, index)));
        // Before the slot goes back, for which another block could be begun.
        self.failed
            .fetch_or(!matches!(filled, Ok(Ok(()))), Ordering::Relaxed);
        match filled {
            Ok(Ok(())) => Ok(lease),
            Ok(Err(error)) => Err(Failure::Error(error)),
            Err(payload) => Err(Failure::Panic(payload)),
        }
    }

    /// Reads block `index` and encodes it.
    fn fill(&self, slot: &mut Slot, index: usize) -> Result<(), EncodeError<B::Error>> {
        slot.raw.clear();
        slot.stored.clear();
        self.blocks
            .read(index, &mut slot.raw)
            .map_err(|source| EncodeError::Read { index, source })?;
        slot.crc32 = crc32fast::hash(&slot.raw);
        if !slot.raw.is_empty() {
            let mut tools = self.workers.tools(self.encoding)?;
            let Tools { encoder, room } = &mut tools;
            encoder.encode(&slot.raw, room)?;
            slot.stored.extend_from_slice(room);
            self.workers.keep(self.encoding, tools);
        }
        Ok(())
    }
}

/// Why there is no block to deliver.
enum Failure<E> {
    Error(EncodeError<E>),
    Panic(Box<dyn Any + Send>),
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
