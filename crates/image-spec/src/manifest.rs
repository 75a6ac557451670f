//! Image manifests.

use std::collections::BTreeMap;

use crate::fields::{At, Fields, Members, Read};
use crate::{Descriptor, DocumentError, Json, MediaType, ToJson};

/// One image, or an artifact: its config and its layers.
///
/// A document that also has the members of an index is refused, since readers would differ in
/// what it is (CVE-2021-41190); so is one with another media type than a manifest's.
///
/// Spec: image-spec v1.1, `manifest.md`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manifest {
    /// What the document says that it is.
    pub media_type: Option<MediaType>,
    /// The kind of artifact, where it is no image.
    pub artifact_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one says something about.
    pub subject: Option<Descriptor>,
    /// Anything said of it. Docker's manifests have no place for them.
    pub annotations: BTreeMap<String, String>,
    /// All other members, kept as they came.
    pub extra: BTreeMap<String, Json>,
}

impl Manifest {
    /// An OCI image manifest.
    #[must_use]
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            media_type: Some(MediaType::OCI_MANIFEST),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
            extra: BTreeMap::new(),
        }
    }

    /// What it points to: config, then layers, lowest first. The subject is not among them; it
    /// need not exist.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.config).chain(&self.layers)
    }
}

/// The schema version, which is 2 in every manifest and index that is read here.
pub(crate) fn check_schema_version(
    fields: &mut Fields<'_>,
    at: &At<'_>,
) -> Result<(), DocumentError> {
    let at = at.key("schemaVersion");
    match fields.raw("schemaVersion") {
        Some(json) if json.as_u64() == Some(2) => Ok(()),
        Some(json) => Err(at.expected("2", json)),
        None => Err(at.missing("2")),
    }
}

/// Members of another kind of document, which must not be here.
pub(crate) fn check_absent(
    json: &Json,
    at: &At<'_>,
    other: &str,
    keys: &[&str],
) -> Result<(), DocumentError> {
    let found = keys.iter().find_map(|key| Some((key, json.get(key)?)));
    match found {
        None | Some((_, Json::Null)) => Ok(()),
        Some((key, value)) => Err(at.key(key).expected(format!("no member of {other}"), value)),
    }
}

impl Read for Manifest {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let mut fields = Fields::new(json, at)?;
        check_schema_version(&mut fields, at)?;
        let media_type = fields.optional::<MediaType>("mediaType")?;
        if media_type
            .as_ref()
            .is_some_and(|media_type| !media_type.is_manifest())
        {
            let found = json.get("mediaType").unwrap_or(&Json::Null);
            return Err(at
                .key("mediaType")
                .expected("the media type of a manifest", found));
        }
        check_absent(json, at, "an index", &["manifests"])?;
        check_absent(json, at, "a schema 1 manifest", &["fsLayers"])?;
        Ok(Self {
            media_type,
            artifact_type: fields.optional("artifactType")?,
            config: fields.required("config", "a descriptor")?,
            layers: fields.or_default("layers")?,
            subject: fields.optional("subject")?,
            annotations: fields.or_default("annotations")?,
            extra: fields.extra(),
        })
    }
}

impl ToJson for Manifest {
    fn to_json(&self) -> Json {
        let mut members = Members::new(&self.extra);
        members.set("schemaVersion", 2);
        members.set_some("mediaType", self.media_type.as_ref());
        members.set_some("artifactType", self.artifact_type.as_ref());
        members.set("config", self.config.to_json());
        members.set(
            "layers",
            self.layers.iter().map(ToJson::to_json).collect::<Json>(),
        );
        members.set_some("subject", self.subject.as_ref().map(ToJson::to_json));
        members.set_map("annotations", &self.annotations);
        members.finish()
    }
}
