//! Blobs on disk until they are sent.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cooperage_blob::{BlobWriter, Error, Root, Sink, Source, Written};
use cooperage_digest::{Algorithm, Digest, HashingWriter};
use cooperage_image_spec::Descriptor;
use cooperage_staging::TemporaryDirectory;

/// How much is written at once, in bytes.
const BUFFER: usize = 256 << 10;

/// Blobs whose digest was not known before their last byte, in a temporary directory that goes away
/// with this.
#[derive(Debug, Default)]
pub(crate) struct Spool(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// Made with the first blob.
    directory: Option<TemporaryDirectory>,
    blobs: BTreeMap<Digest, PathBuf>,
    /// How many were begun.
    begun: u64,
}

impl Spool {
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.held().blobs.contains_key(digest)
    }

    pub(crate) fn fetch(&self, descriptor: &Descriptor) -> Result<File, Error> {
        let path = self.held().blobs.get(&descriptor.digest).cloned();
        let path = path.ok_or_else(|| Error::blob_not_found(descriptor, "what was made here"))?;
        File::open(path).map_err(|error| Error::read(descriptor, error))
    }

    pub(crate) fn create(&self, algorithm: Algorithm) -> Result<SpoolWriter<'_>, Error> {
        let failed = |error| Error::io("cannot keep a blob until it is sent", error);
        let mut held = self.held();
        let directory = match &mut held.directory {
            Some(directory) => directory,
            none => none.insert(TemporaryDirectory::private().map_err(failed)?),
        };
        let directory = directory.path().to_owned();
        held.begun += 1;
        let path = directory.join(held.begun.to_string());
        drop(held);
        let file = File::create_new(&path).map_err(failed)?;
        let file = BufWriter::with_capacity(BUFFER, file);
        Ok(SpoolWriter {
            spool: self,
            bytes: Some(HashingWriter::new(file, algorithm)),
            path,
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Every change is one call on one collection, so a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blobs that are needed until a command ends: in a temporary directory in `TMPDIR`, which is made
/// with the first of them and goes away with this. Nothing here has a name.
#[derive(Debug, Default)]
pub struct TemporaryBlobs(Spool);

impl Sink for TemporaryBlobs {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        Ok(self.0.has(&descriptor.digest))
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        Ok(Box::new(self.0.create(algorithm)?))
    }

    /// Refused.
    fn publish(&self, root: &Root) -> Result<(), Error> {
        Err(Error::unsupported(format!(
            "`{}` is kept for a while, and gets no name",
            root.descriptor.digest
        )))
    }
}

impl Source for TemporaryBlobs {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(Vec::new())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        Ok(Box::new(self.0.fetch(descriptor)?))
    }
}

/// A blob that is being written.
pub(crate) struct SpoolWriter<'a> {
    spool: &'a Spool,
    /// Until it is finished.
    bytes: Option<HashingWriter<BufWriter<File>>>,
    path: PathBuf,
}

impl SpoolWriter<'_> {
    /// As [`BlobWriter::finish`].
    pub(crate) fn end(&mut self, expected: Option<&Descriptor>) -> Result<Written, Error> {
        let failed = |error| Error::io("cannot keep a blob until it is sent", error);
        let bytes = self.bytes.take();
        let bytes = bytes.ok_or_else(|| Error::failed("a blob was ended twice"))?;
        let (mut file, digest, size) = bytes.finish();
        let flushed = file.flush().map_err(failed);
        let written = Written { digest, size };
        if let Err(error) = flushed.and_then(|()| written.check(expected)) {
            let _ = fs::remove_file(&self.path);
            return Err(error);
        }
        let mut held = self.spool.held();
        if held.blobs.contains_key(&written.digest) {
            let _ = fs::remove_file(&self.path);
        } else {
            held.blobs.insert(written.digest.clone(), self.path.clone());
        }
        Ok(written)
    }
}

impl Write for SpoolWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.bytes {
            Some(writer) => writer.write(bytes),
            None => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for SpoolWriter<'_> {
    fn finish(mut self: Box<Self>, expected: Option<&Descriptor>) -> Result<Written, Error> {
        self.end(expected)
    }
}

impl Drop for SpoolWriter<'_> {
    fn drop(&mut self) {
        if self.bytes.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
