//! Trees.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use crate::{Attributes, Entry, Kind, Origin, TreePath};

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
        if let Some(present) = self.entries.get(&path) {
            if present.kind != Kind::Directory {
                return Err(below(&path, &path, present, &marker));
            }
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
            if let Some(present) = self.entries.get(ancestor) {
                if present.kind != Kind::Directory {
                    let ancestor = TreePath::from_ancestor(ancestor);
                    return Err(below(path, &ancestor, present, entry));
                }
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

fn check_same(path: &TreePath, first: &Entry, second: &Entry) -> Result<(), TreeError> {
    let differs = match (&first.kind, &second.kind) {
        _ if first == second => return Ok(()),
        (Kind::Whiteout, Kind::Whiteout) => return Ok(()),
        (
            Kind::File { content, fold },
            Kind::File {
                content: other,
                fold: other_fold,
            },
        ) => {
            let same = content
                .same_bytes(other)
                .map_err(|source| TreeError::Compare {
                    path: path.display(),
                    first: first.origin.clone(),
                    second: second.origin.clone(),
                    source,
                })?;
            match () {
                () if !same => Difference::Content,
                () if first.attributes != second.attributes => Difference::Attributes,
                () if fold != other_fold => Difference::Folding,
                () => return Ok(()),
            }
        }
        (one, other) if one == other => Difference::Attributes,
        (Kind::Symlink { .. }, Kind::Symlink { .. })
        | (Kind::HardLink { .. }, Kind::HardLink { .. }) => Difference::Target,
        _ => Difference::Kind,
    };
    let (path, first, second) = (path.display(), first.origin.clone(), second.origin.clone());
    Err(TreeError::Conflict {
        path,
        difference: differs,
        first,
        second,
    })
}

fn check_name(path: &TreePath) -> Result<(), TreeError> {
    if path.is_reserved() {
        return Err(TreeError::Reserved {
            path: path.display(),
        });
    }
    Ok(())
}

/// The longest file, in bytes; no file system holds one.
const MAX_LEN: u64 = 1 << 62;

fn check_entry(path: &TreePath, entry: &Entry) -> Result<(), TreeError> {
    check_name(path)?;
    let fail = |fault| {
        Err(TreeError::Invalid {
            path: path.display(),
            fault,
        })
    };
    let attributes = &entry.attributes;
    if path.is_root() && entry.kind != Kind::Directory {
        return fail(EntryFault::Root);
    }
    match &entry.kind {
        Kind::File { content, .. } if content.len() > MAX_LEN => return fail(EntryFault::Size),
        Kind::Symlink { target } if target.is_empty() || target.contains(&0) => {
            return fail(EntryFault::Target);
        }
        Kind::HardLink { to } if to.is_root() || to == path => return fail(EntryFault::Link),
        Kind::HardLink { to } => check_name(to)?,
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor }
            if (*major).max(*minor) > Kind::DEVICE_MAX =>
        {
            return fail(EntryFault::Device);
        }
        _ => {}
    }
    if attributes.mode > Attributes::MODE_MAX {
        return fail(EntryFault::Mode {
            mode: attributes.mode,
        });
    }
    if attributes.mtime.nanoseconds >= 1_000_000_000 {
        return fail(EntryFault::Mtime);
    }
    if attributes.user.contains(&0) || attributes.group.contains(&0) {
        return fail(EntryFault::Owner);
    }
    let bad_name = |name: &&Vec<u8>| name.is_empty() || name.contains(&0) || name.contains(&b'=');
    if let Some(name) = attributes.xattrs.keys().find(bad_name) {
        return fail(EntryFault::Xattr {
            name: crate::path::lossy(name).into(),
        });
    }
    Ok(())
}

/// Why something cannot be put into a tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A path was given twice.
    #[error("`{path}` is given twice and differs in {difference}: by {first} and by {second}")]
    Conflict {
        /// The path.
        path: String,
        /// In what the two differ.
        difference: Difference,
        /// Where the entry came from that is in the tree.
        first: Origin,
        /// Where the one came from that was refused.
        second: Origin,
    },
    /// A path was given twice, and whether both are the same cannot be told.
    #[error("`{path}` is given twice, by {first} and by {second}, and cannot be compared")]
    Compare {
        /// The path.
        path: String,
        /// Where the entry came from that is in the tree.
        first: Origin,
        /// Where the one came from that was refused.
        second: Origin,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something stands below, or is marked as, what is not a directory.
    #[error(
        "`{path}` (from {origin}) needs `{parent}` to be a directory, but it is a {kind} (from {parent_origin})"
    )]
    NotADirectory {
        /// The path below.
        path: String,
        /// The path above.
        parent: String,
        /// What stands there.
        kind: &'static str,
        /// Where that came from.
        parent_origin: Origin,
        /// Where the one below came from.
        origin: Origin,
    },
    /// A name begins with `.wh.`, which layers keep for themselves.
    #[error(
        "`{path}` has a name that begins with `.wh.`, which would remove a file when the layer is unpacked; rename it"
    )]
    Reserved {
        /// The path.
        path: String,
    },
    /// The entry could not be written to a tar, or not be read again.
    #[error("`{path}` {fault}")]
    Invalid {
        /// The path.
        path: String,
        /// What is wrong.
        fault: EntryFault,
    },
}

/// In what two entries of one path differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// One is a file, say, and the other a directory.
    #[error("kind")]
    Kind,
    /// The bytes of a file, or the numbers of a device.
    #[error("content")]
    Content,
    /// Where a link points.
    #[error("target")]
    Target,
    /// Mode, owner, time or extended attributes.
    #[error("attributes")]
    Attributes,
    /// Whether it may be folded.
    #[error("whether it may be folded")]
    Folding,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// The root is no directory.
    #[error("is the tree's root, which can only be a directory")]
    Root,
    /// A file is longer than 2⁶² bytes.
    #[error("is a file of more than 2^62 bytes")]
    Size,
    /// The target of a symbolic link is empty or has a NUL byte.
    #[error("is a symbolic link whose target is empty or has a NUL byte")]
    Target,
    /// A hard link leads to itself or to the root.
    #[error("is a hard link to itself or to the root")]
    Link,
    /// A device number is over [`Kind::DEVICE_MAX`].
    #[error("is a device with a number over {}", Kind::DEVICE_MAX)]
    Device,
    /// The mode has other bits than permissions, setuid, setgid and sticky.
    #[error("has mode {mode:#o}, at most 0o7777 is possible")]
    Mode {
        /// The mode.
        mode: u32,
    },
    /// There are a thousand million nanoseconds or more.
    #[error("has a modification time with a thousand million nanoseconds or more")]
    Mtime,
    /// The owner's or the group's name has a NUL byte.
    #[error("has a NUL byte in its owner's or group's name")]
    Owner,
    /// The name of an extended attribute is empty or has a NUL byte or `=`.
    #[error("has the extended attribute `{name}`: no name may be empty or have a NUL byte or `=`")]
    Xattr {
        /// The name.
        name: Box<str>,
    },
}
