//! Files that appear whole or not at all, beside whatever else lies there.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::host;

const PREFIX: &str = ".cooperage-";
const SUFFIX: &str = ".tmp";

/// A file in `directory` that is to be renamed to its final name there, with the permissions of an
/// ordinary new file.
///
/// It goes away when dropped; if the process is killed, with the next one that is made in the same
/// directory by the same user: as long as it is open, it is locked.
///
/// # Errors
///
/// What the system says of making a file there.
pub fn file_in(directory: &Path) -> io::Result<NamedTempFile> {
    remove_left(directory);
    loop {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        host::as_new_file(&mut builder);
        let file = builder.tempfile_in(directory)?;
        if host::lock(file.as_file(), file.path())? {
            return Ok(file);
        }
        // Not locked yet, it was taken for one that was left behind, and is gone.
    }
}

/// Removes what killed processes left in `directory`. What cannot be removed stays: it is in
/// nobody's way.
#[expect(clippy::disallowed_methods, reason = "the order does not matter")]
fn remove_left(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        if let Ok(file) = File::open(&path)
            && host::is_left(&file, &path)
        {
            let _ = fs::remove_file(&path);
        }
    }
}
