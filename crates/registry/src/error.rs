//! What goes wrong with a registry.

use std::error::Error as StdError;
use std::{fmt, io};

use cooperage_digest::VerifyError;

use crate::wire::ServerError;

/// What was to be done, and why it was not.
///
/// As the cause of a [`cooperage_blob::Error`] it comes as the [`Reason`] alone, since that error
/// says what was to be done.
#[derive(Debug)]
pub struct Error(Box<(Attempted, Reason)>);

/// What was to be done: "cannot upload blob `sha256:…` to `registry/repository`".
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attempted {
    /// The registry, as in references.
    pub registry: String,
    /// The repository in it; empty if it was about the registry alone.
    pub repository: String,
    /// What was done, such as `upload blob`.
    pub action: &'static str,
    /// To what: a tag or a digest; empty if to the repository itself.
    pub object: String,
}

impl fmt::Display for Attempted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} ", self.action)?;
        if !self.object.is_empty() {
            write!(f, "`{}` ", self.object)?;
        }
        write!(f, "at `{}", self.registry)?;
        if !self.repository.is_empty() {
            write!(f, "/{}", self.repository)?;
        }
        f.write_str("`")
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The registry does not have it.
    #[error("the registry does not have it{}", said(errors))]
    NotFound {
        /// What the registry says.
        errors: Vec<ServerError>,
    },
    /// The registry, or its token server, wants somebody else, or a login at all.
    #[error(
        "access denied with status {status}{}; {}", said(errors),
        if *login { "the login that was found is not enough" } else { "no login was found: log in first, or check the name" }
    )]
    Denied {
        /// The status, 401 or 403.
        status: u16,
        /// What the server says.
        errors: Vec<ServerError>,
        /// Whether a login was at hand.
        login: bool,
    },
    /// The registry answered something else than it should.
    #[error("status {status}{} {}", said(errors), after(*attempts))]
    Refused {
        /// The status of the last answer.
        status: u16,
        /// What the registry says.
        errors: Vec<ServerError>,
        /// How often it was tried.
        attempts: u32,
    },
    /// The registry was not reached, or the connection to it was lost.
    #[error("the connection failed {}", after(*attempts))]
    Connection {
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        source: io::Error,
    },
    /// What came is not what the specification says; the text says how.
    #[error("{0}")]
    Malformed(String),
    /// What came is longer than it may be.
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// What came is not what its digest says.
    #[error(transparent)]
    Mismatch(VerifyError),
    /// What is there cannot be read here; the text says what it is, and what to do.
    #[error("{0}")]
    Unsupported(String),
}

fn said(errors: &[ServerError]) -> String {
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    if errors.is_empty() {
        return String::new();
    }
    format!(", {}", errors.join(", "))
}

fn after(attempts: u32) -> String {
    match attempts {
        1 => "at the only attempt".into(),
        attempts => format!("at the last of {attempts} attempts"),
    }
}

impl Error {
    pub(crate) fn new(attempted: Attempted, reason: Reason) -> Self {
        Self(Box::new((attempted, reason)))
    }

    /// What was to be done.
    #[must_use]
    pub fn attempted(&self) -> &Attempted {
        &self.0.0
    }

    /// Why it was not.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.0.1
    }

    /// The registry does not have it.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self.reason(), Reason::NotFound { .. })
    }
}

impl Error {
    /// Whether it says nothing of what is there: no answer, or one that denies or refuses it.
    pub(crate) fn is_of_the_way(&self) -> bool {
        matches!(
            self.reason(),
            Reason::Denied { .. } | Reason::Refused { .. } | Reason::Connection { .. }
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.attempted(), self.reason())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.reason().source()
    }
}

impl From<Error> for cooperage_blob::Error {
    fn from(error: Error) -> Self {
        let (attempted, reason) = *error.0;
        match reason {
            Reason::NotFound { errors } => {
                let place = format!("`{}/{}`", attempted.registry, attempted.repository);
                Self::not_found(format!("`{}`", attempted.object), place)
                    .with_source(Reason::NotFound { errors })
            }
            Reason::Mismatch(error) => Self::mismatch(error),
            Reason::Malformed(_) | Reason::TooLarge { .. } => {
                Self::malformed(attempted.to_string()).with_source(reason)
            }
            Reason::Unsupported(_) => Self::unsupported(attempted.to_string()).with_source(reason),
            _ => Self::failed(attempted.to_string()).with_source(reason),
        }
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Certificates or a key cannot be read.
    #[error("the {what} for `{registry}` cannot be read: expected PEM")]
    Pem {
        /// Which registry's; `all registries` for those of all.
        registry: String,
        /// `certificates of authorities`, `client certificate` or `client key`.
        what: &'static str,
    },
    /// The address of the proxy cannot be read.
    #[error("the address of the proxy cannot be read: expected `http://HOST:PORT`")]
    Proxy,
    /// The place of a mirror cannot be read.
    #[error("`{location}` is no place of a mirror: expected `HOST[:PORT][/PATH]`")]
    Mirror {
        /// The place.
        location: String,
    },
}
