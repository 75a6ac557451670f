//! Layers laid over one another.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::names::{Inode, Names};
use crate::write::order::{Parents, parent_mode};
use crate::{Kind, Origin, Tree, TreeError, TreePath};

/// Lays layers over one another, the lowest first, and gives the tree that a container would see.
///
/// Whiteouts and opaque directories hide what lower layers have, wherever they stand in their own
/// layer, and nothing of their own layer; the result has none. A directory over a directory keeps
/// what is in it, with the upper's attributes; any other change of type hides all below. A hard link
/// leads to the entry of its own layer, else to that of the layers below. A file that a layer
/// replaces keeps its other names as they were.
///
/// A directory that a layer only implies, by an entry below it, changes nothing of a lower directory,
/// and takes the place of anything else. An opaque mark implies its directory too, which is there
/// then even if nothing is in it.
///
/// Spec: image-spec v1.1, `layer.md` § Applying Changesets, § Whiteouts.
///
/// # Examples
///
/// ```
/// use cooperage_tarball::{Attributes, Content, Entry, Tree, TreePath, overlay};
///
/// let mut lower = Tree::new();
/// for path in ["etc/motd", "etc/hosts"] {
///     lower.insert(TreePath::parse(path)?, Entry::file(Content::bytes(*b"x"), Attributes::file()))?;
/// }
/// let mut upper = Tree::new();
/// upper.insert(TreePath::parse("etc/motd")?, Entry::whiteout())?;
///
/// let tree = overlay([&lower, &upper])?;
/// let paths: Vec<_> = tree.iter().map(|(path, _)| path.to_string()).collect();
/// assert_eq!(paths, ["etc/hosts"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// When a hard link leads nowhere, to a directory or in a circle.
pub fn overlay<'a>(layers: impl IntoIterator<Item = &'a Tree>) -> Result<Tree, OverlayError> {
    let mut names = Names::default();
    for (layer, tree) in layers.into_iter().enumerate() {
        apply(&mut names, tree, layer)?;
    }
    names
        .to_tree()
        .map_err(|source| OverlayError::Tree { source })
}

/// Lays one layer over `names`.
pub(crate) fn apply(names: &mut Names, tree: &Tree, layer: usize) -> Result<(), OverlayError> {
    for directory in tree.opaque() {
        names.remove_below(&directory);
    }
    for (path, entry) in tree.iter() {
        if entry.kind == Kind::Whiteout {
            names.remove(&path);
        }
    }
    // Links to lower layers are followed before this layer takes anything's place.
    let inodes = inodes(names, tree, layer)?;
    for directory in tree.opaque() {
        imply(names, &directory);
        if names
            .inode(directory.as_bytes())
            .is_some_and(|inode| !is_directory(names, inode))
        {
            names.remove(&directory);
        }
    }
    for (path, inode) in inodes {
        imply(names, &path);
        names.put(path, inode);
    }
    let mut parents = Parents::default();
    for directory in tree.opaque().filter(|directory| !directory.is_root()) {
        if names.inode(directory.as_bytes()).is_none() && !names.has_below(&directory) {
            let inode = names.new_inode(parents.entry(parent_mode(directory.as_bytes())));
            names.put(directory, inode);
        }
    }
    Ok(())
}

/// Makes room for the directories above `path`.
fn imply(names: &mut Names, path: &TreePath) {
    for ancestor in path.ancestors() {
        if names
            .inode(ancestor)
            .is_some_and(|inode| !is_directory(names, inode))
        {
            names.remove(&TreePath::from_ancestor(ancestor));
        }
    }
}

fn is_directory(names: &Names, inode: Inode) -> bool {
    names.entry(inode).kind == Kind::Directory
}

/// The files of a layer's entries, ordered by path.
fn inodes(
    names: &mut Names,
    tree: &Tree,
    layer: usize,
) -> Result<BTreeMap<TreePath, Inode>, OverlayError> {
    let mut inodes = BTreeMap::new();
    for (path, entry) in tree.iter() {
        if !matches!(entry.kind, Kind::Whiteout | Kind::HardLink { .. }) {
            inodes.insert(path, names.new_inode(Arc::new(entry)));
        }
    }
    let mut chain: Vec<TreePath> = Vec::new();
    for (start, entry) in tree.iter() {
        let (mut path, mut entry) = (start.clone(), entry);
        let inode = loop {
            if let Some(inode) = inodes.get(&path) {
                break *inode;
            }
            let Kind::HardLink { to } = entry.kind.clone() else {
                break NONE;
            };
            chain.push(path.clone());
            if chain.len() > tree.len() {
                let (entry, origin) = (start.display(), entry.origin.clone());
                return Err(OverlayError::LinkLoop {
                    layer,
                    entry,
                    origin,
                });
            }
            let next = tree.get(&to).filter(|next| next.kind != Kind::Whiteout);
            match (next, names.inode(to.as_bytes())) {
                (Some(next), _) => (path, entry) = (to, next),
                (None, Some(lower)) => break lower,
                (None, None) => {
                    let (entry, origin) = (path.display(), entry.origin.clone());
                    return Err(OverlayError::DanglingLink {
                        layer,
                        entry,
                        to: to.display(),
                        origin,
                    });
                }
            }
        };
        if let Some(link) = chain.first().filter(|_| is_directory(names, inode)) {
            let (entry, origin) = (link.display(), entry.origin.clone());
            return Err(OverlayError::LinkToDirectory {
                layer,
                entry,
                origin,
            });
        }
        inodes.extend(chain.drain(..).map(|link| (link, inode)));
    }
    Ok(inodes)
}

/// For a whiteout, which is no file and not the end of a link.
const NONE: Inode = Inode::MAX;

/// Why layers cannot be laid over one another.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OverlayError {
    /// A hard link leads to what neither its layer nor a lower one holds.
    #[error(
        "`{entry}` (from {origin}) of layer {layer} is a hard link to `{to}`, which is not there"
    )]
    DanglingLink {
        /// Which layer, counted from 0, the lowest.
        layer: usize,
        /// The link.
        entry: String,
        /// Where it leads.
        to: String,
        /// Where it came from.
        origin: Origin,
    },
    /// A hard link leads to a directory.
    #[error("`{entry}` (from {origin}) of layer {layer} is a hard link to a directory")]
    LinkToDirectory {
        /// Which layer, counted from 0, the lowest.
        layer: usize,
        /// The link.
        entry: String,
        /// Where it came from.
        origin: Origin,
    },
    /// Hard links lead to one another and never to a file.
    #[error("`{entry}` (from {origin}) of layer {layer} is a hard link that leads in a circle")]
    LinkLoop {
        /// Which layer, counted from 0, the lowest.
        layer: usize,
        /// One of the links.
        entry: String,
        /// Where it came from.
        origin: Origin,
    },
    /// What came out is no tree.
    #[error("the layers together make no tree")]
    Tree {
        /// What is wrong.
        source: TreeError,
    },
}
