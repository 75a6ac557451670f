//! Where a tree is unpacked to: beside its place first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Existing, UnpackError};
use crate::host::directory::{Failure, Parent, Root, failure};

/// The name that a directory is to have, and who has it now.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    parent: PathBuf,
    name: PathBuf,
    /// Whether a directory that holds something is to be replaced.
    replaces: bool,
}

impl Place {
    /// Looks at `directory` without changing anything.
    pub(super) fn find(directory: &Path, existing: Existing) -> Result<Self, UnpackError> {
        let no_name = || UnpackError::NoName {
            directory: directory.to_owned(),
        };
        // `.` and `..` have other names too, but one who stands in a directory wants to stay in it.
        directory.file_name().ok_or_else(no_name)?;
        let look = |source| UnpackError::Directory {
            action: "look at",
            directory: directory.to_owned(),
            source,
        };
        let (resolved, is_there) = match fs::canonicalize(directory) {
            Ok(resolved) => (resolved, true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (directory.to_owned(), false),
            Err(error) => return Err(look(error)),
        };
        let is_directory = resolved.is_dir();
        if is_there != is_directory || (!is_there && directory.symlink_metadata().is_ok()) {
            return Err(UnpackError::NotADirectory {
                directory: directory.to_owned(),
            });
        }
        let replaces = is_there && !is_empty(&resolved).map_err(look)?;
        if replaces && existing == Existing::Keep {
            return Err(UnpackError::Occupied {
                directory: directory.to_owned(),
            });
        }
        let parent = resolved.parent().ok_or_else(no_name)?;
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        let name = resolved.file_name().ok_or_else(no_name)?;
        Ok(Self {
            parent: parent.to_owned(),
            name: name.into(),
            directory: directory.to_owned(),
            replaces,
        })
    }

    /// Makes a directory beside the place.
    pub(super) fn stage(self) -> Result<Stage, UnpackError> {
        let parent = Parent::open(&self.parent).map_err(|source| self.failed("make", source))?;
        for attempt in 0..u16::MAX {
            let name = format!(".cooperage-{}-{attempt}.tmp", std::process::id());
            match parent.make_root(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.failed("make a directory beside", error)),
                Ok(root) => {
                    return Ok(Stage {
                        place: self,
                        parent,
                        root,
                        name,
                        is_published: false,
                    });
                }
            }
        }
        let error = io::Error::other("too many directories of earlier attempts lie there");
        Err(self.failed("make a directory beside", error))
    }

    fn failed(&self, action: &'static str, source: io::Error) -> UnpackError {
        UnpackError::Directory {
            action,
            directory: self.directory.clone(),
            source,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "one entry is enough, whichever")]
fn is_empty(directory: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(directory)?.next().transpose()?.is_none())
}

/// The directory beside the place; dropped, it is removed with all that was made in it.
#[derive(Debug)]
pub(super) struct Stage {
    place: Place,
    parent: Parent,
    root: Root,
    name: String,
    is_published: bool,
}

impl Stage {
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// Gives the directory its name.
    pub(super) fn publish(mut self) -> Result<(), UnpackError> {
        let place = &self.place;
        if place.replaces {
            self.parent
                .exchange(&self.name, &place.name)
                .map_err(|source| place.failed("replace", source))?;
            self.is_published = true;
            let removed = self.parent.remove_all(&self.name);
            return removed.map_err(|source| UnpackError::Directory {
                action: "remove what was replaced, now",
                directory: place.parent.join(&self.name),
                source,
            });
        }
        match self.parent.rename(&self.name, &place.name) {
            Ok(()) => self.is_published = true,
            // It was empty, or not there, a while ago.
            Err(error) if failure(&error) == Failure::NotEmpty => {
                return Err(UnpackError::Occupied {
                    directory: place.directory.clone(),
                });
            }
            Err(error) => return Err(place.failed("put in its place", error)),
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.is_published {
            // There is another error to tell already.
            drop(self.parent.remove_all(&self.name));
        }
    }
}
