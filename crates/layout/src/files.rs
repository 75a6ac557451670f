//! Files of a layout: written whole or not at all, read within limits, listed in order.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cooperage_image_spec::MAX_DOCUMENT_SIZE;
use tempfile::TempPath;

use crate::early::EarlySync;
use crate::host;

/// What a file that is still being written begins with.
///
/// It lies in the layout itself, so that it can be renamed into place, and not among the blobs,
/// since umoci takes every file there for a blob and fails.
pub(crate) const TEMPORARY_PREFIX: &str = ".cooperage-";
/// Files that systems without `flock` lock.
pub(crate) const LOCK_NAMES: [&str; 2] = [".cooperage.blobs", ".cooperage.index"];

/// A file that vanishes unless it is kept. Its errors are the system's own, and say nothing of the
/// name that nobody gave it.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub(crate) file: File,
    pub(crate) early: EarlySync,
    pub(crate) path: TempPath,
}

/// Starts a file in `layout`.
pub(crate) fn temporary(layout: &Path) -> io::Result<Temporary> {
    let (file, path) = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .rand_bytes(12)
        .make_in(layout, host::create_private)?
        .into_parts();
    Ok(Temporary {
        file,
        early: EarlySync::default(),
        path,
    })
}

/// Whether what lies under `name` is to be replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Existing {
    /// Yes.
    Replace,
    /// No: it stays as it is.
    Keep,
}

/// Puts a written file under its name in `directory`: its bytes are on disk before its name is seen.
/// The name is on disk once `directory` is synced.
pub(crate) fn put(
    temporary: Temporary,
    directory: &Path,
    name: &str,
    existing: Existing,
) -> io::Result<()> {
    host::set_file_mode(&temporary.file)?;
    // What was begun early goes on beside it.
    let synced = temporary.file.sync_all();
    temporary.early.finish().and(synced)?;
    let path = directory.join(name);
    match existing {
        Existing::Replace => temporary.path.persist(path)?,
        Existing::Keep => match temporary.path.persist_noclobber(path) {
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result?,
        },
    }
    Ok(())
}

/// Writes a small file of the layout itself, durably: its bytes are on disk before its name is, and
/// its name before this returns.
pub(crate) fn write(layout: &Path, name: &str, bytes: &[u8], existing: Existing) -> io::Result<()> {
    let mut temporary = temporary(layout)?;
    temporary.file.write_all(bytes)?;
    put(temporary, layout, name, existing)?;
    host::sync_directory(layout)
}

/// Reads a document, whose size must be within the limit of documents.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = host::open_regular(path)?;
    file.take(MAX_DOCUMENT_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_DOCUMENT_SIZE {
        let message = format!("more than {MAX_DOCUMENT_SIZE} bytes, too large for a document");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(bytes)
}

/// Makes a directory durably, if it is not there; its parent must be.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => {
            host::set_directory_mode(path)?;
            path.parent().map_or(Ok(()), sync_parent)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync_parent(parent: &Path) -> io::Result<()> {
    let here = Path::new(".");
    host::sync_directory(if parent.as_os_str().is_empty() {
        here
    } else {
        parent
    })
}

/// A directory that is one, not a link to one: through a link that came with a layout from
/// elsewhere, files outside of it would be written or removed.
///
/// `Ok(false)` if there is none.
pub(crate) fn is_own_directory(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(true),
        Ok(metadata) => {
            let found = if metadata.is_symlink() {
                "a symlink"
            } else {
                "no directory"
            };
            Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                format!("found {found}, and nothing is written or removed through it"),
            ))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// One thing in a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listed {
    pub(crate) name: OsString,
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
}

/// What it is, links not followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    Other,
}

/// Whether a writer of this crate makes it at this moment, or was killed and left it.
pub(crate) fn is_temporary(listed: &Listed) -> bool {
    let name = listed.name.to_str();
    listed.kind == Kind::File && name.is_some_and(|name| name.starts_with(TEMPORARY_PREFIX))
}

/// All that lies in a directory, sorted by name; nothing if there is no such directory.
#[expect(clippy::disallowed_methods, reason = "sorted at once")]
pub(crate) fn list(directory: &Path) -> io::Result<Vec<Listed>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result?,
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry?;
        let file_type = match entry.file_type() {
            // A temporary file of somebody else may be gone by now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            result => result?,
        };
        let kind = match file_type {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_symlink() => Kind::Symlink,
            _ => Kind::Other,
        };
        listed.push(Listed {
            name: entry.file_name(),
            path: entry.path(),
            kind,
        });
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listed)
}
