//! What can be told of outputs before there is one.

use std::collections::BTreeSet;
use std::path::Path;

use cooperage_daemon::ImageName;
use cooperage_daemon_archive::ArchiveSink;
use cooperage_staging::check_distinct;

use crate::{DestinationError, Location, Medium};

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
    let locations = locations.iter().filter(|at| at.medium().is_local());
    let is_layout = |location: &&Location| location.medium() == Medium::Oci;
    let (layouts, archives): (Vec<_>, Vec<_>) = locations.partition(is_layout);
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
    /// [`SinkError::NotAFile`](cooperage_daemon_archive::SinkError::NotAFile), as [`DestinationError::Archive`].
    pub fn check_output(&self) -> Result<(), DestinationError> {
        let location = self.clone();
        if self.digest().is_some() {
            return Err(DestinationError::Digest { location });
        }
        if self.path() == Path::new("-") {
            return Err(DestinationError::StandardOutput { location });
        }
        match self.medium() {
            Medium::Oci | Medium::Docker => Ok(()),
            Medium::DockerDaemon => match self.image() {
                Some(ImageName::Id(_)) => Err(DestinationError::Digest { location }),
                Some(ImageName::Reference(name)) if name.digest().is_some() => {
                    Err(DestinationError::Digest { location })
                }
                _ => Ok(()),
            },
            Medium::OciArchive | Medium::DockerArchive => ArchiveSink::check(self.path())
                .map_err(|source| DestinationError::Archive { location, source }),
        }
    }
}
