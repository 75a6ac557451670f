//! Writing to a location.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cooperage_blob::{BlobWriter, Error, Root, Sink, Source};
use cooperage_daemon_archive::{ArchiveSink, Report, SinkError, WriteOptions};
use cooperage_digest::Algorithm;
use cooperage_image_spec::{Descriptor, Platform};
use cooperage_layout::{Layout, OpenError};
use cooperage_staging::{SamePlace, check_distinct};

use crate::complete::{Complete, Content, NewArchive};
use crate::new_layout::NewLayout;
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
/// What is published appears with [`Destination::finish`], and not at all without it: an archive
/// whole, in a layout all roots. Dropped before, it leaves what was there before, and a layout that
/// was not there is gone again; what was there keeps blobs that nothing names. What was put in can
/// be read before it is finished.
#[derive(Debug)]
pub struct Destination {
    // Let go of before a new layout is taken away.
    inner: Inner,
    location: Location,
}

#[derive(Debug)]
enum Inner {
    Layout {
        layout: Box<Layout>,
        roots: Mutex<Vec<Root>>,
        new: Option<NewLayout>,
    },
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
    /// The layout took all blobs, and cannot name what is made of them.
    #[error("cannot write to `{location}`")]
    Publish {
        /// The location.
        location: Location,
        /// Why.
        #[source]
        source: Error,
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
    /// Of two outputs only the last would be left.
    #[error(transparent)]
    SamePlace(#[from] SamePlace),
    /// Standard output cannot be replaced at the end, nor taken back.
    #[error("`{location}`: an image is not built to standard output")]
    StandardOutput {
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

/// Finds out what can be told before work of whether images can be written to all of these
/// locations, and other files beside them, and makes nothing. A layout has room for several names;
/// otherwise no two may be one place.
///
/// # Errors
///
/// Those of [`Location::check_output`]; [`DestinationError::SamePlace`].
pub fn check_outputs<'a>(
    locations: &'a [Location],
    files: impl IntoIterator<Item = &'a Path>,
) -> Result<(), DestinationError> {
    for location in locations {
        location.check_output()?;
    }
    let is_layout = |location: &&Location| location.medium() == Medium::Oci;
    let (layouts, archives): (Vec<_>, Vec<_>) = locations.iter().partition(is_layout);
    let layouts: BTreeSet<&Path> = layouts.into_iter().map(Location::path).collect();
    let archives = archives.into_iter().map(Location::path);
    check_distinct(layouts.into_iter().chain(archives).chain(files))?;
    Ok(())
}

impl Location {
    /// Finds out what can be told before work of whether an image can be written here, and makes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Digest`], [`DestinationError::StandardOutput`]; of an archive
    /// [`SinkError::NotAFile`], as [`DestinationError::Archive`].
    pub fn check_output(&self) -> Result<(), DestinationError> {
        let location = self.clone();
        if self.digest().is_some() {
            return Err(DestinationError::Digest { location });
        }
        if self.path() == Path::new("-") {
            return Err(DestinationError::StandardOutput { location });
        }
        match self.medium() {
            Medium::Oci => Ok(()),
            Medium::OciArchive | Medium::DockerArchive => ArchiveSink::check(self.path())
                .map_err(|source| DestinationError::Archive { location, source }),
        }
    }

    /// Opens the medium to write to it. A layout that is there is added to, at the end; an archive
    /// that is there is replaced, at the end.
    ///
    /// # Errors
    ///
    /// Those of [`Self::check_output`]; [`DestinationError::Layout`] and
    /// [`DestinationError::Archive`] if nothing can be written there.
    pub fn create(&self, options: &DestinationOptions) -> Result<Destination, DestinationError> {
        self.check_output()?;
        let archive = |source| DestinationError::Archive {
            location: self.clone(),
            source,
        };
        let mut write = WriteOptions::default();
        write.platform.clone_from(&options.platform);
        write.layers = options.layers;
        let inner = match self.medium() {
            Medium::Oci => {
                let new = NewLayout::before(self.path());
                let layout =
                    Layout::create(self.path()).map_err(|source| DestinationError::Layout {
                        location: self.clone(),
                        source,
                    })?;
                Inner::Layout {
                    layout: layout.into(),
                    roots: Mutex::default(),
                    new,
                }
            }
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
    /// The location, as it was given.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    fn sink(&self) -> &dyn Sink {
        match &self.inner {
            Inner::Layout { layout, .. } => &**layout,
            Inner::Archive(archive) => &**archive,
        }
    }

    fn source(&self) -> &dyn Source {
        match &self.inner {
            Inner::Layout { layout, .. } => &**layout,
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

    /// Ends the writing: an archive appears in its place, a layout names its roots.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Archive`] and [`DestinationError::Publish`]
    pub fn finish(self) -> Result<Finished, DestinationError> {
        let mut complete = self.complete()?;
        complete.show()?;
        Ok(complete.keep())
    }

    /// Writes all that is not written yet, and shows nothing.
    pub(crate) fn complete(self) -> Result<Complete, DestinationError> {
        let location = self.location;
        let content = match self.inner {
            Inner::Layout { layout, roots, new } => Content::Layout {
                layout,
                roots: roots.into_inner().unwrap_or_else(PoisonError::into_inner),
                new,
            },
            Inner::Archive(archive) => match archive.complete() {
                Ok(archive) => Content::Archive {
                    new: NewArchive::before(archive.target()),
                    archive: archive.into(),
                },
                Err(source) => return Err(DestinationError::Archive { location, source }),
            },
        };
        Ok(Complete { content, location })
    }
}

/// Every change is one call on one list, so a panic elsewhere leaves it whole.
fn lock(roots: &Mutex<Vec<Root>>) -> MutexGuard<'_, Vec<Root>> {
    roots.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Destination {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        self.sink().has(descriptor)
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        self.sink().create(algorithm)
    }

    fn publish(&self, root: &Root) -> Result<(), Error> {
        match &self.inner {
            Inner::Layout { layout, roots, .. } => {
                if !layout.blob_path(&root.descriptor.digest).is_file() {
                    let path = layout.path().display();
                    return Err(Error::blob_not_found(&root.descriptor, path));
                }
                lock(roots).push(root.clone());
                Ok(())
            }
            Inner::Archive(archive) => archive.publish(root),
        }
    }
}

impl Source for Destination {
    /// What was published through this destination alone.
    fn roots(&self) -> Result<Vec<Root>, Error> {
        match &self.inner {
            Inner::Layout { roots, .. } => Ok(lock(roots).clone()),
            Inner::Archive(archive) => archive.roots(),
        }
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        self.source().fetch(descriptor)
    }
}
