//! A repository, and what is asked of it by name.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use cooperage_digest::{Algorithm, Digest, Hasher, VerifyError};
use cooperage_image_spec::{Descriptor, Document, Index, MediaType, Platform, Reference, platform};
use ureq::http::Method;
use ureq::http::header::ACCEPT;

use crate::auth::{Access, Scope};
use crate::call::{Answer, Call, To, Wanted};
use crate::client::{Endpoints, Inner};
use crate::endpoint::Endpoint;
use crate::error::{Attempted, Error, Reason};
use crate::options::Serves;
use crate::wire::printable;

/// The largest manifest or index that is read or written, in bytes: what registries take.
pub const MAX_MANIFEST_SIZE: u64 = 4 << 20;

/// What we ask for: everything that is a manifest today, each as it is.
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.oci.artifact.manifest.v1+json";

/// A repository of a registry: a [`Source`](cooperage_blob::Source) and a
/// [`Sink`](cooperage_blob::Sink).
///
/// Cloning it is free. What was found is not remembered, but for documents, which are what their
/// digests say for ever.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) inner: Arc<Inner>,
    pub(crate) endpoints: Arc<Endpoints>,
    /// Without tag and digest.
    pub(crate) reference: Reference,
    pub(crate) mounts: Arc<Mutex<Vec<Reference>>>,
    /// Documents that were found not to be there, so that they are not asked for again.
    pub(crate) absent: Arc<Mutex<BTreeSet<Digest>>>,
}

impl Repository {
    pub(crate) fn new(inner: Arc<Inner>, endpoints: Arc<Endpoints>, reference: &Reference) -> Self {
        Self {
            inner,
            endpoints,
            reference: reference.clone().without_tag_and_digest(),
            mounts: Arc::default(),
            absent: Arc::default(),
        }
    }

    /// Its name, without tag and digest.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Says that blobs which are to be written here may lie in another repository of the same
    /// registry, so that they are mounted from there and no byte is sent. Of another registry it
    /// says nothing. Where a blob is not there after all, it is sent.
    pub fn mount_from(&self, other: &Reference) {
        let other = other.clone().without_tag_and_digest();
        let mut mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        if other.domain() == self.reference.domain() && !mounts.contains(&other) {
            mounts.push(other);
        }
    }

    /// What a tag, or a digest written out, names at this moment: `HEAD`, and `GET` of registries
    /// that do not answer that in full. Mirrors are asked first.
    ///
    /// Spec: distribution-spec v1.1 § Checking if content exists in the registry.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if there is no such thing; [`Reason::Unsupported`] for manifests of
    /// schema 1.
    pub fn resolve(&self, name: &str) -> Result<Descriptor, Error> {
        self.first_of(is_digest(name), |endpoint| {
            self.resolve_at(endpoint, name, Access::Pull)
        })
    }

    /// The manifest or index that a tag or a digest names, and its bytes, verified, as they are:
    /// one `GET`.
    ///
    /// # Errors
    ///
    /// As [`Repository::resolve`]; [`Reason::TooLarge`] for more than [`MAX_MANIFEST_SIZE`] bytes.
    pub fn manifest(&self, name: &str) -> Result<(Descriptor, Vec<u8>), Error> {
        self.first_of(is_digest(name), |endpoint| {
            self.manifest_at(endpoint, name, None)
        })
    }

    /// What a tag or a digest names; if that is an index and a platform is given, the manifest in
    /// it that fits best.
    ///
    /// # Errors
    ///
    /// As [`Repository::manifest`]; [`Error::is_not_found`] also if nothing fits.
    pub fn find(&self, name: &str, wanted: Option<&Platform>) -> Result<Descriptor, Error> {
        let found = self.resolve(name)?;
        let Some(wanted) = wanted.filter(|_| found.media_type.is_index()) else {
            return Ok(found);
        };
        let attempted = || self.attempted("find manifest", name);
        let bytes = self.document(&found)?;
        let index = Document::<Index>::parse(bytes.to_vec()).map_err(|error| {
            let text = format!("`{}` is not a valid index: {error}", found.digest);
            Error::new(attempted(), Reason::Malformed(text))
        })?;
        let (_, index) = index.into_parts();
        platform::select(&index.manifests, wanted)
            .cloned()
            .ok_or_else(|| {
                let has = index.manifests.iter().filter_map(|it| it.platform.as_ref());
                let has: Vec<_> = has.take(20).map(|it| format!("`{it}`")).collect();
                let text = format!("nothing in it is for `{wanted}`; it has {}", has.join(", "));
                Error::new(attempted(), Reason::Unsupported(text))
            })
    }

    /// Asks mirrors, and then the registry; what counts in the end is what the registry says.
    pub(crate) fn first_of<T>(
        &self,
        by_digest: bool,
        ask: impl Fn(&Endpoint) -> Result<T, Error>,
    ) -> Result<T, Error> {
        for mirror in &self.endpoints.mirrors {
            if (by_digest || mirror.serves == Serves::All)
                && let Ok(found) = ask(mirror)
            {
                return Ok(found);
            }
        }
        ask(&self.endpoints.origin)
    }

    pub(crate) fn resolve_at(
        &self,
        endpoint: &Endpoint,
        name: &str,
        access: Access,
    ) -> Result<Descriptor, Error> {
        let path = self.manifest_path(name)?;
        let scope = self.scope(endpoint, access);
        let call = Call::new(Method::HEAD, To::Path(&path), &scope).header(ACCEPT, ACCEPTED);
        let right = [200, 400, 405, 406, 501];
        let attempted = || self.attempted("find manifest", name);
        let answer =
            self.inner
                .call(endpoint, &call, None, (&right, Wanted::Nothing), &attempted)?;
        let described = described(&answer).filter(|_| answer.status == 200);
        let Some((media_type, size, digest)) = described else {
            return Ok(self.manifest_at(endpoint, name, None)?.0);
        };
        Self::refuse_schema1(&media_type, &attempted)?;
        if let Ok(asked) = name.parse::<Digest>()
            && asked != digest
        {
            let (expected, actual) = (asked, digest);
            let error = VerifyError::Digest {
                expected,
                actual,
                size,
            };
            return Err(Error::new(attempted(), Reason::Mismatch(error)));
        }
        if size > MAX_MANIFEST_SIZE {
            let limit = MAX_MANIFEST_SIZE;
            return Err(Error::new(attempted(), Reason::TooLarge { limit }));
        }
        Ok(Descriptor::new(media_type, digest, size))
    }

    /// Reads a manifest; `digest` is what it is known to be.
    pub(crate) fn manifest_at(
        &self,
        endpoint: &Endpoint,
        name: &str,
        digest: Option<&Digest>,
    ) -> Result<(Descriptor, Vec<u8>), Error> {
        let path = self.manifest_path(name)?;
        let scope = self.scope(endpoint, Access::Pull);
        let call = Call::new(Method::GET, To::Path(&path), &scope).header(ACCEPT, ACCEPTED);
        let attempted = || self.attempted("read manifest", name);
        let wanted = Wanted::Body(MAX_MANIFEST_SIZE);
        let answer = self
            .inner
            .call(endpoint, &call, None, (&[200], wanted), &attempted)?;
        let media_type = media_type(&answer);
        Self::refuse_schema1(&media_type, &attempted)?;
        // The one who asks knows best; the registry's own word comes next.
        let said = answer.header("docker-content-digest");
        let expected = digest.cloned().or_else(|| name.parse().ok());
        let expected = expected.or_else(|| said?.parse().ok());
        let algorithm = expected
            .as_ref()
            .map_or(Some(Algorithm::Sha256), Digest::algorithm);
        let Some(algorithm) = algorithm else {
            let text = format!("the digest of `{name}` is of an algorithm that cannot be computed");
            return Err(Error::new(attempted(), Reason::Unsupported(text)));
        };
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&answer.body);
        let (actual, size) = (hasher.finish(), answer.body.len() as u64);
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            let error = VerifyError::Digest {
                expected,
                actual,
                size,
            };
            return Err(Error::new(attempted(), Reason::Mismatch(error)));
        }
        let bytes = answer.body;
        self.inner.documents.keep(&actual, bytes.as_slice().into());
        Ok((Descriptor::new(media_type, actual, size), bytes))
    }

    fn refuse_schema1(
        media_type: &MediaType,
        attempted: &dyn Fn() -> Attempted,
    ) -> Result<(), Error> {
        let old = [MediaType::DOCKER_SCHEMA1, MediaType::DOCKER_SCHEMA1_SIGNED];
        if old.contains(media_type) {
            let text = "it is a manifest of schema 1, which is not read; pull it with an old Docker and push it again with a new one";
            return Err(Error::new(attempted(), Reason::Unsupported(text.into())));
        }
        Ok(())
    }

    pub(crate) fn scope(&self, endpoint: &Endpoint, access: Access) -> Scope {
        Scope {
            repository: endpoint.repository(self.reference.path()),
            access,
            from: None,
        }
    }

    /// A path below `/v2/`. References hold nothing that would have to be escaped.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.reference.path())
    }

    /// The path of a manifest, by a tag or by a digest: what is neither is not asked for.
    pub(crate) fn manifest_path(&self, name: &str) -> Result<String, Error> {
        let is_digest = || name.parse::<Digest>().is_ok();
        if is_digest() || self.reference.clone().with_tag(name).is_ok() {
            return Ok(self.path(&format!("manifests/{name}")));
        }
        let text = format!("`{}` is neither a tag nor a digest", printable(name, 200));
        let attempted = self.attempted("find manifest", name);
        Err(Error::new(attempted, Reason::Unsupported(text)))
    }

    pub(crate) fn attempted(&self, action: &'static str, object: &str) -> Attempted {
        Attempted {
            registry: self.reference.domain().to_owned(),
            repository: self.reference.path().to_owned(),
            action,
            object: printable(object, 200),
        }
    }
}

fn is_digest(name: &str) -> bool {
    name.contains(':')
}

/// What the head of an answer says that it is about; `None` unless it says all of it.
fn described(answer: &Answer) -> Option<(MediaType, u64, Digest)> {
    let digest = answer.header("docker-content-digest")?.parse().ok()?;
    let size = answer.header("content-length")?.trim().parse().ok()?;
    let media_type = plain_type(answer.header("content-type")?);
    let known = MediaType::new(media_type.clone());
    let says_it = known.is_index() || known.is_manifest() || media_type.contains("manifest");
    says_it.then_some((known, size, digest))
}

fn plain_type(header: &str) -> String {
    let media_type = header.split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}

/// What a manifest is: the registry's word, or its own where the registry's says nothing.
fn media_type(answer: &Answer) -> MediaType {
    let said = MediaType::new(plain_type(
        answer.header("content-type").unwrap_or_default(),
    ));
    if said.is_index() || said.is_manifest() || said.as_str().contains("manifest") {
        return said;
    }
    let json = cooperage_image_spec::Json::parse(&answer.body).unwrap_or_default();
    let own = json.get("mediaType").and_then(|own| own.as_str());
    match own {
        Some(own) => MediaType::new(printable(own, 200)),
        None if json.get("manifests").is_some() => MediaType::OCI_INDEX,
        None if json
            .get("schemaVersion")
            .and_then(cooperage_image_spec::Json::as_u64)
            == Some(1) =>
        {
            MediaType::DOCKER_SCHEMA1
        }
        None => MediaType::OCI_MANIFEST,
    }
}
