//! Layouts that were not there before.

use std::fs;
use std::path::{Path, PathBuf};

use cooperage_blob::{Root, Source};
use cooperage_image_spec::annotations;
use cooperage_layout::{GcOptions, Layout};

/// What there was before a layout was begun. Dropped, it takes the layout away again, unless
/// somebody else has put an image there since, or it is kept.
///
/// Only what is known to be a layout's is removed, file by file.
#[derive(Debug)]
pub(crate) struct NewLayout {
    path: PathBuf,
    /// Directories that were not there, the innermost first.
    made: Vec<PathBuf>,
    /// What the layout has been made to show.
    pub(crate) shown: Vec<Root>,
}

impl NewLayout {
    /// To be called before the layout is made; `None` if there is one already, or anything else.
    pub(crate) fn before(path: &Path) -> Option<Self> {
        let mut made = Vec::new();
        let mut at = Some(path);
        while let Some(missing) = at.filter(|at| at.symlink_metadata().is_err()) {
            if !missing.as_os_str().is_empty() {
                made.push(missing.to_owned());
            }
            at = missing.parent();
        }
        (!made.is_empty() || is_empty(path)).then(|| Self {
            path: path.to_owned(),
            made,
            shown: Vec::new(),
        })
    }

    /// It stays.
    pub(crate) fn keep(mut self) {
        self.path.clear();
    }

    /// Empties the layout, if there is one, as nobody else can be at it meanwhile.
    fn clear(&self) -> bool {
        let Ok(layout) = Layout::open(&self.path) else {
            return true;
        };
        let is_ours = |root: &Root, name: Option<&String>, digest| {
            root.name.as_ref() == name && root.descriptor.digest == digest
        };
        let removed = layout.remove(&|entry| {
            let name = entry.annotations.get(annotations::REF_NAME);
            let mut shown = self.shown.iter();
            shown.any(|root| is_ours(root, name, entry.digest.clone()))
        });
        let is_empty = || layout.roots().is_ok_and(|roots| roots.is_empty());
        removed.is_ok() && is_empty() && layout.gc(&GcOptions::default()).is_ok() && is_empty()
    }
}

impl Drop for NewLayout {
    fn drop(&mut self) {
        if self.path.as_os_str().is_empty() || !self.clear() {
            return;
        }
        let blobs = self.path.join("blobs");
        // Another process that has come since has made some.
        let has_blobs = |path: &Path| path.exists() && fs::remove_dir(path).is_err();
        if has_blobs(&blobs.join("sha256")) || has_blobs(&blobs) {
            return;
        }
        for name in [
            "oci-layout",
            "index.json",
            ".cooperage.blobs",
            ".cooperage.index",
        ] {
            let _ = fs::remove_file(self.path.join(name));
        }
        for directory in &self.made {
            let _ = fs::remove_dir(directory);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "there is none, or any")]
fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}
