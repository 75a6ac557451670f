//! What long work tells those who wait for it.

/// Told of work as it goes on, from any thread. Tells nothing back: it cannot change a result.
pub trait Progress: Send + Sync {
    /// A piece of work begins; `total` is its length in bytes where known. Returns a number for
    /// the calls that follow.
    fn start(&self, what: &str, total: Option<u64>) -> u64;
    /// `bytes` more are done.
    fn advance(&self, id: u64, bytes: u64);
    /// The piece has ended, well or not.
    fn finish(&self, id: u64);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn start(&self, _what: &str, _total: Option<u64>) -> u64 {
        0
    }
    fn advance(&self, _id: u64, _bytes: u64) {}
    fn finish(&self, _id: u64) {}
}
