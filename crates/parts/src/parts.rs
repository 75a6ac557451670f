//! The parts together.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cooperage_blob::{Error, Root, Source};
use cooperage_digest::{Digest, VerifyError};
use cooperage_image_spec::{Descriptor, Document, Index, Manifest, Reference};

use crate::file::{self, PartError};
use crate::further::Further;

/// An image, or an index of images, in files of their own.
///
/// Of what is added twice under one digest the first counts. Reading does not verify, as with
/// every [`Source`]: [`cooperage_blob::open`], [`cooperage_blob::read`] and [`cooperage_blob::copy`]
/// do.
#[derive(Debug)]
pub struct Parts {
    root: Descriptor,
    documents: BTreeMap<Digest, DocumentPart>,
    blobs: BTreeMap<Digest, PathBuf>,
    further: Vec<Further>,
}

#[derive(Debug)]
struct DocumentPart {
    file: PathBuf,
    bytes: Arc<[u8]>,
}

impl Parts {
    /// Begins with the descriptor of what the parts make.
    #[must_use]
    pub fn new(root: Descriptor) -> Self {
        Self {
            root,
            documents: BTreeMap::new(),
            blobs: BTreeMap::new(),
            further: Vec::new(),
        }
    }

    /// What the parts make: an image or an index.
    #[must_use]
    pub fn root(&self) -> &Descriptor {
        &self.root
    }

    /// Adds an index, a manifest or a config. The file is read, to its end, and kept in memory; its
    /// digest is that of its bytes, which is returned.
    ///
    /// # Errors
    ///
    /// [`PartError::Read`], [`PartError::TooLarge`].
    pub fn add_document(&mut self, file: &Path) -> Result<Digest, PartError> {
        let bytes = file::read(file)?;
        let digest = Digest::of(&bytes);
        let part = || DocumentPart {
            file: file.to_owned(),
            bytes: bytes.into(),
        };
        self.documents.entry(digest.clone()).or_insert_with(part);
        Ok(digest)
    }

    /// Adds a layer or any other blob. The file is opened when it is read.
    pub fn add_blob(&mut self, digest: Digest, file: &Path) {
        self.blobs.entry(digest).or_insert_with(|| file.to_owned());
    }

    /// Adds a place where blobs lie that are in no file, to be asked after those added before; it
    /// is opened when it is first asked. `name` is what messages call it.
    pub fn add_source(
        &mut self,
        name: impl Into<String>,
        open: impl Fn() -> Result<Box<dyn Source>, Error> + Send + Sync + 'static,
    ) {
        self.further.push(Further::new(name.into(), Box::new(open)));
    }

    /// The file that a blob or a document is read from: for messages about what it held.
    #[must_use]
    pub fn file(&self, digest: &Digest) -> Option<&Path> {
        let document = self.documents.get(digest).map(|part| &part.file);
        let file = document.or_else(|| self.blobs.get(digest));
        file.map(PathBuf::as_path)
    }

    fn open(path: &Path, descriptor: &Descriptor) -> Result<File, Error> {
        let failed = |error| {
            let text = format!(
                "cannot open `{}`, which is to hold `{}`",
                path.display(),
                descriptor.digest
            );
            Error::io(text, error)
        };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        // Another length is told before a byte has gone anywhere.
        if metadata.is_file() && metadata.len() != descriptor.size {
            return Err(Error::mismatch(VerifyError::Size {
                digest: descriptor.digest.clone(),
                expected: descriptor.size,
                actual: metadata.len(),
            })
            .with_origin(format!("`{}`", path.display())));
        }
        Ok(file)
    }

    /// A blob that no file holds.
    fn ask(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        let mut failure = None;
        for further in &self.further {
            let fetched = further.source().and_then(|source| source.fetch(descriptor));
            match fetched {
                Ok(reader) => return Ok(reader),
                Err(error) if error.is_not_found() => {}
                // The next one may have it; if none has, this is why.
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        Err(failure.unwrap_or_else(|| self.missing(descriptor)))
    }

    fn missing(&self, descriptor: &Descriptor) -> Error {
        let mut place = match self.lists(&descriptor.digest) {
            Some(document) => format!(
                "any of the image's parts, although `{}` lists it",
                document.display()
            ),
            None => "any of the image's parts".to_owned(),
        };
        for further in &self.further {
            let _ = write!(place, ", nor in `{}`", further.name());
        }
        Error::blob_not_found(descriptor, place)
    }

    /// The file of the document that a blob is listed in.
    fn lists(&self, digest: &Digest) -> Option<&Path> {
        let listed = |part: &&DocumentPart| {
            let bytes = || part.bytes.to_vec();
            let manifest = Document::<Manifest>::parse(bytes());
            let index = Document::<Index>::parse(bytes());
            let in_manifest = manifest.is_ok_and(|manifest| {
                let mut children = manifest.value().children();
                children.any(|child| child.digest == *digest)
            });
            let in_index = index.is_ok_and(|index| {
                let mut children = index.value().manifests.iter();
                children.any(|child| child.digest == *digest)
            });
            in_manifest || in_index
        };
        let found = self.documents.values().find(listed)?;
        Some(&found.file)
    }
}

impl Source for Parts {
    /// The root, without a name: names are for whoever writes it somewhere to give.
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(vec![Root::unnamed(self.root.clone())])
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        if let Some(part) = self.documents.get(&descriptor.digest) {
            return Ok(Box::new(Cursor::new(Arc::clone(&part.bytes))));
        }
        match self.blobs.get(&descriptor.digest) {
            Some(path) => Ok(Box::new(Self::open(path, descriptor)?)),
            None => self.ask(descriptor),
        }
    }

    /// Of what is in a file no other place is known.
    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        if self.file(&descriptor.digest).is_some() {
            return None;
        }
        let mut further = self.further.iter();
        further.find_map(|further| further.source().ok()?.origin(descriptor))
    }
}
