//! Trees.

mod check;

mod error;

mod interner;

mod ordered;

pub(crate) mod store;

pub(crate) mod walk;

use std::fmt;
use std::sync::Arc;

use check::{check_entry, check_name, check_same};
pub use error::{Difference, EntryFault, TreeError};
use store::{Id, Spot, Store};
use walk::{Step, Walk};

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
///
/// # Memory
///
/// An entry takes about 60 bytes and its name's length, whatever its path's: paths, entries and
/// what they hold are made when asked for. Cloning a tree costs nothing until one of the two changes.
#[derive(Clone, Default)]
pub struct Tree(Arc<Store>);

#[expect(
    clippy::needless_pass_by_value,
    reason = "what is put in is the tree's from then on, in whatever form it is kept"
)]
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
        match self.0.spot(path.as_bytes()) {
            Spot::Free => {}
            Spot::At(id) => match self.0.entry(id) {
                Some(present) => return check_same(&path, &present, &entry),
                None => self.check_place(&path, &entry)?,
            },
            Spot::Below => self.check_place(&path, &entry)?,
        }
        self.check_room(&path)?;
        Arc::make_mut(&mut self.0).insert(&path, &entry);
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
        if let Some(present) = self
            .get(&path)
            .filter(|found| found.kind != Kind::Directory)
        {
            return Err(below(&path, &path, &present, &marker));
        }
        self.check_room(&path)?;
        Arc::make_mut(&mut self.0).mark(&path);
        Ok(())
    }

    /// The entry at `path`.
    #[must_use]
    pub fn get(&self, path: &TreePath) -> Option<Entry> {
        self.0.entry(self.find(path.as_bytes())?)
    }

    /// Gives the entry at `path` other attributes; whether there is one.
    ///
    /// # Errors
    ///
    /// [`TreeError::Invalid`] for attributes that could not be written to a tar.
    pub fn set_attributes(
        &mut self,
        path: &TreePath,
        attributes: Attributes,
    ) -> Result<bool, TreeError> {
        let found = self.find(path.as_bytes());
        let Some((id, kind)) = found.and_then(|id| Some((id, self.0.kind(id)?))) else {
            return Ok(false);
        };
        check_entry(path, &Entry::new(kind, attributes.clone()))?;
        Arc::make_mut(&mut self.0).set_attributes(id, &attributes);
        Ok(true)
    }

    /// Takes the entry at `path` out, and it alone: what is below a directory stays.
    pub fn remove(&mut self, path: &TreePath) -> Option<Entry> {
        let id = self.find(path.as_bytes())?;
        Arc::make_mut(&mut self.0).remove(id)
    }

    /// Takes out what is at `path` and below it, opaque marks too.
    pub fn remove_all(&mut self, path: &TreePath) {
        if let Some(id) = self.find(path.as_bytes()) {
            Arc::make_mut(&mut self.0).remove_all(id);
        }
    }

    /// All entries, ordered by path.
    ///
    /// This is not the order of the tar: there whiteouts come before their siblings, and missing
    /// parents are added.
    pub fn iter(&self) -> impl Iterator<Item = (TreePath, Entry)> + use<'_> {
        self.entries(Walk::new(&self.0))
    }

    /// The entries below `directory`, at any depth, ordered by path.
    pub fn below(&self, directory: &TreePath) -> impl Iterator<Item = (TreePath, Entry)> + use<'_> {
        let id = self.find(directory.as_bytes());
        let walk = id.map(|id| Walk::below(&self.0, id));
        walk.into_iter().flat_map(|walk| self.entries(walk))
    }

    /// The directories that are marked as opaque, ordered by path.
    pub fn opaque(&self) -> impl Iterator<Item = TreePath> + use<'_> {
        names(Walk::new(&self.0))
            .filter(|id| self.0.is_opaque(*id))
            .map(|id| self.0.path(id))
    }

    /// Whether the directory is marked as opaque.
    #[must_use]
    pub fn is_opaque(&self, path: &TreePath) -> bool {
        self.find(path.as_bytes())
            .is_some_and(|id| self.0.is_opaque(id))
    }

    /// The number of entries, opaque marks not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is neither an entry nor an opaque mark.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let root = store::ROOT;
        !self.0.has_entry(root) && !self.0.is_opaque(root) && !self.0.has_children(root)
    }

    /// Puts in all that `other` holds.
    ///
    /// # Errors
    ///
    /// As for [`Self::insert`]; what came before the fault is in then.
    pub fn extend(&mut self, other: Self) -> Result<(), TreeError> {
        for (path, entry) in other.iter() {
            self.insert(path, entry)?;
        }
        for path in other.opaque() {
            self.set_opaque(path)?;
        }
        Ok(())
    }

    /// Its records, for those who go through them all.
    pub(crate) fn store(&self) -> &Store {
        &self.0
    }

    /// Whether an entry stands at `path`.
    pub(crate) fn has(&self, path: &[u8]) -> bool {
        self.find(path).is_some_and(|id| self.0.has_entry(id))
    }

    /// The directories that nobody put in, though something lies in them or they are marked, ordered
    /// by path. The root is none of them.
    pub(crate) fn implied(&self) -> impl Iterator<Item = TreePath> + use<'_> {
        names(Walk::new(&self.0))
            .filter(|id| *id != store::ROOT && !self.0.has_entry(*id))
            .map(|id| self.0.path(id))
    }

    fn find(&self, path: &[u8]) -> Option<Id> {
        self.0.find(path)
    }

    fn entries<'a>(&'a self, walk: Walk<'a>) -> impl Iterator<Item = (TreePath, Entry)> + use<'a> {
        names(walk).filter_map(|id| Some((self.0.path(id), self.0.entry(id)?)))
    }

    fn check_place(&self, path: &TreePath, entry: &Entry) -> Result<(), TreeError> {
        self.check_ancestors(path, entry)?;
        if entry.kind == Kind::Directory || self.find(path.as_bytes()).is_none() {
            return Ok(());
        }
        if let Some((child, present)) = self.below(path).next() {
            return Err(below(&child, path, entry, &present));
        }
        if let Some(marked) = self.first_opaque(path) {
            let marker = Entry::directory(Attributes::directory()).with_origin("an opaque marker");
            return Err(below(&marked, path, entry, &marker));
        }
        Ok(())
    }

    /// The first opaque mark at or below `path`.
    pub(crate) fn first_opaque(&self, path: &TreePath) -> Option<TreePath> {
        let id = self.find(path.as_bytes())?;
        std::iter::once(id)
            .chain(names(Walk::below(&self.0, id)))
            .find(|id| self.0.is_opaque(*id))
            .map(|id| self.0.path(id))
    }

    fn check_ancestors(&self, path: &TreePath, entry: &Entry) -> Result<(), TreeError> {
        let mut above = self.0.above(path.as_bytes());
        let fault = above.find(|id| self.0.has_entry(*id) && !self.0.is_directory(*id));
        match fault.and_then(|id| Some((self.0.path(id), self.0.entry(id)?))) {
            Some((ancestor, present)) => Err(below(path, &ancestor, &present, entry)),
            None => Ok(()),
        }
    }

    fn check_room(&self, path: &TreePath) -> Result<(), TreeError> {
        if self.0.is_full() {
            return Err(TreeError::Full {
                path: path.display(),
            });
        }
        Ok(())
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter()) && self.opaque().eq(other.opaque())
    }
}

impl Eq for Tree {}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opaque: Vec<_> = self.opaque().collect();
        f.debug_struct("Tree")
            .field("entries", &Entries(self))
            .field("opaque", &opaque)
            .finish()
    }
}

struct Entries<'a>(&'a Tree);

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter()).finish()
    }
}

/// The names of a walk.
fn names(walk: Walk<'_>) -> impl Iterator<Item = Id> + use<'_> {
    walk.filter_map(|step| match step {
        Step::At(id) => Some(id),
        Step::Inside(_) => None,
    })
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
