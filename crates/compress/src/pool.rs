//! What compresses blocks: threads, and the buffers that all layers being made share.
//!
//! Two things are scarce. A *permit* is room for one block as it will be stored; whoever puts blocks in
//! order takes it *before* a thread is asked for another block, and once the block is encoded it
//! shrinks to what that takes. So of blocks that compress well many may be done while the oldest is
//! still under way. A *raw* buffer holds a block's own bytes; the thread takes it *before* it takes the
//! index of a block, and lets go of it when the block is encoded and handed on.
//!
//! So the oldest block that is not yet handed on has both, and will be done, or there is none of which
//! that could be said. The other way round (index first) later blocks can fill every buffer while the
//! oldest waits for one, and all stand still. Of several layers, each that has no permit comes before
//! those that have one already: each has its oldest block's, and goes on.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Encoding;
use crate::codec::{self, BlockEncoder, CodecError};

/// Into so many parts a block's room is divided.
const WHOLE: usize = 64;
/// Stored bytes lie in pieces of this length, so that all can be used again, whatever the next block
/// takes.
const PIECE: usize = 64 << 10;
/// More threads than this are not started, however many are asked for.
const MAX_WORKERS: usize = 256;

/// Threads that compress, with the blocks that are in memory: what layers that are made at the same
/// time share, so that several take no more threads and no more memory than one.
///
/// With *P* threads at most *P* + 3 blocks are in memory, and as much of stored ones as *P* + 3 that
/// cannot be compressed, each of which is never more than 1/8 and 4 KiB larger than it was; no result
/// depends on *P*. Clones share the same threads, which start with the first layer that needs them,
/// and end with the last clone.
///
/// # Examples
///
/// ```
/// use cooperage_compress::{Encoding, Workers};
///
/// let workers = Workers::new(std::thread::available_parallelism()?);
/// let encode = |text: &str| {
///     let mut layer = Vec::new();
///     let blocks = [text.as_bytes()];
///     workers.encode_blocks(&blocks[..], &Encoding::default(), &mut |_, stored| {
///         layer.extend_from_slice(stored);
///         Ok(())
///     })?;
///     Ok::<_, cooperage_compress::EncodeError<_>>(layer)
/// };
/// std::thread::scope(|scope| {
///     let other = scope.spawn(|| encode("one layer").map(|layer| layer.len()));
///     encode("and another at the same time")?;
///     other.join().expect("it does not panic")
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Workers(Arc<Inner>);

struct Inner {
    threads: NonZeroUsize,
    /// `None` on a system that has no threads to give, which is slow, not broken.
    pool: OnceLock<Option<ThreadPool>>,
    stock: Mutex<Stock>,
    /// A permit came back, or a part of one, or a buffer.
    returned: Condvar,
    tools: Mutex<BTreeMap<Encoding, Vec<Tools>>>,
}

/// What nobody holds.
struct Stock {
    /// Room for stored blocks, in parts of one.
    room: usize,
    /// How many layers wait for their first permit.
    waiting: usize,
    raws: Vec<Vec<u8>>,
    /// How many more raw buffers may be made.
    unmade: usize,
    pieces: Vec<Vec<u8>>,
}

/// What a thread needs to encode a block.
pub(crate) struct Tools {
    pub(crate) encoder: Box<dyn BlockEncoder>,
    /// Room for the worst case, which codecs touch. There is one such room a thread, not one a
    /// block, and the block keeps what it needs.
    pub(crate) room: Vec<u8>,
}

impl Workers {
    /// Up to `threads` threads, 256 at most. With one, everything happens on the calling thread.
    #[must_use]
    pub fn new(threads: NonZeroUsize) -> Self {
        let threads = threads.min(const { NonZeroUsize::new(MAX_WORKERS).expect("not zero") });
        Self(Arc::new(Inner {
            threads,
            pool: OnceLock::new(),
            stock: Mutex::new(Stock {
                room: (threads.get() + 3) * WHOLE,
                waiting: 0,
                raws: Vec::new(),
                unmade: threads.get() + 3,
                pieces: Vec::new(),
            }),
            returned: Condvar::new(),
            tools: Mutex::default(),
        }))
    }

    /// How many threads there are at most.
    #[must_use]
    pub fn threads(&self) -> NonZeroUsize {
        self.0.threads
    }

    /// The threads; `None` if all is to happen on the calling one.
    pub(crate) fn pool(&self) -> Option<&ThreadPool> {
        let threads = self.0.threads.get();
        let make = || {
            let builder = ThreadPoolBuilder::new().num_threads(threads);
            builder.thread_name(|_| "compress".into()).build().ok()
        };
        (threads > 1)
            .then(|| self.0.pool.get_or_init(make).as_ref())
            .flatten()
    }

    /// A permit for a layer that has none: waits for it.
    pub(crate) fn first_permit(&self) -> Permit<'_> {
        let mut stock = lock(&self.0.stock);
        stock.waiting += 1;
        while stock.room < WHOLE {
            stock = self.wait(stock);
        }
        stock.waiting -= 1;
        stock.room -= WHOLE;
        self.permit()
    }

    /// One more permit for a layer that has some, if there is one that nobody needs more.
    pub(crate) fn another_permit(&self) -> Option<Permit<'_>> {
        let mut stock = lock(&self.0.stock);
        let is_left = stock.room >= (stock.waiting + 1) * WHOLE;
        is_left.then(|| {
            stock.room -= WHOLE;
            self.permit()
        })
    }

    const fn permit(&self) -> Permit<'_> {
        Permit {
            parts: WHOLE,
            workers: self,
        }
    }

    /// A buffer for the bytes of a block, empty: waits for it.
    pub(crate) fn raw(&self) -> Raw<'_> {
        let mut stock = lock(&self.0.stock);
        let bytes = loop {
            if let Some(bytes) = stock.raws.pop() {
                break bytes;
            }
            if let Some(unmade) = stock.unmade.checked_sub(1) {
                stock.unmade = unmade;
                break Vec::new();
            }
            stock = self.wait(stock);
        };
        Raw {
            bytes,
            workers: self,
        }
    }

    fn wait<'s>(&self, stock: MutexGuard<'s, Stock>) -> MutexGuard<'s, Stock> {
        let waited = self.0.returned.wait(stock);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps stored bytes.
    pub(crate) fn store(&self, bytes: &[u8]) -> Stored<'_> {
        let mut stored = Stored {
            pieces: Vec::new(),
            workers: self,
        };
        for part in bytes.chunks(PIECE) {
            let free = lock(&self.0.stock).pieces.pop();
            let mut piece = free.unwrap_or_else(|| Vec::with_capacity(PIECE));
            piece.extend_from_slice(part);
            stored.pieces.push(piece);
        }
        stored
    }

    /// What a thread encodes with; to be given back.
    pub(crate) fn tools(&self, encoding: &Encoding) -> Result<Tools, CodecError> {
        let kept = lock(&self.0.tools).get_mut(encoding).and_then(Vec::pop);
        match kept {
            Some(tools) => Ok(tools),
            None => Ok(Tools {
                encoder: codec::block_encoder(encoding)?,
                room: Vec::new(),
            }),
        }
    }

    pub(crate) fn keep(&self, encoding: &Encoding, tools: Tools) {
        lock(&self.0.tools)
            .entry(*encoding)
            .or_default()
            .push(tools);
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("threads", &self.0.threads)
            .finish_non_exhaustive()
    }
}

impl Tools {
    /// A block as it is stored; nothing, if there is nothing of it.
    pub(crate) fn encode(&mut self, raw: &[u8]) -> Result<&[u8], CodecError> {
        if raw.is_empty() {
            self.room.clear();
        } else {
            self.encoder.encode(raw, &mut self.room)?;
        }
        Ok(&self.room)
    }
}

/// Room for a stored block, which goes back when dropped.
pub(crate) struct Permit<'a> {
    parts: usize,
    workers: &'a Workers,
}

impl Permit<'_> {
    /// Gives back what a block does not take that has `stored` bytes for `raw` of its own.
    pub(crate) fn shrink(&mut self, stored: usize, raw: usize) {
        let parts = (stored.saturating_mul(WHOLE) / raw.max(1)).clamp(1, self.parts);
        self.give_back(self.parts - parts);
        self.parts = parts;
    }

    fn give_back(&self, parts: usize) {
        lock(&self.workers.0.stock).room += parts;
        self.workers.0.returned.notify_all();
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.give_back(self.parts);
    }
}

/// The bytes of a block; the buffer goes back when dropped.
pub(crate) struct Raw<'a> {
    pub(crate) bytes: Vec<u8>,
    workers: &'a Workers,
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        lock(&self.workers.0.stock).raws.push(bytes);
        self.workers.0.returned.notify_all();
    }
}

/// A block as it is stored; its pieces go back when dropped.
pub(crate) struct Stored<'a> {
    pieces: Vec<Vec<u8>>,
    workers: &'a Workers,
}

impl Stored<'_> {
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.pieces.iter().map(Vec::as_slice)
    }
}

impl Drop for Stored<'_> {
    fn drop(&mut self) {
        self.pieces.iter_mut().for_each(Vec::clear);
        let mut stock = lock(&self.workers.0.stock);
        stock.pieces.append(&mut self.pieces);
    }
}

/// What comes of blocks in any order, and is taken in theirs: of each something early, and something
/// when it is done.
pub(crate) struct Arrivals<R, T> {
    arrived: Mutex<Arrived<R, T>>,
    news: Condvar,
}

struct Arrived<R, T> {
    early: BTreeMap<usize, R>,
    done: BTreeMap<usize, T>,
    is_closed: bool,
}

/// What is taken next.
pub(crate) enum Next<R, T> {
    Early(R),
    Done(T),
}

impl<R, T> Arrivals<R, T> {
    pub(crate) fn new() -> Self {
        Self {
            arrived: Mutex::new(Arrived {
                early: BTreeMap::new(),
                done: BTreeMap::new(),
                is_closed: false,
            }),
            news: Condvar::new(),
        }
    }

    /// What comes early of a block.
    pub(crate) fn deliver_early(&self, index: usize, early: R) {
        self.put(|arrived| drop(arrived.early.insert(index, early)));
    }

    /// What became of a block.
    pub(crate) fn deliver(&self, index: usize, done: T) {
        self.put(|arrived| drop(arrived.done.insert(index, done)));
    }

    fn put(&self, put: impl FnOnce(&mut Arrived<R, T>)) {
        let mut arrived = lock(&self.arrived);
        if !arrived.is_closed {
            put(&mut arrived);
        }
        drop(arrived);
        self.news.notify_one();
    }

    /// Waits for what comes early of a block, or of another one, which must be under way, for what
    /// became of it: what comes early comes first.
    pub(crate) fn receive(&self, early: usize, done: usize) -> Next<R, T> {
        let mut arrived = lock(&self.arrived);
        loop {
            if let Some(early) = arrived.early.remove(&early) {
                return Next::Early(early);
            }
            if let Some(done) = arrived.done.remove(&done) {
                return Next::Done(done);
            }
            let waited = self.news.wait(arrived);
            arrived = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops all that nobody took, and all that comes from now on.
    pub(crate) fn close(&self) {
        let mut arrived = lock(&self.arrived);
        arrived.is_closed = true;
        let rest = (
            std::mem::take(&mut arrived.early),
            std::mem::take(&mut arrived.done),
        );
        drop(arrived);
        drop(rest);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of others runs under these locks, so nothing is ever left half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
