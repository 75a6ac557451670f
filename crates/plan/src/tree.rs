//! A layer's lines become a tree.

use std::fs::{self, FileType};
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cooperage_runtime::Features;
use cooperage_tarball::{
    Attributes, Content, Entry, Kind, Mtime, Origin, Tree, TreeError, TreePath,
};

use crate::walk::{self, Found, What};
use crate::{EntryAttributes, EntryKind, EntryPlan, Modes, TreePlanError, host};

/// Makes the tree of a layer. Of the files it names it asks type and length, nothing else.
///
/// `root` is the directory that relative names start from.
pub fn layer_tree(entries: &[EntryPlan], root: &Path, modes: Modes) -> Result<Tree, TreePlanError> {
    let (maker, mut tree) = (TreeMaker::new(root, modes), Tree::new());
    for entry in entries {
        maker.add(&mut tree, entry)?;
    }
    Ok(tree)
}

/// Makes trees of entries.
pub(crate) struct TreeMaker<'a> {
    root: &'a Path,
    modes: Modes,
    /// What the origins of all lines begin with.
    line: Arc<str>,
}

impl<'a> TreeMaker<'a> {
    pub(crate) fn new(root: &'a Path, modes: Modes) -> Self {
        let line = "plan line".into();
        Self { root, modes, line }
    }

    pub(crate) fn add(&self, tree: &mut Tree, entry: &EntryPlan) -> Result<(), TreePlanError> {
        let (root, modes, origin) = (self.root, self.modes, self.origin(entry));
        let mut adder = Adder {
            tree,
            root,
            modes,
            entry,
            origin,
        };
        adder.add()
    }

    fn origin(&self, entry: &EntryPlan) -> Origin {
        let line = u32::try_from(entry.line).ok().and_then(NonZeroU32::new);
        match (&entry.origin, line) {
            (Some(origin), _) => origin.as_str().into(),
            (None, Some(line)) => Origin::numbered(Arc::clone(&self.line), line),
            (None, None) => "the plan".into(),
        }
    }
}

struct Adder<'a> {
    tree: &'a mut Tree,
    root: &'a Path,
    modes: Modes,
    entry: &'a EntryPlan,
    /// Shared by all entries that come of it.
    origin: Origin,
}

impl Adder<'_> {
    fn add(&mut self) -> Result<(), TreePlanError> {
        let entry = self.entry;
        match &entry.what {
            EntryKind::File { path, file, fold } => {
                let content = self.content(path, file)?;
                self.put(
                    path,
                    Kind::File {
                        content,
                        fold: *fold,
                    },
                )
            }
            EntryKind::Bytes { path, bytes } => {
                let content = Content::bytes(bytes.as_slice());
                self.put(
                    path,
                    Kind::File {
                        content,
                        fold: true,
                    },
                )
            }
            EntryKind::Directory { path } => self.put(path, Kind::Directory),
            EntryKind::Symlink { path, target } => self.put(
                path,
                Kind::Symlink {
                    target: target.clone(),
                },
            ),
            EntryKind::SymlinkOf { path, file } => {
                let target = self.target(path, file)?;
                self.put(path, Kind::Symlink { target })
            }
            EntryKind::HardLink { path, to } => self.put(path, Kind::HardLink { to: to.clone() }),
            EntryKind::Fifo { path } => self.put(path, Kind::Fifo),
            EntryKind::CharDevice { path, major, minor } => self.put(
                path,
                Kind::CharDevice {
                    major: *major,
                    minor: *minor,
                },
            ),
            EntryKind::BlockDevice { path, major, minor } => self.put(
                path,
                Kind::BlockDevice {
                    major: *major,
                    minor: *minor,
                },
            ),
            EntryKind::Whiteout { path } => self.put(path, Kind::Whiteout),
            EntryKind::Opaque { path } => {
                let marked = self.tree.set_opaque(path.clone());
                marked.map_err(|source| self.fault(path, source))
            }
            EntryKind::Tree {
                path,
                dir,
                dir_mode,
            } => self.add_directory(path.as_ref(), dir, *dir_mode),
            EntryKind::Runtime(item) => {
                let features = Features {
                    items: [*item].into(),
                    users: Vec::new(),
                };
                features
                    .add_to(self.tree)
                    .map_err(|source| TreePlanError::Runtime {
                        item: item.to_string(),
                        origin: self.origin.to_string(),
                        source,
                    })
            }
        }
    }

    fn put(&mut self, path: &TreePath, kind: Kind) -> Result<(), TreePlanError> {
        let attributes = self.attributes(path, &kind, None)?;
        self.insert(path, kind, attributes)
    }

    fn insert(
        &mut self,
        path: &TreePath,
        kind: Kind,
        attributes: Attributes,
    ) -> Result<(), TreePlanError> {
        let entry = Entry::new(kind, attributes).with_origin(self.origin.clone());
        let inserted = self.tree.insert(path.clone(), entry);
        inserted.map_err(|source| self.fault(path, source))
    }

    /// What is wrong with an entry by itself names no origin: a tree's other faults do.
    fn fault(&self, path: &TreePath, source: TreeError) -> TreePlanError {
        match source {
            TreeError::Reserved { .. } | TreeError::Invalid { .. } | TreeError::Full { .. } => {
                TreePlanError::Entry {
                    entry: path.display(),
                    origin: self.origin.to_string(),
                    source,
                }
            }
            source => source.into(),
        }
    }

    fn attributes(
        &self,
        path: &TreePath,
        kind: &Kind,
        mode: Option<u32>,
    ) -> Result<Attributes, TreePlanError> {
        let given: &EntryAttributes = &self.entry.attributes;
        let default = match kind {
            Kind::Directory => 0o755,
            Kind::Symlink { .. } => 0o777,
            _ => 0o644,
        };
        let needed = matches!(
            kind,
            Kind::File { .. }
                | Kind::Directory
                | Kind::Fifo
                | Kind::CharDevice { .. }
                | Kind::BlockDevice { .. }
        );
        let mode = mode.or(given.mode);
        if needed && mode.is_none() && self.modes == Modes::Required {
            let (entry, origin) = (path.display(), self.origin.to_string());
            return Err(TreePlanError::NoMode { entry, origin });
        }
        let name = |name: &Option<String>| name.clone().unwrap_or_default().into_bytes();
        Ok(Attributes {
            mode: mode.unwrap_or(default),
            uid: given.uid.unwrap_or(0),
            gid: given.gid.unwrap_or(0),
            user: name(&given.user),
            group: name(&given.group),
            mtime: Mtime::from_seconds(given.mtime.unwrap_or(0)),
            xattrs: given.xattrs.clone(),
        })
    }

    /// A regular file, through links: build systems show their inputs as links.
    fn content(&self, path: &TreePath, file: &Path) -> Result<Content, TreePlanError> {
        let file = self.root.join(file);
        match fs::metadata(&file) {
            Ok(found) => self.content_of(path, file, found.file_type(), found.len()),
            Err(source) => Err(self.unreadable(path, file, source)),
        }
    }

    /// The target of a symlink, wherever it leads.
    fn target(&self, path: &TreePath, name: &Path) -> Result<Vec<u8>, TreePlanError> {
        let file = self.root.join(name);
        let found = match fs::symlink_metadata(&file) {
            Ok(found) if !found.is_symlink() => host::type_name(found.file_type()),
            Ok(_) => match fs::read_link(&file) {
                Ok(target) if !self.is_shown_by(&target, name) => {
                    return Ok(target.into_os_string().into_encoded_bytes());
                }
                Ok(_) => "a file that is shown by a link",
                Err(source) => return Err(self.unreadable(path, file, source)),
            },
            Err(source) => return Err(self.unreadable(path, file, source)),
        };
        Err(TreePlanError::Type {
            file,
            entry: path.display(),
            origin: self.origin.to_string(),
            expected: "a symlink",
            found,
        })
    }

    /// Whether a link is a build system's way to show a file, which says where that lies on this
    /// machine: under the same name, but for one directory that may stand for all configurations.
    fn is_shown_by(&self, target: &Path, name: &Path) -> bool {
        if self.modes != Modes::Required || !target.is_absolute() {
            return false;
        }
        let length = name.components().count();
        let mut pairs = name.components().rev().zip(target.components().rev());
        let is_of_name = pairs.next().is_some_and(|(one, other)| one == other);
        let (same, other): (Vec<_>, Vec<_>) = pairs.partition(|(one, other)| one == other);
        let may_differ = usize::from(length >= 4);
        is_of_name && other.len() <= may_differ && 1 + same.len() + other.len() == length
    }

    fn content_of(
        &self,
        path: &TreePath,
        file: PathBuf,
        kind: FileType,
        len: u64,
    ) -> Result<Content, TreePlanError> {
        if !kind.is_file() {
            return Err(TreePlanError::Type {
                file,
                entry: path.display(),
                origin: self.origin.to_string(),
                expected: "a file",
                found: host::type_name(kind),
            });
        }
        Ok(Content::File { path: file, len })
    }

    fn unreadable(&self, path: &TreePath, file: PathBuf, source: io::Error) -> TreePlanError {
        TreePlanError::File {
            file,
            entry: path.display(),
            origin: self.origin.to_string(),
            source,
        }
    }

    fn add_directory(
        &mut self,
        path: Option<&TreePath>,
        dir: &Path,
        dir_mode: Option<u32>,
    ) -> Result<(), TreePlanError> {
        let top = self.root.join(dir);
        let at = path.map_or_else(|| ".".into(), TreePath::display);
        let origin = self.origin.to_string();
        let failed = |file: &Path, source: io::Error| TreePlanError::File {
            file: file.to_owned(),
            entry: at.clone(),
            origin: origin.clone(),
            source,
        };
        let metadata = fs::metadata(&top).map_err(|source| failed(&top, source))?;
        if !metadata.is_dir() {
            return Err(TreePlanError::Type {
                file: top,
                entry: at,
                origin: self.origin.to_string(),
                expected: "a directory",
                found: host::type_name(metadata.file_type()),
            });
        }
        walk::each(&top, &mut |found| match found {
            Ok(found) => self.add_below(path, found, dir_mode),
            Err(error) => {
                let file = error.path().unwrap_or(&top).to_owned();
                Err(failed(&file, error.into()))
            }
        })
    }

    fn add_below(
        &mut self,
        path: Option<&TreePath>,
        found: Found,
        dir_mode: Option<u32>,
    ) -> Result<(), TreePlanError> {
        let Found { file, below, what } = found;
        let name = below.as_os_str().as_encoded_bytes();
        let path = match (path, name.is_empty()) {
            (None, true) => return Ok(()),
            (Some(path), true) => path.clone(),
            (base, false) => {
                let mut bytes = base
                    .map(|base| base.as_bytes().to_vec())
                    .unwrap_or_default();
                if !bytes.is_empty() {
                    bytes.push(b'/');
                }
                bytes.extend_from_slice(name);
                TreePath::new(&bytes).map_err(|source| TreePlanError::Name {
                    file: file.clone(),
                    origin: self.origin.to_string(),
                    source,
                })?
            }
        };
        match what {
            // With no mode for directories they get the default: a mode given for the files of a
            // tree would lock everyone out of its directories.
            Ok(What::Directory) => {
                let mode = dir_mode.or(Some(0o755));
                let attributes = self.attributes(&path, &Kind::Directory, mode)?;
                self.insert(&path, Kind::Directory, attributes)
            }
            Ok(What::Link(target)) => {
                let kind = Kind::Symlink { target };
                let attributes = self.attributes(&path, &kind, Some(0o777))?;
                self.insert(&path, kind, attributes)
            }
            Ok(What::DirectoryElsewhere) => Err(TreePlanError::Type {
                file,
                entry: path.display(),
                origin: self.origin.to_string(),
                expected: "a link that stays inside its tree, or one to a file",
                found: "a link to a directory elsewhere",
            }),
            Ok(What::Other(kind, len)) => {
                let content = self.content_of(&path, file, kind, len)?;
                let fold = true;
                self.put(&path, Kind::File { content, fold })
            }
            Err(source) => Err(self.unreadable(&path, file, source)),
        }
    }
}
