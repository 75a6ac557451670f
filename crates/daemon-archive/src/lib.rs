//! The tar that docker save writes and docker load reads, and OCI archives, as Source and Sink.
//!
//! - [`write()`] makes one stream that Docker (20.10 and later, either of its stores), podman,
//!   skopeo and containerd all load; [`write_oci`] makes an OCI archive.
//! - [`DockerArchive`] reads whatever has a `manifest.json`, [`OciArchive`] an image layout in a
//!   tar: from a file, where nothing is unpacked, or from a pipe.
//! - [`ArchiveSink`] is either of them for who has no source with everything in it yet.
//!
//! # Examples
//!
//! ```
//! use cooperage_blob::{Memory, Source, put, read};
//! use cooperage_daemon_archive::{DockerArchive, Image, ReadOptions, WriteOptions, write};
//! use cooperage_digest::Digest;
//! use cooperage_image_spec::{Document, Manifest, MediaType};
//!
//! // An image whose only layer is a tar without entries.
//! let memory = Memory::new();
//! let layer = put(&memory, MediaType::OCI_LAYER, &[0; 1024])?;
//! let config = format!(
//!     r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
//!     layer.digest,
//! );
//! let config = put(&memory, MediaType::OCI_CONFIG, config.as_bytes())?;
//! let manifest = Document::new(Manifest::new(config.clone(), vec![layer]));
//! let manifest = put(&memory, MediaType::OCI_MANIFEST, manifest.raw())?;
//!
//! let image = Image { descriptor: manifest.clone(), names: vec!["app:v1".parse()?] };
//! let mut tar = Vec::new();
//! let report = write(&memory, &[image], &mut tar, &WriteOptions::default())?;
//! assert_eq!(report.size, tar.len() as u64);
//!
//! let archive = DockerArchive::from_reader(&tar[..], &ReadOptions::default())?;
//! let root = &archive.roots()?[0];
//! assert_eq!(root.name.as_deref(), Some("docker.io/library/app:v1"));
//! assert_eq!(root.descriptor.digest, manifest.digest);
//! assert_eq!(Digest::of(&read(&archive, &config)?), config.digest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! A docker archive holds one image for each name: of an index one platform is chosen. Archives of
//! Docker before 1.10, which have no `manifest.json`, are not read. An archive's documents may have
//! 16 MiB each, its names 32 MiB together.

mod docker_manifest;
mod file;
mod hashing;
mod read;
mod replace;
mod sink;
mod write;

pub use docker_manifest::ManifestJsonError;
pub use read::{
    DEFAULT_SPOOL_LIMIT, DockerArchive, EntryProblem, ManifestForm, OciArchive, ReadError,
    ReadOptions,
};
pub use replace::replace;
pub use sink::{ArchiveSink, CompleteArchive, SinkError};
pub use write::{
    Contents, DEFAULT_RECOMPRESSED_LIMIT, Detail, Image, LayerForm, LayerNames, Recompressed,
    Report, WriteError, WriteOptions, WrittenImage, contents, write, write_oci,
};

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
