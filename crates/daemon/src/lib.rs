//! The Docker Engine API: a daemon archive sent to load, read from save.
//!
//! - [`Endpoint::find`] says where the daemon is, as the docker command would: `DOCKER_HOST`,
//!   contexts, the usual sockets, podman's too.
//! - [`Engine::load`] streams images to a daemon, without a copy on disk, without the layers that
//!   the daemon has, and with a look afterwards whether all is there.
//! - [`Engine::save`] reads images from a daemon as a [`Source`](cooperage_blob::Source);
//!   [`Engine::export`] puts them into a file.
//! - [`Engine::inspect`], [`Engine::contains`], [`Engine::tag`], [`Engine::remove`].
//!
//! Docker 20.10 and later, with the graph drivers and with containerd's image store, and podman's
//! service are spoken to alike.
//!
//! # Examples
//!
//! Copying an image from a layout in a daemon archive to the daemon, and what was sent for it:
//!
//! ```no_run
//! use std::path::Path;
//!
//! use cooperage_blob::Source;
//! use cooperage_daemon::{Endpoint, Engine, Image, LoadOptions, Options};
//! use cooperage_daemon_archive::{DockerArchive, ReadOptions};
//!
//! // Nothing is set: the usual sockets are tried.
//! let endpoint = Endpoint::find(|_| None, Path::new("/root"))?;
//! let engine = Engine::connect(&endpoint, &Options::default())?;
//!
//! let archive = DockerArchive::open(Path::new("app.tar"), &ReadOptions::default())?;
//! let image = Image {
//!     descriptor: archive.roots()?[0].descriptor.clone(),
//!     names: vec!["app:dev".parse()?],
//! };
//! let loaded = engine.load(&archive, &[image], &LoadOptions::default())?;
//! println!("{} bytes sent", loaded.bytes_sent);
//! for failure in loaded.images.iter().flat_map(|image| &image.failures) {
//!     println!("not tagged: {}: {}", failure.name, failure.error);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! `ssh:` and `npipe:` endpoints are not supported. IDs are given in full. Layers go to a daemon
//! whole or not at all. A daemon's documents may have 16 MiB each, what it says while it loads
//! 64 MiB.

mod endpoint;
mod engine;
mod error;
mod export;
mod http;
mod inspect;
mod load;
mod name;
mod remove;
mod save;

pub use cooperage_daemon_archive::Image;
pub use endpoint::{Endpoint, EndpointError, Tls, Verification};
pub use engine::{ApiVersion, Engine, Options, Store};
pub use error::{AnswerProblem, Error};
pub use http::TlsError;
pub use inspect::{Inspected, ManifestState};
pub use load::{LoadOptions, Loaded, LoadedImage, NotTagged, Send};
pub use name::{ImageName, ParseImageNameError};
pub use remove::{RemoveOptions, Removed};

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
