//! What compresses blocks: threads, and the buffers that all layers being made share.
//!
//! Whoever puts blocks in order holds a slot, that is a pair of buffers, *before* it takes the
//! index of a block and hands both to a thread. So the oldest block that is not yet handed on is
//! either in a slot, and will be done, or all slots are free for it. The other way round (index
//! first) later blocks can fill every slot while the oldest waits for one, and all stand still. Of
//! several layers, each that has no slot comes before those that have one already: each has its
//! oldest block's, and goes on.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Encoding;
use crate::codec::{self, BlockEncoder, CodecError};
use crate::engine::Slot;

/// More threads than this are not started, however many are asked for.
const MAX_WORKERS: usize = 256;

/// Threads that compress, with the blocks that are in memory: what layers that are made at the same
/// time share, so that several take no more threads and no more memory than one.
///
/// With *P* threads at most *P* + 3 blocks are in memory, each with its stored form, which is never
/// more than 1/8 and 4 KiB larger; no result depends on *P*. Clones share the same threads, which
/// start with the first layer that needs them, and end with the last clone.
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
    /// A slot came back.
    returned: Condvar,
    tools: Mutex<BTreeMap<Encoding, Vec<Tools>>>,
}

/// Slots that nobody holds.
struct Stock {
    free: Vec<Slot>,
    /// How many more may be made.
    unmade: usize,
    /// How many layers wait for their first one.
    waiting: usize,
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
                free: Vec::new(),
                unmade: threads.get() + 3,
                waiting: 0,
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

    /// A slot for a layer that holds none: waits for it.
    pub(crate) fn first_slot(&self) -> Lease<'_> {
        let mut stock = lock(&self.0.stock);
        stock.waiting += 1;
        loop {
            if let Some(slot) = stock.take() {
                stock.waiting -= 1;
                return self.lease(slot);
            }
            stock = self
                .0
                .returned
                .wait(stock)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One more slot for a layer that holds some, if there is one that nobody needs more.
    pub(crate) fn another_slot(&self) -> Option<Lease<'_>> {
        let mut stock = lock(&self.0.stock);
        let left = stock.free.len() + stock.unmade;
        (left > stock.waiting)
            .then(|| stock.take())
            .flatten()
            .map(|slot| self.lease(slot))
    }

    fn lease(&self, slot: Slot) -> Lease<'_> {
        Lease {
            slot,
            workers: self,
        }
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

impl Stock {
    fn take(&mut self) -> Option<Slot> {
        self.free.pop().or_else(|| {
            self.unmade = self.unmade.checked_sub(1)?;
            Some(Slot::default())
        })
    }
}

/// A slot that goes back when dropped.
pub(crate) struct Lease<'a> {
    pub(crate) slot: Slot,
    workers: &'a Workers,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let slot = std::mem::take(&mut self.slot);
        lock(&self.workers.0.stock).free.push(slot);
        self.workers.0.returned.notify_all();
    }
}

/// Blocks that come in any order and are taken in theirs.
pub(crate) struct Arrivals<T> {
    done: Mutex<BTreeMap<usize, T>>,
    arrived: Condvar,
}

impl<T> Arrivals<T> {
    pub(crate) fn new() -> Self {
        Self {
            done: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    /// What became of a block.
    pub(crate) fn deliver(&self, index: usize, result: T) {
        lock(&self.done).insert(index, result);
        self.arrived.notify_one();
    }

    /// Waits for a block, which must be under way.
    pub(crate) fn receive(&self, index: usize) -> T {
        let mut done = lock(&self.done);
        loop {
            if let Some(result) = done.remove(&index) {
                return result;
            }
            done = self
                .arrived
                .wait(done)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of others runs under these locks, so nothing is ever left half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
