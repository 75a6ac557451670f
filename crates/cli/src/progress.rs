//! Progress in plain lines, for logs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cooperage_blob::Progress;
use cooperage_cargo::stderr::say;

use crate::text::{bytes, printable};

/// Says on standard error, in one line, each piece of work that has ended.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Running>);

#[derive(Debug, Default)]
struct Running {
    last: u64,
    pieces: BTreeMap<u64, (String, u64)>,
}

impl Lines {
    fn with<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        // A line that is wrong is all that a panic elsewhere can have left behind.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Progress for Lines {
    fn start(&self, what: &str, _total: Option<u64>) -> u64 {
        self.with(|running| {
            running.last += 1;
            running.pieces.insert(running.last, (what.to_owned(), 0));
            running.last
        })
    }

    fn advance(&self, id: u64, bytes: u64) {
        self.with(|running| {
            if let Some((_, done)) = running.pieces.get_mut(&id) {
                *done += bytes;
            }
        });
    }

    fn finish(&self, id: u64) {
        if let Some((what, done)) = self.with(|running| running.pieces.remove(&id)) {
            say(format_args!("{} ({})", printable(&what), bytes(done)));
        }
    }
}
