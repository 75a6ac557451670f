//! Work on several threads, with results in order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `work` on all items, `lanes` at a time, and gives what came of them in their order.
///
/// After a failure nothing new is begun.
///
/// # Errors
///
/// The first in the order of items among those that had failed.
pub(crate) fn in_lanes<T: Sync, R: Send, E: Send>(
    items: &[T],
    lanes: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results = Mutex::new(Vec::new());
    let lane = || {
        while !failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = work(item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((at, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..lanes.min(items.len()) {
            // Without another thread this one does it all.
            let _ = thread::Builder::new()
                .name("layer".into())
                .spawn_scoped(scope, lane);
        }
        lane();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_errors_first() {
        let items: Vec<u64> = (0..50).collect();
        let check = |lanes| {
            let slow = |item: &u64| {
                thread::sleep(std::time::Duration::from_micros(500 * (item % 3)));
                if *item < 60 { Ok(*item) } else { Err(*item) }
            };
            assert_eq!(in_lanes(&items, lanes, slow), Ok(items.clone()));
            let failing = |item: &u64| if *item == 7 { Err(*item) } else { slow(item) };
            assert_eq!(in_lanes(&items, lanes, failing), Err(7));
            assert_eq!(in_lanes(&items[..0], lanes, failing), Ok(Vec::new()));
        };
        for lanes in [1, 2, 5] {
            check(lanes);
        }
    }
}
