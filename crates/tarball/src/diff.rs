//! What a layer must hold to make one tree into another.

use std::collections::BTreeSet;
use std::io;

use crate::names::{Inode, Names};
use crate::overlay::apply;
use crate::{Entry, Kind, OverlayError, Tree, TreeError, TreePath};

/// The layer that makes `lower` into `upper`: [`crate::overlay`] of `lower` and it is `upper`.
///
/// It holds what is new or differs in any way, bodies too when only attributes differ; whiteouts of
/// what is gone, the topmost alone; and every directory above any of these, with the attributes it
/// has in `upper`, since unpackers that find no entry for a directory make one of their own.
///
/// A new link to a file that did not change brings its body along, under all names: a layer's hard
/// links lead to entries of the same layer. Files of one length are compared byte by byte, unless
/// both trees have them from the same place. Whiteouts and opaque marks of the two trees themselves
/// have no meaning here.
///
/// # Examples
///
/// ```
/// use cooperage_tarball::{Attributes, Content, Entry, Kind, Tree, TreePath, diff};
///
/// let file = |text: &str| Entry::file(Content::bytes(text.as_bytes()), Attributes::file());
/// let (kept, gone) = (TreePath::parse("etc/hosts")?, TreePath::parse("etc/motd")?);
/// let mut lower = Tree::new();
/// lower.insert(kept.clone(), file("localhost"))?;
/// lower.insert(gone.clone(), file("hello"))?;
/// let mut upper = lower.clone();
/// upper.remove(&gone);
///
/// let layer = diff(&lower, &upper)?;
/// assert_eq!(layer.get(&gone).map(|entry| entry.kind), Some(Kind::Whiteout));
/// assert_eq!(layer.get(&kept), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// When a file cannot be compared, or a tree has hard links that lead nowhere.
pub fn diff(lower: &Tree, upper: &Tree) -> Result<Tree, DiffError> {
    let (lower, upper) = (names_of(lower, "lower")?, names_of(upper, "upper")?);
    let mut layer = Tree::new();
    let failed = |source| DiffError::Tree { source };
    let mut taken = BTreeSet::new();
    for (inode, paths) in upper.groups() {
        if is_unchanged(&lower, &upper, inode, &paths, &mut taken)? {
            continue;
        }
        let entry = upper.entry(inode);
        for path in &paths {
            let is_first = *path == paths[0];
            add_parents(&mut layer, &upper, path).map_err(failed)?;
            let entry = if is_first {
                Entry::clone(entry)
            } else {
                link(entry, paths[0])
            };
            layer.insert((*path).clone(), entry).map_err(failed)?;
        }
    }
    for (path, inode) in lower.iter() {
        let parent = path.parent().unwrap_or_else(TreePath::root);
        let is_gone = upper.inode(path.as_bytes()).is_none() && !path.is_root();
        // Where the parent is gone too, or no directory any more, that says it already.
        if is_gone && (parent.is_root() || upper.is_directory(parent.as_bytes())) {
            add_parents(&mut layer, &upper, path).map_err(failed)?;
            let origin = lower.entry(inode).origin.clone();
            layer
                .insert(path.clone(), Entry::whiteout().with_origin(origin))
                .map_err(failed)?;
        }
    }
    Ok(layer)
}

fn names_of(tree: &Tree, which: &'static str) -> Result<Names, DiffError> {
    let mut names = Names::default();
    apply(&mut names, tree, 0).map_err(|source| DiffError::Links { which, source })?;
    names
        .complete()
        .map_err(|source| DiffError::Tree { source })?;
    Ok(names)
}

fn link(entry: &Entry, to: &TreePath) -> Entry {
    let mut link = Entry::hard_link(to.clone());
    link.attributes = entry.attributes.clone();
    link.origin = entry.origin.clone();
    link
}

fn add_parents(layer: &mut Tree, upper: &Names, path: &TreePath) -> Result<(), TreeError> {
    for ancestor in path.ancestors() {
        if let Some(entry) = upper.get(ancestor).filter(|_| !layer.has(ancestor)) {
            layer.insert(TreePath::from_ancestor(ancestor), Entry::clone(entry))?;
        }
    }
    Ok(())
}

/// Whether the file at these names of the upper tree is one file of the lower, at all of them.
///
/// A file of the lower tree can be only one of the upper: `taken` are those that are one already.
fn is_unchanged(
    lower: &Names,
    upper: &Names,
    inode: Inode,
    paths: &[&TreePath],
    taken: &mut BTreeSet<Inode>,
) -> Result<bool, DiffError> {
    let Some(old) = lower.inode(paths[0].as_bytes()) else {
        return Ok(false);
    };
    if taken.contains(&old)
        || paths
            .iter()
            .any(|path| lower.inode(path.as_bytes()) != Some(old))
    {
        return Ok(false);
    }
    let (before, after) = (lower.entry(old), upper.entry(inode));
    let is_same = before.attributes == after.attributes
        && match (&before.kind, &after.kind) {
            (
                Kind::File {
                    content: before, ..
                },
                Kind::File { content: after, .. },
            ) => before
                .same_bytes(after)
                .map_err(|source| DiffError::Compare {
                    entry: paths[0].display(),
                    source,
                })?,
            (before, after) => before == after,
        };
    if is_same {
        taken.insert(old);
    }
    Ok(is_same)
}

/// Why two trees cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// A file cannot be read.
    #[error("cannot compare `{entry}` in both trees")]
    Compare {
        /// Its path.
        entry: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A tree has hard links that lead nowhere.
    #[error("the {which} tree has a hard link that leads nowhere")]
    Links {
        /// `lower` or `upper`.
        which: &'static str,
        /// What is wrong with it.
        source: OverlayError,
    },
    /// What came out is no tree.
    #[error("the difference makes no tree")]
    Tree {
        /// What is wrong.
        source: TreeError,
    },
}
