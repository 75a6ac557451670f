//! Any source, with a cache before it.

use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

use cooperage_blob::{Error, Root, Source};
use cooperage_image_spec::{Descriptor, Reference};

use crate::{BlobError, Cache};

/// A source whose blobs come from a cache, and from the source itself when they are not there.
///
/// Its roots are the source's own. Where the cache fails (a full disk, say), blobs come from the
/// source alone, and [`Cached::take_faults`] tells why.
#[derive(Debug)]
pub struct Cached<S> {
    source: S,
    cache: Cache,
    faults: Mutex<Vec<Error>>,
}

/// How many faults of a cache are worth keeping.
const MAX_FAULTS: usize = 8;

impl<S: Source> Cached<S> {
    /// Puts a cache before a source.
    #[must_use]
    pub fn new(source: S, cache: Cache) -> Self {
        Self {
            source,
            cache,
            faults: Mutex::default(),
        }
    }

    /// The source itself.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// What kept the cache from being used since the last call: at most the first eight.
    #[must_use]
    pub fn take_faults(&self) -> Vec<Error> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *faults)
    }

    fn note(&self, fault: Error) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.len() < MAX_FAULTS {
            faults.push(fault);
        }
    }
}

impl<S: Source> Source for Cached<S> {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        self.source.roots()
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        if descriptor.digest.algorithm().is_none() {
            return self.source.fetch(descriptor);
        }
        let fetch =
            |writer: &mut dyn Write| pour(&mut *self.source.fetch(descriptor)?, descriptor, writer);
        match self.cache.blob(descriptor, fetch) {
            Ok(blob) => Ok(Box::new(blob)),
            Err(BlobError::Fetch(error)) => Err(error),
            Err(BlobError::Cache(error)) => {
                self.note(error);
                self.source.fetch(descriptor)
            }
        }
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        self.source.origin(descriptor)
    }
}

/// Writes all that a reader gives of a blob, verified or not; errors name the blob and which of the
/// two sides failed.
///
/// # Errors
///
/// Those of reading and of writing.
pub fn pour(
    reader: &mut dyn Read,
    descriptor: &Descriptor,
    to: &mut dyn Write,
) -> Result<(), Error> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::read(descriptor, error)),
        };
        to.write_all(&buffer[..n])
            .map_err(|error| Error::write(descriptor, error))?;
    }
}
