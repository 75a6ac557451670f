//! The directory in which an archive is made.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::file::DirectoryLock;

const PREFIX: &str = ".archive-";
const SUFFIX: &str = ".spool";

/// A directory beside the archive with all that is not the archive yet. It goes away when dropped;
/// if the process is killed, with the next one that is made in the same place.
#[derive(Debug)]
pub(crate) struct Workshop {
    directory: TempDir,
    // Dropped after the directory: as long as there is one, it is locked.
    _lock: DirectoryLock,
}

impl Workshop {
    pub(crate) fn new_in(parent: &Path) -> io::Result<Self> {
        remove_left(parent);
        loop {
            let directory = tempfile::Builder::new()
                .prefix(PREFIX)
                .suffix(SUFFIX)
                .tempdir_in(parent)?;
            match DirectoryLock::take(directory.path()) {
                Ok(lock) => {
                    return Ok(Self {
                        directory,
                        _lock: lock,
                    });
                }
                // Not locked yet, it was taken for one that was left behind.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes what killed processes left in `parent`. What cannot be removed stays: it is in nobody's
/// way.
#[expect(clippy::disallowed_methods, reason = "the order does not matter")]
fn remove_left(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if let Some(_lock) = DirectoryLock::take_left(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
