//! Files that appear when they are whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use cooperage_staging::{Place, TemporaryDirectory, parent, sync_directory};

use crate::SinkError;

/// Makes a file in one piece: `fill` is given a new file, open and by its path, in a directory of
/// its own beside `path`; when it is done, the file is synced and renamed to `path`.
///
/// If `fill` fails, what was at `path` stays, and nothing is left beside it. A killed process
/// leaves a directory `.cooperage-….tmp`, which goes with the next file that is written there. Of
/// a symlink the target is replaced.
///
/// # Errors
///
/// Those of `fill`, and [`SinkError::NotAFile`], [`SinkError::Prepare`] and [`SinkError::Replace`].
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use cooperage_daemon_archive::{SinkError, replace};
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("note");
/// replace(&path, |file, _| {
///     file.write_all(b"whole")?;
///     Ok::<_, Box<dyn std::error::Error>>(())
/// })?;
/// assert_eq!(std::fs::read(&path)?, b"whole");
///
/// let failed = replace(&path, |file, _| {
///     file.write_all(b"ha")?;
///     Err::<(), Box<dyn std::error::Error>>("half".into())
/// });
/// assert!(failed.is_err());
/// assert_eq!(std::fs::read(&path)?, b"whole");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replace<T, E: From<SinkError>>(
    path: &Path,
    fill: impl FnOnce(&mut File, &Path) -> Result<T, E>,
) -> Result<T, E> {
    let target = target(path)?;
    let directory =
        TemporaryDirectory::new_in(parent(&target)).map_err(SinkError::prepare(path))?;
    let young = directory.path().join("archive");
    let filled = fill_new(&young, path, fill)?;
    show(&young, &target, path)?;
    Ok(filled)
}

/// Fills the new file `young`, which is to lie at `path`, and syncs it.
pub(crate) fn fill_new<T, E: From<SinkError>>(
    young: &Path,
    path: &Path,
    fill: impl FnOnce(&mut File, &Path) -> Result<T, E>,
) -> Result<T, E> {
    // With the permissions of an ordinary new file, which it is to be.
    let mut new = File::create_new(young).map_err(SinkError::prepare(path))?;
    let filled = fill(&mut new, young)?;
    new.sync_all().map_err(SinkError::replace(path))?;
    Ok(filled)
}

/// Gives a file that is on disk its name, durably; `path` is how errors call it.
pub(crate) fn show(file: &Path, target: &Path, path: &Path) -> Result<(), SinkError> {
    fs::rename(file, target)
        .and_then(|()| sync_directory(parent(target)))
        .map_err(SinkError::replace(path))
}

/// Where an archive at `path` is written.
pub(crate) fn target(path: &Path) -> Result<PathBuf, SinkError> {
    let found = match Place::of(path) {
        Ok(Place::File(target)) => return Ok(target),
        Ok(Place::Stream { what, .. }) => what,
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => "a directory",
        Err(error) => return Err(SinkError::prepare(path)(error)),
        Ok(_) => "no file",
    };
    Err(SinkError::NotAFile {
        path: path.into(),
        found,
    })
}
