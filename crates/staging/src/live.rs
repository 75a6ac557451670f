//! What this process has made and not yet removed, for those who end it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::host;

/// What is to be called first, and what there is.
struct Known {
    prepare: Option<fn()>,
    made_any: bool,
    paths: BTreeSet<PathBuf>,
}

static LIVE: Mutex<Known> = Mutex::new(Known {
    prepare: None,
    made_any: false,
    paths: BTreeSet::new(),
});

fn live() -> MutexGuard<'static, Known> {
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
        if let Some(prepare) = live.prepare.take() {
            prepare();
        }
        live.made_any = true;
        let (made, path) = create()?;
        live.paths.insert(path.clone());
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
        live.paths.remove(&self.0);
        drop(live);
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // What cannot be removed now is in nobody's way, and goes with the next one.
        let _ = host::remove(&self.0);
        live().paths.remove(&self.0);
    }
}

/// Has `prepare` called before this process makes its first temporary file or directory; at once, if
/// it has made one. Only the last one that is given is called.
///
/// For a program that sees to it that [`abandon`] is called: one that makes nothing temporary can do
/// without, and starts sooner. `prepare` must not make anything temporary itself, nor wait for a
/// thread that does.
pub fn before_the_first(prepare: fn()) {
    let mut live = live();
    if live.made_any {
        prepare();
    } else {
        live.prepare = Some(prepare);
    }
}

/// Removes every temporary file and directory of this process, and lets it make no more of them.
///
/// For a program that is about to end in the middle of its work, as by a signal: other threads that
/// make, rename or remove one from now on wait for ever.
pub fn abandon() {
    const TRIES: usize = 20;
    let live = live();
    for path in &live.paths {
        // Other threads may still be writing to a directory.
        let _ = (0..TRIES).find(|_| host::remove(path).is_ok());
    }
    std::mem::forget(live);
}
