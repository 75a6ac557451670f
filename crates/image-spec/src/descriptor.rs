//! What points to a blob.

use std::collections::BTreeMap;

use cooperage_digest::Digest;

use crate::fields::{At, Fields, Members, Read};
use crate::{DocumentError, Json, MediaType, Platform, ToJson};

/// Names a blob: what kind of thing it is, its digest, its size.
///
/// Spec: image-spec v1.1, `descriptor.md`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: MediaType,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has, at most 2⁶³−1.
    pub size: u64,
    /// Where else it can be fetched.
    pub urls: Vec<String>,
    /// Anything said of it. Docker's documents have no place for them.
    pub annotations: BTreeMap<String, String>,
    /// The blob itself in base64, where it is small. Not verified.
    pub data: Option<String>,
    /// The kind of artifact, where it points to one.
    pub artifact_type: Option<String>,
    /// What it runs on, in an index.
    pub platform: Option<Platform>,
    /// All other members, kept as they came.
    pub extra: BTreeMap<String, Json>,
}

impl Descriptor {
    /// A descriptor with nothing optional.
    #[must_use]
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            data: None,
            artifact_type: None,
            platform: None,
            extra: BTreeMap::new(),
        }
    }

    /// The same with another media type, platform, … set by `change`: a builder in one call.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The descriptor of the two bytes `{}`, where an artifact has no config or no layer.
    ///
    /// Spec: image-spec v1.1, `manifest.md` § Guidance for an Empty Descriptor.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(MediaType::OCI_EMPTY, Digest::of(b"{}"), 2).with(|d| d.data = Some("e30=".into()))
    }
}

fn size(json: &Json, at: &At<'_>) -> Result<u64, DocumentError> {
    let size = json.as_u64().filter(|&size| i64::try_from(size).is_ok());
    size.ok_or_else(|| at.expected("a whole number of bytes", json))
}

impl Read for Descriptor {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let mut fields = Fields::new(json, at)?;
        let size_at = at.key("size");
        Ok(Self {
            media_type: fields.required("mediaType", "a media type")?,
            digest: fields.required("digest", "a digest")?,
            size: match fields.raw("size") {
                Some(json) => size(json, &size_at)?,
                None => return Err(size_at.missing("a whole number of bytes")),
            },
            urls: fields.or_default("urls")?,
            annotations: fields.or_default("annotations")?,
            data: fields.optional("data")?,
            artifact_type: fields.optional("artifactType")?,
            platform: fields.optional("platform")?,
            extra: fields.extra(),
        })
    }
}

impl ToJson for Descriptor {
    fn to_json(&self) -> Json {
        let mut members = Members::new(&self.extra);
        members.set("mediaType", &self.media_type);
        members.set("digest", self.digest.as_str());
        members.set("size", self.size);
        members.set_strings("urls", &self.urls);
        members.set_map("annotations", &self.annotations);
        members.set_some("data", self.data.as_ref());
        members.set_some("artifactType", self.artifact_type.as_ref());
        members.set_some("platform", self.platform.as_ref().map(ToJson::to_json));
        members.finish()
    }
}
