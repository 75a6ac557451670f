//! Compresses blocks on several threads and hands them on in order.

use std::any::Any;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::ThreadPool;

use crate::blocks::Tally;
use crate::codec::{self, CodecError};
use crate::pool::{Arrivals, Next, Permit, Raw, Stored, Workers};
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

/// Where a layer goes: some of its uncompressed bytes, and some of its stored ones. One of both is
/// empty.
pub type BlockSink<'a> = dyn FnMut(&[u8], &[u8]) -> io::Result<()> + 'a;

/// Compresses blocks in parallel and hands the layer to `sink(raw, stored)`, both in order: all that
/// comes as `raw`, one after the other, is the layer uncompressed, all that comes as `stored` is the
/// same as stored, with what the format has before and behind the blocks.
///
/// `sink` is called on the calling thread, so that one pass can hash both; one of them is empty in
/// each call. The bytes of a block come as `raw` as soon as they are read, and as `stored` after
/// that, in parts of any length. Each block has a record, even one without bytes. zstd without any
/// bytes is one empty frame.
///
/// The result does not depend on `threads`. With one thread everything happens on the calling
/// thread; else up to `threads` others compress beside it, as [`Workers`] says, which is what layers
/// that are made at the same time share.
///
/// # Errors
///
/// The first in the order of blocks, whatever the threads came to first; nothing stored behind it
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
        next: AtomicUsize::new(0),
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

/// Takes blocks, in order.
struct Output<'a, 's> {
    tally: &'a mut Tally,
    sink: &'a mut BlockSink<'s>,
    records: Vec<BlockRecord>,
}

impl Output<'_, '_> {
    fn raw(&mut self, raw: &[u8]) -> io::Result<()> {
        if raw.is_empty() {
            return Ok(());
        }
        (self.sink)(raw, &[])
    }

    fn stored<'p>(
        &mut self,
        (len, crc32): (usize, u32),
        parts: impl Iterator<Item = &'p [u8]> + Clone,
    ) -> io::Result<()> {
        let stored_len = parts.clone().map(<[u8]>::len).sum();
        self.records.push(self.tally.add(len, stored_len, crc32));
        for part in parts.filter(|part| !part.is_empty()) {
            (self.sink)(&[], part)?;
        }
        Ok(())
    }
}

/// What becomes of a block.
struct Encoded<'a> {
    len: usize,
    crc32: u32,
    stored: Stored<'a>,
    _permit: Permit<'a>,
}

/// One layer's way through the workers.
struct Lane<'a, B: ?Sized> {
    blocks: &'a B,
    encoding: &'a Encoding,
    workers: &'a Workers,
    /// The first block that no thread has begun with.
    next: AtomicUsize,
    /// A block failed: none behind it is of any use, and all before it are under way.
    failed: AtomicBool,
    /// Nobody waits for what is not yet begun.
    is_over: AtomicBool,
}

type Results<'a, E> = Arrivals<Arc<Raw<'a>>, Result<Encoded<'a>, Failure<E>>>;

impl<'a, B: Blocks + ?Sized> Lane<'a, B> {
    fn inline(&self, output: &mut Output<'_, '_>) -> Result<(), EncodeError<B::Error>> {
        let _permit = self.workers.first_permit();
        let mut raw = self.workers.raw();
        let mut tools = self.workers.tools(self.encoding)?;
        for index in 0..self.blocks.count() {
            raw.bytes.clear();
            let crc32 = self.read(index, &mut raw.bytes)?;
            output.raw(&raw.bytes).map_err(EncodeError::Write)?;
            let stored = tools.encode(&raw.bytes)?;
            output
                .stored((raw.bytes.len(), crc32), std::iter::once(stored))
                .map_err(EncodeError::Write)?;
        }
        self.workers.keep(self.encoding, tools);
        Ok(())
    }

    fn in_parallel(
        &self,
        pool: &ThreadPool,
        output: &mut Output<'_, '_>,
    ) -> Result<(), EncodeError<B::Error>> {
        let results = &Results::new();
        pool.in_place_scope(|scope| {
            // Also when the sink fails or panics, nothing more is begun.
            let _over = Over {
                flag: &self.is_over,
                results,
            };
            let count = self.blocks.count();
            let (mut begun, mut raws, mut index) = (0, 0, 0);
            while index < count {
                while begun < count && !self.failed.load(Ordering::Relaxed) {
                    let permit = if begun == index {
                        self.workers.first_permit()
                    } else if let Some(permit) = self.workers.another_permit() {
                        permit
                    } else {
                        break;
                    };
                    scope.spawn(move |_| self.work(permit, results));
                    begun += 1;
                }
                match results.receive(raws, index) {
                    Next::Early(raw) => {
                        raws += 1;
                        output.raw(&raw.bytes).map_err(EncodeError::Write)?;
                    }
                    Next::Done(Ok(encoded)) => {
                        index += 1;
                        output
                            .stored((encoded.len, encoded.crc32), encoded.stored.parts())
                            .map_err(EncodeError::Write)?;
                    }
                    Next::Done(Err(Failure::Error(error))) => return Err(error),
                    Next::Done(Err(Failure::Panic(payload))) => panic::resume_unwind(payload),
                }
            }
            Ok(())
        })
    }

    /// What one thread does for one block: the first that nobody has begun with.
    fn work(&self, permit: Permit<'a>, results: &Results<'a, B::Error>) {
        let raw = self.workers.raw();
        // All blocks before one that failed were begun before it.
        if self.is_over.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed) {
            return;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        // Caught, so that whoever waits for this block learns of it; nothing that the panic left
        // half done is used again.
        let make = || self.make(index, raw, permit, results);
        let result = match panic::catch_unwind(AssertUnwindSafe(make)) {
            Ok(result) => result.map_err(Failure::Error),
            Err(payload) => Err(Failure::Panic(payload)),
        };
        self.failed.fetch_or(result.is_err(), Ordering::Relaxed);
        results.deliver(index, result);
    }

    /// Reads block `index`, hands its bytes on and encodes them meanwhile.
    fn make(
        &self,
        index: usize,
        mut raw: Raw<'a>,
        mut permit: Permit<'a>,
        results: &Results<'a, B::Error>,
    ) -> Result<Encoded<'a>, EncodeError<B::Error>> {
        let crc32 = self.read(index, &mut raw.bytes)?;
        let len = raw.bytes.len();
        let raw = Arc::new(raw);
        results.deliver_early(index, Arc::clone(&raw));
        let mut tools = self.workers.tools(self.encoding)?;
        let encoded = tools.encode(&raw.bytes)?;
        drop(raw);
        let stored = self.workers.store(encoded);
        permit.shrink(encoded.len(), len);
        self.workers.keep(self.encoding, tools);
        Ok(Encoded {
            len,
            crc32,
            stored,
            _permit: permit,
        })
    }

    fn read(&self, index: usize, raw: &mut Vec<u8>) -> Result<u32, EncodeError<B::Error>> {
        self.blocks
            .read(index, raw)
            .map_err(|source| EncodeError::Read { index, source })?;
        Ok(crc32fast::hash(raw))
    }
}

/// Why there is no block to deliver.
enum Failure<E> {
    Error(EncodeError<E>),
    Panic(Box<dyn Any + Send>),
}

/// Ends a lane when dropped: nothing is kept that other lanes wait for.
struct Over<'r, 'a, E> {
    flag: &'r AtomicBool,
    results: &'r Results<'a, E>,
}

impl<E> Drop for Over<'_, '_, E> {
    fn drop(&mut self) {
        self.flag.store(true, Ordering::Relaxed);
        self.results.close();
    }
}
