//! Where the daemon is.

mod context;
mod find;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use cooperage_image_spec::json;

/// Where a daemon listens.
///
/// # Examples
///
/// ```
/// use cooperage_daemon::Endpoint;
///
/// let endpoint: Endpoint = "tcp://build.example.com".parse()?;
/// assert_eq!(endpoint.to_string(), "tcp://build.example.com:2375");
///
/// let error = "ssh://build.example.com".parse::<Endpoint>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`ssh://build.example.com` is not supported: forward the daemon's socket by ssh, and name that as `unix://…`"
/// );
/// # Ok::<(), cooperage_daemon::EndpointError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Endpoint {
    /// A Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
    },
    /// A port, under TLS or not.
    Tcp {
        /// Host name or address, and port: `127.0.0.1:2375`.
        authority: String,
        /// The path that stands before that of every request, without a slash at its end; mostly
        /// empty.
        base: String,
        /// The certificates, if TLS is spoken.
        tls: Option<Tls>,
    },
}

/// The files that TLS needs. They are read when the engine is connected to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// Certificates, in PEM, one of which must have signed the daemon's. Needed unless nothing is
    /// verified.
    pub ca: Option<PathBuf>,
    /// The client's certificate and its chain, and its key, both in PEM.
    pub client: Option<(PathBuf, PathBuf)>,
    /// What of the daemon is verified.
    pub verification: Verification,
}

/// What of a daemon is verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verification {
    /// Its certificate and its name.
    Certificate,
    /// Nothing, so that anybody may answer: `DOCKER_TLS` without `DOCKER_TLS_VERIFY`, or a context
    /// with `SkipTLSVerify`.
    Nothing,
}

/// Why nobody can say where the daemon is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text is no endpoint.
    #[error("`{text}` is not an endpoint: expected `unix:///PATH` or `tcp://HOST[:PORT]`")]
    Malformed {
        /// What was read.
        text: String,
    },
    /// The scheme is known, and cannot be spoken here.
    #[error("`{text}` is not supported: {instead}")]
    Unsupported {
        /// What was read.
        text: String,
        /// What to do.
        instead: &'static str,
    },
    /// A file of Docker's configuration cannot be read.
    #[error("cannot read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of Docker's configuration is longer than it may be.
    #[error("`{}` has more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that are read.
        limit: u64,
    },
    /// A file of Docker's configuration is no JSON.
    #[error("`{}` is not valid JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: json::ParseError,
    },
    /// A context that is not there.
    #[error("there is no Docker context `{name}`: `{}` is missing", path.display())]
    NoContext {
        /// The context.
        name: String,
        /// Where it would be described.
        path: PathBuf,
    },
    /// A context that says nothing of a daemon.
    #[error("Docker context `{name}` has no endpoint of a daemon in `{}`", path.display())]
    NoHost {
        /// The context.
        name: String,
        /// Where it is described.
        path: PathBuf,
    },
    /// The endpoint that a setting names is not one.
    #[error("{setting} names no endpoint")]
    Setting {
        /// The variable or context.
        setting: String,
        /// Why.
        source: Box<EndpointError>,
    },
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `unix:///PATH` or `tcp://HOST[:PORT][/BASE]`, without TLS; the port is 2375 where none
    /// is given.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::parse(text, None)
    }
}

impl Endpoint {
    fn parse(text: &str, tls: Option<Tls>) -> Result<Self, EndpointError> {
        let text = text.trim();
        let malformed = || EndpointError::Malformed { text: text.into() };
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        let unsupported = |instead| EndpointError::Unsupported {
            text: text.into(),
            instead,
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix { path: rest.into() }),
            "tcp" | "http" => {
                let (authority, base) = match rest.split_once('/') {
                    Some((authority, base)) => (authority, format!("/{base}")),
                    None => (rest, String::new()),
                };
                let port = if tls.is_some() { 2376 } else { 2375 };
                Ok(Self::Tcp {
                    authority: with_port(authority, port).ok_or_else(malformed)?,
                    base: clean_base(&base).ok_or_else(malformed)?,
                    tls,
                })
            }
            "ssh" => Err(unsupported(
                "forward the daemon's socket by ssh, and name that as `unix://…`",
            )),
            "npipe" => Err(unsupported(
                "let the daemon listen at `tcp://127.0.0.1:2375` too",
            )),
            "fd" => Err(unsupported("it is for the daemon itself")),
            _ => Err(malformed()),
        }
    }
}

/// The path before all others, if it is one: no query, nothing that needs to be encoded.
fn clean_base(base: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/%".contains(c);
    let base = base.trim_end_matches('/');
    base.chars().all(plain).then(|| base.to_owned())
}

/// The authority with a port, if it is one.
fn with_port(authority: &str, default: u16) -> Option<String> {
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an address in brackets are its own.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()?),
        _ => (authority, default),
    };
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let valid = if let Some(address) = inner {
        address.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        !host.is_empty() && host.chars().all(plain)
    };
    valid.then(|| format!("{host}:{port}"))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path } => write!(f, "unix://{}", path.display()),
            Self::Tcp {
                authority, base, ..
            } => write!(f, "tcp://{authority}{base}"),
        }
    }
}
