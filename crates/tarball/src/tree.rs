//! Trees.

mod check;

mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use check::{check_entry, check_name, check_same};
pub use error::{Difference, EntryFault, TreeError};

use crate::{Attributes, Entry, Kind, TreePath};

/// What a layer will hold, before it is packed: entries by path, and opaque directories.
///
/// Whatever order entries are put in, the tree is the same. It never holds a contradiction: two
/// different entries at one path, something below a file, or a path together with its own whiteout.
/// Parents need not be put in; packing adds those that are missing.
///
/// # Examples
///
/// ```
/// use cooperage_tarball::{Attributes, Content, Entry, Tree, TreePath};
///
/// let path = TreePath::parse("etc/motd")?;
/// let greeting = |text: &str| Entry::file(Content::bytes(text.as_bytes()), Attributes::file());
///
/// let mut tree = Tree::new();
/// tree.insert(path.clone(), greeting("hello").with_origin("plan line 3"))?;
/// tree.insert(path.clone(), greeting("hello").with_origin("plan line 4"))?; // the same, so fine
///
/// let error = tree.insert(path, greeting("hullo").with_origin("plan line 5")).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`etc/motd` is given twice and differs in content: by plan line 3 and by plan line 5",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tree {
    entries: BTreeMap<TreePath, Arc<Entry>>,
    opaque: BTreeSet<TreePath>,
}

impl Tree {
    /// A tree of no entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an entry in.
    ///
    /// The same entry may come twice: its attributes and kind are compared, and where both are files
    /// from different places, their bytes, which reads both. The first one stays.
    ///
    /// # Errors
    ///
    /// When the tree would contradict itself, or the entry could not be written to a tar; see
    /// [`TreeError`]. The tree is as it was before.
    pub fn insert(&mut self, path: TreePath, entry: Entry) -> Result<(), TreeError> {
        check_entry(&path, &entry)?;
        if let Some(present) = self.entries.get(&path) {
            return check_same(&path, present, &entry);
        }
        self.check_place(&path, &entry)?;
        self.entries.insert(path, Arc::new(entry));
        Ok(())
    }

    /// Marks a directory as opaque: a layer with it hides all that lower layers have inside it.
    ///
    /// The directory needs no entry of its own. Idempotent.
    ///
    /// # Errors
    ///
    /// When something else than a directory stands there or above.
    pub fn set_opaque(&mut self, path: TreePath) -> Result<(), TreeError> {
        check_name(&path)?;
        let marker = Entry::directory(Attributes::directory()).with_origin("an opaque marker");
        self.check_ancestors(&path, &marker)?;
        if let Some(present) = self.entries.get(&path)
            && present.kind != Kind::Directory
        {
            return Err(below(&path, &path, present, &marker));
        }
        self.opaque.insert(path);
        Ok(())
    }

    /// The entry at `path`.
    #[must_use]
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.entries.get(path).map(Arc::as_ref)
    }

    /// Takes the entry at `path` out, and it alone: what is below a directory stays.
    pub fn remove(&mut self, path: &TreePath) -> Option<Entry> {
        self.entries.remove(path).map(Arc::unwrap_or_clone)
    }

    /// Takes out what is at `path` and below it, opaque marks too.
    pub fn remove_all(&mut self, path: &TreePath) {
        let doomed: Vec<_> = self.below(path).map(|(path, _)| path.clone()).collect();
        for path in doomed {
            self.entries.remove(&path);
        }
        self.entries.remove(path);
        self.opaque
            .retain(|marked| marked != path && !marked.is_below(path));
    }

    /// All entries, ordered by path.
    ///
    /// This is not the order of the tar: there whiteouts come before their siblings, and missing
    /// parents are added.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path, entry.as_ref()))
    }

    /// The entries below `directory`, at any depth, ordered by path.
    pub fn below(&self, directory: &TreePath) -> impl Iterator<Item = (&TreePath, &Entry)> {
        let start = inside(directory);
        let end = start.clone();
        self.entries
            .range::<[u8], _>((Bound::Included(start.as_slice()), Bound::Unbounded))
            .skip_while(|(path, _)| path.is_root())
            .take_while(move |(path, _)| path.as_bytes().starts_with(&end))
            .map(|(path, entry)| (path, entry.as_ref()))
    }

    /// The directories that are marked as opaque, ordered by path.
    pub fn opaque(&self) -> impl Iterator<Item = &TreePath> {
        self.opaque.iter()
    }

    /// Whether the directory is marked as opaque.
    #[must_use]
    pub fn is_opaque(&self, path: &TreePath) -> bool {
        self.opaque.contains(path)
    }

    /// The number of entries, opaque marks not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is neither an entry nor an opaque mark.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.opaque.is_empty()
    }

    /// Puts in all that `other` holds.
    ///
    /// # Errors
    ///
    /// As for [`Self::insert`]; what came before the fault is in then.
    pub fn extend(&mut self, other: Self) -> Result<(), TreeError> {
        for (path, entry) in other.entries {
            self.insert(path, Arc::unwrap_or_clone(entry))?;
        }
        for path in other.opaque {
            self.set_opaque(path)?;
        }
        Ok(())
    }

    /// As [`Self::iter`], for those who keep entries.
    pub(crate) fn shared(&self) -> impl Iterator<Item = (&TreePath, &Arc<Entry>)> {
        self.entries.iter()
    }

    /// As [`Self::get`], by bytes and for those who keep entries.
    pub(crate) fn get_shared(&self, path: &[u8]) -> Option<&Arc<Entry>> {
        self.entries.get(path)
    }

    /// As [`Self::insert`], for an entry that another tree holds too.
    pub(crate) fn insert_shared(
        &mut self,
        path: TreePath,
        entry: &Arc<Entry>,
    ) -> Result<(), TreeError> {
        check_entry(&path, entry)?;
        if let Some(present) = self.entries.get(&path) {
            return check_same(&path, present, entry);
        }
        self.check_place(&path, entry)?;
        self.entries.insert(path, Arc::clone(entry));
        Ok(())
    }

    fn check_place(&self, path: &TreePath, entry: &Entry) -> Result<(), TreeError> {
        self.check_ancestors(path, entry)?;
        if entry.kind == Kind::Directory {
            return Ok(());
        }
        if let Some((child, present)) = self.below(path).next() {
            return Err(below(child, path, entry, present));
        }
        if let Some(marked) = self.first_opaque(path) {
            let marker = Entry::directory(Attributes::directory()).with_origin("an opaque marker");
            return Err(below(marked, path, entry, &marker));
        }
        Ok(())
    }

    /// The first opaque mark at or below `path`.
    pub(crate) fn first_opaque(&self, path: &TreePath) -> Option<&TreePath> {
        let start = inside(path);
        let range = (Bound::Included(start.as_slice()), Bound::Unbounded);
        let below = || self.opaque.range::<[u8], _>(range).next();
        self.opaque
            .get(path)
            .or_else(|| below().filter(|marked| marked.is_below(path)))
    }

    fn check_ancestors(&self, path: &TreePath, entry: &Entry) -> Result<(), TreeError> {
        for ancestor in path.ancestors() {
            if let Some(present) = self.entries.get(ancestor)
                && present.kind != Kind::Directory
            {
                let ancestor = TreePath::from_ancestor(ancestor);
                return Err(below(path, &ancestor, present, entry));
            }
        }
        Ok(())
    }
}

/// The least bytes of a path below `directory`.
fn inside(directory: &TreePath) -> Vec<u8> {
    let mut start = directory.as_bytes().to_vec();
    if !start.is_empty() {
        start.push(b'/');
    }
    start
}

fn below(path: &TreePath, parent: &TreePath, above: &Entry, below: &Entry) -> TreeError {
    TreeError::NotADirectory {
        path: path.display(),
        parent: parent.display(),
        kind: above.kind.name(),
        parent_origin: above.origin.clone(),
        origin: below.origin.clone(),
    }
}
