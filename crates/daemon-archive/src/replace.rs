//! Files that appear when they are whole.

use std::fs::File;
use std::path::Path;

use crate::SinkError;
use crate::file::{new_archive, sync_directory};
use crate::workshop::Workshop;

/// Makes a file in one piece: `fill` is given a new file, open and by its path, in a directory of
/// its own beside `path`; when it is done, the file is synced and renamed to `path`.
///
/// If `fill` fails, what was at `path` stays, and nothing is left beside it. A killed process
/// leaves a directory `.archive-….spool`, which goes with the next archive that is written there.
///
/// # Errors
///
/// Those of `fill`, and [`SinkError::Prepare`] and [`SinkError::Replace`].
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
    let prepare = |source| SinkError::Prepare {
        path: path.into(),
        source,
    };
    let workshop = Workshop::new_in(parent(path)).map_err(prepare)?;
    replace_from(&workshop, path, fill)
}

/// As [`replace`], in a directory that is there already.
pub(crate) fn replace_from<T, E: From<SinkError>>(
    workshop: &Workshop,
    path: &Path,
    fill: impl FnOnce(&mut File, &Path) -> Result<T, E>,
) -> Result<T, E> {
    let mut new = new_archive(workshop.path()).map_err(|source| SinkError::Prepare {
        path: path.into(),
        source,
    })?;
    let young = new.path().to_owned();
    let filled = fill(new.as_file_mut(), &young)?;
    let replace = |source| SinkError::Replace {
        path: path.into(),
        source,
    };
    new.as_file().sync_all().map_err(replace)?;
    new.persist(path).map_err(|error| replace(error.error))?;
    sync_directory(parent(path)).map_err(replace)?;
    Ok(filled)
}

/// The directory that a file lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
