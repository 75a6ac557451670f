//! What this process has made and not yet removed, for those who end it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::host;

static LIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn live() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // Every change is one call, so a panic elsewhere leaves it whole.
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary file or directory; it goes away when dropped.
#[derive(Debug)]
pub(crate) struct Live(PathBuf);

impl Live {
    /// What `create` makes, under the name that it gives.
    pub(crate) fn make<T>(
        create: impl FnOnce() -> io::Result<(T, PathBuf)>,
    ) -> io::Result<(T, Self)> {
        // Held meanwhile: there is none that is not known.
        let mut live = live();
        let (made, path) = create()?;
        live.insert(path.clone());
        Ok((made, Self(path)))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it its final name.
    pub(crate) fn rename(self, to: &Path) -> io::Result<()> {
        // Held meanwhile: it is temporary, or has its name.
        let mut live = live();
        fs::rename(&self.0, to)?;
        live.remove(&self.0);
        drop(live);
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // What cannot be removed now is in nobody's way, and goes with the next one.
        let _ = host::remove(&self.0);
        live().remove(&self.0);
    }
}

/// Removes every temporary file and directory of this process, and lets it make no more of them.
///
/// For a program that is about to end in the middle of its work, as by a signal: other threads that
/// make, rename or remove one from now on wait for ever.
pub fn abandon() {
    const TRIES: usize = 20;
    let live = live();
    for path in live.iter() {
        // Other threads may still be writing to a directory.
        let _ = (0..TRIES).find(|_| host::remove(path).is_ok());
    }
    std::mem::forget(live);
}
