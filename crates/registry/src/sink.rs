//! A repository to write to.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use cooperage_blob::{BlobWriter, Error, Root, Sink, Source};
use cooperage_digest::{Algorithm, Digest};
use cooperage_image_spec::{Descriptor, Reference};
use ureq::http::Method;
use ureq::http::header::ACCEPT;

use crate::auth::Access;
use crate::call::{Call, To, Wanted};
use crate::error::Reason;
use crate::repository::{ACCEPTED, Repository};
use crate::source::is_document;
use crate::writer::Writer;

/// How many documents are remembered not to be there.
const MAX_ABSENT: usize = 10_000;

impl Repository {
    pub(crate) fn absent(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a blob is there, with the size that is expected.
    pub(crate) fn has_blob(&self, descriptor: &Descriptor) -> Result<bool, crate::Error> {
        let path = self.path(&format!("blobs/{}", descriptor.digest));
        self.has_at(&path, descriptor)
    }

    fn has_at(&self, path: &str, descriptor: &Descriptor) -> Result<bool, crate::Error> {
        let origin = &self.endpoints.origin;
        // The token that pushes reads too, and is needed anyway.
        let scope = self.scope(origin, Access::Push);
        let call = Call::new(Method::HEAD, To::Path(path), &scope).header(ACCEPT, ACCEPTED);
        let attempted = || self.attempted("look for", descriptor.digest.as_str());
        let right = (&[200, 404][..], Wanted::Nothing);
        let answer = self.inner.call(origin, &call, None, right, &attempted)?;
        let length = answer.header("content-length");
        let length: Option<u64> = length.and_then(|length| length.trim().parse().ok());
        // Another length under the same digest is a broken registry's; it is sent again.
        let same = length.is_none_or(|length| length == descriptor.size);
        Ok(answer.status == 200 && same)
    }

    /// The tag that a root's name means: a tag by itself, or a reference of this repository.
    fn tag_of(&self, name: &str) -> Result<Option<String>, crate::Error> {
        let as_tag = self.reference.clone().with_tag(name);
        if as_tag.is_ok() {
            return Ok(Some(name.to_owned()));
        }
        let fail = |text: String| {
            let attempted = self.attempted("push manifest", name);
            crate::Error::new(attempted, Reason::Unsupported(text))
        };
        let reference: Reference = name.parse().map_err(|_| {
            fail("the name is neither a tag nor a reference of this repository".into())
        })?;
        let bare = reference.clone().without_tag_and_digest();
        if bare != self.reference {
            return Err(fail(format!(
                "the name is one of another repository, `{bare}`"
            )));
        }
        Ok(reference.tag().map(str::to_owned))
    }

    /// Writes a root's document under its name, or under its digest if it has none.
    fn put_root(&self, root: &Root, bytes: &[u8]) -> Result<(), crate::Error> {
        let tag = root.name.as_deref().map(|name| self.tag_of(name));
        let tag = tag.transpose()?.flatten();
        let digest = root.descriptor.digest.as_str();
        self.put_manifest(tag.as_deref().unwrap_or(digest), &root.descriptor, bytes)
    }
}

impl Sink for Repository {
    /// One `HEAD`, unless it is known from before that a document is not there.
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        if !is_document(&descriptor.media_type) {
            return Ok(self.has_blob(descriptor)?);
        }
        if self.absent().contains(&descriptor.digest) {
            return Ok(false);
        }
        let path = self.manifest_path(descriptor.digest.as_str())?;
        Ok(self.has_at(&path, descriptor)?)
    }

    /// Starts a blob whose digest is not known: what is small is sent when it is whole, all else in
    /// parts of 4 MiB, or as [`Upload::Chunked`](crate::Upload::Chunked) says. A part whose
    /// connection breaks is sent again from where the registry says; if it says that the upload is
    /// gone, writing fails, since what was sent is not kept. What has a digest is better given to
    /// [`Sink::take`], which begins again then.
    ///
    /// Manifests and indexes are told by the media type that is given at the end, and go where they
    /// belong; they must not be longer than a part.
    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        Ok(Box::new(Writer::new(self, algorithm)))
    }

    /// One `PUT`; several tags are as many. The name is a tag, or a reference of this repository.
    ///
    /// # Errors
    ///
    /// [`Error::is_unsupported`] for a name that is neither, and for a root that is no manifest.
    fn publish(&self, root: &Root) -> Result<(), Error> {
        let descriptor = &root.descriptor;
        if !is_document(&descriptor.media_type) {
            return Err(Error::unsupported(format!(
                "`{}` is a `{}`: a registry gives names to manifests and indexes alone",
                descriptor.digest, descriptor.media_type
            )));
        }
        let bytes = self.document(descriptor)?;
        Ok(self.put_root(root, &bytes)?)
    }

    /// One `HEAD`: a registry takes no manifest whose parts it does not have.
    fn holds(&self, root: &Root) -> Result<bool, Error> {
        let descriptor = &root.descriptor;
        if !is_document(&descriptor.media_type) {
            return Ok(false);
        }
        let tag = root.name.as_deref().map(|name| self.tag_of(name));
        if let Some(tag) = tag.transpose()?.flatten() {
            let origin = &self.endpoints.origin;
            return match self.resolve_at(origin, &tag, Access::Push) {
                Ok(found) => Ok(found.digest == descriptor.digest),
                // Whatever is there, if anything: it is not this.
                Err(error) if !error.is_of_the_way() => Ok(false),
                Err(error) => Err(error.into()),
            };
        }
        let there = self.has(descriptor)?;
        let mut absent = self.absent();
        if !there && absent.len() < MAX_ABSENT {
            absent.insert(descriptor.digest.clone());
        }
        Ok(there)
    }

    fn take(
        &self,
        source: &dyn Source,
        descriptor: &Descriptor,
        moved: &mut dyn FnMut(u64),
    ) -> Result<Option<u64>, Error> {
        if is_document(&descriptor.media_type) {
            let bytes = cooperage_blob::read(&source, descriptor)?;
            self.put_manifest(descriptor.digest.as_str(), descriptor, &bytes)?;
            moved(descriptor.size);
            return Ok(Some(descriptor.size));
        }
        self.send_blob(source, descriptor, moved).map(Some)
    }

    fn take_root(&self, source: &dyn Source, root: &Root) -> Result<Option<u64>, Error> {
        if !is_document(&root.descriptor.media_type) {
            return Ok(None);
        }
        let bytes = cooperage_blob::read(&source, &root.descriptor)?;
        self.put_root(root, &bytes)?;
        Ok(Some(root.descriptor.size))
    }
}
