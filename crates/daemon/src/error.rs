//! What can go wrong with a daemon.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use cooperage_daemon_archive::{ReadError, WriteError};
use cooperage_digest::Digest;
use cooperage_image_spec::{Reference, json};

use crate::{Endpoint, ImageName, TlsError};

/// Why a daemon did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answers there.
    #[error("cannot reach a daemon at `{endpoint}`: {hint}")]
    Connect {
        /// Where.
        endpoint: Endpoint,
        /// What to do.
        hint: &'static str,
        /// What the system or TLS said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The certificates cannot be used.
    #[error("cannot speak TLS with `{endpoint}`")]
    Tls {
        /// The daemon.
        endpoint: Endpoint,
        /// Which file, and why.
        source: TlsError,
    },
    /// The connection broke, stood still for too long, or what came over it is not HTTP.
    #[error("`{endpoint}` did not answer `{request}` to the end")]
    Exchange {
        /// The daemon.
        endpoint: Endpoint,
        /// Method and path: `GET /images/app/json`.
        request: String,
        /// What the system or the protocol said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The daemon said no.
    #[error("`{endpoint}` refused `{request}` with status {status}: {message}")]
    Status {
        /// The daemon.
        endpoint: Endpoint,
        /// Method and path.
        request: String,
        /// The status code.
        status: u16,
        /// The daemon's own words.
        message: String,
    },
    /// The daemon has no such image.
    #[error("`{endpoint}` has no image `{name}`")]
    NotFound {
        /// The daemon.
        endpoint: Endpoint,
        /// The image.
        name: ImageName,
    },
    /// A name with a digest, which an image has or has not.
    #[error("`{name}` cannot be given to an image: take the digest off")]
    Name {
        /// The name.
        name: Box<Reference>,
    },
    /// What the daemon answered is not what the Engine API says.
    #[error("what `{endpoint}` answered to `{request}` cannot be used")]
    Answer {
        /// The daemon.
        endpoint: Endpoint,
        /// Method and path.
        request: String,
        /// What is wrong with it.
        source: AnswerProblem,
    },
    /// The daemon took an archive and could not load it.
    #[error("`{endpoint}` could not load the images: {}", messages.join("; "))]
    Refused {
        /// The daemon.
        endpoint: Endpoint,
        /// All that it said of it, in order.
        messages: Vec<String>,
    },
    /// The daemon said nothing wrong, and still has not got the image, though all was sent.
    #[error("`{endpoint}` took all of `{manifest}` and does not have it: {found}")]
    Incomplete {
        /// The daemon.
        endpoint: Endpoint,
        /// The image's manifest.
        manifest: Digest,
        /// What there is instead.
        found: String,
    },
    /// The images cannot be made an archive of.
    #[error("cannot send the images")]
    Write(#[from] WriteError),
    /// The daemon broke off while it saved images.
    #[error("`{endpoint}` could not save the images: {message}")]
    Save {
        /// The daemon.
        endpoint: Endpoint,
        /// Its words.
        message: String,
    },
    /// What the daemon saved is not an archive, or not what it names.
    #[error("cannot read what `{endpoint}` saved")]
    Read {
        /// The daemon.
        endpoint: Endpoint,
        /// Where and why.
        source: ReadError,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is wrong with a daemon's answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerProblem {
    /// No JSON.
    #[error("it is not valid JSON")]
    Json(#[from] json::ParseError),
    /// JSON of another shape.
    #[error("`{place}`: expected {expected}")]
    Shape {
        /// The member, for instance `RootFS.Layers[2]`; `.` for the document itself.
        place: String,
        /// What is to stand there.
        expected: &'static str,
    },
    /// More bytes than such an answer may have.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// The most bytes that are read.
        limit: u64,
    },
    /// A line of what the daemon says while it loads is too long.
    #[error("a line of it has more than {limit} bytes")]
    LongLine {
        /// The most bytes that a line may have.
        limit: usize,
    },
    /// The daemon says nothing of its version, so it is not one.
    #[error("there is no version of the API in it: is this a Docker Engine?")]
    NoVersion,
    /// The daemon is older than anything that was tried.
    #[error("its API is version {found}: at least {needed} is needed")]
    TooOld {
        /// What it speaks at most.
        found: crate::ApiVersion,
        /// What is spoken here at least.
        needed: crate::ApiVersion,
    },
    /// The daemon answered that all is well before it had the whole archive.
    #[error("it came before the archive was sent to its end")]
    TooEarly,
}

impl Error {
    /// Whether it is the daemon that has no such image.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

/// A daemon's words in one line, without what could play tricks on a terminal, and not endless.
pub(crate) fn words(text: &str) -> String {
    const LONGEST: usize = 2000;
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut words: String = text.trim().chars().take(LONGEST).map(printable).collect();
    if text.trim().chars().nth(LONGEST).is_some() {
        words.push('…');
    }
    words
}
