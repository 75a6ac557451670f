//! Destinations that have all they are to hold, and do not show it yet.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use cooperage_blob::{Root, Sink};
use cooperage_daemon_archive::{CompleteArchive, Report};
use cooperage_layout::Layout;

use crate::new_layout::NewLayout;
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
        layout: Box<Layout>,
        roots: Vec<Root>,
        new: Option<NewLayout>,
    },
    Archive {
        archive: Box<CompleteArchive>,
        new: Option<NewArchive>,
    },
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
            Content::Layout { .. } => None,
            Content::Archive { archive, .. } => Some(archive.report()),
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
        }
        Ok(())
    }

    pub(crate) fn keep(self) -> Finished {
        match self.content {
            Content::Layout { new, .. } => {
                if let Some(new) = new {
                    new.keep();
                }
                Finished { report: None }
            }
            Content::Archive { archive, new } => {
                if let Some(mut new) = new {
                    new.is_shown = false;
                }
                let report = Some(archive.report().clone());
                Finished { report }
            }
        }
    }
}

/// Several destinations that are written together: all of them appear, or none that is new.
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
pub struct Destinations(Backwards<Destination>);

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
        let mut all = Backwards(VecDeque::new());
        for location in locations {
            all.0.push_back(location.create(options)?);
        }
        Ok(Self(all))
    }

    /// All of them, as they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Destination> {
        self.0.0.iter()
    }

    /// The one that an image is best built into, for the others to be copied from it: the first
    /// layout, else the first of all; none if there are none. The number says which it is.
    #[must_use]
    pub fn first(&self) -> Option<(usize, &Destination)> {
        let is_layout = |(_, at): &(usize, &Destination)| at.location().medium() == Medium::Oci;
        let mut all = self.iter().enumerate();
        all.find(is_layout)
            .or_else(|| self.iter().enumerate().next())
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
        while let Some(destination) = rest.0.pop_front() {
            all.0.push_back(destination.complete()?);
        }
        Ok(Completed(all))
    }
}

/// Destinations that have all they are to hold. Dropped before they are kept, those that are new
/// are gone again.
#[derive(Debug)]
pub struct Completed(Backwards<Complete>);

impl Completed {
    /// What became of the images in each archive; nothing for a layout.
    pub fn reports(&self) -> impl Iterator<Item = (&Location, Option<&Report>)> {
        self.0.0.iter().map(|at| (&at.location, at.report()))
    }

    /// Has all of them appear: layouts, which may yet lack room, before archives.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Publish`], [`DestinationError::Archive`]; what came before in one that
    /// is not new stays then.
    pub fn show(&mut self) -> Result<(), DestinationError> {
        let is_layout = |at: &&mut Complete| matches!(at.content, Content::Layout { .. });
        let (layouts, archives): (Vec<_>, Vec<_>) = self.0.0.iter_mut().partition(is_layout);
        layouts
            .into_iter()
            .chain(archives)
            .try_for_each(Complete::show)
    }

    /// They stay.
    pub fn keep(mut self) {
        for at in self.0.0.drain(..) {
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
