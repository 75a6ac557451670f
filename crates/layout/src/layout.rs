//! The directory itself.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cooperage_blob::Error;
use cooperage_digest::Digest;
use cooperage_image_spec::{Document, DocumentError, Index, Json, json};

use crate::files::{self, Existing, Kind};
use crate::host::{Lock, Mode, Patience, Subject};

pub(crate) const LAYOUT_FILE: &str = "oci-layout";
pub(crate) const INDEX_FILE: &str = "index.json";
pub(crate) const BLOBS: &str = "blobs";
/// The one version there is.
const VERSION: &str = "1.0.0";
const LAYOUT_BYTES: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// An OCI image layout.
///
/// Reading takes no lock. See the [crate](crate#writers) for what writing takes.
#[derive(Debug)]
pub struct Layout {
    path: PathBuf,
    pub(crate) hold: Mutex<Hold>,
    /// Blobs that were found to be what their names say. They stay so: whoever removes some waits
    /// for this layout's lock.
    verified: Mutex<BTreeSet<Digest>>,
}

/// The shared lock on the blobs, and the writers that rely on it.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    pub(crate) lock: Option<Lock>,
    pub(crate) writers: usize,
}

/// Why a layout could not be made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no layout.
    #[error("`{}` is not an image layout: it has no file `oci-layout`", path.display())]
    NotLayout {
        /// The directory.
        path: PathBuf,
    },
    /// There is something else already.
    #[error("`{}` is not an image layout and has `{found}` in it: choose an empty directory or a new one", path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
        /// The first thing found in it.
        found: String,
    },
    /// A layout of another version.
    #[error("`{}` is an image layout of version `{found}`: only `{VERSION}` is known", path.display())]
    Version {
        /// The directory.
        path: PathBuf,
        /// What `oci-layout` says.
        found: String,
    },
    /// The file `oci-layout` is not what it must be.
    #[error("`{}` is damaged: expected a JSON object with `imageLayoutVersion`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it is no JSON.
        source: Option<json::ParseError>,
    },
    /// The system refused something.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.into(),
            source,
        }
    }
}

impl Layout {
    /// Opens the layout at `path`, and makes one if nothing is there or the directory is empty.
    ///
    /// Durable and idempotent; several processes may do it at once. A layout that is there is left
    /// as it is. The file `oci-layout` comes last: until then there is no layout, and what an
    /// interrupted call left is taken over by the next. Missing parents are made.
    ///
    /// # Errors
    ///
    /// [`OpenError::Occupied`] if the directory holds anything else; those of [`Self::open`].
    pub fn create(path: &Path) -> Result<Self, OpenError> {
        std::fs::create_dir_all(path.parent().unwrap_or(path))
            .map_err(OpenError::io("create the parents of", path))?;
        files::make_directory(path).map_err(OpenError::io("create", path))?;
        if !path.join(LAYOUT_FILE).exists() {
            fill(path)?;
        }
        Self::open(path)
    }

    /// Opens the layout at `path`.
    ///
    /// `index.json` and the blobs are not looked at: each use of them says what is wrong with them,
    /// and [`fsck`](crate::fsck) all of it.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotLayout`], [`OpenError::Version`] or [`OpenError::Damaged`], from the file
    /// `oci-layout`; [`OpenError::Io`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        check_version(path)?;
        Ok(Self {
            path: path.into(),
            hold: Mutex::default(),
            verified: Mutex::default(),
        })
    }

    /// The directory, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `index.json` says at this moment, with its bytes.
    ///
    /// # Errors
    ///
    /// [`Error::is_malformed`] if it is no index; [`Error::is_not_found`] if it is missing.
    pub fn index(&self) -> Result<Document<Index>, Error> {
        read_index(&self.path)
    }

    /// Where a blob lies, or would lie.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        // A digest is well formed: neither part has a separator or begins with a dot.
        self.path
            .join(BLOBS)
            .join(digest.algorithm_name())
            .join(digest.encoded())
    }

    pub(crate) fn hold(&self) -> MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn verified(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the shared lock on the blobs, if it is not held yet, and waits for a collection.
    pub(crate) fn protect(&self) -> Result<MutexGuard<'_, Hold>, Error> {
        let mut hold = self.hold();
        if hold.lock.is_none() {
            self.make_own_directory(BLOBS)?;
            self.tidy();
            hold.lock = self.lock(Subject::Blobs, Mode::Shared, Patience::Wait)?;
        }
        Ok(hold)
    }

    /// Removes what killed writers left, if nobody else writes: whoever does has the blobs locked.
    ///
    /// What cannot be removed now is left to the next one, or to [`Self::gc`], which says why.
    fn tidy(&self) {
        let is_left =
            || files::list(&self.path).is_ok_and(|listed| listed.iter().any(files::is_temporary));
        if !is_left() {
            return;
        }
        let lock = Lock::take(&self.path, Subject::Blobs, Mode::Exclusive, Patience::Try);
        if let Ok(Some(_lock)) = lock {
            // Looked for again: those of before may have been at work, and be done.
            for listed in files::list(&self.path).unwrap_or_default() {
                if files::is_temporary(&listed) {
                    let _ = std::fs::remove_file(listed.path);
                }
            }
        }
    }

    pub(crate) fn lock(
        &self,
        subject: Subject,
        mode: Mode,
        patience: Patience,
    ) -> Result<Option<Lock>, Error> {
        Lock::take(&self.path, subject, mode, patience)
            .map_err(|error| Error::io(format!("cannot lock `{}`", self.path.display()), error))
    }

    /// Makes a directory in the layout, unless it is there; a link to one does not count.
    pub(crate) fn make_own_directory(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        let make = || {
            if !files::is_own_directory(&path)? {
                files::make_directory(&path)?;
                files::is_own_directory(&path)?;
            }
            Ok(())
        };
        match make() {
            Ok(()) => Ok(path),
            Err(error) => Err(Error::io(
                format!("cannot write to `{}`", path.display()),
                error,
            )),
        }
    }
}

/// Reads `index.json`.
pub(crate) fn read_index(layout: &Path) -> Result<Document<Index>, Error> {
    let path = layout.join(INDEX_FILE);
    let bytes = files::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::not_found("`index.json`", path.display()),
        _ => Error::io(format!("cannot read `{}`", path.display()), error),
    })?;
    Document::parse(bytes).map_err(|error: DocumentError| {
        Error::malformed(format!("`{}` is no index", path.display())).with_source(error)
    })
}

/// Reads `oci-layout`.
pub(crate) fn check_version(path: &Path) -> Result<(), OpenError> {
    let file = path.join(LAYOUT_FILE);
    let bytes = match files::read(&file) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) && (path.is_dir() || path.is_file()) =>
        {
            return Err(OpenError::NotLayout { path: path.into() });
        }
        result => result.map_err(OpenError::io("read", &file))?,
    };
    let json = match Json::parse(&bytes) {
        Err(source) => {
            return Err(OpenError::Damaged {
                path: file,
                source: Some(source),
            });
        }
        Ok(json) => json,
    };
    match json.get("imageLayoutVersion").and_then(Json::as_str) {
        Some(VERSION) => Ok(()),
        Some(found) => Err(OpenError::Version {
            path: path.into(),
            found: found.into(),
        }),
        None => Err(OpenError::Damaged {
            path: file,
            source: None,
        }),
    }
}

/// Makes a directory a layout, if it is empty or was about to become one.
fn fill(path: &Path) -> Result<(), OpenError> {
    let index = Document::new(Index::new(Vec::new()));
    refuse_occupied(path, index.raw())?;
    for name in [BLOBS, "blobs/sha256"] {
        let path = path.join(name);
        files::make_directory(&path).map_err(OpenError::io("create", &path))?;
    }
    // Another process may have made the layout meanwhile, and collect.
    let _blobs = Lock::take(path, Subject::Blobs, Mode::Shared, Patience::Wait)
        .map_err(OpenError::io("lock", path))?;
    for (name, bytes) in [(INDEX_FILE, index.raw()), (LAYOUT_FILE, LAYOUT_BYTES)] {
        files::write(path, name, bytes, Existing::Keep)
            .map_err(OpenError::io("write", &path.join(name)))?;
    }
    Ok(())
}

fn refuse_occupied(path: &Path, empty_index: &[u8]) -> Result<(), OpenError> {
    let list = |path: &Path| files::list(path).map_err(OpenError::io("list", path));
    for found in list(path)? {
        let name = found.name.to_string_lossy();
        let ours = match (&*name, found.kind) {
            (BLOBS, Kind::Directory) => {
                let mut empty = true;
                for below in list(&found.path)? {
                    empty &= below.name == OsStr::new("sha256") && list(&below.path)?.is_empty();
                }
                empty
            }
            (INDEX_FILE, Kind::File) => {
                files::read(&found.path).is_ok_and(|bytes| bytes == empty_index)
            }
            // Another process was quicker.
            (LAYOUT_FILE, Kind::File) => return Ok(()),
            (name, Kind::File) => {
                name.starts_with(files::TEMPORARY_PREFIX) || files::LOCK_NAMES.contains(&name)
            }
            _ => false,
        };
        // The other process may have filled the layout since, and used it.
        if !ours && !path.join(LAYOUT_FILE).exists() {
            return Err(OpenError::Occupied {
                path: path.into(),
                found: name.into_owned(),
            });
        }
    }
    Ok(())
}
