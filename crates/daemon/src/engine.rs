//! A daemon that was spoken to.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use cooperage_image_spec::{Json, Platform, Reference};
use ureq::http::Method;

use crate::http::{Call, Client, DEFAULT_TIMES};
use crate::inspect::{Inspected, inspected};
use crate::name::encode;
use crate::{AnswerProblem, Endpoint, Error, ImageName};

/// The newest version of the API that is spoken here: that of Docker 28.
const NEWEST: ApiVersion = ApiVersion {
    major: 1,
    minor: 51,
};
/// The oldest: that of Docker 17.06, podman's service speaks no older one.
const OLDEST: ApiVersion = ApiVersion {
    major: 1,
    minor: 30,
};
/// Since this one, inspect lists the manifests of an image, and whether each is all there.
const MANIFESTS: ApiVersion = ApiVersion {
    major: 1,
    minor: 48,
};
/// Since this one, of Docker 23, layers may be zstd.
const ZSTD: ApiVersion = ApiVersion {
    major: 1,
    minor: 42,
};

/// A version of the Engine API.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ApiVersion {
    /// Always 1 so far.
    pub major: u16,
    /// 41 of Docker 20.10, 51 of Docker 28.
    pub minor: u16,
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl ApiVersion {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

/// How a daemon keeps images, which decides what an ID is and what may be left out of an archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Store {
    /// Docker's own: layers lie unpacked, by the chain of their diff IDs.
    Graph,
    /// Docker's by way of containerd: layers lie as blobs, by their digests, and unpacked too.
    Containerd,
    /// podman's.
    Podman,
}

/// How long a daemon is waited for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// For a connection, TLS included: 10 seconds.
    pub connect: Duration,
    /// For the next byte, where it is asked for something small: 2 minutes.
    pub quick: Duration,
    /// For the next byte while it loads, saves or removes images: 1 hour. Docker unpacks what it
    /// loads before it says a word.
    pub long: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let [connect, quick, long] = DEFAULT_TIMES;
        Self {
            connect,
            quick,
            long,
        }
    }
}

/// A daemon that has answered.
///
/// Every call is a connection of its own, and may be made from any thread.
#[derive(Debug)]
pub struct Engine {
    pub(crate) client: Client,
    version: ApiVersion,
    podman: bool,
    store: OnceLock<Store>,
}

impl Engine {
    /// Asks the daemon for its version, and takes the newest that both speak.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`], [`Error::Connect`], [`Error::Exchange`]; [`Error::Status`] or
    /// [`Error::Answer`] if what answers is no Docker Engine, or one older than Docker 17.06.
    pub fn connect(endpoint: &Endpoint, options: &Options) -> Result<Self, Error> {
        let client = Client::new(endpoint, options)?;
        let answer = client.send(Call::get("/_ping"))?.success()?;
        let Some(offered) = answer.header("Api-Version").and_then(ApiVersion::parse) else {
            return Err(answer.problem(AnswerProblem::NoVersion));
        };
        if offered < OLDEST {
            return Err(answer.problem(AnswerProblem::TooOld {
                found: offered,
                needed: OLDEST,
            }));
        }
        let version = offered.min(NEWEST);
        Ok(Self {
            podman: answer.header("Libpod-Api-Version").is_some(),
            client: client.below(&format!("/v{version}")),
            version,
            store: OnceLock::new(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.client.endpoint()
    }

    /// The version of the API that is spoken.
    #[must_use]
    pub fn api_version(&self) -> ApiVersion {
        self.version
    }

    /// How it keeps images. Asked once.
    pub fn store(&self) -> Result<Store, Error> {
        if let Some(store) = self.store.get() {
            return Ok(*store);
        }
        let store = if self.podman {
            Store::Podman
        } else {
            let (info, _) = self
                .client
                .send(Call::get("/info"))?
                .success()?
                .document()?;
            if is_containerd(&info) {
                Store::Containerd
            } else {
                Store::Graph
            }
        };
        Ok(*self.store.get_or_init(|| store))
    }

    /// What images run on where it is.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] if it does not say.
    pub fn platform(&self) -> Result<Platform, Error> {
        let answer = self.client.send(Call::get("/version"))?.success()?;
        let (json, document) = answer.document()?;
        let text = |key: &'static str| {
            let text = json.get(key).and_then(Json::as_str);
            text.ok_or_else(|| AnswerProblem::Shape {
                place: key.into(),
                expected: "a word",
            })
        };
        let platform = || Ok(Platform::new(text("Os")?, text("Arch")?).normalized());
        platform().map_err(|problem| document.problem(problem))
    }

    /// Whether inspect says of each manifest if it is all there.
    pub(crate) fn tells_what_is_there(&self) -> bool {
        self.version >= MANIFESTS
    }

    /// Whether layers may go there as zstd.
    pub(crate) fn reads_zstd(&self) -> bool {
        self.version >= ZSTD && !self.podman
    }

    /// What the daemon says of an image; `None` if it has none of that name.
    pub fn inspect(&self, name: &ImageName) -> Result<Option<Inspected>, Error> {
        let query = if self.tells_what_is_there() {
            "?manifests=1"
        } else {
            ""
        };
        let path = format!("/images/{}/json{query}", name.encoded());
        let answer = self.client.send(Call::get(path))?;
        if answer.status() == 404 {
            return Ok(None);
        }
        let (json, document) = answer.success()?.document()?;
        inspected(&json)
            .map(Some)
            .map_err(|problem| document.problem(problem))
    }

    /// Whether the daemon has an image of that name. An image of which parts are missing counts.
    pub fn contains(&self, name: &ImageName) -> Result<bool, Error> {
        Ok(self.inspect(name)?.is_some())
    }

    /// Gives an image one more name. If another image has that name, it loses it.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a name with a digest; [`Error::NotFound`] if there is no such image;
    /// [`Error::Status`] if the daemon does not take the name.
    pub fn tag(&self, image: &ImageName, name: &Reference) -> Result<(), Error> {
        let name = name.clone().with_default_tag();
        if name.digest().is_some() {
            return Err(Error::Name { name: name.into() });
        }
        let path = format!(
            "/images/{}/tag?repo={}&tag={}",
            image.encoded(),
            encode(&name.repository()),
            encode(name.tag().unwrap_or_default()),
        );
        let answer = self.client.send(Call::new(Method::POST, path))?;
        if answer.status() == 404 {
            return Err(self.not_found(image));
        }
        answer.success().map(drop)
    }

    pub(crate) fn not_found(&self, name: &ImageName) -> Error {
        Error::NotFound {
            endpoint: self.endpoint().clone(),
            name: name.clone(),
        }
    }
}

/// Docker says it in a list of pairs, since no member is for it.
fn is_containerd(info: &Json) -> bool {
    let status = info.get("DriverStatus").and_then(Json::as_array);
    let is_it = |pair: &Json| {
        let pair = pair.as_array().unwrap_or_default();
        let words: Vec<_> = pair.iter().filter_map(Json::as_str).collect();
        words == ["driver-type", "io.containerd.snapshotter.v1"]
    };
    status.unwrap_or_default().iter().any(is_it)
}
