//! Files that are written first and then shown.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use crate::{Place, TemporaryFile};

/// A file that appears whole, or not at all.
///
/// Dropped, it leaves what was there as it was.
#[derive(Debug)]
pub struct StagedFile {
    path: PathBuf,
    place: Place,
    file: TemporaryFile,
}

impl StagedFile {
    /// A file that is to lie at `path`, or where the symlinks there lead to. What can go wrong goes
    /// wrong now, as far as it can be told.
    ///
    /// # Errors
    ///
    /// Those of [`Place::of`]; what the system says of making a file beside that place.
    pub fn new(path: &Path) -> Result<Self, StageError> {
        let begin = || {
            let place = Place::of(path)?;
            let file = match &place {
                Place::File(at) => TemporaryFile::beside(at)?,
                Place::Stream { .. } => TemporaryFile::private()?,
            };
            Ok((place, file))
        };
        let (place, file) = begin().map_err(StageError::of(path))?;
        Ok(Self {
            path: path.to_owned(),
            place,
            file,
        })
    }

    /// Writes more bytes, with an error of its own kind; that of [`Write`] names the place too.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        self.file
            .write_all(bytes)
            .map_err(StageError::of(&self.path))
    }

    /// Renames the file to its place, or writes its bytes to the pipe or device there.
    ///
    /// # Errors
    ///
    /// What the system says; a place that can be replaced is then as it was.
    pub fn show(self) -> Result<Shown, StageError> {
        let Self {
            path,
            place,
            mut file,
        } = self;
        let show = || match place {
            Place::File(at) => {
                let is_new = fs::symlink_metadata(&at).is_err();
                file.rename(&at)?;
                Ok(Shown(is_new.then_some(at)))
            }
            Place::Stream { path, .. } => {
                file.rewind()?;
                let mut to = File::options().write(true).open(path)?;
                io::copy(&mut file, &mut to)?;
                Ok(Shown(None))
            }
        };
        show().map_err(StageError::of(&path))
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file
            .write(bytes)
            .map_err(|error| named(&self.path, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What the system said, with the output that it said it of: the one that the user named, whatever
/// is written meanwhile.
#[must_use]
pub fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

/// A file that has appeared. Unless it is kept, it goes away again if nothing was there before.
#[derive(Debug)]
#[must_use = "it goes away again unless it is kept"]
pub struct Shown(Option<PathBuf>);

impl Shown {
    /// It stays.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = fs::remove_file(path);
        }
    }
}

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`", path.display())]
pub struct StageError {
    /// The path as it was given.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl StageError {
    fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// Has all files appear, or none: if one cannot, those that are new go away again.
///
/// # Errors
///
/// What the system says of the first that cannot. What was replaced before it stays replaced.
pub fn show_all(files: Vec<StagedFile>) -> Result<Vec<Shown>, StageError> {
    files.into_iter().map(StagedFile::show).collect()
}
