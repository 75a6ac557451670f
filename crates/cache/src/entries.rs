//! What lies in the directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cooperage_digest::Digest;

use crate::Cache;
use crate::cache::{BLOBS, FACTS, PARTIAL};

/// A file with a digest for a name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Entry {
    // First, since entries are sorted by it.
    pub(crate) used: SystemTime,
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    Blob,
    Facts,
}

impl Cache {
    /// All blobs and facts, used longest ago first. What has no digest for a name is not ours.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        add(&self.directory().join(BLOBS), Kind::Blob, &mut entries)?;
        for kind in list(&self.directory().join(FACTS))? {
            add(&kind, Kind::Facts, &mut entries)?;
        }
        entries.sort();
        Ok(entries)
    }

    /// What is being fetched, or was when its process was killed: the names without their locks.
    pub(crate) fn partials(&self) -> io::Result<Vec<String>> {
        let files = list(&self.directory().join(PARTIAL))?;
        let name = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?;
            Some(name.strip_suffix(".lock").unwrap_or(name).to_owned())
        };
        let mut names: Vec<String> = files.iter().filter_map(name).collect();
        names.dedup();
        Ok(names)
    }
}

fn add(directory: &Path, kind: Kind, entries: &mut Vec<Entry>) -> io::Result<()> {
    for algorithm in list(directory)? {
        for path in list(&algorithm)? {
            let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
            let digest = name(&algorithm).zip(name(&path));
            let digest = digest.map(|(algorithm, hex)| format!("{algorithm}:{hex}"));
            if digest.is_none_or(|digest| digest.parse::<Digest>().is_err()) {
                continue;
            }
            let metadata = match fs::symlink_metadata(&path) {
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result?,
            };
            if metadata.is_file() {
                entries.push(Entry {
                    used: metadata.modified()?,
                    path,
                    size: metadata.len(),
                    kind,
                });
            }
        }
    }
    Ok(())
}

/// What lies in a directory, sorted; nothing if it is none.
#[expect(clippy::disallowed_methods, reason = "sorted at once")]
fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        result => result?,
    };
    let paths = entries.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
