//! Whether a base image has what a program needs.

mod check;
mod tree_files;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use cooperage_tarball::{Content, Kind, Tree, TreePath};

use crate::defaults;
use crate::elf::{BinaryInfo, ElfError, Format};
use crate::files::{self, Files, Node, normal};
use crate::ld_cache;
use crate::loader::Flavour;
use crate::users::{Group, User, parse_group, parse_passwd};

pub use check::{Missing, check_against};

use tree_files::{ContentSource, TreeFiles};

/// What a base offers to programs.
///
/// Plain data, so that it can be kept beside the base's digest and spare the next run the reading
/// of its layers. All paths are in normal form, without a leading slash.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BaseFacts {
    /// Every shared library and loader, by its path with all symlinks resolved.
    pub libraries: BTreeMap<String, BinaryInfo>,
    /// The symlinks that may lead to one, and their targets as they stand.
    pub links: BTreeMap<String, String>,
    /// The loaders among the libraries, and the directories that each looks through by itself.
    pub interpreters: BTreeMap<String, Vec<String>>,
    /// The loader's cache (`/etc/ld.so.cache`): paths by name, baseline only.
    pub cache: BTreeMap<String, Vec<String>>,
    /// Directories from the base's `LD_LIBRARY_PATH`; its config says it, not its files, so
    /// whoever has the config fills this in.
    pub library_path: Vec<String>,
    /// `/etc/passwd`.
    pub users: Vec<User>,
    /// `/etc/group`.
    pub groups: Vec<Group>,
}

/// Why a base could not be examined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// A file of the base could not be read.
    #[error("cannot read `{path}` of the base")]
    Read {
        /// Its path in the base.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Files of the base's configuration that are read whole are smaller than this.
const MAX_CONFIG: u64 = 64 << 20;

impl BaseFacts {
    /// Reads a base's tree: its layers, overlaid.
    ///
    /// A file that looks like a library and is none, or is damaged, is left out, as no loader
    /// could use it. Only headers are read, some KiB of each library.
    pub fn of(tree: &Tree) -> Result<Self, BaseError> {
        let files = TreeFiles(tree);
        let mut facts = Self::default();
        for (path, entry) in tree.iter() {
            let Ok(text) = std::str::from_utf8(path.as_bytes()) else {
                continue;
            };
            match &entry.kind {
                Kind::File { .. } | Kind::HardLink { .. } if is_library_name(text) => {
                    facts.take_library(&files, text)?;
                }
                Kind::Symlink { target } => {
                    if let Ok(target) = std::str::from_utf8(target)
                        && (is_library_name(text) || leads_to_directory(&files, text))
                    {
                        facts.links.insert(text.to_owned(), target.to_owned());
                    }
                }
                _ => {}
            }
        }
        let cache = files
            .read("etc/ld.so.cache", MAX_CONFIG)?
            .unwrap_or_default();
        for entry in ld_cache::parse(&cache).unwrap_or_default() {
            if !entry.is_variant {
                facts.cache.entry(entry.name).or_default().push(entry.path);
            }
        }
        facts.users = parse_passwd(&files.read("etc/passwd", MAX_CONFIG)?.unwrap_or_default());
        facts.groups = parse_group(&files.read("etc/group", MAX_CONFIG)?.unwrap_or_default());
        Ok(facts)
    }

    fn take_library(&mut self, files: &TreeFiles<'_>, path: &str) -> Result<(), BaseError> {
        let Some(content) = files.content(path) else {
            return Ok(());
        };
        let failed = |source| BaseError::Read {
            path: path.to_owned(),
            source,
        };
        let source = ContentSource::open(&content).map_err(failed)?;
        let info = match BinaryInfo::read_from(&source, Path::new(path)) {
            Ok(info) if info.format == Format::Elf => info,
            Ok(_) | Err(ElfError::Malformed { .. }) => return Ok(()),
            Err(ElfError::Read { source, .. }) => return Err(failed(source)),
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        if is_loader_name(name) {
            let directories = if Flavour::of(Some(path)) == Flavour::Musl {
                // musl is asked for by one path only, whatever it is a link to.
                let file = crate::closure::musl_path_file(&format!("lib/{name}"));
                musl_directories(files.read(&file, MAX_CONFIG)?)
            } else {
                let candidates = defaults::candidates(info.machine);
                let named = defaults::named_by(&source, &candidates).map_err(failed)?;
                named.unwrap_or(candidates)
            };
            self.interpreters.insert(path.to_owned(), directories);
        }
        self.libraries.insert(path.to_owned(), info);
        Ok(())
    }

    /// The library at a path, symlinks followed: its resolved path, and what it says of itself.
    #[must_use]
    pub fn library(&self, path: &str) -> Option<(&str, &BinaryInfo)> {
        let located = files::locate(self, path).ok()??;
        let (path, info) = self.libraries.get_key_value(&located.real)?;
        Some((path, info))
    }

    /// The user of this name or number, as a config's `User` names it (without the group).
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        let by_name = self.users.iter().find(|user| user.name == name);
        by_name.or_else(|| {
            let uid: u32 = name.parse().ok()?;
            self.users.iter().find(|user| user.uid == uid)
        })
    }

    /// The loaders, for an error to offer.
    fn loaders(&self) -> BTreeSet<String> {
        self.interpreters
            .keys()
            .map(|path| format!("/{path}"))
            .collect()
    }
}

impl Files for BaseFacts {
    fn node(&self, path: &str) -> io::Result<Option<Node>> {
        if self.libraries.contains_key(path) {
            return Ok(Some(Node::File));
        }
        if let Some(target) = self.links.get(path) {
            return Ok(Some(Node::Symlink(target.clone())));
        }
        let inside = format!("{path}/");
        let next = |found: Option<&String>| found.is_some_and(|next| next.starts_with(&inside));
        let is_directory = path.is_empty()
            || next(
                self.libraries
                    .range(inside.clone()..)
                    .next()
                    .map(|(path, _)| path),
            )
            || next(
                self.links
                    .range(inside.clone()..)
                    .next()
                    .map(|(path, _)| path),
            );
        Ok(is_directory.then_some(Node::Directory))
    }
}

/// `libc.so.6`, `plugin.so`, `ld-2.31.so`, `ld64.so.2`.
fn is_library_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.contains(".so.") || name.strip_suffix(".so").is_some()
}

fn is_loader_name(name: &str) -> bool {
    ["ld-", "ld.so", "ld64.so"]
        .iter()
        .any(|start| name.starts_with(start))
        || name.starts_with("libc.musl-")
}

fn leads_to_directory(files: &TreeFiles<'_>, path: &str) -> bool {
    matches!(files::resolve(files, path), Ok(Some((_, Node::Directory))))
}

fn musl_directories(text: Option<Vec<u8>>) -> Vec<String> {
    let Some(text) = text else {
        return defaults::MUSL.map(str::to_owned).to_vec();
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let absolute = text.split([':', '\n']).filter(|path| path.starts_with('/'));
    absolute.map(|path| format!("/{}", normal(path))).collect()
}

/// Finds a file's content in a tree, hard links followed.
fn content(tree: &Tree, path: &TreePath) -> Option<Content> {
    let mut kind = tree.get(path)?.kind;
    // A link to a link is legal; a circle is not, and ends here.
    for _ in 0..8 {
        match kind {
            Kind::File { content, .. } => return Some(content),
            Kind::HardLink { to } => kind = tree.get(&to)?.kind,
            _ => return None,
        }
    }
    None
}
