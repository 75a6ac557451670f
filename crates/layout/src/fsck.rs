//! Telling all that is wrong with a layout.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cooperage_blob::Error;
use cooperage_digest::Digest;
use cooperage_image_spec::{
    Descriptor, Document, DocumentError, ImageConfig, MAX_DOCUMENT_SIZE, annotations,
};

mod fault;
mod hash;

pub use fault::{Fault, Referrer, Severity};

use crate::Layout;
use crate::document::{self, Parsed, Role, Seen};
use crate::files::{self, Kind, LOCK_NAMES};
use crate::gc::digest_of;
use crate::layout::{self, BLOBS, INDEX_FILE, LAYOUT_FILE};
use hash::{Blob, State};

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
            if !is_own || files::is_temporary(&listed) {
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

    /// Hashes all blobs, and says which are not what their names say.
    fn hash(&mut self, mut blobs: Vec<(Digest, PathBuf)>) {
        blobs.sort();
        self.blobs = hash::hash(&blobs);
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
