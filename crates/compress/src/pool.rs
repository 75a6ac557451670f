//! Hands out the indexes of blocks with buffers for them, and puts what comes back in order.
//!
//! A worker holds a slot, that is a pair of buffers, *before* it takes the index of a block. So
//! the oldest block that is not yet handed on is either in a slot, and will be done, or all slots
//! are free for it. The other way round (index first) later blocks can fill every slot while the
//! oldest waits for one, and all stand still.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::engine::Slot;

/// What workers and the one consumer share; `F` says why a block failed.
pub(crate) struct Pool<F> {
    state: Mutex<State<F>>,
    /// A slot came back, or there is nothing left to take.
    changed: Condvar,
    /// A block was delivered.
    delivered: Condvar,
}

struct State<F> {
    free: Vec<Slot>,
    /// The next block that nobody has taken.
    next: usize,
    /// No block from here on is to be taken.
    end: usize,
    done: BTreeMap<usize, Result<Slot, F>>,
}

impl<F> Pool<F> {
    pub(crate) fn new(blocks: usize, slots: usize) -> Self {
        let free = (0..slots).map(|_| Slot::default()).collect();
        let state = State {
            free,
            next: 0,
            end: blocks,
            done: BTreeMap::new(),
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            delivered: Condvar::new(),
        }
    }

    /// The next block with a slot for it; `None` when the worker is to end.
    pub(crate) fn take(&self) -> Option<(usize, Slot)> {
        let mut state = self.lock();
        loop {
            if state.next >= state.end {
                return None;
            }
            if let Some(slot) = state.free.pop() {
                let index = state.next;
                state.next += 1;
                return Some((index, slot));
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What became of a block that was taken. After a failure no further block is taken; those
    /// before it were taken already, and each of them is delivered too.
    pub(crate) fn deliver(&self, index: usize, result: Result<Slot, F>) {
        let mut state = self.lock();
        if result.is_err() {
            state.end = state.end.min(index);
            self.changed.notify_all();
        }
        state.done.insert(index, result);
        self.delivered.notify_one();
    }

    /// Waits for a block. Blocks must be received in order, and their slots given back.
    pub(crate) fn receive(&self, index: usize) -> Result<Slot, F> {
        let mut state = self.lock();
        loop {
            if let Some(result) = state.done.remove(&index) {
                return result;
            }
            state = self
                .delivered
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the slot's buffers be used again.
    pub(crate) fn give_back(&self, slot: Slot) {
        self.lock().free.push(slot);
        self.changed.notify_one();
    }

    /// Ends all workers once they have delivered.
    pub(crate) fn stop(&self) {
        self.lock().end = 0;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<F>> {
        // No code of others runs under this lock, so nothing is ever left half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
