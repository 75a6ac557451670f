//! Indexes.

use std::collections::BTreeMap;

use crate::fields::{At, Fields, Members, Read};
use crate::manifest::{check_absent, check_schema_version};
use crate::{Descriptor, DocumentError, Json, MediaType, ToJson};

/// Several manifests, one for each platform or otherwise told apart.
///
/// A document that also has the members of a manifest is refused, since readers would differ in
/// what it is (CVE-2021-41190); so is one with another media type than an index's.
///
/// Spec: image-spec v1.1, `image-index.md`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Index {
    /// What the document says that it is.
    pub media_type: Option<MediaType>,
    /// The kind of artifact, where it is no image.
    pub artifact_type: Option<String>,
    /// Manifests, and indexes too; for the same platform the first one counts.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one says something about.
    pub subject: Option<Descriptor>,
    /// Anything said of it. Docker's lists have no place for them.
    pub annotations: BTreeMap<String, String>,
    /// All other members, kept as they came.
    pub extra: BTreeMap<String, Json>,
}

impl Index {
    /// An OCI index.
    #[must_use]
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            media_type: Some(MediaType::OCI_INDEX),
            manifests,
            ..Self::default()
        }
    }
}

impl Read for Index {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let mut fields = Fields::new(json, at)?;
        check_schema_version(&mut fields, at)?;
        let media_type = fields.optional::<MediaType>("mediaType")?;
        if media_type
            .as_ref()
            .is_some_and(|media_type| !media_type.is_index())
        {
            let found = json.get("mediaType").unwrap_or(&Json::Null);
            return Err(at
                .key("mediaType")
                .expected("the media type of an index", found));
        }
        check_absent(json, at, "a manifest", &["config"])?;
        check_absent(json, at, "a manifest", &["layers"])?;
        check_absent(json, at, "a schema 1 manifest", &["fsLayers"])?;
        Ok(Self {
            media_type,
            artifact_type: fields.optional("artifactType")?,
            manifests: fields.or_default("manifests")?,
            subject: fields.optional("subject")?,
            annotations: fields.or_default("annotations")?,
            extra: fields.extra(),
        })
    }
}

impl ToJson for Index {
    fn to_json(&self) -> Json {
        let mut members = Members::new(&self.extra);
        members.set("schemaVersion", 2);
        members.set_some("mediaType", self.media_type.as_ref());
        members.set_some("artifactType", self.artifact_type.as_ref());
        members.set(
            "manifests",
            self.manifests.iter().map(ToJson::to_json).collect::<Json>(),
        );
        members.set_some("subject", self.subject.as_ref().map(ToJson::to_json));
        members.set_map("annotations", &self.annotations);
        members.finish()
    }
}
