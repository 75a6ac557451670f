//! One at a time of what need not be done twice.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many names of what is done are remembered; then all are forgotten.
const MAX_DONE: usize = 10_000;

/// What is under way, by name.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    names: Mutex<Names>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Names {
    under_way: BTreeSet<String>,
    done: BTreeSet<String>,
}

/// Holds a name until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    busy: &'a Busy,
    name: String,
    was_done: bool,
}

impl Busy {
    /// Waits until nobody else is at it.
    pub(crate) fn turn(&self, name: String) -> Turn<'_> {
        let mut names = self.names();
        while names.under_way.contains(&name) {
            names = self
                .changed
                .wait(names)
                .unwrap_or_else(PoisonError::into_inner);
        }
        names.under_way.insert(name.clone());
        let was_done = names.done.contains(&name);
        drop(names);
        Turn {
            busy: self,
            name,
            was_done,
        }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Whether it was done before: by somebody who had the turn while this one waited for it, or
    /// thought about it.
    pub(crate) fn was_done(&self) -> bool {
        self.was_done
    }

    /// It is done.
    pub(crate) fn done(self) {
        let mut names = self.busy.names();
        if names.done.len() >= MAX_DONE {
            names.done.clear();
        }
        names.done.insert(self.name.clone());
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.busy.names().under_way.remove(&self.name);
        self.busy.changed.notify_all();
    }
}
