//! A layout as Source and as Sink.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};

use cooperage_blob::{BlobWriter, Error, Root, Sink, Source, Written};
use cooperage_digest::{Algorithm, HashingWriter, VerifyError, VerifyingReader};
use cooperage_image_spec::{Descriptor, annotations};
use tempfile::TempPath;

use crate::early::EarlySync;
use crate::files::{self, Existing, Temporary};
use crate::layout::BLOBS;
use crate::{Layout, host};

/// Callers may write a few bytes at a time.
const BUFFER: usize = 64 << 10;

impl Source for Layout {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        let (_, index) = self.index()?.into_parts();
        let root = |descriptor: Descriptor| Root {
            name: descriptor.annotations.get(annotations::REF_NAME).cloned(),
            descriptor,
        };
        Ok(index.manifests.into_iter().map(root).collect())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        match host::open_regular(&self.blob_path(&descriptor.digest)) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::blob_not_found(descriptor, self.path().display()))
            }
            Err(error) => Err(Error::read(descriptor, error)),
        }
    }
}

impl Sink for Layout {
    /// Whether the blob is there and is what its name says: it is hashed when first asked for.
    ///
    /// `false` also for a blob with other bytes, which the next one written under this digest
    /// replaces, and for an algorithm that cannot be computed.
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        let path = self.blob_path(&descriptor.digest);
        // A first look costs no lock, and leaves a layout that is only read as it is.
        if descriptor.digest.algorithm().is_none() || fs::metadata(&path).is_err() {
            return Ok(false);
        }
        drop(self.protect()?);
        let file = match host::open_regular(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::read(descriptor, error)),
        };
        let size = file
            .metadata()
            .map_err(|error| Error::read(descriptor, error))?
            .len();
        if size != descriptor.size {
            return Ok(false);
        }
        if self.verified().contains(&descriptor.digest) {
            return Ok(true);
        }
        let mut reader = VerifyingReader::new(file, descriptor.digest.clone(), size);
        let is_other = |error: &io::Error| {
            error
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<VerifyError>)
        };
        match io::copy(&mut reader, &mut io::sink()) {
            Ok(_) => {
                self.verified().insert(descriptor.digest.clone());
                Ok(true)
            }
            Err(error) if is_other(&error) => Ok(false),
            Err(error) => Err(Error::read(descriptor, error)),
        }
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        let mut hold = self.protect()?;
        let Temporary { file, early, path } = files::temporary(self.path()).map_err(|error| {
            Error::io(
                format!("cannot write to `{}`", self.path().display()),
                error,
            )
        })?;
        hold.writers += 1;
        let layout = InFlight(self);
        drop(hold);
        let file = BufWriter::with_capacity(BUFFER, file);
        Ok(Box::new(Writer {
            bytes: HashingWriter::new(file, algorithm),
            early,
            path,
            layout,
        }))
    }

    /// Names the root in `index.json`, by the annotation `org.opencontainers.image.ref.name`.
    ///
    /// One lock holds from reading it to renaming the new one into place. All else in it, known or
    /// not, stays; if nothing changes, so do its bytes. Where several entries have the same name,
    /// this one stands in their place.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if the layout does not have the blob.
    fn publish(&self, root: &Root) -> Result<(), Error> {
        let mut descriptor = root.descriptor.clone();
        match &root.name {
            Some(name) => descriptor
                .annotations
                .insert(annotations::REF_NAME.into(), name.clone()),
            None => descriptor.annotations.remove(annotations::REF_NAME),
        };
        let replaced = |old: &Descriptor| match &root.name {
            Some(name) => old.annotations.get(annotations::REF_NAME) == Some(name),
            None => {
                !old.annotations.contains_key(annotations::REF_NAME)
                    && old.digest == descriptor.digest
            }
        };
        self.replace(&replaced, descriptor.clone())
    }
}

/// Counts as a writer until it is dropped.
struct InFlight<'a>(&'a Layout);

impl InFlight<'_> {
    /// What the system said, with the layout that it said it of.
    fn named(&self, error: &io::Error) -> io::Error {
        let layout = self.0.path().display();
        io::Error::new(error.kind(), format!("`{layout}`: {error}"))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.hold().writers -= 1;
    }
}

struct Writer<'a> {
    bytes: HashingWriter<BufWriter<File>>,
    early: EarlySync,
    path: TempPath,
    // Dropped after the file.
    layout: InFlight<'a>,
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self
            .bytes
            .write(bytes)
            .map_err(|error| self.layout.named(&error))?;
        self.early
            .wrote(self.bytes.get_mut().get_ref(), taken as u64);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bytes
            .flush()
            .map_err(|error| self.layout.named(&error))
    }
}

impl BlobWriter for Writer<'_> {
    /// The blob's bytes are on disk before its name is seen. The name is on disk once `index.json`
    /// was changed by this or any other handle: whoever makes the layout refer to a blob syncs the
    /// names of all.
    fn finish(self: Box<Self>, expected: Option<&Descriptor>) -> Result<Written, Error> {
        let Self {
            bytes,
            early,
            path,
            layout: in_flight,
        } = *self;
        let layout = in_flight.0;
        let (file, digest, size) = bytes.finish();
        let written = Written { digest, size };
        written.check(expected)?;
        let cannot_write = |error: io::Error| {
            let error = in_flight.named(&error);
            Error::io(format!("cannot write blob `{}`", written.digest), error)
        };
        let file = file
            .into_inner()
            .map_err(|error| cannot_write(error.into_error()))?;
        if layout.verified().contains(&written.digest) && layout.blob_path(&written.digest).exists()
        {
            return Ok(written);
        }
        // Whatever lies there unverified is replaced: these bytes are right for certain.
        layout.make_own_directory(BLOBS)?;
        let directory = format!("{BLOBS}/{}", written.digest.algorithm_name());
        let directory = layout.make_own_directory(&directory)?;
        files::put(
            Temporary { file, early, path },
            &directory,
            written.digest.encoded(),
            Existing::Replace,
        )
        .map_err(cannot_write)?;
        layout.verified().insert(written.digest.clone());
        Ok(written)
    }
}
