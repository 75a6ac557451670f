//! A blob of the cache, being read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cooperage_digest::{VerifyError, VerifyingReader};
use cooperage_image_spec::Descriptor;

use crate::host;

/// A blob, read from the cache.
///
/// Reading it to its end verifies it; the error is that of [`VerifyingReader`]. What was damaged
/// is removed from the cache, so that it is fetched the next time. As long as this lives, the blob
/// is not evicted.
#[derive(Debug)]
pub struct CachedBlob {
    reader: VerifyingReader<Shared>,
    file: Arc<InUse>,
    path: PathBuf,
    size: u64,
    fetched: bool,
}

impl CachedBlob {
    pub(crate) fn new(file: InUse, path: PathBuf, descriptor: &Descriptor, fetched: bool) -> Self {
        let (digest, size) = (descriptor.digest.clone(), descriptor.size);
        let file = Arc::new(file);
        Self {
            reader: VerifyingReader::new(Shared(Arc::clone(&file)), digest, size),
            file,
            path,
            size,
            fetched,
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether it was fetched just now, by this very call.
    #[must_use]
    pub fn was_fetched(&self) -> bool {
        self.fetched
    }
}

impl Read for CachedBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(buffer);
        if let Err(error) = &result {
            let cause = error.get_ref();
            if cause.is_some_and(<dyn std::error::Error + Send + Sync>::is::<VerifyError>) {
                self.file.remove(&self.path);
            }
        }
        result
    }
}

/// A file that counts as being in use until it is dropped.
#[derive(Debug)]
pub(crate) struct InUse(File);

impl InUse {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        host::share(&file)?;
        host::mark_used(&file);
        Ok(Self(file))
    }

    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.0
    }

    /// Removes it, unless another has taken its place meanwhile.
    pub(crate) fn remove(&self, path: &Path) {
        if host::is_at(&self.0, path).unwrap_or(false) {
            // If it cannot be removed, the next read finds it damaged again.
            let _ = fs::remove_file(path);
        }
    }
}

/// The file as a reader has it.
#[derive(Debug)]
struct Shared(Arc<InUse>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0.0).read(buffer)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting has the open file
        // too until it executes its program.
        host::unshare(&self.0);
    }
}
