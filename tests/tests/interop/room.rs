//! One directory for all that the cells write, and what they share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

static ROOM: OnceLock<TempDir> = OnceLock::new();

/// The directory.
pub(crate) fn path() -> &'static Path {
    let made = || {
        tempfile::Builder::new()
            .prefix("interop.")
            .tempdir()
            .expect("a temporary directory can be made")
    };
    ROOM.get_or_init(made).path()
}

/// A new directory in it.
pub(crate) fn directory() -> PathBuf {
    tempfile::tempdir_in(path())
        .expect("a temporary directory can be made")
        .keep()
}

/// Removes it: what is in a static is never dropped.
pub(crate) fn clear() {
    if let Some(room) = ROOM.get() {
        drop(std::fs::remove_dir_all(room.path()));
    }
}

/// Things that are made once and that several cells look at.
pub(crate) struct Shared<K, V>(Mutex<BTreeMap<K, Arc<OnceLock<V>>>>);

impl<K: Ord, V: Clone> Shared<K, V> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// What `key` stands for, made by whoever asks first.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> V {
        let once = Arc::clone(
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(key)
                .or_default(),
        );
        once.get_or_init(make).clone()
    }
}
