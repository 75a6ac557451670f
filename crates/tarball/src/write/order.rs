//! The order of a tar's entries, and the parents that are added.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Attributes, Entry, Kind, Tree, TreePath};

/// One entry of the tar to be.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Where it stands; what it removes, for a whiteout; the directory, for an opaque mark.
    pub(crate) path: TreePath,
    /// What it is; for a link, the entry that it is another name of.
    pub(crate) entry: Arc<Entry>,
    pub(crate) form: Form,
    /// The length of its head in bytes.
    pub(crate) head: u32,
}

/// How an item is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// As its entry says.
    Plain,
    /// As a hard link to the item of this index, which comes before it.
    Link(usize),
    /// As a directory that nobody put into the tree.
    Parent,
    /// As a removal.
    Whiteout,
    /// As the mark of an opaque directory.
    Opaque,
}

impl Item {
    /// What items are sorted by, as one run of bytes in three parts.
    fn key(&self) -> [&[u8]; 3] {
        let path = self.path.as_bytes();
        match self.form {
            Form::Plain | Form::Link(_) | Form::Parent => [path, b"", b""],
            Form::Whiteout => {
                let (parent, name) = path.split_at(path.len() - self.path.file_name().len());
                [parent, b"\0", name]
            }
            Form::Opaque if path.is_empty() => [b"\0", b"", b""],
            Form::Opaque => [path, b"/\0", b""],
        }
    }

    /// How it stands to what is itself, and no removal, at `path`.
    pub(crate) fn key_against(&self, path: &TreePath) -> Ordering {
        self.key().into_iter().flatten().cmp(path.as_bytes())
    }

    fn order(&self, other: &Self) -> Ordering {
        self.key()
            .into_iter()
            .flatten()
            .cmp(other.key().into_iter().flatten())
    }
}

/// All entries of `tree` with their missing parents, in the order of the tar.
pub(crate) fn items(tree: &Tree) -> Vec<Item> {
    let item = |path: &TreePath, entry: &Arc<Entry>, form| Item {
        path: path.clone(),
        entry: Arc::clone(entry),
        form,
        head: 0,
    };
    let form = |entry: &Entry| match entry.kind {
        Kind::Whiteout => Form::Whiteout,
        _ => Form::Plain,
    };
    let mut items: Vec<_> = tree
        .shared()
        .map(|(path, entry)| item(path, entry, form(entry)))
        .collect();
    let mut shared = Parents::default();
    for (path, mode) in missing_parents(tree) {
        items.push(item(&path, &shared.entry(mode), Form::Parent));
    }
    let mark = shared.entry(PARENT_MODE);
    items.extend(tree.opaque().map(|path| item(path, &mark, Form::Opaque)));
    items.sort_by(Item::order);
    items
}

const PARENT_MODE: u32 = 0o755;

/// The mode of a parent that nobody put in.
///
/// What every system has otherwise is as every system has it: a layer that only adds a file below
/// `tmp` must not close it for everyone.
pub(crate) fn parent_mode(path: &[u8]) -> u32 {
    match path {
        b"tmp" | b"var/tmp" => 0o1777,
        b"root" => 0o700,
        _ => PARENT_MODE,
    }
}

/// The directories that `tree` does not hold, with their modes, though names of its tar lie in them.
///
/// Removals have names too: Docker makes a directory for a name without one, 20.10 with mode 0600,
/// and so would close `tmp` for everyone who removes a file there.
pub(crate) fn missing_parents(tree: &Tree) -> BTreeMap<TreePath, u32> {
    let mut missing = BTreeMap::new();
    let mut add = |path: &[u8]| {
        if tree.get_shared(path).is_none() && !missing.contains_key(path) {
            missing.insert(TreePath::from_ancestor(path), parent_mode(path));
        }
    };
    let mut last: Option<TreePath> = None;
    for (path, _) in tree.iter() {
        let parent = path.parent().filter(|parent| !parent.is_root());
        if parent == last {
            continue;
        }
        path.ancestors().for_each(&mut add);
        last = parent;
    }
    for path in tree.opaque().filter(|path| !path.is_root()) {
        path.ancestors().for_each(&mut add);
        add(path.as_bytes());
    }
    missing
}

/// Entries for directories that nobody put in, one for each mode.
#[derive(Debug, Default)]
pub(crate) struct Parents(BTreeMap<u32, Arc<Entry>>);

impl Parents {
    pub(crate) fn entry(&mut self, mode: u32) -> Arc<Entry> {
        let make = || Arc::new(Entry::directory(Attributes::with_mode(mode)));
        Arc::clone(self.0.entry(mode).or_insert_with(make))
    }
}
