//! The names themselves.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cooperage_daemon::{ImageName, ParseImageNameError};
use cooperage_digest::Digest;
use cooperage_image_spec::{ParseReferenceError, Reference};

/// A kind of medium.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Medium {
    /// `oci:`, an image layout.
    Oci,
    /// `oci-archive:`, an image layout in a tar.
    OciArchive,
    /// `docker-archive:`, what `docker save` writes.
    DockerArchive,
    /// `docker://`, a repository of a registry.
    Docker,
    /// `docker-daemon:`, a Docker Engine, or podman's service.
    DockerDaemon,
}

const ALL: [Medium; 5] = [
    Medium::Oci,
    Medium::OciArchive,
    Medium::DockerArchive,
    Medium::Docker,
    Medium::DockerDaemon,
];

impl Medium {
    /// What stands before the first colon.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oci => "oci",
            Self::OciArchive => "oci-archive",
            Self::DockerArchive => "docker-archive",
            Self::Docker => "docker",
            Self::DockerDaemon => "docker-daemon",
        }
    }

    /// Whether it is a directory or a file.
    #[must_use]
    pub fn is_local(self) -> bool {
        !matches!(self, Self::Docker | Self::DockerDaemon)
    }
}

/// A medium, its place, and which image in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location {
    medium: Medium,
    path: PathBuf,
    name: Option<String>,
    digest: Option<Digest>,
    reference: Option<Reference>,
    image: Option<ImageName>,
}

/// Why a text names no medium.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseLocationError {
    /// No medium that is known stands before the first colon.
    #[error(
        "`{text}` names no medium: expected `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:REFERENCE]`, `docker://REFERENCE` or `docker-daemon:REFERENCE`"
    )]
    UnknownMedium {
        /// What was read.
        text: String,
    },
    /// Nothing between the first colon and the second.
    #[error("`{text}` has no path: expected `{}:` and a path", medium.as_str())]
    NoPath {
        /// What was read.
        text: String,
        /// The medium.
        medium: Medium,
    },
    /// A colon or an `@` with nothing behind it.
    #[error(
        "`{text}` ends where a name should begin: leave the last `:` or `@` out, or add a name"
    )]
    NoName {
        /// What was read.
        text: String,
    },
    /// What stands behind the `@` is no digest.
    #[error("`{text}`: {source}")]
    Digest {
        /// What was read.
        text: String,
        /// Why.
        source: cooperage_digest::ParseDigestError,
    },
    /// `docker:` without the slashes.
    #[error("`{text}` lacks two slashes: expected `docker://REFERENCE`")]
    NoSlashes {
        /// What was read.
        text: String,
    },
    /// What stands behind `docker-daemon:` is no image of a daemon.
    #[error("`{text}`: {source}")]
    Image {
        /// What was read.
        text: String,
        /// Why.
        source: ParseImageNameError,
    },
    /// What stands behind `docker://` is no image reference.
    #[error("`{text}`: {source}")]
    Reference {
        /// What was read.
        text: String,
        /// Why.
        source: ParseReferenceError,
    },
}

impl Location {
    /// A place in a local medium, for whatever image lies there alone.
    #[must_use]
    pub fn new(medium: Medium, path: &Path) -> Self {
        Self {
            medium,
            path: path.to_owned(),
            name: None,
            digest: None,
            reference: None,
            image: None,
        }
    }

    /// An image of a registry.
    #[must_use]
    pub fn registry(reference: Reference) -> Self {
        Self {
            digest: reference.digest().cloned(),
            reference: Some(reference),
            ..Self::new(Medium::Docker, Path::new(""))
        }
    }

    /// An image of the daemon; without a name, for an image's own names.
    #[must_use]
    pub fn daemon(image: Option<ImageName>) -> Self {
        Self {
            image,
            ..Self::new(Medium::DockerDaemon, Path::new(""))
        }
    }

    /// The same place, for the image of this name; a registry's or a daemon's stays as it is.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        if self.medium.is_local() {
            self.name = Some(name.into());
        }
        self
    }

    /// The same place, a relative path starting from `root`.
    #[must_use]
    pub fn below(mut self, root: &Path) -> Self {
        if self.medium.is_local() && self.path != Path::new("-") {
            self.path = root.join(&self.path);
        }
        self
    }

    /// The same image at another path; that of a registry or a daemon stays as it is.
    #[must_use]
    pub fn with_path(mut self, path: &Path) -> Self {
        if self.medium.is_local() {
            path.clone_into(&mut self.path);
        }
        self
    }

    /// The medium.
    #[must_use]
    pub fn medium(&self) -> Medium {
        self.medium
    }

    /// The directory or file; empty for a registry and for a daemon.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The image's name in a local medium.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The image's digest, if it is named by that.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The image's reference, if it lies in a registry.
    #[must_use]
    pub fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// The image's name or ID, if it lies in a daemon.
    #[must_use]
    pub fn image(&self) -> Option<&ImageName> {
        self.image.as_ref()
    }

    /// Whether it says which image is meant: by name, tag or digest.
    #[must_use]
    pub fn is_one_image(&self) -> bool {
        let tag = self.reference.as_ref().and_then(Reference::tag);
        self.name.is_some() || self.digest.is_some() || self.image.is_some() || tag.is_some()
    }

    fn parse_daemon(text: &str, rest: &str) -> Result<Self, ParseLocationError> {
        if rest.is_empty() {
            return Ok(Self::daemon(None));
        }
        let image = rest.parse().map_err(|source| ParseLocationError::Image {
            text: text.to_owned(),
            source,
        })?;
        Ok(Self::daemon(Some(image)))
    }

    fn parse_registry(text: &str, rest: &str) -> Result<Self, ParseLocationError> {
        let text = || text.to_owned();
        let Some(reference) = rest.strip_prefix("//") else {
            return Err(ParseLocationError::NoSlashes { text: text() });
        };
        match reference.parse() {
            Ok(reference) => Ok(Self::registry(reference)),
            Err(source) => Err(ParseLocationError::Reference {
                text: text(),
                source,
            }),
        }
    }
}

impl FromStr for Location {
    type Err = ParseLocationError;

    fn from_str(text: &str) -> Result<Self, ParseLocationError> {
        let unknown = || ParseLocationError::UnknownMedium {
            text: text.to_owned(),
        };
        let (medium, rest) = text.split_once(':').ok_or_else(unknown)?;
        let medium = ALL
            .into_iter()
            .find(|m| m.as_str() == medium)
            .ok_or_else(unknown)?;
        if medium == Medium::Docker {
            return Self::parse_registry(text, rest);
        }
        if medium == Medium::DockerDaemon {
            return Self::parse_daemon(text, rest);
        }
        let (path, name, digest) = match (rest.split_once(':'), rest.split_once('@')) {
            (named, Some((path, digest)))
                if named.is_none_or(|(dir, _)| dir.len() > path.len()) =>
            {
                if digest.is_empty() {
                    return Err(ParseLocationError::NoName {
                        text: text.to_owned(),
                    });
                }
                let digest = digest
                    .parse()
                    .map_err(|source| ParseLocationError::Digest {
                        text: text.to_owned(),
                        source,
                    })?;
                (path, None, Some(digest))
            }
            (Some((path, name)), _) => (path, Some(name.to_owned()), None),
            (None, _) => (rest, None, None),
        };
        if path.is_empty() {
            return Err(ParseLocationError::NoPath {
                text: text.to_owned(),
                medium,
            });
        }
        if name.as_deref() == Some("") {
            return Err(ParseLocationError::NoName {
                text: text.to_owned(),
            });
        }
        Ok(Self {
            name,
            digest,
            ..Self::new(medium, Path::new(path))
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reference) = &self.reference {
            return write!(f, "docker://{reference}");
        }
        if self.medium == Medium::DockerDaemon {
            f.write_str("docker-daemon:")?;
            return self.image.iter().try_for_each(|image| image.fmt(f));
        }
        write!(f, "{}:{}", self.medium.as_str(), self.path.display())?;
        match (&self.name, &self.digest) {
            (Some(name), _) => write!(f, ":{name}"),
            (None, Some(digest)) => write!(f, "@{digest}"),
            (None, None) => Ok(()),
        }
    }
}
