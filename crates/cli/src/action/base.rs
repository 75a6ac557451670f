//! Where relative names of a request start from.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cooperage_transport::Location;

use super::runfiles::Runfiles;

/// Where relative names start from.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// A directory; the working directory where it is empty.
    Directory(PathBuf),
    /// Names are those of runfiles, as `_main/app/app.blob`.
    Runfiles(Runfiles),
}

impl Default for Base {
    fn default() -> Self {
        Self::Directory(PathBuf::new())
    }
}

impl Base {
    /// The file of that name.
    pub(crate) fn file(&self, name: &Path) -> Result<PathBuf> {
        match self {
            Self::Directory(root) => Ok(root.join(name)),
            Self::Runfiles(runfiles) => runfiles.find(name),
        }
    }

    /// A place as `oci:DIR` names it; one that is not local stays as it is.
    pub(crate) fn location(&self, text: &str) -> Result<Location> {
        let location: Location = text
            .parse()
            .with_context(|| format!("`{text}` is no location"))?;
        match self {
            Self::Directory(root) => Ok(location.below(root)),
            Self::Runfiles(_) if !location.medium().is_local() => Ok(location),
            Self::Runfiles(runfiles) => {
                let path = runfiles.find(location.path())?;
                Ok(location.with_path(&path))
            }
        }
    }

    /// The directory that names in a plan start from.
    pub(crate) fn root(&self) -> &Path {
        match self {
            Self::Directory(root) => root,
            Self::Runfiles(_) => Path::new(""),
        }
    }
}

/// What follows the first character, which is one byte.
pub(crate) fn after_first(arg: &OsStr) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        OsStr::from_bytes(arg.as_bytes().get(1..).unwrap_or_default()).into()
    }
    #[cfg(not(unix))]
    {
        arg.to_string_lossy()
            .chars()
            .skip(1)
            .collect::<String>()
            .into()
    }
}
