//! Names and the files they lead to: what a tree is while layers are laid over one another.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::write::order::{Parents, parent_mode};
use crate::{Entry, Kind, Tree, TreeError, TreePath};

/// Which file a name leads to: several names of one number are hard links of one another.
pub(crate) type Inode = usize;

/// A tree by names and files, where putting something at a name leaves other names of the old file
/// as they are.
#[derive(Debug, Default)]
pub(crate) struct Names {
    paths: BTreeMap<TreePath, Inode>,
    inodes: Vec<Arc<Entry>>,
    pub(crate) opaque: BTreeSet<TreePath>,
    pub(crate) whiteouts: BTreeMap<TreePath, Arc<Entry>>,
}

impl Names {
    pub(crate) fn new_inode(&mut self, entry: Arc<Entry>) -> Inode {
        self.inodes.push(entry);
        self.inodes.len() - 1
    }

    pub(crate) fn inode(&self, path: &[u8]) -> Option<Inode> {
        self.paths.get(path).copied()
    }

    pub(crate) fn entry(&self, inode: Inode) -> &Arc<Entry> {
        &self.inodes[inode]
    }

    pub(crate) fn get(&self, path: &[u8]) -> Option<&Arc<Entry>> {
        self.inode(path).map(|inode| self.entry(inode))
    }

    pub(crate) fn is_directory(&self, path: &[u8]) -> bool {
        self.get(path)
            .is_some_and(|entry| entry.kind == Kind::Directory)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TreePath, Inode)> {
        self.paths.iter().map(|(path, inode)| (path, *inode))
    }

    /// Puts a file at a name; what was below goes, unless a directory takes a directory's place.
    pub(crate) fn put(&mut self, path: TreePath, inode: Inode) {
        if self.inodes[inode].kind != Kind::Directory {
            self.remove(&path);
        }
        self.paths.insert(path, inode);
    }

    /// Takes out a name, and all below it.
    pub(crate) fn remove(&mut self, path: &TreePath) {
        self.paths.remove(path);
        self.opaque.remove(path);
        self.remove_below(path);
    }

    /// Takes out all below a name.
    pub(crate) fn remove_below(&mut self, path: &TreePath) {
        for doomed in below(path, |start| {
            Box::new(self.paths.range::<[u8], _>(start).map(|at| at.0))
        }) {
            self.paths.remove(&doomed);
        }
        for doomed in below(path, |start| Box::new(self.opaque.range::<[u8], _>(start))) {
            self.opaque.remove(&doomed);
        }
    }

    /// Whether anything lies below a name.
    pub(crate) fn has_below(&self, path: &TreePath) -> bool {
        let start = [path.as_bytes(), b"/"].concat();
        let range = (Bound::Included(start.as_slice()), Bound::Unbounded);
        let next = self.paths.range::<[u8], _>(range).next();
        next.is_some_and(|(found, _)| found.is_below(path))
    }

    /// Every inode's names, ordered by path, inodes by the first of their names.
    pub(crate) fn groups(&self) -> Vec<(Inode, Vec<&TreePath>)> {
        let mut order = Vec::new();
        let mut slots: Vec<Option<usize>> = vec![None; self.inodes.len()];
        for (path, inode) in self.iter() {
            let slot = *slots[inode].get_or_insert_with(|| {
                order.push((inode, Vec::new()));
                order.len() - 1
            });
            order[slot].1.push(path);
        }
        order
    }

    /// Puts in the parents that are missing.
    pub(crate) fn complete(&mut self) -> Result<(), TreeError> {
        let mut parents = Parents::default();
        for path in self.to_tree()?.implied() {
            let mode = parent_mode(path.as_bytes());
            let inode = self.new_inode(parents.entry(mode));
            self.put(path, inode);
        }
        Ok(())
    }

    /// As a tree: the first name of a file has the file, the others are hard links to it.
    ///
    /// A whiteout of what is there itself says that nothing of it comes from lower layers.
    pub(crate) fn to_tree(&self) -> Result<Tree, TreeError> {
        let mut tree = Tree::new();
        let mut first: Vec<Option<&TreePath>> = vec![None; self.inodes.len()];
        for (path, inode) in self.iter() {
            let entry = self.entry(inode);
            match first[inode].filter(|_| entry.kind != Kind::Directory) {
                None => {
                    first[inode] = Some(path);
                    tree.insert(path.clone(), Entry::clone(entry))?;
                }
                Some(first) => {
                    let mut link = Entry::hard_link(first.clone());
                    link.attributes = entry.attributes.clone();
                    link.origin = entry.origin.clone();
                    tree.insert(path.clone(), link)?;
                }
            }
        }
        for path in &self.opaque {
            tree.set_opaque(path.clone())?;
        }
        for (path, entry) in &self.whiteouts {
            let has_below = tree.below(path).next().is_some() || tree.first_opaque(path).is_some();
            if has_below || self.is_directory(path.as_bytes()) {
                tree.set_opaque(path.clone())?;
            } else if self.inode(path.as_bytes()).is_none() && !self.is_hidden(path) {
                tree.insert(path.clone(), Entry::clone(entry))?;
            }
        }
        Ok(tree)
    }

    /// Whether `path` lies below what is no directory, which removes it anyway.
    fn is_hidden(&self, path: &TreePath) -> bool {
        let removes = |at: &[u8]| {
            self.whiteouts.contains_key(at)
                || self
                    .get(at)
                    .is_some_and(|entry| entry.kind != Kind::Directory)
        };
        path.ancestors().any(removes)
    }
}

type From<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// The paths below `path`, of a sorted collection of which `range` gives what is from there on.
fn below<'a>(
    path: &TreePath,
    range: impl FnOnce(From<'_>) -> Box<dyn Iterator<Item = &'a TreePath> + 'a>,
) -> Vec<TreePath> {
    let mut start = path.as_bytes().to_vec();
    if !path.is_root() {
        start.push(b'/');
    }
    range((Bound::Included(&start), Bound::Unbounded))
        .skip_while(|found| found.is_root())
        .take_while(|found| found.is_below(path))
        .cloned()
        .collect()
}
