//! Writing to a location.

use cooperage_blob::{BlobWriter, Root, Sink};
use cooperage_daemon_archive::{ArchiveSink, Report, SinkError, WriteOptions};
use cooperage_digest::Algorithm;
use cooperage_image_spec::{Descriptor, Platform};
use cooperage_layout::{Layout, OpenError};

use crate::{Location, Medium};

/// How a location is written to.
#[derive(Clone, Debug, Default)]
pub struct DestinationOptions {
    /// Which image of an index a docker archive gets.
    pub platform: Option<Platform>,
    /// zstd layers stay as they are in a docker archive, for engines that read them.
    pub layers: cooperage_daemon_archive::LayerForm,
}

/// A location that was opened to be written; a [`Sink`].
///
/// A layout shows each root when it is published; an archive appears, whole, with
/// [`Destination::finish`], and not at all without it.
#[derive(Debug)]
pub struct Destination {
    inner: Inner,
    location: Location,
}

#[derive(Debug)]
enum Inner {
    Layout(Box<Layout>),
    Archive(Box<ArchiveSink>),
}

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
    /// The archive could not be begun or finished.
    #[error("cannot write `{location}`")]
    Archive {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: SinkError,
    },
    /// A digest says what is to be written; it cannot be chosen.
    #[error("`{location}` names a digest: a destination takes a name, or none")]
    Digest {
        /// The location.
        location: Location,
    },
}

/// What was written.
#[derive(Debug)]
pub struct Finished {
    /// What became of the images in an archive.
    pub report: Option<Report>,
}

impl Location {
    /// Opens the medium to write to it. A layout that is there is added to; an archive that is
    /// there is replaced, at the end.
    pub fn create(&self, options: &DestinationOptions) -> Result<Destination, DestinationError> {
        if self.digest().is_some() {
            return Err(DestinationError::Digest {
                location: self.clone(),
            });
        }
        let archive = |source| DestinationError::Archive {
            location: self.clone(),
            source,
        };
        let mut write = WriteOptions::default();
        write.platform.clone_from(&options.platform);
        write.layers = options.layers;
        let inner = match self.medium() {
            Medium::Oci => Layout::create(self.path())
                .map(|layout| Inner::Layout(layout.into()))
                .map_err(|source| DestinationError::Layout {
                    location: self.clone(),
                    source,
                })?,
            Medium::OciArchive => {
                Inner::Archive(ArchiveSink::oci(self.path()).map_err(archive)?.into())
            }
            Medium::DockerArchive => {
                let sink = ArchiveSink::docker(self.path(), &write).map_err(archive)?;
                Inner::Archive(sink.into())
            }
        };
        Ok(Destination {
            inner,
            location: self.clone(),
        })
    }
}

impl Destination {
    fn sink(&self) -> &dyn Sink {
        match &self.inner {
            Inner::Layout(layout) => &**layout,
            Inner::Archive(archive) => &**archive,
        }
    }

    /// The name under which a root goes in: the location's, else the root's own where this medium
    /// can have it. A docker archive takes image references only, so a layout's bare tag is left
    /// out there.
    #[must_use]
    pub fn name_for(&self, root: &Root) -> Option<String> {
        let own = || {
            let name = root.name.clone()?;
            let reference =
                self.location.medium() != Medium::DockerArchive || name.contains([':', '/', '@']);
            reference.then_some(name)
        };
        self.location.name().map(str::to_owned).or_else(own)
    }

    /// Ends the writing; an archive appears in its place.
    pub fn finish(self) -> Result<Finished, DestinationError> {
        let location = self.location;
        let report = match self.inner {
            Inner::Layout(_) => None,
            Inner::Archive(archive) => {
                let archive = archive.finish();
                Some(archive.map_err(|source| DestinationError::Archive { location, source })?)
            }
        };
        Ok(Finished { report })
    }
}

impl Sink for Destination {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, cooperage_blob::Error> {
        self.sink().has(descriptor)
    }

    fn create(
        &self,
        algorithm: Algorithm,
    ) -> Result<Box<dyn BlobWriter + '_>, cooperage_blob::Error> {
        self.sink().create(algorithm)
    }

    fn publish(&self, root: &Root) -> Result<(), cooperage_blob::Error> {
        self.sink().publish(root)
    }
}
