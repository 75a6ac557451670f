//! Files that appear whole or not at all.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use cooperage_blob::{BlobWriter, Error, Root, Sink, Written};
use cooperage_digest::{Algorithm, HashingWriter};
use cooperage_image_spec::Descriptor;
use cooperage_staging::{Shown, StagedFile, show_all};

use crate::action::Cancel;

/// Files that are written first and then shown, all of them.
#[derive(Debug, Default)]
pub(crate) struct Staged(Vec<StagedFile>);

impl Staged {
    /// Writes the bytes of a file that is to lie at `path`.
    pub(crate) fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.put(StagedFile::new(path)?, bytes)
    }

    /// Writes the bytes of a file that was begun before.
    pub(crate) fn put(&mut self, mut file: StagedFile, bytes: &[u8]) -> Result<()> {
        file.put(bytes)?;
        self.push(file);
        Ok(())
    }

    pub(crate) fn push(&mut self, file: StagedFile) {
        self.0.push(file);
    }

    /// Puts all of them in place; what is new there goes away again unless it is kept.
    pub(crate) fn show(self) -> Result<Vec<Shown>> {
        Ok(show_all(self.0)?)
    }

    /// Puts all of them in place.
    pub(crate) fn keep(self) -> Result<()> {
        self.show()?.into_iter().for_each(Shown::keep);
        Ok(())
    }
}

/// A sink for one blob, which becomes a file.
#[derive(Debug)]
pub(crate) struct BlobFile<'a> {
    file: Mutex<Option<StagedFile>>,
    cancel: Option<&'a Cancel>,
}

impl<'a> BlobFile<'a> {
    pub(crate) fn new(file: StagedFile) -> Self {
        let file = Mutex::new(Some(file));
        let cancel = None;
        Self { file, cancel }
    }

    /// The same, to which nothing more is written when `cancel` is set.
    pub(crate) fn until(self, cancel: Option<&'a Cancel>) -> Self {
        Self { cancel, ..self }
    }

    fn file(&self) -> MutexGuard<'_, Option<StagedFile>> {
        // It is there or not, whatever became of others.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blob, once it is written.
    pub(crate) fn into_file(self) -> Option<StagedFile> {
        self.file
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for BlobFile<'_> {
    fn has(&self, _descriptor: &Descriptor) -> Result<bool, Error> {
        Ok(false)
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        let Some(file) = self.file().take() else {
            return Err(Error::unsupported("a file has place for a single blob"));
        };
        Ok(Box::new(Writer {
            sink: self,
            file: HashingWriter::new(file, algorithm),
        }))
    }

    fn publish(&self, _root: &Root) -> Result<(), Error> {
        Err(Error::unsupported("a single blob has no place for names"))
    }
}

struct Writer<'a> {
    sink: &'a BlobFile<'a>,
    file: HashingWriter<StagedFile>,
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(cancel) = self.sink.cancel {
            cancel.check().map_err(io::Error::other)?;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter for Writer<'_> {
    fn finish(self: Box<Self>, expected: Option<&Descriptor>) -> Result<Written, Error> {
        let (file, digest, size) = self.file.finish();
        let written = Written { digest, size };
        written.check(expected)?;
        *self.sink.file() = Some(file);
        Ok(written)
    }
}
