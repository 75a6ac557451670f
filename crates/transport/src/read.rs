//! Reading from a location.

use std::path::Path;

use cooperage_blob::{Root, Source};
use cooperage_daemon_archive::{DockerArchive, OciArchive, ReadError, ReadOptions};
use cooperage_digest::Digest;
use cooperage_image_spec::Reference;
use cooperage_layout::{Layout, OpenError};

use crate::remote::Remote;
use crate::{Layers, Location, Medium, Network, NetworkError};

/// A location that was opened to be read.
pub struct Opened {
    inner: Inner,
    location: Location,
}

enum Inner {
    Local(Box<dyn Source>),
    Docker(Box<DockerArchive>),
    Remote(Box<Remote>),
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// Why an image was not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The layout could not be opened.
    #[error("cannot open `{location}`")]
    Layout {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The archive could not be opened.
    #[error("cannot open `{location}`")]
    Archive {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// Its roots could not be read.
    #[error("cannot read what `{location}` holds")]
    Roots {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: cooperage_blob::Error,
    },
    /// No root of that name or digest.
    #[error("`{location}` is not there; {}", held(names))]
    NotFound {
        /// The location.
        location: Location,
        /// What there is.
        names: Vec<String>,
    },
    /// The registry cannot be spoken to.
    #[error("cannot open `{location}`")]
    Network {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: NetworkError,
    },
    /// The registry does not give it.
    #[error("`{location}` cannot be had")]
    Registry {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: Box<cooperage_registry::Error>,
    },
    /// The daemon does not give it.
    #[error("`{location}` cannot be had")]
    Daemon {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: Box<cooperage_daemon::Error>,
    },
    /// A daemon's images are read by name.
    #[error("`{location}` names no image: expected `docker-daemon:REFERENCE`")]
    NoImage {
        /// The location.
        location: Location,
    },
    /// Registries are not asked, and the cache does not have it.
    #[error("`{location}` is not in the cache, and registries are not asked while offline")]
    NotCached {
        /// The location.
        location: Location,
    },
    /// Several, and no name given.
    #[error("`{location}` holds several images, say which: {}", held(names))]
    Ambiguous {
        /// The location.
        location: Location,
        /// What there is.
        names: Vec<String>,
    },
}

fn held(names: &[String]) -> String {
    const SHOWN: usize = 20;
    if names.is_empty() {
        return "there is no image in it".into();
    }
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    format!("it holds {}{more}", names.join(", "))
}

impl Location {
    /// Opens the medium; a registry as anybody may, without a cache. A pipe (`-` or a named pipe)
    /// is an archive too; it is spooled.
    pub fn open(&self) -> Result<Opened, FindError> {
        self.open_with(&Network::default(), Layers::default())
    }

    /// Opens the medium; a registry or a daemon by this way, which a registry's layers take as
    /// `layers` says. A daemon's image is spooled.
    pub fn open_with(&self, network: &Network, layers: Layers) -> Result<Opened, FindError> {
        let inner = match self.reference() {
            Some(reference) => {
                Inner::Remote(Box::new(Remote::open(self, reference, network, layers)?))
            }
            None if self.medium() == Medium::DockerDaemon => {
                Inner::Docker(Box::new(self.open_daemon(network)?))
            }
            None => self.open_local()?,
        };
        Ok(Opened {
            inner,
            location: self.clone(),
        })
    }

    fn open_daemon(&self, network: &Network) -> Result<DockerArchive, FindError> {
        let location = || self.clone();
        let Some(image) = self.image() else {
            return Err(FindError::NoImage {
                location: location(),
            });
        };
        let engine = network.engine().map_err(|source| FindError::Network {
            location: location(),
            source,
        })?;
        let saved = engine.save(std::slice::from_ref(image), &ReadOptions::default());
        saved.map_err(|source| FindError::Daemon {
            location: location(),
            source: Box::new(source),
        })
    }

    fn open_local(&self) -> Result<Inner, FindError> {
        let options = ReadOptions::default();
        let archive = |source| FindError::Archive {
            location: self.clone(),
            source,
        };
        let stdin = self.path() == Path::new("-");
        Ok(match self.medium() {
            // A registry or a daemon was opened before this.
            Medium::Oci | Medium::Docker | Medium::DockerDaemon => {
                let layout = Layout::open(self.path()).map_err(|source| FindError::Layout {
                    location: self.clone(),
                    source,
                })?;
                Inner::Local(Box::new(layout))
            }
            Medium::OciArchive => {
                let opened = if stdin {
                    OciArchive::from_reader(std::io::stdin(), &options)
                } else {
                    OciArchive::open(self.path(), &options)
                };
                Inner::Local(Box::new(opened.map_err(archive)?))
            }
            Medium::DockerArchive => {
                let opened = if stdin {
                    DockerArchive::from_reader(std::io::stdin(), &options)
                } else {
                    DockerArchive::open(self.path(), &options)
                };
                Inner::Docker(Box::new(opened.map_err(archive)?))
            }
        })
    }
}

impl Opened {
    /// The medium.
    #[must_use]
    pub fn source(&self) -> &dyn Source {
        match &self.inner {
            Inner::Local(source) => &**source,
            Inner::Docker(archive) => &**archive,
            Inner::Remote(remote) => &**remote,
        }
    }

    /// The medium, by itself.
    #[must_use]
    pub fn into_source(self) -> Box<dyn Source> {
        match self.inner {
            Inner::Local(source) => source,
            Inner::Docker(archive) => archive,
            Inner::Remote(remote) => remote,
        }
    }

    /// Whether this manifest stands in for the image's own, which a docker archive or a daemon did
    /// not keep, so that its digest is nobody's: see [`DockerArchive::is_stand_in`].
    #[must_use]
    pub fn is_stand_in(&self, manifest: &Digest) -> bool {
        match &self.inner {
            Inner::Docker(archive) => archive.is_stand_in(manifest),
            Inner::Local(_) | Inner::Remote(_) => false,
        }
    }

    /// All roots of the medium; of a registry, all tags of the repository.
    pub fn roots(&self) -> Result<Vec<Root>, FindError> {
        self.source().roots().map_err(|source| FindError::Roots {
            location: self.location.clone(),
            source,
        })
    }

    /// The root that the location means: that of its name or digest, or the only one there is; in a
    /// registry that of the tag, or of `latest`.
    ///
    /// # Errors
    ///
    /// [`FindError::NotFound`] and [`FindError::Ambiguous`] list what there is.
    pub fn root(&self) -> Result<Root, FindError> {
        if let Inner::Remote(remote) = &self.inner {
            return remote.root(&self.location);
        }
        let roots = self.roots()?;
        let location = || self.location.clone();
        let names = || roots.iter().map(label).collect::<Vec<_>>();
        let wanted = |root: &&Root| match (self.location.name(), self.location.digest()) {
            (Some(name), _) => self.is_named(root, name),
            (None, Some(digest)) => root.descriptor.digest == *digest,
            (None, None) => true,
        };
        let found: Vec<&Root> = roots.iter().filter(wanted).collect();
        let mut digests: Vec<&Digest> = found.iter().map(|root| &root.descriptor.digest).collect();
        digests.dedup();
        match (&found[..], digests.len()) {
            ([], _) => Err(FindError::NotFound {
                location: location(),
                names: names(),
            }),
            ([first, ..], 1) => Ok(Root::clone(first)),
            _ => Err(FindError::Ambiguous {
                location: location(),
                names: names(),
            }),
        }
    }

    /// A docker archive's names are references, all other media's are any text.
    fn is_named(&self, root: &Root, name: &str) -> bool {
        let Some(own) = &root.name else { return false };
        if own == name {
            return true;
        }
        let full = |name: &str| {
            name.parse::<Reference>()
                .map(Reference::with_default_tag)
                .ok()
        };
        self.location.medium() == Medium::DockerArchive
            && full(own).is_some_and(|own| Some(own) == full(name))
    }
}

fn label(root: &Root) -> String {
    root.name
        .clone()
        .unwrap_or_else(|| format!("@{}", root.descriptor.digest))
}
