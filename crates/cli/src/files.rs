//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use cooperage_blob::{BlobWriter, Error, Root, Sink, Written};
use cooperage_cargo::staging::file_in;
use cooperage_digest::{Algorithm, Hasher};
use cooperage_image_spec::Descriptor;
use tempfile::NamedTempFile;

/// A file beside `path` that is to become it, with the permissions of an ordinary new file.
pub(crate) fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    file_in(parent)
}

/// Files that are written first and then shown, all of them.
#[derive(Debug, Default)]
pub(crate) struct Staged(Vec<(NamedTempFile, PathBuf)>);

impl Staged {
    /// Writes the bytes of a file that is to lie at `path`.
    pub(crate) fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        let write = || -> io::Result<NamedTempFile> {
            if path.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            let mut file = temporary(path)?;
            file.write_all(bytes)?;
            Ok(file)
        };
        let file = write().with_context(|| format!("cannot write `{}`", path.display()))?;
        self.add_file(file, path);
        Ok(())
    }

    pub(crate) fn add_file(&mut self, file: NamedTempFile, path: &Path) {
        self.0.push((file, path.to_owned()));
    }

    /// Puts all of them in place.
    pub(crate) fn show(self) -> Result<()> {
        for (file, path) in self.0 {
            // Pipes and devices, such as `/dev/stdout`, are written to and not replaced.
            let special = fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file());
            let shown = if special {
                File::open(file.path())
                    .and_then(|mut from| {
                        io::copy(&mut from, &mut File::options().write(true).open(&path)?)
                    })
                    .map(drop)
            } else {
                file.persist(&path).map(drop).map_err(|error| error.error)
            };
            shown.with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }
}

/// A sink for one blob, which becomes a file.
#[derive(Debug)]
pub(crate) struct BlobFile<'a> {
    path: &'a Path,
    finished: Mutex<Option<NamedTempFile>>,
}

impl<'a> BlobFile<'a> {
    pub(crate) fn new(path: &'a Path) -> Self {
        Self {
            path,
            finished: Mutex::default(),
        }
    }

    /// The blob, once it is written.
    pub(crate) fn into_file(self) -> Option<NamedTempFile> {
        self.finished
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for BlobFile<'_> {
    fn has(&self, _descriptor: &Descriptor) -> Result<bool, Error> {
        Ok(false)
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        let file = temporary(self.path).map_err(|source| {
            Error::io(format!("cannot write `{}`", self.path.display()), source)
        })?;
        Ok(Box::new(Writer {
            sink: self,
            file,
            hasher: Hasher::new(algorithm),
            size: 0,
        }))
    }

    fn publish(&self, _root: &Root) -> Result<(), Error> {
        Err(Error::unsupported("a single blob has no place for names"))
    }
}

#[derive(Debug)]
struct Writer<'a> {
    sink: &'a BlobFile<'a>,
    file: NamedTempFile,
    hasher: Hasher,
    size: u64,
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter for Writer<'_> {
    fn finish(self: Box<Self>, expected: Option<&Descriptor>) -> Result<Written, Error> {
        let written = Written {
            digest: self.hasher.finish(),
            size: self.size,
        };
        written.check(expected)?;
        let mut finished = self
            .sink
            .finished
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *finished = Some(self.file);
        Ok(written)
    }
}
