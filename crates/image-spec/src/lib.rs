//! OCI and Docker v2.2 image documents as values, image references and canonical JSON.
//!
//! A [`Document`] is a value beside the bytes it came from. The value is one of [`Manifest`],
//! [`Index`] and [`ImageConfig`]: plain structs, whose `extra` fields hold all that they do not
//! know, so that nothing is lost when one is edited. What is not edited keeps its bytes, and so
//! its digest; what is written is [canonical JSON](Json::to_canonical).
//!
//! Documents are hostile until read: size, depth and number of values are limited, a key that
//! stands twice is refused, and every error names the place (`manifest.layers[3].size`).
//!
//! A [`Reference`] is an image's name as Docker reads it; [`platform::select`] finds the image for
//! a machine.
//!
//! # Examples
//!
//! Adding a label to a foreign config, whose other members all stay:
//!
//! ```
//! use cooperage_image_spec::{Document, ImageConfig};
//!
//! let raw = br#"{
//!   "architecture": "amd64", "os": "linux",
//!   "config": { "Entrypoint": null, "OnBuild": ["RUN true"] },
//!   "rootfs": { "type": "layers" }, "docker_version": "20.10.24"
//! }"#;
//! let config = Document::<ImageConfig>::parse(raw.to_vec())?;
//! let labelled = config.edit(|config| {
//!     config.config.labels.insert("team".into(), "casks".into());
//! });
//! assert_eq!(
//!     String::from_utf8_lossy(labelled.raw()),
//!     concat!(
//!         r#"{"architecture":"amd64","config":{"Labels":{"team":"casks"},"OnBuild":["RUN true"]},"#,
//!         r#""docker_version":"20.10.24","os":"linux","rootfs":{"diff_ids":[],"type":"layers"}}"#,
//!     )
//! );
//!
//! let error = Document::<ImageConfig>::parse(br#"{"rootfs":{"diff_ids":[7]}}"#.to_vec());
//! assert_eq!(
//!     error.unwrap_err().to_string(),
//!     "config.rootfs.diff_ids[0]: expected a digest, found 7"
//! );
//! # Ok::<(), cooperage_image_spec::DocumentError>(())
//! ```

pub mod json;

mod chain;
mod config;
mod convert;
mod descriptor;
mod document;
mod fields;
mod index;
mod manifest;
mod media_type;
mod reference;

pub mod annotations;
pub mod oci;
pub mod platform;
mod port;

pub use chain::chain_ids;
pub use config::{ContainerConfig, Healthcheck, History, ImageConfig, RootFs};
pub use convert::{Converted, NoDockerMediaTypeError};
pub use descriptor::Descriptor;
pub use document::{Document, DocumentError, FromJson, ToJson};
pub use index::Index;
pub use json::Json;
pub use manifest::Manifest;
pub use media_type::MediaType;
pub use platform::{ParsePlatformError, Platform};
pub use port::{PortError, parse_port};
pub use reference::{ParseReferenceError, Reference, ReferenceFault};

/// The largest document (manifest, index, config) that is read, in bytes: 16 MiB.
///
/// Registries take manifests of 4 MiB; a config of more than this was made to fill memory.
pub const MAX_DOCUMENT_SIZE: u64 = 16 << 20;
