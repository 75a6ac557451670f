//! A medium in memory, for tests and for small images.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cooperage_digest::{Algorithm, Digest, HashingWriter, VerifyError};
use cooperage_image_spec::Descriptor;

use crate::{BlobWriter, Error, Root, Sink, Source, Written};

/// Holds its blobs in memory. Its roots stand in the order in which they were published.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<Digest, Arc<[u8]>>,
    roots: Vec<Root>,
}

impl Memory {
    /// Starts empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The digests of all blobs, sorted.
    #[must_use]
    pub fn digests(&self) -> Vec<Digest> {
        self.state().blobs.keys().cloned().collect()
    }

    /// Puts bytes under a digest that need not be theirs: for tests of what reads them.
    pub fn insert_unverified(&self, digest: Digest, bytes: impl Into<Arc<[u8]>>) {
        self.state().blobs.insert(digest, bytes.into());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one call on one collection, so a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Memory {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(self.state().roots.clone())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        match self.state().blobs.get(&descriptor.digest) {
            Some(bytes) => Ok(Box::new(io::Cursor::new(Arc::clone(bytes)))),
            None => Err(Error::blob_not_found(descriptor, "memory")),
        }
    }
}

impl Sink for Memory {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        Ok(self.state().blobs.contains_key(&descriptor.digest))
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        Ok(Box::new(Writer {
            memory: self,
            bytes: HashingWriter::new(Vec::new(), algorithm),
        }))
    }

    fn publish(&self, root: &Root) -> Result<(), Error> {
        let mut state = self.state();
        if !state.blobs.contains_key(&root.descriptor.digest) {
            return Err(Error::blob_not_found(&root.descriptor, "memory"));
        }
        let same = |old: &Root| match &root.name {
            Some(_) => old.name == root.name,
            None => old.name.is_none() && old.descriptor.digest == root.descriptor.digest,
        };
        match state.roots.iter().position(same) {
            Some(at) => state.roots[at] = root.clone(),
            None => state.roots.push(root.clone()),
        }
        Ok(())
    }
}

struct Writer<'a> {
    memory: &'a Memory,
    bytes: HashingWriter<Vec<u8>>,
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for Writer<'_> {
    fn finish(self: Box<Self>, expected: Option<&Descriptor>) -> Result<Written, Error> {
        let (bytes, digest, size) = self.bytes.finish();
        let written = Written { digest, size };
        written.check(expected)?;
        self.memory
            .state()
            .blobs
            .insert(written.digest.clone(), bytes.into());
        Ok(written)
    }
}

impl Written {
    /// Fails unless this is the blob that was expected: for implementations of [`BlobWriter`].
    ///
    /// # Errors
    ///
    /// [`Error::is_mismatch`] with both sizes or both digests.
    pub fn check(&self, expected: Option<&Descriptor>) -> Result<(), Error> {
        let Some(expected) = expected else {
            return Ok(());
        };
        if expected.size != self.size {
            return Err(Error::mismatch(VerifyError::Size {
                digest: expected.digest.clone(),
                expected: expected.size,
                actual: self.size,
            }));
        }
        if expected.digest != self.digest {
            return Err(Error::mismatch(VerifyError::Digest {
                expected: expected.digest.clone(),
                actual: self.digest.clone(),
                size: self.size,
            }));
        }
        Ok(())
    }
}
