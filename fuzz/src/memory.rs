//! How much memory a parser takes, counted for each thread.

#![expect(
    unsafe_code,
    reason = "an allocator cannot be written without; it hands every call on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting.
struct Meter;

#[global_allocator]
static METER: Meter = Meter;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

fn took(bytes: usize) {
    // A thread that is ending has no counters any more.
    let _ = NOW.try_with(|now| {
        now.set(now.get().wrapping_add(bytes));
        let _ = MOST.try_with(|most| most.set(most.get().max(now.get())));
    });
}

fn gave(bytes: usize) {
    // What another thread took may be given here.
    let _ = NOW.try_with(|now| now.set(now.get().saturating_sub(bytes)));
}

// SAFETY: every call is the system's own; the counters have no influence.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        gave(layout.size());
        took(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// Runs `parse`, and panics if it held more than `limit` bytes at one time.
///
/// Counts what Rust allocates on this thread; what C does, libFuzzer limits.
pub(crate) fn within<T>(limit: usize, parse: impl FnOnce() -> T) -> T {
    let before = NOW.get();
    MOST.set(before);
    let result = parse();
    let most = MOST.get().saturating_sub(before);
    assert!(
        most <= limit,
        "it held {most} bytes at one time, {limit} are enough"
    );
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted() {
        within(10_000, || drop(vec![1_u8; 9_000]));
        let held = std::panic::catch_unwind(|| within(10_000, || drop(vec![1_u8; 11_000])));
        assert!(held.is_err());
        // What is given back does not count.
        within(10_000, || (0..100).for_each(|_| drop(vec![1_u8; 9_000])));
    }
}
