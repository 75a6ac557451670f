//! Image references as Docker reads them.

use std::fmt;
use std::str::FromStr;

use cooperage_digest::{Digest, ParseDigestError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::shorten;

const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DOMAIN: &str = "index.docker.io";
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";

/// Docker's limit on the path of a repository, in bytes.
const MAX_PATH: usize = 255;
/// Docker's limit on a tag, in bytes.
const MAX_TAG: usize = 128;

/// The name of an image in a registry: `domain/path[:tag][@digest]`.
///
/// Read as Docker reads it: the part before the first `/` is a domain if it has a `.`, a `:` or
/// an upper-case letter, or is `localhost`; without a domain it is `docker.io`, where a path of
/// one part is below `library/`. `index.docker.io` is another name of `docker.io`. A reference
/// without tag and digest stays without: see [`Reference::with_default_tag`].
///
/// Prints in full; [`Reference::familiar`] is the short form.
///
/// Grammar: `distribution/reference`.
///
/// # Examples
///
/// ```
/// use cooperage_image_spec::Reference;
///
/// let app: Reference = "app".parse()?;
/// assert_eq!(app.with_default_tag().to_string(), "docker.io/library/app:latest");
///
/// let local: Reference = "localhost:5000/team/app:v1".parse()?;
/// assert_eq!((local.domain(), local.path()), ("localhost:5000", "team/app"));
/// assert_eq!(local.tag(), Some("v1"));
///
/// let error = "Team/App".parse::<Reference>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`Team/App` is not an image reference: `A` in its path is upper case, write `app`"
/// );
/// # Ok::<(), cooperage_image_spec::ParseReferenceError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not an image reference.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is not an image reference: {reason}")]
pub struct ParseReferenceError {
    /// What was read; only its beginning where it is long.
    pub text: String,
    /// What is wrong with it.
    pub reason: ReferenceFault,
}

/// What is wrong with a text that is not an image reference.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceFault {
    /// Nothing where the path must be.
    #[error("it has no repository name")]
    NoName,
    /// A URL.
    #[error("leave out `{0}://`")]
    Scheme(String),
    /// 64 hex digits, which Docker takes for an image ID.
    #[error("64 hex digits alone are an image ID; put a domain or a user before them")]
    ImageId,
    /// The part that must be a domain is none.
    #[error(
        "`{0}` is not a domain: expected a host name, an IPv4 address or an IPv6 address in brackets, and a port if need be"
    )]
    Domain(String),
    /// Upper case in the path.
    #[error("`{found}` in its path is upper case, write `{lower}`")]
    UpperCase {
        /// The first upper-case letter.
        found: char,
        /// The part of the path that it stands in, in lower case.
        lower: String,
    },
    /// A part of the path is malformed.
    #[error(
        "`{0}` is not a part of a path: expected lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`"
    )]
    Component(String),
    /// Nothing between two slashes, or behind the last one.
    #[error("a part of its path is empty")]
    EmptyComponent,
    /// Longer than Docker takes.
    #[error("its path has {0} bytes, at most {MAX_PATH} are taken")]
    TooLong(usize),
    /// The tag is malformed.
    #[error(
        "`{0}` is not a tag: expected at most {MAX_TAG} letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`"
    )]
    Tag(String),
    /// The digest is malformed.
    #[error("{0}")]
    Digest(ParseDigestError),
}

impl Reference {
    /// The registry: `docker.io`, `localhost:5000`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository in the registry: `library/app`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, if there is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if there is one. It wins over the tag.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Registry and repository: `docker.io/library/app`.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The same with the tag `latest` if it has neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.into());
        }
        self
    }

    /// The same with another tag.
    ///
    /// # Errors
    ///
    /// [`ReferenceFault::Tag`] if it is not one.
    pub fn with_tag(mut self, tag: &str) -> Result<Self, ParseReferenceError> {
        check_tag(tag).map_err(|reason| ParseReferenceError {
            text: format!("{self}"),
            reason,
        })?;
        self.tag = Some(tag.into());
        Ok(self)
    }

    /// The same with another digest.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    /// The same without tag and digest.
    #[must_use]
    pub fn without_tag_and_digest(mut self) -> Self {
        (self.tag, self.digest) = (None, None);
        self
    }

    /// As Docker shows it: `docker.io/library/app:v1` is `app:v1`.
    ///
    /// Unlike Docker's, it always reads as the same reference again: what would read as another
    /// (`docker.io/a.b/c`, where `a.b` looks like a domain) is printed in full.
    #[must_use]
    pub fn familiar(&self) -> String {
        let short = match self.path.strip_prefix(OFFICIAL) {
            Some(official) if !official.contains('/') => official,
            _ => &self.path,
        };
        let first = short.split_once('/').map(|(first, _)| first);
        let misread = is_hex_64(short) || first.is_some_and(is_domain_like);
        if self.domain != DEFAULT_DOMAIN || misread {
            return self.to_string();
        }
        format!("{short}{}", self.suffix())
    }

    fn suffix(&self) -> String {
        let mut suffix = String::new();
        if let Some(tag) = &self.tag {
            suffix.push(':');
            suffix.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            suffix.push('@');
            suffix.push_str(digest.as_str());
        }
        suffix
    }
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        parse(text).map_err(|reason| ParseReferenceError {
            text: abridge(text),
            reason,
        })
    }
}

fn abridge(text: &str) -> String {
    shorten(&text.escape_debug().to_string())
}

fn parse(text: &str) -> Result<Reference, ReferenceFault> {
    if is_hex_64(text) {
        return Err(ReferenceFault::ImageId);
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(ReferenceFault::Scheme(abridge(scheme)));
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse().map_err(ReferenceFault::Digest)?)),
        None => (text, None),
    };
    let (domain, rest) = split_domain(rest);
    check_domain(domain)?;
    // Behind the domain a colon can only begin the tag.
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    if path.is_empty() {
        return Err(ReferenceFault::NoName);
    }
    let official = domain == DEFAULT_DOMAIN && !path.contains('/');
    let path = if official {
        format!("{OFFICIAL}{path}")
    } else {
        path.into()
    };
    if path.len() > MAX_PATH {
        return Err(ReferenceFault::TooLong(path.len()));
    }
    path.split('/').try_for_each(check_component)?;
    tag.map_or(Ok(()), check_tag)?;
    Ok(Reference {
        domain: domain.into(),
        path,
        tag: tag.map(Into::into),
        digest,
    })
}

fn is_hex_64(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The domain, `docker.io` where none is written, and what follows it.
fn split_domain(text: &str) -> (&str, &str) {
    match text.split_once('/') {
        Some((LEGACY_DOMAIN, rest)) => (DEFAULT_DOMAIN, rest),
        Some((first, rest)) if is_domain_like(first) => (first, rest),
        _ => (DEFAULT_DOMAIN, text),
    }
}

fn is_domain_like(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase)
}

fn check_domain(domain: &str) -> Result<(), ReferenceFault> {
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let valid = if let Some(rest) = domain.strip_prefix('[') {
        rest.split_once(']').is_some_and(|(address, port)| {
            !address.is_empty()
                && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
                && (port.is_empty() || port.strip_prefix(':').is_some_and(digits))
        })
    } else {
        let (host, port) = match domain.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (domain, None),
        };
        host.split('.').all(is_host_label) && port.is_none_or(digits)
    };
    if valid {
        Ok(())
    } else {
        Err(ReferenceFault::Domain(abridge(domain)))
    }
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn check_component(component: &str) -> Result<(), ReferenceFault> {
    if component.is_empty() {
        return Err(ReferenceFault::EmptyComponent);
    }
    if let Some(found) = component.chars().find(char::is_ascii_uppercase) {
        let lower = abridge(&component.to_ascii_lowercase());
        return Err(ReferenceFault::UpperCase { found, lower });
    }
    let is_word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_separator =
        |run: &[u8]| matches!(run, b"" | b"." | b"_" | b"__") || run.iter().all(|&b| b == b'-');
    let bytes = component.as_bytes();
    let ends = bytes.first().is_some_and(is_word) && bytes.last().is_some_and(is_word);
    if ends && bytes.split(is_word).all(is_separator) {
        return Ok(());
    }
    Err(ReferenceFault::Component(abridge(component)))
}

fn check_tag(tag: &str) -> Result<(), ReferenceFault> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let good = (1..=MAX_TAG).contains(&tag.len())
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
        && tag.bytes().next().is_some_and(word);
    if good {
        Ok(())
    } else {
        Err(ReferenceFault::Tag(abridge(tag)))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.domain, self.path, self.suffix())
    }
}

/// As text, in full.
impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
