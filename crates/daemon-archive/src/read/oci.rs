//! OCI archives.

use std::io::Read;
use std::path::Path;

use cooperage_blob::{Error, Root, Source};
use cooperage_image_spec::{Descriptor, annotations};

use super::archive::Archive;
use super::manifests::{blob_path, layout_index};
use super::{EntryProblem, ReadError, ReadOptions};

/// An OCI archive: an image layout in a tar, as `skopeo copy … oci-archive:FILE` writes it.
///
/// Its roots are the descriptors of its `index.json`, in that order, with their annotations. A
/// root's name is the annotation `org.opencontainers.image.ref.name`, literally: a tag, a full
/// reference, or whatever its writer put there.
///
/// What `docker save` writes since version 25 is such an archive too; there the name is the tag
/// alone. [`DockerArchive`](crate::DockerArchive) gives its images their full names.
///
/// Blobs are read by position, from any thread; nothing is unpacked.
#[derive(Debug)]
pub struct OciArchive {
    archive: Archive,
    roots: Vec<Root>,
}

impl OciArchive {
    /// Opens an archive, compressed as a whole or not. Reads the headers of the tar and its
    /// `index.json`.
    ///
    /// # Errors
    ///
    /// All of [`ReadError`] but those that speak of `manifest.json` and of layers.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, ReadError> {
        Self::new(Archive::open(path, options)?)
    }

    /// Spools a stream into a temporary file and reads that: see [`ReadOptions`].
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`], and [`ReadError::SpoolFull`].
    pub fn from_reader(reader: impl Read + Send, options: &ReadOptions) -> Result<Self, ReadError> {
        Self::new(Archive::from_reader(reader, options)?)
    }

    fn new(archive: Archive) -> Result<Self, ReadError> {
        let Some(index) = layout_index(&archive)? else {
            let layout = archive.find_optional("oci-layout")?;
            let missing = if layout.is_none() {
                "oci-layout"
            } else {
                "index.json"
            };
            return Err(archive.problem(missing.as_bytes(), EntryProblem::Missing));
        };
        let (_, index) = index.into_parts();
        let root = |descriptor: Descriptor| Root {
            name: descriptor.annotations.get(annotations::REF_NAME).cloned(),
            descriptor,
        };
        let roots = index.manifests.into_iter().map(root).collect();
        Ok(Self { archive, roots })
    }
}

impl Source for OciArchive {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(self.roots.clone())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        match self.archive.find_optional(&blob_path(&descriptor.digest))? {
            Some(span) => Ok(Box::new(self.archive.reader(span))),
            None => Err(Error::blob_not_found(descriptor, self.archive.place())),
        }
    }
}
