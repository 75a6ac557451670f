//! An archive as a sink.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cooperage_blob::{BlobWriter, Error, Root, Sink, Source, Written};
use cooperage_digest::{Algorithm, Digest, HashingWriter};
use cooperage_image_spec::{Descriptor, Reference};
use cooperage_staging::{TemporaryDirectory, named, parent};

use crate::replace::{fill_new, show, target};
use crate::{Image, Report, WriteError, WriteOptions, write, write_oci};

/// Why [`ArchiveSink`] cannot make its archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// There is something that cannot be replaced.
    #[error("`{}` is {found}, and an archive is a file that is replaced in one step", path.display())]
    NotAFile {
        /// The archive.
        path: PathBuf,
        /// What is there: `a directory`, `a character device`.
        found: &'static str,
    },
    /// No temporary directory or file can be made beside the archive.
    #[error("cannot write beside `{}`", path.display())]
    Prepare {
        /// The archive.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A root's name is no image reference.
    #[error("`{name}` cannot name an image of a docker archive")]
    Name {
        /// The name.
        name: String,
        /// Why.
        source: cooperage_image_spec::ParseReferenceError,
    },
    /// The archive cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: Box<WriteError>,
    },
    /// The archive, written, cannot be given its name.
    #[error("cannot put `{}` in its place", path.display())]
    Replace {
        /// The archive.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Takes blobs and roots, and makes an archive of them.
///
/// Blobs are spooled in a temporary directory beside the archive, since a tar wants every length
/// beforehand and `manifest.json` first: for a while the disk holds everything twice. Who has a
/// [`Source`] with all of it already calls [`write()`] or [`write_oci`] and spares that.
///
/// [`ArchiveSink::finish`] writes the archive and renames it into its place, so that what was there
/// before is there until the new one is whole; of a symlink the target is replaced. Dropped before,
/// it leaves nothing behind; killed, it leaves a directory `.cooperage-….tmp` beside the archive,
/// which the next sink for an archive in the same directory removes.
///
/// # Examples
///
/// ```
/// use cooperage_blob::{Root, Sink, put};
/// use cooperage_daemon_archive::{ArchiveSink, OciArchive, ReadOptions};
/// use cooperage_image_spec::MediaType;
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("note.tar");
/// let sink = ArchiveSink::oci(&path)?;
/// let note = put(&sink, MediaType::new("text/plain"), b"a note")?;
/// sink.publish(&Root::named("note", note.clone()))?;
/// sink.finish()?;
///
/// let archive = OciArchive::open(&path, &ReadOptions::default())?;
/// assert_eq!(cooperage_blob::read(&archive, &note)?, b"a note");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ArchiveSink {
    /// As it was given.
    path: PathBuf,
    /// Where links there lead to.
    target: PathBuf,
    spool: TemporaryDirectory,
    /// Blobs that were begun.
    begun: AtomicU64,
    form: Form,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
enum Form {
    Docker(Box<WriteOptions>),
    Oci,
}

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<Digest, u64>,
    roots: Vec<Root>,
}

impl ArchiveSink {
    /// A docker archive at `path`. Names of roots are image references (`app`,
    /// `docker.io/library/app:latest`), a missing tag is `latest`.
    ///
    /// # Errors
    ///
    /// [`SinkError::NotAFile`], [`SinkError::Prepare`]
    pub fn docker(path: &Path, options: &WriteOptions) -> Result<Self, SinkError> {
        Self::new(path, Form::Docker(Box::new(options.clone())))
    }

    /// An OCI archive at `path`. Names of roots are any text.
    ///
    /// # Errors
    ///
    /// [`SinkError::NotAFile`], [`SinkError::Prepare`]
    pub fn oci(path: &Path) -> Result<Self, SinkError> {
        Self::new(path, Form::Oci)
    }

    /// Finds out whether an archive can lie at `path`, and makes nothing.
    ///
    /// # Errors
    ///
    /// [`SinkError::NotAFile`]; [`SinkError::Prepare`] if it cannot be looked at.
    pub fn check(path: &Path) -> Result<(), SinkError> {
        target(path).map(drop)
    }

    fn new(path: &Path, form: Form) -> Result<Self, SinkError> {
        let target = target(path)?;
        let spool =
            TemporaryDirectory::new_in(parent(&target)).map_err(SinkError::prepare(path))?;
        Ok(Self {
            path: path.into(),
            target,
            spool,
            begun: AtomicU64::new(0),
            form,
            state: Mutex::default(),
        })
    }

    /// Writes the archive, syncs it, and renames it into its place: [`ArchiveSink::complete`] and
    /// [`CompleteArchive::show`].
    ///
    /// # Errors
    ///
    /// All of [`SinkError`]; what was at the path before is still there then.
    pub fn finish(self) -> Result<Report, SinkError> {
        let complete = self.complete()?;
        complete.show()?;
        Ok(complete.report)
    }

    /// Writes the archive and syncs it, and leaves what is at its path as it is.
    ///
    /// # Errors
    ///
    /// All of [`SinkError`] but [`SinkError::Replace`].
    pub fn complete(self) -> Result<CompleteArchive, SinkError> {
        let file = self.spool.path().join("archive");
        let report = fill_new(&file, &self.path, |archive, _| self.write(archive))?;
        Ok(CompleteArchive {
            file,
            path: self.path,
            target: self.target,
            report,
            _spool: self.spool,
        })
    }

    fn write(&self, file: &mut File) -> Result<Report, SinkError> {
        let roots = self.state().roots.clone();
        let mut out = io::BufWriter::with_capacity(256 << 10, file);
        let failed = |source| SinkError::Write {
            path: self.path.clone(),
            source: Box::new(source),
        };
        match &self.form {
            Form::Oci => {
                let size = write_oci(self, &roots, &mut out).map_err(failed)?;
                Ok(Report {
                    images: Vec::new(),
                    size,
                })
            }
            Form::Docker(options) => {
                let mut images: Vec<Image> = Vec::new();
                for root in roots {
                    let names = root.name.as_deref().map(reference).transpose()?;
                    let names = names.into_iter().collect();
                    images.push(Image {
                        descriptor: root.descriptor,
                        names,
                    });
                }
                let mut options = options.as_ref().clone();
                options
                    .spool_dir
                    .get_or_insert_with(|| self.spool.path().into());
                write(self, &images, &mut out, &options).map_err(failed)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one call on one collection, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.spool
            .path()
            .join(format!("{}-{}", digest.algorithm_name(), digest.encoded()))
    }

    fn cannot_spool(&self, error: io::Error) -> Error {
        Error::io(format!("cannot spool {}", self.place()), error)
    }

    fn place(&self) -> String {
        format!("what is written for `{}`", self.path.display())
    }
}

fn reference(name: &str) -> Result<Reference, SinkError> {
    match name.parse::<Reference>() {
        Ok(reference) => Ok(reference.with_default_tag()),
        Err(source) => Err(SinkError::Name {
            name: name.into(),
            source,
        }),
    }
}

impl SinkError {
    pub(crate) fn prepare(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Prepare { path, source }
    }

    pub(crate) fn replace(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Replace { path, source }
    }
}

/// An archive that is written and does not have its name yet. Dropped, it goes away.
#[derive(Debug)]
pub struct CompleteArchive {
    file: PathBuf,
    path: PathBuf,
    target: PathBuf,
    report: Report,
    // The file lies in it.
    _spool: TemporaryDirectory,
}

impl CompleteArchive {
    /// What is in it. The list of images is empty for an OCI archive, in which nothing is changed.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Where it is to lie: where links at its path lead to.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Gives it its name, durably. Called again, it fails.
    ///
    /// # Errors
    ///
    /// [`SinkError::Replace`]
    pub fn show(&self) -> Result<(), SinkError> {
        show(&self.file, &self.target, &self.path)
    }
}

impl Sink for ArchiveSink {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        Ok(self.state().blobs.get(&descriptor.digest) == Some(&descriptor.size))
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let path = self.spool.path().join(format!("blob-{number}"));
        let file = File::create_new(&path).map_err(|error| self.cannot_spool(error))?;
        Ok(Box::new(Writer {
            sink: self,
            file: HashingWriter::new(file, algorithm),
            path: Begun(path),
        }))
    }

    fn publish(&self, root: &Root) -> Result<(), Error> {
        if let (Form::Docker(_), Some(name)) = (&self.form, &root.name) {
            reference(name).map_err(|error| {
                Error::unsupported("the root has no name for an image").with_source(error)
            })?;
        }
        let mut state = self.state();
        if !state.blobs.contains_key(&root.descriptor.digest) {
            return Err(Error::blob_not_found(&root.descriptor, self.place()));
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

/// What was put in can be read before it is finished.
impl Source for ArchiveSink {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(self.state().roots.clone())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        if !self.state().blobs.contains_key(&descriptor.digest) {
            return Err(Error::blob_not_found(descriptor, self.place()));
        }
        match File::open(self.blob(&descriptor.digest)) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(Error::read(descriptor, error)),
        }
    }
}

struct Writer<'a> {
    sink: &'a ArchiveSink,
    file: HashingWriter<File>,
    path: Begun,
}

/// A blob's file that goes away when dropped, unless it has another name by then.
struct Begun(PathBuf);

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        written.map_err(|error| named(&self.sink.path, &error))
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter for Writer<'_> {
    fn finish(self: Box<Self>, expected: Option<&Descriptor>) -> Result<Written, Error> {
        let Self { sink, file, path } = *self;
        let (_, digest, size) = file.finish();
        let written = Written { digest, size };
        written.check(expected)?;
        fs::rename(&path.0, sink.blob(&written.digest))
            .map_err(|error| sink.cannot_spool(error))?;
        sink.state().blobs.insert(written.digest.clone(), size);
        Ok(written)
    }
}
