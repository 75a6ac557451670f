//! A repository to read from.

use std::io::{Cursor, Read};
use std::sync::Arc;

use cooperage_blob::{Root, Source};
use cooperage_digest::VerifyError;
use cooperage_image_spec::{Descriptor, MediaType, Reference};

use crate::download::Download;
use crate::error::{Error, Reason};
use crate::repository::{MAX_MANIFEST_SIZE, Repository};

/// Blobs of at most so many bytes are read whole, and kept: configs, which several ask for.
const SMALL: u64 = 256 << 10;

/// Whether a blob lies among the manifests of a registry.
pub(crate) fn is_document(media_type: &MediaType) -> bool {
    const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
    media_type.is_manifest() || media_type.is_index() || media_type.as_str() == ARTIFACT
}

impl Repository {
    /// A manifest or an index, whole and verified. Who asks for the same one at the same time
    /// waits for it, and it is read once.
    pub(crate) fn document(&self, descriptor: &Descriptor) -> Result<Arc<[u8]>, Error> {
        let name = descriptor.digest.as_str();
        let _turn = self.inner.busy.turn(format!("document {name}"));
        if let Some(held) = self.inner.documents.get(&descriptor.digest) {
            return Ok(held);
        }
        if descriptor.size > MAX_MANIFEST_SIZE {
            let limit = MAX_MANIFEST_SIZE;
            let attempted = self.attempted("read manifest", name);
            return Err(Error::new(attempted, Reason::TooLarge { limit }));
        }
        let (found, bytes) = self.first_of(true, |endpoint| {
            self.manifest_at(endpoint, name, Some(&descriptor.digest))
        })?;
        if found.size != descriptor.size {
            let error = VerifyError::Size {
                digest: found.digest,
                expected: descriptor.size,
                actual: found.size,
            };
            let attempted = self.attempted("read manifest", name);
            return Err(Error::new(attempted, Reason::Mismatch(error)));
        }
        Ok(bytes.into())
    }

    /// A small blob, as [`Repository::document`].
    fn small_blob(&self, descriptor: &Descriptor) -> Result<Arc<[u8]>, cooperage_blob::Error> {
        let name = descriptor.digest.as_str();
        let _turn = self.inner.busy.turn(format!("document {name}"));
        if let Some(held) = self.inner.documents.get(&descriptor.digest) {
            return Ok(held);
        }
        let download = Download::start(self, descriptor)?;
        let digest = descriptor.digest.clone();
        let mut reader = cooperage_digest::VerifyingReader::new(download, digest, descriptor.size);
        let mut bytes = Vec::new();
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| cooperage_blob::Error::read(descriptor, error))?;
        let bytes: Arc<[u8]> = bytes.into();
        self.inner
            .documents
            .keep(&descriptor.digest, Arc::clone(&bytes));
        Ok(bytes)
    }
}

impl Source for Repository {
    /// All tags, with what they name: a request for every tag. Where the name is known,
    /// [`Repository::resolve`] finds it with one.
    ///
    /// Names are full references.
    fn roots(&self) -> Result<Vec<Root>, cooperage_blob::Error> {
        let mut roots = Vec::new();
        for tag in self.tags()? {
            let descriptor = match self.resolve(&tag) {
                // Removed since.
                Err(error) if error.is_not_found() => continue,
                result => result?,
            };
            if let Ok(name) = self.reference.clone().with_tag(&tag) {
                roots.push(Root::named(name.to_string(), descriptor));
            }
        }
        Ok(roots)
    }

    /// A manifest or an index comes whole, and verified; of any other blob the connection may break
    /// as often as it does, and reading goes on where it broke off.
    fn fetch(
        &self,
        descriptor: &Descriptor,
    ) -> Result<Box<dyn Read + Send + '_>, cooperage_blob::Error> {
        if is_document(&descriptor.media_type) {
            if descriptor.size > MAX_MANIFEST_SIZE {
                let limit = MAX_MANIFEST_SIZE;
                return Err(cooperage_blob::Error::too_large(descriptor, limit));
            }
            return Ok(Box::new(Cursor::new(self.document(descriptor)?)));
        }
        if descriptor.size <= SMALL && descriptor.digest.algorithm().is_some() {
            return Ok(Box::new(Cursor::new(self.small_blob(descriptor)?)));
        }
        Ok(Box::new(Download::start(self, descriptor)?))
    }

    fn origin(&self, _descriptor: &Descriptor) -> Option<Reference> {
        Some(self.reference.clone())
    }
}
