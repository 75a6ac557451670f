//! The directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cooperage_blob::Error;
use cooperage_digest::Digest;

use crate::host;

pub(crate) const BLOBS: &str = "blobs";
pub(crate) const FACTS: &str = "facts";
pub(crate) const PARTIAL: &str = "partial";

/// What backup programs look for (<https://bford.info/cachedir/>).
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
                   # Blobs of container images that can be fetched again: remove at will.\n";

/// A directory that keeps blobs between runs.
///
/// Cloning it costs nothing; all clones, and all processes, share the directory.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: PathBuf,
    limit: u64,
}

impl Cache {
    /// Opens the cache in `directory`, which is made if it is not there, for its owner alone.
    ///
    /// After each fetch, what was used longest ago is removed until no more than `limit` bytes are
    /// left; 0 keeps nothing for longer than it is read.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made, read or written; going on without a cache is possible
    /// then.
    pub fn open(directory: &Path, limit: u64) -> Result<Self, Error> {
        let cache = Self {
            directory: directory.to_owned(),
            limit,
        };
        cache.prepare().map_err(|error| cache.unusable(error))?;
        Ok(cache)
    }

    fn prepare(&self) -> io::Result<()> {
        let tag = self.directory.join("CACHEDIR.TAG");
        let places = [BLOBS, FACTS, PARTIAL].map(|name| self.directory.join(name));
        // To look costs less than to try.
        if tag.is_file() && places.iter().all(|place| place.is_dir()) {
            return Ok(());
        }
        host::make_private_directory(&self.directory)?;
        for place in &places {
            make_directory(place)?;
        }
        match OpenOptions::new().write(true).create_new(true).open(tag) {
            Ok(mut file) => file.write_all(TAG.as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn unusable(&self, error: io::Error) -> Error {
        let directory = self.directory.display();
        Error::io(format!("cannot use the cache in `{directory}`"), error)
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many bytes it may hold after a fetch.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.in_its_place(BLOBS, digest)
    }

    pub(crate) fn in_its_place(&self, kind: &str, digest: &Digest) -> PathBuf {
        let directory = self.directory.join(kind).join(digest.algorithm_name());
        directory.join(digest.encoded())
    }

    pub(crate) fn partial(&self, name: &str) -> PathBuf {
        self.directory.join(PARTIAL).join(name)
    }
}

/// Makes a directory and those above it, if they are not there.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Opens a file; `None` if there is none.
pub(crate) fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
