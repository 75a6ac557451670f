//! What an image is called in a daemon.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use cooperage_digest::Digest;
use cooperage_image_spec::{ParseReferenceError, Reference};

/// An image in a daemon: by name or by ID.
///
/// Names stand in full, as [`Reference`] reads them, so that `app`, `app:latest` and
/// `docker.io/library/app:latest` are the same. IDs are not shortened, since a short one may be a
/// name as well.
///
/// # Examples
///
/// ```
/// use cooperage_daemon::ImageName;
///
/// let name: ImageName = "app".parse()?;
/// assert_eq!(name.to_string(), "docker.io/library/app:latest");
///
/// let id = "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0";
/// assert!(matches!(id.parse()?, ImageName::Id(_)));
/// // Without `sha256:` it is an ID too, as for Docker.
/// assert_eq!(id.replace("sha256:", "").parse::<ImageName>()?.to_string(), id);
/// # Ok::<(), cooperage_daemon::ParseImageNameError>(())
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ImageName {
    /// By a name with a tag, or with a digest of a registry's.
    Reference(Reference),
    /// By its ID: the digest of the config in graph-driver stores and podman, of the manifest or
    /// index in containerd's.
    Id(Digest),
}

/// Why a text is not the name of an image.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected a name (`app:v1`) or an ID in full (`sha256:…`)")]
pub struct ParseImageNameError {
    /// Why it is no name.
    #[from]
    pub source: ParseReferenceError,
}

impl FromStr for ImageName {
    type Err = ParseImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let prefixed;
        let id = if text.starts_with("sha256:") {
            text
        } else {
            prefixed = format!("sha256:{text}");
            &prefixed
        };
        if let Ok(digest) = id.parse() {
            return Ok(Self::Id(digest));
        }
        Ok(text.parse::<Reference>()?.into())
    }
}

impl From<Reference> for ImageName {
    /// Without a tag and a digest it is `latest`.
    fn from(reference: Reference) -> Self {
        Self::Reference(reference.with_default_tag())
    }
}

impl From<Digest> for ImageName {
    fn from(id: Digest) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference(reference) => reference.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl ImageName {
    /// The name as a part of a request's path or query.
    pub(crate) fn encoded(&self) -> String {
        encode(&self.to_string())
    }
}

/// Percent-encodes what may not stand in a path or query. Slashes and colons may, and daemons of
/// old do not decode them.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'/'
            | b':'
            | b'@' => out.push(byte.into()),
            _ => write!(out, "%{byte:02X}").expect("a string takes all"),
        }
    }
    out
}
