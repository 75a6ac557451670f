//! Removing what nothing refers to.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cooperage_blob::Error;
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Index};

use crate::Layout;
use crate::document::{self, Parsed, Role, Seen};
use crate::files::{self, Kind, Listed};
use crate::host::{self, Mode, Subject};
use crate::layout::BLOBS;

/// How [`Layout::gc`] goes about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct GcOptions {
    /// Whether to remove.
    pub mode: GcMode,
    /// What to do while others write to the layout.
    pub patience: Patience,
    /// What to do about manifests that are not there.
    pub missing: Missing,
}

/// Whether [`Layout::gc`] removes what it finds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum GcMode {
    /// It does.
    #[default]
    Remove,
    /// It only reports what it would remove at this moment.
    DryRun,
}

/// What [`Layout::gc`] does while others write to the layout.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Patience {
    /// It gives up with [`GcError::Busy`].
    #[default]
    GiveUp,
    /// It waits for them. For ever, if the one who writes is another [`Layout`] of the same thread.
    Wait,
}

/// What [`Layout::gc`] does about a manifest or an index that something refers to and that is not
/// in the layout.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Missing {
    /// It refuses: what the missing one refers to may be there, and cannot be told from garbage.
    #[default]
    Refuse,
    /// It takes it as never copied, and what only it refers to as garbage. For layouts that list
    /// platforms they do not hold.
    Skip,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct GcReport {
    /// Blobs that nothing refers to, ordered by digest.
    pub removed: Vec<Removed>,
    /// What killed writers had left behind, ordered by path.
    pub temporary: Vec<PathBuf>,
    /// How many blobs stay.
    pub kept: usize,
    /// Bytes freed, temporary files included.
    pub freed: u64,
}

/// A blob that nothing refers to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Removed {
    /// Its name; what it holds was not looked at.
    pub digest: Digest,
    /// Length of its file in bytes.
    pub size: u64,
}

/// Why nothing, or not all, was collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GcError {
    /// Somebody else writes to the layout, or holds it for writing.
    #[error("`{}` is being written to by another process or another handle: try again, or wait for it", path.display())]
    Busy {
        /// The layout.
        path: PathBuf,
    },
    /// Blobs are being written through this very handle.
    #[error("{writers} blobs are being written to `{}` through this handle: finish or drop them first", path.display())]
    Writing {
        /// The layout.
        path: PathBuf,
        /// How many.
        writers: usize,
    },
    /// A manifest or index cannot be read, so it is not known what it refers to. Nothing was
    /// removed.
    #[error(
        "nothing was removed, since `{digest}` cannot be read and what it refers to is not known"
    )]
    Unreadable {
        /// The manifest or index.
        digest: Digest,
        /// Why not.
        source: Error,
    },
    /// `index.json` cannot be read or the layout not locked. Nothing was removed.
    #[error(transparent)]
    Layout(#[from] Error),
    /// The system refused something. What went before is removed.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl GcError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.into(),
            source,
        }
    }
}

impl Layout {
    /// Removes each blob that cannot be reached from `index.json`, and what killed writers left.
    ///
    /// Followed are indexes and manifests, their configs, layers and subjects, and in documents of
    /// an unknown kind every object with a digest. Blobs of unknown algorithms are followed and
    /// collected like all others. Files that are no blobs stay; [`Self::fsck`] names them.
    ///
    /// Meanwhile nobody else can write. The lock of this very handle is let go of first, whatever
    /// comes of it and in a dry run too: what was written through it, or found by it, and is not
    /// published yet can be collected from now on, by this call or by another process. So two
    /// handles that both hold the lock cannot lock each other out.
    ///
    /// Can be interrupted at any time, and repeated.
    ///
    /// # Errors
    ///
    /// [`GcError`]; all but the last leave everything in place.
    pub fn gc(&self, options: &GcOptions) -> Result<GcReport, GcError> {
        let path = self.path();
        // Held to the end: other threads wait to begin blobs.
        let mut hold = self.hold();
        if hold.writers > 0 {
            return Err(GcError::Writing {
                path: path.into(),
                writers: hold.writers,
            });
        }
        hold.lock = None;
        let blobs = path.join(BLOBS);
        if !files::is_own_directory(&blobs).map_err(GcError::io("collect in", &blobs))? {
            return Ok(GcReport::default());
        }
        let patience = match options.patience {
            Patience::GiveUp => host::Patience::Try,
            Patience::Wait => host::Patience::Wait,
        };
        let lock = self.lock(Subject::Blobs, Mode::Exclusive, patience)?;
        if lock.is_none() {
            return Err(GcError::Busy { path: path.into() });
        }
        let (_, index) = self.index()?.into_parts();
        let marked = self.mark(index, options.missing)?;
        let plan = self.garbage(&marked)?;
        if options.mode == GcMode::Remove {
            self.verified().clear();
            for path in &plan.paths {
                fs::remove_file(path).map_err(GcError::io("remove", path))?;
            }
        }
        drop(lock);
        Ok(plan.report)
    }

    /// All that can be reached.
    fn mark(&self, index: Index, missing: Missing) -> Result<BTreeSet<Digest>, GcError> {
        let (mut seen, mut marked) = (Seen::default(), BTreeSet::new());
        let mut waiting = Parsed::Index(Box::new(index)).references();
        while let Some((role, descriptor)) = waiting.pop() {
            marked.insert(descriptor.digest.clone());
            if !seen.is_new(&descriptor) {
                continue;
            }
            waiting.extend(match self.follow(&descriptor) {
                Ok(references) => references,
                Err(error)
                    if error.is_not_found()
                        && (role != Role::Child || missing == Missing::Skip) =>
                {
                    // Another may refer to it as to a part of its own.
                    seen.forget(&descriptor);
                    Vec::new()
                }
                Err(source) => {
                    return Err(GcError::Unreadable {
                        digest: descriptor.digest,
                        source,
                    });
                }
            });
        }
        Ok(marked)
    }

    fn follow(&self, descriptor: &Descriptor) -> Result<Vec<(Role, Descriptor)>, Error> {
        if !document::is_document(descriptor) {
            return Ok(document::mentions(self, descriptor));
        }
        // Of an unknown algorithm it cannot be said whether the bytes are right; but what they
        // refer to is then kept on top of all else.
        let parsed = match descriptor.digest.algorithm() {
            Some(_) => document::read(self, descriptor)?,
            None => document::read_unverified(self, descriptor)?,
        };
        Ok(parsed.references())
    }

    fn garbage(&self, marked: &BTreeSet<Digest>) -> Result<Plan, GcError> {
        let mut plan = Plan::default();
        for directory in list(&self.path().join(BLOBS))? {
            let Some(algorithm) = directory.name.to_str() else {
                continue;
            };
            if directory.kind == Kind::Symlink {
                files::is_own_directory(&directory.path)
                    .map_err(GcError::io("collect in", &directory.path))?;
            }
            if directory.kind != Kind::Directory {
                continue;
            }
            for listed in list(&directory.path)? {
                let Some(digest) = digest_of(algorithm, &listed) else {
                    continue;
                };
                if marked.contains(&digest) {
                    plan.report.kept += 1;
                } else {
                    let size = plan.add(listed)?;
                    plan.report.removed.push(Removed { digest, size });
                }
            }
        }
        for listed in list(self.path())? {
            if files::is_temporary(&listed) {
                plan.report.temporary.push(listed.path.clone());
                plan.add(listed)?;
            }
        }
        Ok(plan)
    }
}

#[derive(Default)]
struct Plan {
    report: GcReport,
    paths: Vec<PathBuf>,
}

impl Plan {
    fn add(&mut self, listed: Listed) -> Result<u64, GcError> {
        let metadata =
            fs::symlink_metadata(&listed.path).map_err(GcError::io("look at", &listed.path))?;
        self.report.freed += metadata.len();
        self.paths.push(listed.path);
        Ok(metadata.len())
    }
}

fn list(directory: &Path) -> Result<Vec<Listed>, GcError> {
    files::list(directory).map_err(GcError::io("list", directory))
}

/// The blob whose file this is, by its name.
pub(crate) fn digest_of(algorithm: &str, listed: &Listed) -> Option<Digest> {
    let is_file = matches!(listed.kind, Kind::File | Kind::Symlink);
    let encoded = listed.name.to_str().filter(|_| is_file)?;
    let digest = format!("{algorithm}:{encoded}").parse::<Digest>().ok()?;
    // `a:b:c` would be another name for the same text.
    (digest.encoded() == encoded).then_some(digest)
}
