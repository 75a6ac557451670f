//! Media types, and which of OCI's is which of Docker's.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fields::{At, Read};
use crate::{DocumentError, Json};

/// The media type of a blob.
///
/// Any text: what is not known is carried as it came.
///
/// Spec: image-spec v1.1, `media-types.md`; Docker: `image manifest v2 schema 2`.
///
/// # Examples
///
/// ```
/// use cooperage_image_spec::MediaType;
///
/// let layer = MediaType::new("application/vnd.docker.image.rootfs.diff.tar.gzip");
/// assert_eq!(layer, MediaType::DOCKER_LAYER_GZIP);
/// assert_eq!(layer.to_oci(), MediaType::OCI_LAYER_GZIP);
/// // Docker's media types have no name for an annotated artifact.
/// assert_eq!(MediaType::OCI_EMPTY.to_docker(), None);
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MediaType(Cow<'static, str>);

macro_rules! media_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        pub const $name: Self = Self(Cow::Borrowed($text));
    )*};
}

impl MediaType {
    media_types! {
        /// An image manifest.
        OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
        /// An index: several manifests, by platform or otherwise.
        OCI_INDEX = "application/vnd.oci.image.index.v1+json";
        /// An image config.
        OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
        /// A layer, not compressed.
        OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
        /// A layer in gzip.
        OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip";
        /// A layer in zstd.
        OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd";
        /// A layer, not compressed, that may not be passed on freely. Deprecated by the spec.
        OCI_LAYER_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar";
        /// A layer in gzip that may not be passed on freely. Deprecated by the spec.
        OCI_LAYER_NONDISTRIBUTABLE_GZIP =
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        /// A layer in zstd that may not be passed on freely. Deprecated by the spec.
        OCI_LAYER_NONDISTRIBUTABLE_ZSTD =
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
        /// The two bytes `{}`, where an artifact has no config or no layer.
        OCI_EMPTY = "application/vnd.oci.empty.v1+json";
        /// The file `oci-layout` of an image layout.
        OCI_LAYOUT = "application/vnd.oci.layout.header.v1+json";
        /// Docker's image manifest, version 2 schema 2.
        DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
        /// Docker's manifest list.
        DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
        /// Docker's image config.
        DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";
        /// A layer of a Docker image, not compressed.
        DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";
        /// A layer of a Docker image in gzip.
        DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        /// A layer of a Docker image in zstd, as `BuildKit` writes it; Docker's own specification
        /// does not have it.
        DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd";
        /// A layer of a Docker image, not compressed, that is fetched from elsewhere.
        DOCKER_LAYER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar";
        /// A layer of a Docker image in gzip that is fetched from elsewhere.
        DOCKER_LAYER_FOREIGN_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        /// Docker's old manifest, version 2 schema 1. Not read here; named to be refused.
        DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json";
        /// Docker's old manifest, version 2 schema 1, signed. Not read here; named to be refused.
        DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    }

    /// Any media type. The text is not checked.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An OCI or Docker image manifest.
    #[must_use]
    pub fn is_manifest(&self) -> bool {
        *self == Self::OCI_MANIFEST || *self == Self::DOCKER_MANIFEST
    }

    /// An OCI index or a Docker manifest list.
    #[must_use]
    pub fn is_index(&self) -> bool {
        *self == Self::OCI_INDEX || *self == Self::DOCKER_LIST
    }

    /// An OCI or Docker image config.
    #[must_use]
    pub fn is_config(&self) -> bool {
        *self == Self::OCI_CONFIG || *self == Self::DOCKER_CONFIG
    }

    /// A layer of a file system: OCI or Docker, compressed or not, distributable or not.
    #[must_use]
    pub fn is_layer(&self) -> bool {
        LAYERS
            .iter()
            .any(|(oci, docker)| self == oci || docker.as_ref() == Some(self))
    }

    /// A layer that is to be fetched from the `urls` of its descriptor and not to be passed on.
    #[must_use]
    pub fn is_nondistributable(&self) -> bool {
        self.is_layer() && (self.as_str().contains(".foreign.") || self.as_str().contains(".nond"))
    }

    /// One of Docker's.
    #[must_use]
    pub fn is_docker(&self) -> bool {
        self.as_str().starts_with("application/vnd.docker.")
    }

    /// OCI's name for the same thing; a media type that has none stays as it is.
    #[must_use]
    pub fn to_oci(&self) -> Self {
        let same = pairs().find(|(_, docker)| docker.as_ref() == Some(self));
        same.map_or_else(|| self.clone(), |(oci, _)| oci.clone())
    }

    /// Docker's name for the same thing, if it has one; a media type of Docker's stays as it is.
    #[must_use]
    pub fn to_docker(&self) -> Option<Self> {
        if self.is_docker() {
            return Some(self.clone());
        }
        pairs()
            .find(|(oci, _)| oci == self)
            .and_then(|(_, docker)| docker.clone())
    }
}

type Pair = (MediaType, Option<MediaType>);

static DOCUMENTS: [Pair; 3] = [
    (MediaType::OCI_MANIFEST, Some(MediaType::DOCKER_MANIFEST)),
    (MediaType::OCI_INDEX, Some(MediaType::DOCKER_LIST)),
    (MediaType::OCI_CONFIG, Some(MediaType::DOCKER_CONFIG)),
];

static LAYERS: [Pair; 6] = [
    (MediaType::OCI_LAYER, Some(MediaType::DOCKER_LAYER)),
    (
        MediaType::OCI_LAYER_GZIP,
        Some(MediaType::DOCKER_LAYER_GZIP),
    ),
    (
        MediaType::OCI_LAYER_ZSTD,
        Some(MediaType::DOCKER_LAYER_ZSTD),
    ),
    (
        MediaType::OCI_LAYER_NONDISTRIBUTABLE,
        Some(MediaType::DOCKER_LAYER_FOREIGN),
    ),
    (
        MediaType::OCI_LAYER_NONDISTRIBUTABLE_GZIP,
        Some(MediaType::DOCKER_LAYER_FOREIGN_GZIP),
    ),
    (MediaType::OCI_LAYER_NONDISTRIBUTABLE_ZSTD, None),
];

fn pairs() -> impl Iterator<Item = &'static Pair> {
    DOCUMENTS.iter().chain(&LAYERS)
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for MediaType {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl PartialEq<str> for MediaType {
    fn eq(&self, text: &str) -> bool {
        self.0 == text
    }
}

impl From<&MediaType> for Json {
    fn from(media_type: &MediaType) -> Self {
        media_type.as_str().into()
    }
}

impl Read for MediaType {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        json.as_str()
            .map(Self::new)
            .ok_or_else(|| at.expected("a media type", json))
    }
}

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
