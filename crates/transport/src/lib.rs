//! Opens media by the names people type: oci:DIR:NAME, oci-archive:FILE, docker-archive:FILE, docker://REFERENCE, docker-daemon:REFERENCE.
//!
//! The names are those of skopeo, podman and buildah. A [`Location`] is such a name, parsed; it
//! opens a [`Source`](cooperage_blob::Source) to read from, finds the image that it means there,
//! and opens a [`Destination`] to write to.
//!
//! | name | what it is |
//! |---|---|
//! | `oci:DIR[:NAME]`, `oci:DIR@DIGEST` | an image layout; `NAME` is the whole of `org.opencontainers.image.ref.name` |
//! | `oci-archive:FILE[:NAME]` | an image layout in a tar |
//! | `docker-archive:FILE[:REFERENCE]` | what `docker save` writes and `docker load` reads |
//! | `docker-daemon:REFERENCE`, `docker-daemon:sha256:ID` | an image of a Docker Engine or of podman's service; as a destination also without a reference, for the image's own names |
//! | `docker://REFERENCE` | an image of a registry; without a registry Docker's, without a tag `latest` |
//!
//! A path ends at the first colon, so it cannot hold one.
//!
//! A [`Network`] is the way to registries and to the daemon: logins, certificates, mirrors, sockets,
//! and the cache in which documents and layers are kept between runs. Where it is not given,
//! registries are spoken to as anybody may, and no daemon at all.
//!
//! # Examples
//!
//! ```
//! use cooperage_transport::Location;
//!
//! let location: Location = "oci:target/image:app:1.2".parse()?;
//! assert_eq!(location.name(), Some("app:1.2"));
//!
//! let error = "podman:app".parse::<Location>().unwrap_err();
//! assert!(error.to_string().contains("`docker-archive:FILE[:REFERENCE]`"));
//! # Ok::<(), cooperage_transport::ParseLocationError>(())
//! ```

#![expect(
    clippy::doc_markdown,
    reason = "the first line is what Cargo.toml and ARCHITECTURE.md say too, and names no page"
)]

mod certificates;
mod check;
mod complete;
mod loading;
mod location;
mod names;
mod network;
mod new_layout;
mod pushing;
mod read;
mod registries;
mod remote;
mod spool;
mod stock;
mod write;
mod write_error;

pub use certificates::CertificatesError;
pub use check::check_outputs;
pub use complete::{Completed, Destinations, Output};
pub use location::{Location, Medium, ParseLocationError};
pub use network::{Network, NetworkError, NetworkOptions, Reach, Verification};
pub use pushing::Sent;
pub use read::{FindError, Opened};
pub use registries::RegistriesError;
pub use remote::Layers;
pub use spool::TemporaryBlobs;
pub use stock::Lent;
pub use write::{Destination, DestinationOptions, Finished};
pub use write_error::DestinationError;
