//! Why a location cannot be written to.

use cooperage_blob::Error;
use cooperage_daemon_archive::SinkError;
use cooperage_layout::OpenError;
use cooperage_staging::SamePlace;

use crate::{Location, NetworkError};

/// Why a location cannot be written to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationError {
    /// The layout could not be made or opened.
    #[error("cannot write to `{location}`")]
    Layout {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The layout took all blobs, and cannot name what is made of them.
    #[error("cannot write to `{location}`")]
    Publish {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: Error,
    },
    /// The archive could not be begun or finished.
    #[error("cannot write `{location}`")]
    Archive {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: SinkError,
    },
    /// The registry or the daemon cannot be spoken to.
    #[error("cannot write to `{location}`")]
    Network {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: NetworkError,
    },
    /// The registry took all blobs, and not the names, or the daemon did not load the image; both
    /// come after all that lies here.
    #[error("cannot publish `{location}`{}", left(written))]
    Push {
        /// The location.
        location: Location,
        /// What was written before, and stays.
        written: Vec<Location>,
        /// Why.
        #[source]
        source: Error,
    },
    /// A digest says what is to be written; it cannot be chosen.
    #[error("`{location}` names a digest: a destination takes a name, or none")]
    Digest {
        /// The location.
        location: Location,
    },
    /// Of two outputs only the last would be left.
    #[error(transparent)]
    SamePlace(#[from] SamePlace),
    /// Standard output cannot be replaced at the end, nor taken back.
    #[error("`{location}`: an image is not built to standard output")]
    StandardOutput {
        /// The location.
        location: Location,
    },
}

fn left(written: &[Location]) -> String {
    let written: Vec<_> = written.iter().map(|at| format!("`{at}`")).collect();
    match &written[..] {
        [] => String::new(),
        [one] => format!("; {one} is written and stays"),
        several => format!("; {} are written and stay", several.join(", ")),
    }
}
