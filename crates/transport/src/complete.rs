//! Destinations that have all they are to hold, and do not show it yet.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cooperage_blob::{Root, Sink};
use cooperage_daemon_archive::{CompleteArchive, Report};
use cooperage_layout::Layout;

use crate::loading::Loading;
use crate::new_layout::NewLayout;
use crate::pushing::{Pushing, Sent};
use crate::stock::Stock;
use crate::write::Inner;
use crate::{Destination, DestinationError, DestinationOptions, Finished, Location, Medium};

/// One destination, which goes away again unless it is kept, if nothing was there before.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(crate) content: Content,
    pub(crate) location: Location,
}

#[derive(Debug)]
pub(crate) enum Content {
    Layout {
        // Let go of before a new layout is taken away.
        layout: Arc<Layout>,
        roots: Vec<Root>,
        new: Option<NewLayout>,
    },
    Archive {
        archive: Box<CompleteArchive>,
        new: Option<NewArchive>,
    },
    Registry(Box<Pushing>),
    Daemon(Box<Loading>),
}

/// An archive where nothing was.
#[derive(Debug)]
pub(crate) struct NewArchive {
    target: PathBuf,
    is_shown: bool,
}

impl NewArchive {
    pub(crate) fn before(target: &Path) -> Option<Self> {
        target.symlink_metadata().is_err().then(|| Self {
            target: target.to_owned(),
            is_shown: false,
        })
    }
}

impl Drop for NewArchive {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = fs::remove_file(&self.target);
        }
    }
}

impl Complete {
    fn report(&self) -> Option<&Report> {
        match &self.content {
            Content::Archive { archive, .. } => Some(archive.report()),
            Content::Layout { .. } | Content::Registry(_) | Content::Daemon(_) => None,
        }
    }

    fn sent(&self) -> Option<Sent> {
        match &self.content {
            Content::Registry(pushing) => Some(pushing.sent()),
            Content::Daemon(loading) => Some(loading.sent()),
            Content::Layout { .. } | Content::Archive { .. } => None,
        }
    }

    pub(crate) fn show(&mut self) -> Result<(), DestinationError> {
        let location = || self.location.clone();
        match &mut self.content {
            Content::Layout { layout, roots, new } => {
                for root in roots.iter() {
                    if let Some(new) = new {
                        new.shown.push(root.clone());
                    }
                    layout
                        .publish(root)
                        .map_err(|source| DestinationError::Publish {
                            location: location(),
                            source,
                        })?;
                }
            }
            Content::Archive { archive, new } => {
                if let Some(new) = new {
                    new.is_shown = true;
                }
                archive.show().map_err(|source| DestinationError::Archive {
                    location: location(),
                    source,
                })?;
            }
            Content::Registry(pushing) => {
                pushing.show().map_err(push_error(self.location.clone()))?;
            }
            Content::Daemon(loading) => {
                loading.show().map_err(push_error(self.location.clone()))?;
            }
        }
        Ok(())
    }

    /// It stays.
    fn hold(&mut self) {
        match &mut self.content {
            Content::Layout { new, .. } => {
                if let Some(new) = new.take() {
                    new.keep();
                }
            }
            Content::Archive { new, .. } => {
                if let Some(mut new) = new.take() {
                    new.is_shown = false;
                }
            }
            Content::Registry(_) | Content::Daemon(_) => {}
        }
    }

    pub(crate) fn keep(mut self) -> Finished {
        self.hold();
        Finished {
            report: self.report().cloned(),
            sent: self.sent(),
        }
    }
}

fn push_error(location: Location) -> impl FnOnce(cooperage_blob::Error) -> DestinationError {
    |source| DestinationError::Push {
        location,
        written: Vec::new(),
        source,
    }
}

/// Several destinations that are written together: all of them appear, or none that is new.
///
/// Daemons load last, and after them registries get their names, when everything else is there:
/// neither can be taken back.
///
/// # Examples
///
/// ```
/// use cooperage_blob::{Root, Sink, put};
/// use cooperage_image_spec::MediaType;
/// use cooperage_transport::{DestinationOptions, Destinations, Location, Medium};
///
/// # let directory = tempfile::tempdir()?;
/// let at = |medium, name| Location::new(medium, &directory.path().join(name));
/// let locations = [at(Medium::OciArchive, "a.tar"), at(Medium::Oci, "layout")];
/// let destinations = Destinations::create(&locations, &DestinationOptions::default())?;
/// for sink in destinations.iter() {
///     let note = put(sink, MediaType::new("text/plain"), b"a note")?;
///     sink.publish(&Root::named("note", note))?;
/// }
/// let mut completed = destinations.complete()?;
/// assert!(!directory.path().join("a.tar").exists());
/// completed.show()?;
/// completed.keep();
/// assert!(directory.path().join("a.tar").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Destinations(Backwards<(usize, Destination)>);

impl Destinations {
    /// Opens all of them, so that what can be told before work is told.
    ///
    /// # Errors
    ///
    /// Those of [`Location::create`].
    pub fn create(
        locations: &[Location],
        options: &DestinationOptions,
    ) -> Result<Self, DestinationError> {
        let mut order: Vec<_> = locations.iter().enumerate().collect();
        order.sort_by_key(|(_, location)| match location.medium() {
            Medium::Oci => 0,
            // Whoever keeps blobs for itself keeps them for all.
            Medium::DockerDaemon => 1,
            Medium::Docker => 2,
            Medium::OciArchive | Medium::DockerArchive => 3,
        });
        let mut all = Self(Backwards(VecDeque::new()));
        // Of these two, the one that may hold a layout open is dropped first.
        let stock = Stock::new(&options.lent);
        for (number, location) in order {
            let destination = location.create_beside(options, &stock)?;
            match &destination.inner {
                Inner::Layout { layout, .. } => drop(stock.layout.set(Arc::clone(layout))),
                Inner::Registry(pushing) => {
                    let others = all.iter().filter_map(|other| match &other.inner {
                        Inner::Registry(other) => Some(other),
                        _ => None,
                    });
                    others.for_each(|other| pushing.mount_from(other));
                }
                Inner::Archive(_) | Inner::Daemon(_) => {}
            }
            all.0.0.push_back((number, destination));
        }
        Ok(all)
    }

    /// All of them. The first is the one that an image is best built into, for the others to be
    /// copied from it: a layout, else a daemon or a registry, else the first that was given.
    pub fn iter(&self) -> impl Iterator<Item = &Destination> {
        self.0.0.iter().map(|(_, destination)| destination)
    }

    /// Writes all that is not written yet, and shows nothing.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Archive`]
    pub fn complete(self) -> Result<Completed, DestinationError> {
        // Of these two, the one with those that come later is dropped first.
        let mut all = Backwards(VecDeque::new());
        let mut rest = self.0;
        while let Some((number, destination)) = rest.0.pop_front() {
            all.0.push_back((number, destination.complete()?));
        }
        Ok(Completed(all))
    }
}

/// Destinations that have all they are to hold. Dropped before they are kept, those that are new
/// are gone again, unless a daemon or a registry was at it already.
#[derive(Debug)]
pub struct Completed(Backwards<(usize, Complete)>);

/// What is in one of several destinations.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output<'a> {
    /// Where it is.
    pub location: &'a Location,
    /// What became of the images in an archive.
    pub report: Option<&'a Report>,
    /// What went to a registry or a daemon until now.
    pub sent: Option<Sent>,
}

impl Completed {
    /// What is in each of them, in the order in which they were given.
    pub fn outputs(&self) -> impl Iterator<Item = Output<'_>> {
        let mut all: Vec<_> = self.0.0.iter().collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, at)| Output {
            location: &at.location,
            report: at.report(),
            sent: at.sent(),
        })
    }

    /// Has all of them appear: layouts, which may yet lack room, before archives, then daemons, and
    /// registries last of all, in the order in which they were given. From the first daemon or
    /// registry on everything stays, whatever happens.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Publish`], [`DestinationError::Archive`]; what came before in one that
    /// is not new stays then. [`DestinationError::Push`] says what is there already.
    pub fn show(&mut self) -> Result<(), DestinationError> {
        let place = |at: &Complete| match at.content {
            Content::Layout { .. } => 0,
            Content::Archive { .. } => 1,
            Content::Daemon(_) => 2,
            Content::Registry(_) => 3,
        };
        let mut order: Vec<_> = (0..self.0.0.len()).collect();
        order.sort_by_key(|at| (place(&self.0.0[*at].1), *at));
        let mut shown = Vec::new();
        for at in order {
            if place(&self.0.0[at].1) >= 2 {
                self.0.0.iter_mut().for_each(|(_, other)| other.hold());
            }
            let (_, destination) = &mut self.0.0[at];
            destination.show().map_err(|error| match error {
                DestinationError::Push {
                    location, source, ..
                } => DestinationError::Push {
                    location,
                    written: std::mem::take(&mut shown),
                    source,
                },
                other => other,
            })?;
            shown.push(destination.location.clone());
        }
        Ok(())
    }

    /// They stay.
    pub fn keep(mut self) {
        for (_, at) in self.0.0.drain(..) {
            at.keep();
        }
    }
}

/// The last is dropped first: the second of two destinations in one new layout must let go of it
/// before the first can take it away.
#[derive(Debug)]
struct Backwards<T>(VecDeque<T>);

impl<T> Drop for Backwards<T> {
    fn drop(&mut self) {
        while self.0.pop_back().is_some() {}
    }
}
