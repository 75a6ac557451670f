//! How a client goes about it.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use crate::login::Secret;
use crate::{Authenticate, Pace, SystemPace};

/// Everything that a [`Client`](crate::Client) is told; nothing is read from the environment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What is particular to some registries, by their names in image references: `docker.io`,
    /// `localhost:5000`. Also asked for the hosts of mirrors.
    pub hosts: BTreeMap<String, HostOptions>,
    /// Whom to believe that a server is who it says; a registry may have more.
    pub roots: Roots,
    /// `http://[user:password@]host:port` of a proxy that all requests go through.
    pub proxy: Option<Secret>,
    /// Hosts that are reached without the proxy: names, and `.domain` for all below one.
    pub no_proxy: Vec<String>,
    /// What is tried again, and how often.
    pub retry: Retry,
    /// How long a connection may take to come about.
    pub connect: Duration,
    /// How long a connection may stand still before it counts as lost; five times as long for the
    /// end of an upload, when a registry looks at all of it.
    pub stall: Duration,
    /// How blobs are sent.
    pub upload: Upload,
    /// `User-Agent`.
    pub user_agent: String,
    /// Who knows logins.
    pub authenticate: Option<Arc<dyn Authenticate>>,
    /// What time is.
    pub pace: Arc<dyn Pace>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hosts: BTreeMap::new(),
            roots: Roots::default(),
            proxy: None,
            no_proxy: Vec::new(),
            retry: Retry::default(),
            connect: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            upload: Upload::default(),
            user_agent: concat!("cooperage/", env!("CARGO_PKG_VERSION")).into(),
            authenticate: None,
            pace: Arc::new(SystemPace::default()),
        }
    }
}

/// What is particular to a registry.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    /// How it is spoken to.
    pub security: Security,
    /// Further certificates of authorities to believe for it, in PEM.
    pub authorities: Vec<u8>,
    /// What to show it.
    pub identity: Option<Identity>,
    /// Where else its images may be had, tried in this order before itself. Pulls alone: pushes
    /// and lists of tags and referrers are the registry's own.
    pub mirrors: Vec<Mirror>,
}

/// How a registry is spoken to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Security {
    /// TLS, verified. For loopback addresses (`localhost`, `127.0.0.0/8`, `[::1]`) without
    /// authorities and identity of their own: plain HTTP, unless the server says that it is
    /// spoken to in TLS.
    #[default]
    Default,
    /// TLS, verified, whatever the address.
    Verified,
    /// TLS that is not verified, and plain HTTP where there is none. Anybody on the way can read
    /// and change everything but what digests hold, passwords among it.
    Insecure,
    /// Plain HTTP.
    Plain,
}

/// A certificate of ours and its key, for registries that want to see one.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Our certificate and those that lead from it to an authority, in PEM.
    pub certificates: Vec<u8>,
    /// Its key, in PEM.
    pub key: Secret,
}

/// Where images of another registry may be had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mirror {
    /// `host[:port][/path]`: the path stands before that of the repository.
    pub location: String,
    /// What it is asked for.
    pub serves: Serves,
}

/// What a mirror is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Serves {
    /// Tags and digests.
    #[default]
    All,
    /// What is named by digest alone: its tags may be old.
    Digests,
}

/// Whom to believe that a server is who it says.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Roots {
    /// The authorities that Mozilla believes, as of the release of this crate.
    #[default]
    Mozilla,
    /// Those, and others, in PEM.
    MozillaAnd(Vec<u8>),
    /// These alone, in PEM.
    Only(Vec<u8>),
}

/// What is tried again: connections that are lost or do not come about, and the answers 408, 429
/// and 5xx (but 501 and 505).
///
/// The wait doubles from attempt to attempt, of which half is left to chance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    /// How often something is tried in all. A blob that got further since the last time begins to
    /// count anew.
    pub attempts: NonZeroU32,
    /// How long to wait before the second attempt.
    pub first: Duration,
    /// How long to wait at most, whatever the server asks for in `Retry-After`.
    pub most: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        const FIVE: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
        Self {
            attempts: FIVE,
            first: Duration::from_millis(250),
            most: Duration::from_secs(30),
        }
    }
}

/// How blobs are sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Upload {
    /// In one request, after the one that asks for leave.
    #[default]
    Monolithic,
    /// In requests of at most so many bytes each, or of more if the registry says that it takes no
    /// fewer: where something on the way limits them, or cuts long ones off.
    Chunked(NonZeroU64),
}
