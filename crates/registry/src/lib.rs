//! A distribution-spec client: repositories of a registry as Source and Sink.
//!
//! A [`Client`] holds connections, logins and tokens; the [`Repository`]s that it opens are media
//! like any other: [`cooperage_blob::copy`] pulls from one, pushes to one, and moves images between
//! two without touching the disk.
//!
//! Spec: distribution-spec v1.1.
//!
//! # What travels
//!
//! - **Nothing that is there.** Before anything is sent, the registry is asked for the whole image
//!   (one request, and the last one if the tag names it already), then for each blob; what it has in
//!   another repository is mounted from there.
//! - **What breaks goes on where it broke.** A download asks for the bytes that are missing. An
//!   upload asks the registry how much it has and sends the rest, or begins again if it has nothing.
//! - **Children come first.** A tag never names what is not there whole.
//! - **Every byte is verified**: what is read by whoever reads it
//!   ([`cooperage_blob::open`]), what is sent before its last byte leaves.
//!
//! # Trust
//!
//! Registries, mirrors and token servers may be anybody's. Documents, error texts, lists, redirects
//! and waits have limits; memory does not grow with blobs. A login goes to its registry, and to the
//! token server that the registry names, over TLS if the registry is; never to where a registry
//! redirects. No secret is in an error or in `Debug`.
//!
//! Nothing is read from the environment or from files: logins, certificates, proxies and mirrors
//! come in [`Options`].
//!
//! # Examples
//!
//! ```no_run
//! use cooperage_blob::{CopyOptions, Memory, Root, copy};
//! use cooperage_image_spec::Reference;
//! use cooperage_registry::{Client, Options};
//!
//! let client = Client::new(Options::default())?;
//! let reference: Reference = "registry.example.com/team/app:1.2".parse()?;
//! let repository = client.repository(&reference);
//!
//! let image = repository.resolve("1.2")?;
//! copy(&repository, &Root::named("app", image), &Memory::new(), &CopyOptions::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod auth;
mod busy;
mod call;
mod client;
mod documents;
mod download;
mod endpoint;
mod error;
mod exchange;
mod lists;
mod login;
mod manifest;
mod options;
mod outgoing;
mod pace;
mod repository;
mod session;
mod sink;
mod source;
mod tries;
mod upload;
mod url;
pub mod wire;
mod writer;

pub use client::Client;
pub use error::{Attempted, ClientError, Error, Reason};
pub use lists::MAX_LISTED;
pub use login::{Authenticate, Login, Secret};
pub use options::{HostOptions, Identity, Mirror, Options, Retry, Roots, Security, Serves, Upload};
pub use pace::{Pace, SystemPace};
pub use repository::{MAX_MANIFEST_SIZE, Repository};
