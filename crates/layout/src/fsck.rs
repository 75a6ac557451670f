//! Telling all that is wrong with a layout.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cooperage_blob::Error;
use cooperage_digest::{Digest, Hasher};
use cooperage_image_spec::{
    Descriptor, Document, DocumentError, ImageConfig, MAX_DOCUMENT_SIZE, MediaType, annotations,
};

use crate::document::{self, Parsed, Role, Seen};
use crate::files::{self, Kind, LOCK_NAMES};
use crate::gc::{digest_of, is_temporary};
use crate::layout::{self, BLOBS, INDEX_FILE, LAYOUT_FILE};
use crate::{Layout, OpenError, host};

/// One thing that is wrong, or worth knowing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file `oci-layout` is missing, damaged or of another version.
    #[error("the layout cannot be opened")]
    LayoutFile {
        /// What opening the layout says.
        source: OpenError,
    },
    /// `index.json` is missing, unreadable or no index.
    #[error("`index.json` cannot be read")]
    Index {
        /// Why not.
        source: Error,
    },
    /// A directory or a file cannot be looked at.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Its path below the layout.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A blob is not there.
    #[error("{from} refers to `{digest}` ({media_type}), which is missing")]
    Missing {
        /// The blob.
        digest: Digest,
        /// What it was to be.
        media_type: MediaType,
        /// What refers to it.
        from: Referrer,
        /// An error, or a notice where it may well be missing: a subject, or a layer that is not to
        /// be distributed.
        severity: Severity,
    },
    /// A blob is not as long as it is said to be.
    #[error("{from} says that `{digest}` has {expected} bytes, found {actual}")]
    Size {
        /// The blob.
        digest: Digest,
        /// Length in bytes by the descriptor.
        expected: u64,
        /// Length of its file in bytes.
        actual: u64,
        /// What refers to it.
        from: Referrer,
    },
    /// A blob's bytes are not those that its name says.
    #[error("blob `{digest}` is damaged: its {size} bytes are `{actual}`")]
    Digest {
        /// Its name.
        digest: Digest,
        /// What its bytes are.
        actual: Digest,
        /// How many there are.
        size: u64,
    },
    /// A manifest, index or config breaks its format.
    #[error("{from} calls `{digest}` a `{media_type}`, which it is not")]
    Malformed {
        /// The blob.
        digest: Digest,
        /// What it was to be.
        media_type: MediaType,
        /// What refers to it.
        from: Referrer,
        /// Where and why.
        source: Error,
    },
    /// A document and its descriptor differ in what it is.
    #[error("{from} calls `{digest}` a `{expected}`, it calls itself a `{actual}`")]
    MediaType {
        /// The document.
        digest: Digest,
        /// By the descriptor.
        expected: MediaType,
        /// By itself.
        actual: MediaType,
        /// What refers to it.
        from: Referrer,
    },
    /// A notice: a blob of an algorithm that cannot be computed.
    #[error("blob `{digest}` cannot be verified: only sha256 and sha512 can be computed")]
    Unverifiable {
        /// Its name.
        digest: Digest,
    },
    /// A notice: several entries of `index.json` have the same name and are different.
    #[error("`index.json` has several entries of the name `{name}`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A notice: a file that is no part of a layout, or what a killed writer left.
    #[error("`{}` is no part of an image layout", path.display())]
    Stray {
        /// Its path below the layout.
        path: PathBuf,
    },
}

/// How bad a [`Fault`] is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// All images are whole.
    Notice,
    /// Something is broken.
    Error,
}

/// What refers to a blob.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Referrer {
    /// An entry of `index.json`.
    Index,
    /// A manifest or an index.
    Document(Digest),
}

impl fmt::Display for Referrer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index => write!(f, "`{INDEX_FILE}`"),
            Self::Document(digest) => write!(f, "`{digest}`"),
        }
    }
}

impl Fault {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Missing { severity, .. } => *severity,
            Self::Unverifiable { .. } | Self::DuplicateName { .. } | Self::Stray { .. } => {
                Severity::Notice
            }
            _ => Severity::Error,
        }
    }
}

impl Layout {
    /// Reports all that is wrong with the layout; see [`fsck`].
    #[must_use]
    pub fn fsck(&self) -> Vec<Fault> {
        fsck(self.path())
    }
}

/// Reports all that is wrong with the layout at `path`, and not the first fault alone.
///
/// Every file is looked at and every blob hashed, whether something refers to it or not; then
/// `index.json`, the indexes below it however nested, and the manifests are followed. It reads only
/// and takes no lock: while others write, blobs and temporary files of theirs may show.
///
/// The order depends on the layout alone: the layout's own files, strays, blobs by name, and then
/// what refers to them in the order of `index.json`.
#[must_use]
pub fn fsck(path: &Path) -> Vec<Fault> {
    let mut check = Check {
        path,
        faults: Vec::new(),
        blobs: BTreeMap::new(),
    };
    if let Err(source) = layout::check_version(path) {
        check.faults.push(Fault::LayoutFile { source });
    }
    let index = layout::read_index(path)
        .map_err(|source| check.faults.push(Fault::Index { source }))
        .ok();
    check.own_files();
    let blobs = check.blob_files();
    check.hash(blobs);
    if let Some(index) = index {
        let (_, index) = index.into_parts();
        check.names(&index.manifests);
        check.follow(Parsed::Index(Box::new(index)));
    }
    check.faults
}

struct Check<'a> {
    path: &'a Path,
    faults: Vec<Fault>,
    blobs: BTreeMap<Digest, Blob>,
}

/// A blob's file as it was found.
struct Blob {
    size: u64,
    state: State,
}

enum State {
    Verified,
    Unverifiable,
    Other(Digest),
    Unreadable(io::Error),
}

impl Check<'_> {
    fn list(&mut self, path: &Path) -> Vec<files::Listed> {
        files::list(path).unwrap_or_else(|source| {
            self.faults.push(Fault::Unreadable {
                path: self.below(path),
                source,
            });
            Vec::new()
        })
    }

    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.path).unwrap_or(path).into()
    }

    fn stray(&mut self, path: &Path) {
        self.faults.push(Fault::Stray {
            path: self.below(path),
        });
    }

    fn own_files(&mut self) {
        for listed in self.list(self.path) {
            let name = listed.name.to_string_lossy();
            let is_own =
                [LAYOUT_FILE, INDEX_FILE, BLOBS].contains(&&*name) || LOCK_NAMES.contains(&&*name);
            if !is_own || is_temporary(&listed) {
                self.stray(&listed.path);
            }
        }
    }

    fn blob_files(&mut self) -> Vec<(Digest, PathBuf)> {
        let mut blobs = Vec::new();
        for directory in self.list(&self.path.join(BLOBS)) {
            let is_directory = match directory.kind {
                Kind::Symlink => directory.path.is_dir(),
                kind => kind == Kind::Directory,
            };
            if !is_directory {
                self.stray(&directory.path);
                continue;
            }
            let algorithm = directory.name.to_string_lossy().into_owned();
            for listed in self.list(&directory.path) {
                match digest_of(&algorithm, &listed) {
                    Some(digest) => blobs.push((digest, listed.path)),
                    None => self.stray(&listed.path),
                }
            }
        }
        blobs
    }

    /// Hashes all blobs, several at once.
    fn hash(&mut self, mut blobs: Vec<(Digest, PathBuf)>) {
        blobs.sort();
        let threads =
            std::thread::available_parallelism().map_or(1, |threads| threads.get().min(8));
        let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        let work = || {
            let mut buffer = vec![0; 256 << 10];
            while let Some((digest, path)) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let blob = examine(digest, path, &mut buffer);
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(digest.clone(), blob);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(blobs.len()) {
                scope.spawn(work);
            }
            work();
        });
        self.blobs = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (digest, path) in blobs {
            let Some(blob) = self.blobs.get_mut(&digest) else {
                continue;
            };
            let fault = match &mut blob.state {
                State::Verified => continue,
                State::Unverifiable => Fault::Unverifiable { digest },
                State::Other(actual) => Fault::Digest {
                    digest,
                    actual: actual.clone(),
                    size: blob.size,
                },
                State::Unreadable(error) => {
                    let source = std::mem::replace(error, io::ErrorKind::Other.into());
                    Fault::Unreadable {
                        path: self.below(&path),
                        source,
                    }
                }
            };
            self.faults.push(fault);
        }
    }

    fn names(&mut self, entries: &[Descriptor]) {
        let mut names: BTreeMap<&String, Vec<&Descriptor>> = BTreeMap::new();
        for entry in entries {
            if let Some(name) = entry.annotations.get(annotations::REF_NAME) {
                names.entry(name).or_default().push(entry);
            }
        }
        for (name, entries) in names {
            if entries
                .iter()
                .any(|entry| entry.digest != entries[0].digest)
            {
                self.faults
                    .push(Fault::DuplicateName { name: name.clone() });
            }
        }
    }

    fn follow(&mut self, index: Parsed) {
        let mut seen = Seen::default();
        let mut waiting = vec![(Referrer::Index, index.references().into_iter())];
        while let Some((from, references)) = waiting.last_mut() {
            let Some((role, descriptor)) = references.next() else {
                waiting.pop();
                continue;
            };
            let from = from.clone();
            if !self.check_reference(role, &descriptor, &from) || !seen.is_new(&descriptor) {
                continue;
            }
            if let Some(parsed) = self.document(&descriptor, &from) {
                waiting.push((
                    Referrer::Document(descriptor.digest),
                    parsed.references().into_iter(),
                ));
            }
        }
    }

    /// Whether the blob is there and can be read.
    fn check_reference(&mut self, role: Role, descriptor: &Descriptor, from: &Referrer) -> bool {
        let (digest, from) = (descriptor.digest.clone(), from.clone());
        let fault = match self.blobs.get(&digest) {
            None => {
                let may_be = role == Role::Subject
                    || !descriptor.urls.is_empty()
                    || descriptor.media_type.is_nondistributable();
                let severity = if may_be {
                    Severity::Notice
                } else {
                    Severity::Error
                };
                Fault::Missing {
                    digest,
                    media_type: descriptor.media_type.clone(),
                    from,
                    severity,
                }
            }
            // Reported as a file.
            Some(Blob {
                state: State::Unreadable(_),
                ..
            }) => return false,
            Some(blob) if blob.size != descriptor.size => Fault::Size {
                digest,
                expected: descriptor.size,
                actual: blob.size,
                from,
            },
            Some(blob) => return !matches!(blob.state, State::Other(_)),
        };
        self.faults.push(fault);
        false
    }

    /// Reads a document that is there; says what is wrong with it otherwise.
    fn document(&mut self, descriptor: &Descriptor, from: &Referrer) -> Option<Parsed> {
        let is_config = descriptor.media_type.is_config();
        if !is_config && !document::is_document(descriptor) {
            return None;
        }
        let parsed = self.read(descriptor).and_then(|bytes| {
            if !is_config {
                return document::parse(descriptor, bytes);
            }
            let malformed = |error: DocumentError| {
                Error::malformed(format!("`{}` is not a valid config", descriptor.digest))
                    .with_source(error)
            };
            Document::<ImageConfig>::parse(bytes).map_err(malformed)?;
            Ok(Parsed::Other)
        });
        let (digest, from) = (descriptor.digest.clone(), from.clone());
        match parsed {
            Err(source) => {
                let media_type = descriptor.media_type.clone();
                self.faults.push(Fault::Malformed {
                    digest,
                    media_type,
                    from,
                    source,
                });
                None
            }
            Ok(parsed) => {
                if let Some(actual) = parsed.other_media_type(descriptor).cloned() {
                    let expected = descriptor.media_type.clone();
                    self.faults.push(Fault::MediaType {
                        digest,
                        expected,
                        actual,
                        from,
                    });
                }
                Some(parsed)
            }
        }
    }

    fn read(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        if descriptor.size > MAX_DOCUMENT_SIZE {
            return Err(Error::too_large(descriptor, MAX_DOCUMENT_SIZE));
        }
        let digest = &descriptor.digest;
        let path = self
            .path
            .join(BLOBS)
            .join(digest.algorithm_name())
            .join(digest.encoded());
        files::read(&path).map_err(|error| Error::read(descriptor, error))
    }
}

fn examine(digest: &Digest, path: &Path, buffer: &mut [u8]) -> Blob {
    let (mut size, result) = match host::open_regular(path) {
        Ok(file) => hash_file(digest, file, buffer),
        Err(error) => (0, Err(error)),
    };
    let state = match result {
        Ok(None) => State::Unverifiable,
        Ok(Some(actual)) if actual == *digest => State::Verified,
        Ok(Some(actual)) => State::Other(actual),
        Err(error) => {
            size = 0;
            State::Unreadable(error)
        }
    };
    Blob { size, state }
}

/// The file's length and its digest, where that can be computed.
fn hash_file(
    digest: &Digest,
    mut file: File,
    buffer: &mut [u8],
) -> (u64, io::Result<Option<Digest>>) {
    let Some(algorithm) = digest.algorithm() else {
        return match file.metadata() {
            Ok(metadata) => (metadata.len(), Ok(None)),
            Err(error) => (0, Err(error)),
        };
    };
    let (mut hasher, mut size) = (Hasher::new(algorithm), 0);
    loop {
        match file.read(buffer) {
            Ok(0) => return (size, Ok(Some(hasher.finish()))),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (size, Err(error)),
        }
    }
}
