//! Writing to a location.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cooperage_blob::{
    BlobWriter, Copied, CopyOptions, Error, NoProgress, Progress, Root, Sink, Source, copy,
};
use cooperage_daemon_archive::{ArchiveSink, Report, WriteOptions};
use cooperage_digest::Algorithm;
use cooperage_image_spec::{Descriptor, Platform, Reference};
use cooperage_layout::Layout;

use crate::complete::{Complete, Content, NewArchive};
use crate::loading::Loading;
use crate::new_layout::NewLayout;
use crate::pushing::{Pushing, Sent};
use crate::stock::{Lent, Reading, Stock};
use crate::{DestinationError, Location, Medium, Network};

/// How a location is written to.
#[derive(Clone)]
pub struct DestinationOptions {
    /// Which image of an index a docker archive or a daemon gets.
    pub platform: Option<Platform>,
    /// zstd layers stay as they are in a docker archive, for engines that read them.
    pub layers: cooperage_daemon_archive::LayerForm,
    /// How registries and the daemon are reached.
    pub network: Network,
    /// Layers of base images, and where they lie.
    pub lent: Arc<Lent>,
    /// Who is told of what a destination does beside what it is asked for: a registry is sent what
    /// was made as soon as it is whole, and a daemon everything at the end.
    pub progress: Arc<dyn Progress>,
}

impl Default for DestinationOptions {
    fn default() -> Self {
        Self {
            platform: None,
            layers: cooperage_daemon_archive::LayerForm::default(),
            network: Network::default(),
            lent: Arc::default(),
            progress: Arc::new(NoProgress),
        }
    }
}

impl std::fmt::Debug for DestinationOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DestinationOptions")
            .field("platform", &self.platform)
            .field("layers", &self.layers)
            .field("network", &self.network)
            .field("lent", &self.lent)
            .finish_non_exhaustive()
    }
}

/// A location that was opened to be written; a [`Sink`].
///
/// What is published appears with [`Destination::finish`], and not at all without it: an archive
/// whole, in a layout all roots. Dropped before, it leaves what was there before, and a layout that
/// was not there is gone again; what was there keeps blobs that nothing names. What was put in can
/// be read before it is finished, and so can the layers that are lent.
///
/// A registry gets blobs at once, where nothing names them, and names with [`Destination::finish`]:
/// one by one, and they cannot be taken back. A blob whose digest is not known beforehand is kept
/// in `TMPDIR` until it is sent, which it is not if the registry has it. A daemon gets everything
/// with [`Destination::finish`], but for the layers that it has.
#[derive(Debug)]
pub struct Destination {
    // Let go of before a new layout is taken away.
    pub(crate) inner: Inner,
    location: Location,
    lent: Arc<Lent>,
}

#[derive(Debug)]
pub(crate) enum Inner {
    Layout {
        layout: Arc<Layout>,
        roots: Mutex<Vec<Root>>,
        new: Option<NewLayout>,
    },
    Archive(Box<ArchiveSink>),
    Registry(Box<Pushing>),
    Daemon(Box<Loading>),
}

/// What was written.
#[derive(Debug)]
pub struct Finished {
    /// What became of the images in an archive.
    pub report: Option<Report>,
    /// What went to a registry or a daemon.
    pub sent: Option<Sent>,
}

impl Location {
    /// Opens the medium to write to it. A layout that is there is added to, at the end; an archive
    /// that is there is replaced, at the end. Of a registry nothing is asked yet.
    ///
    /// # Errors
    ///
    /// Those of [`Self::check_output`]; [`DestinationError::Layout`] and
    /// [`DestinationError::Archive`] if nothing can be written there; [`DestinationError::Network`].
    pub fn create(&self, options: &DestinationOptions) -> Result<Destination, DestinationError> {
        self.create_beside(options, &Stock::new(&options.lent))
    }

    /// As [`Location::create`], beside other destinations.
    pub(crate) fn create_beside(
        &self,
        options: &DestinationOptions,
        stock: &Arc<Stock>,
    ) -> Result<Destination, DestinationError> {
        self.check_output()?;
        let archive = |source| DestinationError::Archive {
            location: self.clone(),
            source,
        };
        let mut write = WriteOptions::default();
        write.platform.clone_from(&options.platform);
        write.layers = options.layers;
        let inner = match (self.medium(), self.reference()) {
            (_, Some(reference)) => self.create_pushing(reference, options, stock)?,
            (Medium::OciArchive, None) => {
                Inner::Archive(ArchiveSink::oci(self.path()).map_err(archive)?.into())
            }
            (Medium::DockerArchive, None) => {
                let sink = ArchiveSink::docker(self.path(), &write).map_err(archive)?;
                Inner::Archive(sink.into())
            }
            (Medium::DockerDaemon, None) => self.create_loading(options, stock)?,
            (_, None) => self.create_layout()?,
        };
        Ok(Destination {
            inner,
            location: self.clone(),
            lent: Arc::clone(&options.lent),
        })
    }

    fn create_loading(
        &self,
        options: &DestinationOptions,
        stock: &Arc<Stock>,
    ) -> Result<Inner, DestinationError> {
        // Nobody wants to build for a daemon that is not there.
        let there = options.network.engine();
        there.map_err(|source| DestinationError::Network {
            location: self.clone(),
            source,
        })?;
        let loading = Loading::new(
            options.network.clone(),
            options.platform.clone(),
            Arc::clone(stock),
            Arc::clone(&options.progress),
        );
        Ok(Inner::Daemon(loading.into()))
    }

    fn create_layout(&self) -> Result<Inner, DestinationError> {
        let new = NewLayout::before(self.path());
        let layout = Layout::create(self.path()).map_err(|source| DestinationError::Layout {
            location: self.clone(),
            source,
        })?;
        Ok(Inner::Layout {
            layout: layout.into(),
            roots: Mutex::default(),
            new,
        })
    }

    fn create_pushing(
        &self,
        reference: &Reference,
        options: &DestinationOptions,
        stock: &Arc<Stock>,
    ) -> Result<Inner, DestinationError> {
        let repository =
            options
                .network
                .repository(reference)
                .map_err(|source| DestinationError::Network {
                    location: self.clone(),
                    source,
                })?;
        let pushing = Pushing::new(repository, Arc::clone(stock), Arc::clone(&options.progress));
        Ok(Inner::Registry(pushing.into()))
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
            Inner::Registry(pushing) => &**pushing,
            Inner::Daemon(loading) => &**loading,
        }
    }

    fn source(&self) -> &dyn Source {
        match &self.inner {
            Inner::Layout { layout, .. } => &**layout,
            Inner::Archive(archive) => &**archive,
            Inner::Registry(pushing) => &**pushing,
            Inner::Daemon(loading) => &**loading,
        }
    }

    /// Copies a root and all it refers to, as [`copy`] does. A daemon is sent it at once, straight
    /// from the source, and neither before nor after is anything of it kept here.
    ///
    /// # Errors
    ///
    /// Those of [`copy`], and what the daemon says.
    pub fn copy_from(
        &self,
        source: &dyn Source,
        root: &Root,
        options: &CopyOptions<'_>,
    ) -> Result<Copied, Error> {
        let Inner::Daemon(loading) = &self.inner else {
            return copy(source, root, self, options);
        };
        let before = loading.sent();
        loading.load_from(source, root, options)?;
        let after = loading.sent();
        Ok(Copied {
            blobs: after.blobs - before.blobs,
            bytes: after.bytes - before.bytes,
            skipped: after.skipped - before.skipped,
        })
    }

    /// Ends the writing: an archive appears in its place, a layout names its roots, a registry is
    /// told the names, a daemon loads what was put in.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Archive`], [`DestinationError::Publish`] and [`DestinationError::Push`]
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
            Inner::Registry(pushing) => Content::Registry(pushing),
            Inner::Daemon(loading) => Content::Daemon(loading),
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
            Inner::Archive(_) | Inner::Registry(_) | Inner::Daemon(_) => self.sink().publish(root),
        }
    }

    fn holds(&self, root: &Root) -> Result<bool, Error> {
        self.sink().holds(root)
    }

    fn take(
        &self,
        source: &dyn Source,
        descriptor: &Descriptor,
        moved: &mut dyn FnMut(u64),
    ) -> Result<Option<u64>, Error> {
        self.sink().take(source, descriptor, moved)
    }

    fn take_root(&self, source: &dyn Source, root: &Root) -> Result<Option<u64>, Error> {
        match &self.inner {
            // Its names come at the end.
            Inner::Layout { .. } => Ok(None),
            Inner::Archive(_) | Inner::Registry(_) | Inner::Daemon(_) => {
                self.sink().take_root(source, root)
            }
        }
    }
}

impl Source for Destination {
    /// What was published through this destination alone.
    fn roots(&self) -> Result<Vec<Root>, Error> {
        match &self.inner {
            Inner::Layout { roots, .. } => Ok(lock(roots).clone()),
            Inner::Archive(_) | Inner::Registry(_) | Inner::Daemon(_) => self.source().roots(),
        }
    }

    fn fetch(&self, descriptor: &Descriptor) -> Reading<'_> {
        match self.source().fetch(descriptor) {
            Err(error) if error.is_not_found() => {
                let lent = self.lent.fetch(descriptor);
                lent.unwrap_or(Err(error))
            }
            result => result,
        }
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        let own = || self.source().origin(descriptor);
        self.lent.origin(descriptor).or_else(own)
    }
}
