//! A tree of what a directory holds.

mod error;

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::Path;

pub use error::ScanError;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::host::{self, Special};
use crate::{Attributes, Content, Entry, Kind, Mtime, Origin, Tree, TreePath};

/// How a directory is scanned.
///
/// Globs match paths relative to the directory: `*` and `?` stop at `/`, `**` does not, `{a,b}` is
/// either. What matches a glob of `exclude` is left out, with all below it. If `include` has any
/// globs, files and links are taken only if they match one, and directories only if they do or if
/// something in them was taken.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ScanOptions {
    /// Globs of what is taken; none for everything.
    pub include: Vec<String>,
    /// Globs of what is left out.
    pub exclude: Vec<String>,
    /// What becomes of symbolic links.
    pub symlinks: Symlinks,
    /// What becomes of files with several names.
    pub hard_links: HardLinks,
    /// Where modes, owners and times come from.
    pub attributes: AttributesFrom,
    /// Whether extended attributes are read. Those that mean something to the host alone are left
    /// out: `system.*`, `trusted.overlay.*`, `security.selinux`, `security.ima`, `security.evm`.
    pub xattrs: bool,
    /// Whether the directory's own attributes become those of the tree's root.
    pub root: bool,
    /// Whether directories on other file systems than the scanned one are left out.
    pub one_file_system: bool,
}

impl ScanOptions {
    /// All that the host has, as it has it: attributes, xattrs, and the directory's own too.
    ///
    /// The tree then depends on the host, and so does its digest; this serves roots that were
    /// unpacked or installed, not build outputs.
    #[must_use]
    pub fn as_found() -> Self {
        Self {
            attributes: AttributesFrom::Host,
            xattrs: true,
            root: true,
            ..Self::default()
        }
    }
}

/// What becomes of symbolic links.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Symlinks {
    /// They stay symbolic links.
    #[default]
    Keep,
    /// What they lead to takes their place, wherever it is; a circle is an error, and so is a link
    /// to nothing.
    Follow,
}

/// What becomes of files with several names within the directory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HardLinks {
    /// The names stay names of one file.
    #[default]
    Keep,
    /// Each name becomes a file of its own, and none of them is folded later.
    Break,
}

/// Where modes, owners and times come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AttributesFrom {
    /// By rule, whatever the host says: files 0755 if their owner may execute them and 0644 otherwise,
    /// directories 0755, owned by root, modification time 0.
    #[default]
    Rule,
    /// From the host: mode, uid and gid, and the time in whole seconds. Names are left out. On hosts
    /// without such modes, as by rule.
    Host,
}

/// The tree of all that a directory holds.
///
/// What it gives does not depend on the order in which the host lists directories. Contents are not
/// read; files are taken with the lengths they have now.
///
/// # Errors
///
/// When something cannot be read, a glob is malformed, a symbolic link that is followed leads in a
/// circle or nowhere, or something cannot be in a layer: a socket, or a name that begins with
/// `.wh.`.
///
/// # Examples
///
/// ```
/// use cooperage_tarball::{ScanOptions, scan};
///
/// let options = ScanOptions { include: vec!["**/*.rs".into()], ..ScanOptions::default() };
/// let tree = scan(std::path::Path::new("src"), &options)?;
/// assert!(tree.iter().any(|(path, _)| path.as_bytes() == b"lib.rs"));
/// # Ok::<(), cooperage_tarball::ScanError>(())
/// ```
pub fn scan(directory: &Path, options: &ScanOptions) -> Result<Tree, ScanError> {
    let include = globs(&options.include)?;
    let exclude = globs(&options.exclude)?;
    let origin = Origin::from(directory.display().to_string());
    let mut scan = Scan {
        origin,
        options,
        tree: Tree::new(),
        held: BTreeMap::new(),
        seen: BTreeMap::new(),
    };
    let relative = |entry: &DirEntry| {
        entry
            .path()
            .strip_prefix(directory)
            .map(Path::to_owned)
            .unwrap_or_default()
    };
    let walk = WalkDir::new(directory)
        .follow_links(options.symlinks == Symlinks::Follow)
        .follow_root_links(true)
        .same_file_system(options.one_file_system)
        .sort_by_file_name();
    let kept = walk
        .into_iter()
        .filter_entry(|entry| !exclude.is_match(relative(entry)));
    for entry in kept {
        let entry = entry.map_err(|error| walk_error(error, directory))?;
        let relative = relative(&entry);
        let is_included = options.include.is_empty() || include.is_match(&relative);
        if entry.depth() == 0 {
            scan.root(&entry)?;
        } else if entry.file_type().is_dir() {
            scan.directory(&entry, &relative, is_included)?;
        } else if is_included {
            scan.other(&entry, &relative)?;
        }
    }
    Ok(scan.tree)
}

struct Scan<'a> {
    options: &'a ScanOptions,
    /// The directory: one text for all entries, whose paths say the rest.
    origin: Origin,
    tree: Tree,
    /// Directories that are put in once something inside them is.
    held: BTreeMap<TreePath, Entry>,
    /// The first name of each file with several names.
    seen: BTreeMap<(u64, u64), TreePath>,
}

impl Scan<'_> {
    fn root(&mut self, entry: &DirEntry) -> Result<(), ScanError> {
        let metadata = metadata(entry)?;
        if !metadata.is_dir() {
            return Err(ScanError::NotADirectory {
                path: entry.path().to_owned(),
            });
        }
        if self.options.root {
            let attributes = self.attributes(entry.path(), &metadata)?;
            self.insert(entry.path(), TreePath::root(), Entry::directory(attributes))?;
        }
        Ok(())
    }

    fn directory(
        &mut self,
        entry: &DirEntry,
        relative: &Path,
        is_included: bool,
    ) -> Result<(), ScanError> {
        let path = tree_path(entry.path(), relative)?;
        let attributes = self.attributes(entry.path(), &metadata(entry)?)?;
        let directory = Entry::directory(attributes);
        if is_included {
            return self.insert(entry.path(), path, directory);
        }
        self.held
            .insert(path, directory.with_origin(self.origin.clone()));
        Ok(())
    }

    fn other(&mut self, entry: &DirEntry, relative: &Path) -> Result<(), ScanError> {
        let at = entry.path();
        let path = tree_path(at, relative)?;
        let metadata = metadata(entry)?;
        if self.options.hard_links == HardLinks::Keep
            && let Some(id) = host::linked_file(&metadata)
        {
            if let Some(first) = self.seen.get(&id).cloned() {
                return self.insert(at, path, Entry::hard_link(first));
            }
            self.seen.insert(id, path.clone());
        }
        let file_type = metadata.file_type();
        let kind = if file_type.is_file() {
            let content = Content::File {
                path: at.to_owned(),
                len: metadata.len(),
            };
            let is_broken = host::linked_file(&metadata).is_some();
            let fold = !(is_broken && self.options.hard_links == HardLinks::Break);
            Kind::File { content, fold }
        } else if file_type.is_symlink() {
            let target = std::fs::read_link(at).map_err(|source| read_error(at, source))?;
            let target = host::bytes(target.as_os_str());
            let target = target.ok_or_else(|| ScanError::Name {
                path: at.to_owned(),
            })?;
            Kind::Symlink { target }
        } else {
            match host::special(&metadata) {
                Some(Special::Fifo) => Kind::Fifo,
                Some(Special::CharDevice { major, minor }) => Kind::CharDevice { major, minor },
                Some(Special::BlockDevice { major, minor }) => Kind::BlockDevice { major, minor },
                None => {
                    return Err(ScanError::Unsupported {
                        path: at.to_owned(),
                    });
                }
            }
        };
        let attributes = match (self.options.attributes, &kind) {
            (AttributesFrom::Rule, Kind::Symlink { .. }) => Attributes {
                xattrs: self.xattrs(at)?,
                ..Attributes::symlink()
            },
            _ => self.attributes(at, &metadata)?,
        };
        self.insert(at, path, Entry::new(kind, attributes))
    }

    fn attributes(&self, at: &Path, metadata: &Metadata) -> Result<Attributes, ScanError> {
        let by_rule = || {
            let is_runnable = metadata.is_dir() || host::is_executable(metadata);
            Attributes::with_mode(if is_runnable { 0o755 } else { 0o644 })
        };
        let mut attributes = match self.options.attributes {
            AttributesFrom::Rule => by_rule(),
            AttributesFrom::Host => host::attributes(metadata).map_or_else(by_rule, |host| {
                let mtime = Mtime::from_seconds(host.seconds);
                Attributes {
                    uid: host.uid,
                    gid: host.gid,
                    mtime,
                    ..Attributes::with_mode(host.mode)
                }
            }),
        };
        attributes.xattrs = self.xattrs(at)?;
        Ok(attributes)
    }

    fn xattrs(&self, at: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, ScanError> {
        if !self.options.xattrs {
            return Ok(BTreeMap::new());
        }
        let follow = self.options.symlinks == Symlinks::Follow;
        let xattrs = host::xattrs(at, follow).map_err(|source| read_error(at, source))?;
        Ok(xattrs
            .into_iter()
            .filter(|(name, _)| !is_of_host(name))
            .collect())
    }

    /// Puts an entry in, and before it the directories above that were held back.
    fn insert(&mut self, at: &Path, path: TreePath, entry: Entry) -> Result<(), ScanError> {
        let failed = |source| ScanError::Tree {
            path: at.to_owned(),
            source,
        };
        for ancestor in path.ancestors() {
            if let Some((path, entry)) = self.held.remove_entry(ancestor) {
                self.tree.insert(path, entry).map_err(failed)?;
            }
        }
        self.tree
            .insert(path, entry.with_origin(self.origin.clone()))
            .map_err(failed)
    }
}

fn is_of_host(name: &[u8]) -> bool {
    name.starts_with(b"system.")
        || name.starts_with(b"trusted.overlay.")
        || [&b"security.selinux"[..], b"security.ima", b"security.evm"].contains(&name)
}

fn tree_path(at: &Path, relative: &Path) -> Result<TreePath, ScanError> {
    let mut bytes = Vec::new();
    for component in relative.components() {
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        let name = host::bytes(component.as_os_str());
        bytes.extend(name.ok_or_else(|| ScanError::Name {
            path: at.to_owned(),
        })?);
    }
    TreePath::new(&bytes).map_err(|source| ScanError::Path {
        path: at.to_owned(),
        source,
    })
}

fn metadata(entry: &DirEntry) -> Result<Metadata, ScanError> {
    entry
        .metadata()
        .map_err(|error| walk_error(error, entry.path()))
}

fn globs(patterns: &[String]) -> Result<GlobSet, ScanError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(glob.map_err(|source| ScanError::Glob { source })?);
    }
    set.build().map_err(|source| ScanError::Glob { source })
}

fn walk_error(error: walkdir::Error, fallback: &Path) -> ScanError {
    let path = error.path().unwrap_or(fallback).to_owned();
    if let Some(ancestor) = error.loop_ancestor() {
        return ScanError::Loop {
            path,
            ancestor: ancestor.to_owned(),
        };
    }
    ScanError::Read {
        path,
        source: error.into(),
    }
}

fn read_error(path: &Path, source: io::Error) -> ScanError {
    ScanError::Read {
        path: path.to_owned(),
        source,
    }
}
