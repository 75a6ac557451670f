//! Sources that are opened when they are needed.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use cooperage_blob::{Error, Source};

/// Opens a source.
pub(crate) type Open = dyn Fn() -> Result<Box<dyn Source>, Error> + Send + Sync;

/// A source that is opened with the first blob that is asked of it, and stays open.
pub(crate) struct Further {
    name: String,
    open: Box<Open>,
    opening: Mutex<()>,
    opened: OnceLock<Box<dyn Source>>,
}

impl Further {
    pub(crate) fn new(name: String, open: Box<Open>) -> Self {
        Self {
            name,
            open,
            opening: Mutex::default(),
            opened: OnceLock::new(),
        }
    }

    /// How messages call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What could not be opened is tried again with the next blob.
    pub(crate) fn source(&self) -> Result<&dyn Source, Error> {
        // Held while it opens, so that several threads open it once.
        let opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.opened.get().is_none() {
            let source = (self.open)()?;
            // Nobody else sets it while the lock is held.
            let _ = self.opened.set(source);
        }
        drop(opening);
        let source = self.opened.get().expect("it was set above");
        Ok(&**source)
    }
}

impl fmt::Debug for Further {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Further")
            .field("name", &self.name)
            .field("is_open", &self.opened.get().is_some())
            .finish_non_exhaustive()
    }
}
