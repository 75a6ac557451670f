//! An image whose documents and blobs lie in files of their own, as a Source.
//!
//! A build system that keeps the outputs of each of its actions apart has an image in pieces: the
//! descriptor of what it is, an index, manifests, configs, and a file for each layer. [`Parts`] takes
//! them as they lie and copies nothing. What is in none of them, such as the layers of a base, is
//! asked of further sources, each opened when a blob is first missing.
//!
//! # Examples
//!
//! ```
//! use cooperage_blob::{Memory, Source, copy, put};
//! use cooperage_image_spec::{Descriptor, Document, Manifest, MediaType, ToJson};
//! use cooperage_parts::{Parts, read_descriptor};
//!
//! # let directory = tempfile::tempdir()?;
//! # let file = |name: &str| directory.path().join(name);
//! // What two actions made: a layer, and the documents of an image of it.
//! let made = Memory::new();
//! let layer = put(&made, MediaType::OCI_LAYER_GZIP, b"bytes of a layer")?;
//! let config = put(&made, MediaType::OCI_CONFIG, b"{}")?;
//! let manifest = Document::new(Manifest::new(config, vec![layer.clone()]));
//! let root = manifest.descriptor(MediaType::OCI_MANIFEST);
//! std::fs::write(file("app.layer"), b"bytes of a layer")?;
//! std::fs::write(file("config.json"), b"{}")?;
//! std::fs::write(file("manifest.json"), manifest.raw())?;
//! std::fs::write(file("descriptor.json"), root.to_json().to_canonical())?;
//!
//! let mut parts = Parts::new(read_descriptor(&file("descriptor.json"))?);
//! parts.add_document(&file("manifest.json"))?;
//! parts.add_document(&file("config.json"))?;
//!
//! // The layer is missing, and the error says of what.
//! let error = copy(&parts, &parts.roots()?[0], &Memory::new(), &Default::default()).unwrap_err();
//! assert!(error.is_not_found());
//! assert!(error.to_string().contains("manifest.json` lists it"));
//!
//! parts.add_blob(layer.digest, &file("app.layer"));
//! let copied = copy(&parts, &parts.roots()?[0], &Memory::new(), &Default::default())?;
//! assert_eq!(copied.blobs, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod file;
mod further;
mod parts;

pub use file::{PartError, read_descriptor};
pub use parts::Parts;

/// The README is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
