//! Opens media by the names people type: oci:DIR:NAME, oci-archive:FILE, docker-archive:FILE.
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
//!
//! A path ends at the first colon, so it cannot hold one.
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

mod complete;
mod location;
mod new_layout;
mod read;
mod write;

pub use complete::{Completed, Destinations};
pub use location::{Location, Medium, ParseLocationError};
pub use read::{FindError, Opened};
pub use write::{Destination, DestinationError, DestinationOptions, Finished, check_outputs};
