//! Files that lie in one directory, one after the other.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Opens files, and asks for their lengths. The way to the directory is gone once for all of its
/// files that come after the second; so what has taken the directory's place meanwhile is not seen.
#[derive(Debug, Default)]
pub struct Neighbours {
    /// Where the last file was.
    #[cfg(unix)]
    parent: PathBuf,
    /// That directory, if two files were in it.
    #[cfg(unix)]
    directory: Option<std::os::fd::OwnedFd>,
}

#[cfg(unix)]
impl Neighbours {
    /// Opens a file to read it. What has become a pipe meanwhile does not hold anybody up.
    pub(crate) fn open(&mut self, path: &Path) -> io::Result<File> {
        use rustix::fs::{Mode, OFlags, openat};
        let Some((directory, name)) = self.enter(path) else {
            return super::open(path);
        };
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::io::retry_on_intr(|| openat(directory, name, flags, Mode::empty()))?;
        Ok(opened.into())
    }

    /// The length of a file in bytes; links are followed.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn len_of(&mut self, path: &Path) -> io::Result<u64> {
        use rustix::fs::{AtFlags, statat};
        let Some((directory, name)) = self.enter(path) else {
            return Ok(std::fs::metadata(path)?.len());
        };
        let state = statat(directory, name, AtFlags::empty())?;
        Ok(state.st_size.cast_unsigned())
    }

    /// The directory and the name in it of a file that has neighbours.
    fn enter<'a>(
        &mut self,
        path: &'a Path,
    ) -> Option<(&std::os::fd::OwnedFd, &'a std::ffi::OsStr)> {
        use rustix::fs::{CWD, Mode, OFlags, openat};
        let (parent, name) = (path.parent()?, path.file_name()?);
        if parent.as_os_str() != self.parent.as_os_str() {
            self.directory = None;
            self.parent.clear();
            self.parent.push(parent);
            return None;
        }
        if self.directory.is_none() && !parent.as_os_str().is_empty() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            // Whatever is wrong with it, the whole path tells.
            self.directory = openat(CWD, parent, flags, Mode::empty()).ok();
        }
        Some((self.directory.as_ref()?, name))
    }
}

#[cfg(not(unix))]
impl Neighbours {
    pub(crate) fn open(&mut self, path: &Path) -> io::Result<File> {
        super::open(path)
    }

    /// The length of a file in bytes; links are followed.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn len_of(&mut self, path: &Path) -> io::Result<u64> {
        Ok(std::fs::metadata(path)?.len())
    }
}
