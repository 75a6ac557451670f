//! Directories that appear whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cooperage_staging::{TemporaryDirectory, parent};

/// A directory that is filled beside its place.
#[derive(Debug)]
pub(crate) struct StagedDirectory {
    temporary: TemporaryDirectory,
    target: PathBuf,
}

impl StagedDirectory {
    /// The directory is to lie at `target`, where nothing is, or an empty directory that a build
    /// system has made for it.
    pub(crate) fn new(target: &Path) -> Result<Self> {
        let failed = || format!("cannot write `{}`", target.display());
        let parent = parent(target);
        fs::create_dir_all(parent).with_context(failed)?;
        Ok(Self {
            temporary: TemporaryDirectory::new_in(parent).with_context(failed)?,
            target: target.to_owned(),
        })
    }

    /// Where it is filled; not made yet. It lies within the temporary directory, which is for this
    /// user alone.
    pub(crate) fn path(&self) -> PathBuf {
        self.temporary.path().join("new")
    }

    /// Puts it in its place.
    pub(crate) fn show(self) -> Result<()> {
        // Only an empty one can be removed so.
        let _ = fs::remove_dir(&self.target);
        let target = self.target.display();
        fs::rename(self.path(), &self.target)
            .with_context(|| format!("cannot write `{target}`: expected nothing there"))
    }
}
