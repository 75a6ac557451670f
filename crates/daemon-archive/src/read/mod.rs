//! Archives as sources.

mod archive;
mod docker;
mod error;
mod layers;
mod manifests;
mod oci;
mod spool;
mod tar;

use std::path::PathBuf;

pub use docker::DockerArchive;
pub use error::{EntryProblem, ReadError};
pub use oci::OciArchive;

pub(crate) use archive::Span;
pub(crate) use manifests::blob_path;

/// How much of a pipe, or of an archive that is compressed as a whole, is kept on disk at most
/// where nothing else is said: 64 GiB.
pub const DEFAULT_SPOOL_LIMIT: u64 = 64 << 30;

/// How an archive is read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The most bytes that are spooled: what comes from a pipe or is compressed as a whole is
    /// unpacked into a temporary file, since blobs are read by position. Beyond it reading fails
    /// with [`ReadError::SpoolFull`].
    pub spool_limit: u64,
    /// Where that file is made; `None` for the system's directory for temporary files. It has no
    /// name there, where the system can do that, and is gone when the archive is dropped.
    pub spool_dir: Option<PathBuf>,
    /// Which manifest is formed for an image that the archive has none for.
    pub manifests: ManifestForm,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            spool_limit: DEFAULT_SPOOL_LIMIT,
            spool_dir: None,
            manifests: ManifestForm::default(),
        }
    }
}

/// The form of the manifests that [`DockerArchive`] makes from config and layers. The config's
/// bytes, and so the image ID, are the same in both.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ManifestForm {
    /// OCI media types.
    #[default]
    Oci,
    /// Docker's media types (image manifest version 2, schema 2).
    Docker,
}
