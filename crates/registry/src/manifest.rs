//! Manifests and indexes that are written.

use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Index, Manifest, MediaType};
use ureq::http::Method;
use ureq::http::header::CONTENT_TYPE;

use crate::auth::Access;
use crate::call::{Call, To, Wanted};
use crate::error::{Error, Reason};
use crate::lists::referrers_tag;
use crate::repository::{MAX_MANIFEST_SIZE, Repository};

impl Repository {
    /// Writes a manifest or an index under a tag or its digest, its children being there. Where it
    /// has a subject and the registry has no referrers API, the index that stands in for it is
    /// written as well.
    pub(crate) fn put_manifest(
        &self,
        name: &str,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let attempted = || self.attempted("push manifest", name);
        let fail = |reason| Error::new(attempted(), reason);
        if bytes.len() as u64 > MAX_MANIFEST_SIZE {
            let limit = MAX_MANIFEST_SIZE;
            let text = format!("it has {} bytes, registries take {limit}", bytes.len());
            return Err(fail(Reason::Unsupported(text)));
        }
        let origin = &self.endpoints.origin;
        let path = self.manifest_path(name)?;
        let scope = self.scope(origin, Access::Push);
        let call = Call::new(Method::PUT, To::Path(&path), &scope)
            .header(CONTENT_TYPE, descriptor.media_type.as_str());
        let wanted = (&[200, 201, 202, 204][..], Wanted::Nothing);
        let answer = self
            .inner
            .call(origin, &call, Some(bytes), wanted, &attempted)?;
        let said = answer.header("docker-content-digest");
        let said: Option<Digest> = said.and_then(|said| said.parse().ok());
        let same = |said: &Digest| {
            said.algorithm() != descriptor.digest.algorithm() || *said == descriptor.digest
        };
        if let Some(other) = said.filter(|said| !same(said)) {
            let text = format!("the registry took the manifest for `{other}`");
            return Err(fail(Reason::Malformed(text)));
        }
        self.inner.documents.keep(&descriptor.digest, bytes.into());
        self.absent().remove(&descriptor.digest);
        if answer.header("oci-subject").is_none()
            && let Some((subject, entry)) = as_referrer(descriptor, bytes)
        {
            self.add_referrer(&subject, entry)?;
        }
        Ok(())
    }

    /// Adds to the index under the tag that stands in for the referrers API, unless it is there.
    ///
    /// Spec: distribution-spec v1.1 § Pushing Manifests with Subject.
    fn add_referrer(&self, subject: &Digest, entry: Descriptor) -> Result<(), Error> {
        let tag = referrers_tag(subject);
        let _turn = self
            .inner
            .busy
            .turn(format!("referrers {}:{tag}", self.reference));
        let index = self.referrers_by_tag(subject)?;
        let index = index.unwrap_or_else(|| Document::new(Index::new(Vec::new())));
        let listed = &index.value().manifests;
        if listed.iter().any(|it| it.digest == entry.digest) {
            return Ok(());
        }
        let index = index.edit(|index| index.manifests.push(entry));
        let descriptor = index.descriptor(MediaType::OCI_INDEX);
        self.put_manifest(&tag, &descriptor, index.raw())
    }
}

/// What a document refers to as its subject, and how it is listed there.
fn as_referrer(descriptor: &Descriptor, bytes: &[u8]) -> Option<(Digest, Descriptor)> {
    let (subject, artifact_type, annotations) = if descriptor.media_type.is_index() {
        let (_, index) = Document::<Index>::parse(bytes.to_vec()).ok()?.into_parts();
        (index.subject?, index.artifact_type, index.annotations)
    } else {
        let manifest = Document::<Manifest>::parse(bytes.to_vec()).ok()?;
        let (_, manifest) = manifest.into_parts();
        let config = manifest.config.media_type.as_str().to_owned();
        let artifact_type = manifest.artifact_type.unwrap_or(config);
        (manifest.subject?, Some(artifact_type), manifest.annotations)
    };
    let media_type = descriptor.media_type.clone();
    let mut entry = Descriptor::new(media_type, descriptor.digest.clone(), descriptor.size);
    entry.artifact_type = artifact_type;
    entry.annotations = annotations;
    Some((subject.digest, entry))
}
