//! Whole documents from OCI's media types to Docker's and back.

use std::collections::BTreeMap;

use crate::fields::At;
use crate::{Descriptor, Index, Manifest, MediaType};

/// What was converted, and what got lost on the way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Converted<T> {
    /// The new value.
    pub value: T,
    /// The members that the other form has no place for, in the order of the document:
    /// `manifest.annotations`, `manifest.layers[2].data`.
    pub lost: Vec<String>,
}

/// A media type that Docker has no name for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: Docker has no media type for `{media_type}`; keep the image in OCI's")]
pub struct NoDockerMediaTypeError {
    /// Where it stands: `manifest.config.mediaType`.
    pub place: String,
    /// The media type.
    pub media_type: MediaType,
}

impl Manifest {
    /// The same image with Docker's media types.
    ///
    /// Config and layers are the same blobs under another name: OCI's config and Docker's are one
    /// format. Members that neither spec knows stay, annotations and the like are dropped.
    ///
    /// # Errors
    ///
    /// Artifacts (another config than an image's, or other layers) cannot be converted.
    pub fn to_docker(&self) -> Result<Converted<Self>, NoDockerMediaTypeError> {
        let at = At::root("manifest");
        let mut value = self.clone();
        let mut lost = Lost(Vec::new());
        value.media_type = Some(MediaType::DOCKER_MANIFEST);
        lost.take(&at, "artifactType", &mut value.artifact_type);
        descriptor_to_docker(&at.key("config"), &mut value.config, &mut lost)?;
        for (i, layer) in value.layers.iter_mut().enumerate() {
            descriptor_to_docker(&at.key("layers").index(i), layer, &mut lost)?;
        }
        lost.take(&at, "subject", &mut value.subject);
        lost.take_map(&at, &mut value.annotations);
        Ok(Converted {
            value,
            lost: lost.0,
        })
    }

    /// The same image with OCI's media types. Nothing is lost; a media type that OCI has no name
    /// for stays as it is.
    #[must_use]
    pub fn to_oci(&self) -> Self {
        let mut value = self.clone();
        value.media_type = Some(MediaType::OCI_MANIFEST);
        for descriptor in std::iter::once(&mut value.config).chain(&mut value.layers) {
            descriptor.media_type = descriptor.media_type.to_oci();
        }
        value
    }
}

impl Index {
    /// The same list with Docker's media types.
    ///
    /// Only the list itself is converted: a converted manifest has another digest and size, which
    /// the caller puts into its descriptor.
    ///
    /// # Errors
    ///
    /// An entry that is neither a manifest nor an index cannot be converted.
    pub fn to_docker(&self) -> Result<Converted<Self>, NoDockerMediaTypeError> {
        let at = At::root("index");
        let mut value = self.clone();
        let mut lost = Lost(Vec::new());
        value.media_type = Some(MediaType::DOCKER_LIST);
        lost.take(&at, "artifactType", &mut value.artifact_type);
        for (i, manifest) in value.manifests.iter_mut().enumerate() {
            descriptor_to_docker(&at.key("manifests").index(i), manifest, &mut lost)?;
        }
        lost.take(&at, "subject", &mut value.subject);
        lost.take_map(&at, &mut value.annotations);
        Ok(Converted {
            value,
            lost: lost.0,
        })
    }

    /// The same list with OCI's media types. Nothing is lost; as with [`Index::to_docker`], only
    /// the list itself is converted.
    #[must_use]
    pub fn to_oci(&self) -> Self {
        let mut value = self.clone();
        value.media_type = Some(MediaType::OCI_INDEX);
        for descriptor in &mut value.manifests {
            descriptor.media_type = descriptor.media_type.to_oci();
        }
        value
    }
}

struct Lost(Vec<String>);

impl Lost {
    fn take<T>(&mut self, at: &At<'_>, key: &str, value: &mut Option<T>) {
        if value.take().is_some() {
            self.0.push(at.key(key).to_string());
        }
    }

    fn take_map(&mut self, at: &At<'_>, annotations: &mut BTreeMap<String, String>) {
        if !std::mem::take(annotations).is_empty() {
            self.0.push(at.key("annotations").to_string());
        }
    }
}

fn descriptor_to_docker(
    at: &At<'_>,
    descriptor: &mut Descriptor,
    lost: &mut Lost,
) -> Result<(), NoDockerMediaTypeError> {
    let Some(media_type) = descriptor.media_type.to_docker() else {
        let place = at.key("mediaType").to_string();
        return Err(NoDockerMediaTypeError {
            place,
            media_type: descriptor.media_type.clone(),
        });
    };
    descriptor.media_type = media_type;
    lost.take_map(at, &mut descriptor.annotations);
    lost.take(at, "data", &mut descriptor.data);
    lost.take(at, "artifactType", &mut descriptor.artifact_type);
    Ok(())
}
