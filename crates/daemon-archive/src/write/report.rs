//! What was written.

use std::fmt;

use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Platform};

/// What [`write()`](crate::write) wrote.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The images, in the archive's order: by first name, those without a name last.
    pub images: Vec<WrittenImage>,
    /// The length of the archive in bytes.
    pub size: u64,
}

/// An image of the archive.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WrittenImage {
    /// Its names, in full, sorted.
    pub names: Vec<String>,
    /// The manifest that was taken from the source.
    pub source: Descriptor,
    /// The manifest in the archive: another one if layers were recompressed.
    pub manifest: Descriptor,
    /// The image ID: the digest of the config, which never changes.
    pub config_digest: Digest,
    /// Layers that were recompressed.
    pub recompressed: Vec<Recompressed>,
    /// Layers that the manifest names and that are not in the archive, each once:
    /// [`WriteOptions::leave_out`](crate::WriteOptions::leave_out).
    pub left_out: Vec<Descriptor>,
    /// What the source has and the archive has not.
    pub dropped: Vec<Detail>,
    /// What the archive has in its OCI documents alone: readers of `manifest.json`, and so
    /// Docker's graph-driver stores, do not see it.
    pub oci_only: Vec<Detail>,
}

/// A layer that was recompressed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Recompressed {
    /// The layer as it was.
    pub from: Descriptor,
    /// The layer in the archive. Its diff ID is the same.
    pub to: Descriptor,
}

/// Something that an image has and `manifest.json` has no place for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Detail {
    /// An image for another platform.
    Platform(Platform),
    /// Something attached to an image by its index, such as an attestation.
    Attached(Digest),
    /// An annotation of the index or manifest.
    Annotation {
        /// The document.
        of: Digest,
        /// The annotation's key.
        key: String,
    },
    /// An annotation of a layer's or the config's descriptor.
    DescriptorAnnotation {
        /// The layer or config.
        of: Digest,
        /// The annotation's key.
        key: String,
    },
    /// The subject that the manifest refers to.
    Subject(Digest),
    /// The manifest's artifact type.
    ArtifactType(String),
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform(platform) => write!(f, "the image for {platform}"),
            Self::Attached(digest) => write!(f, "the attached manifest `{digest}`"),
            Self::Annotation { of, key } => write!(f, "annotation `{key}` of `{of}`"),
            Self::DescriptorAnnotation { of, key } => {
                write!(f, "annotation `{key}` of the descriptor of `{of}`")
            }
            Self::Subject(digest) => write!(f, "the subject `{digest}`"),
            Self::ArtifactType(kind) => write!(f, "the artifact type `{kind}`"),
        }
    }
}
