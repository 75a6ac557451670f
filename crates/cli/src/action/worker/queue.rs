//! Requests that wait, and those that are worked at.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Cancel, Work};

/// No more requests than this are worked at together. Most of the time they wait for the threads
/// that compress, and for disks.
const MAX_THREADS: usize = 64;

/// No more bytes of requests than this are kept, unless it is one alone.
const MAX_BYTES: usize = 256 << 20;

/// A request.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) cancel: Cancel,
    size: usize,
}

impl Job {
    /// `size` is how many bytes it takes.
    pub(super) fn new(work: Work, size: usize) -> Self {
        Self {
            work,
            cancel: Cancel::default(),
            size,
        }
    }
}

/// Requests, from whoever reads them to the threads that work at them.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something waits, or nothing more comes.
    filled: Condvar,
    /// Something was done.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Job>>,
    running: Vec<Arc<Job>>,
    /// Bytes of both.
    bytes: usize,
    threads: usize,
    closed: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a request wait; where there is no room for it, until there is.
    pub(super) fn put(&self, job: Job) {
        let mut state = self.state();
        while state.bytes > 0 && state.bytes + job.size > MAX_BYTES {
            let woken = self.emptied.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += job.size;
        state.waiting.push_back(Arc::new(job));
        self.filled.notify_one();
    }

    /// Whether another thread would have something to do; it is counted as started then.
    pub(super) fn wants_thread(&self) -> bool {
        let mut state = self.state();
        let wanted = state.running.len() + state.waiting.len();
        let wants = state.threads < wanted.min(MAX_THREADS);
        state.threads += usize::from(wants);
        wants
    }

    /// A thread could not be started; whether there is none at all.
    pub(super) fn lost_thread(&self) -> bool {
        let mut state = self.state();
        state.threads -= 1;
        state.threads == 0
    }

    /// A request to work at: waits for it. `None` when nothing more comes.
    pub(super) fn take(&self) -> Option<Arc<Job>> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                state.running.push(Arc::clone(&job));
                return Some(job);
            }
            if state.closed {
                return None;
            }
            let woken = self.filled.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A request was answered.
    pub(super) fn done(&self, job: &Arc<Job>) {
        let mut state = self.state();
        state.running.retain(|other| !Arc::ptr_eq(other, job));
        state.bytes -= job.size;
        self.emptied.notify_all();
    }

    /// Takes back all requests of that number that are not answered yet.
    pub(super) fn cancel(&self, request_id: i64) {
        let state = self.state();
        let jobs = state.waiting.iter().chain(&state.running);
        for job in jobs.filter(|job| job.work.request_id == request_id) {
            job.cancel.cancel();
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
    }

    /// Closes the queue when it is dropped.
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing(self)
    }
}

/// See [`Queue::closing`].
pub(super) struct Closing<'a>(&'a Queue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
