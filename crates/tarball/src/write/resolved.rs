//! Resolved trees.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use cooperage_digest::Digest;

use super::header::{BLOCK, Head, MAX_PAX, padded};
use super::order::{Form, Index, Item, items, parent_mode};
use super::twins::Proof;
use super::{links, twins};
use crate::{Attributes, Content, Kind, Origin, Tree, TreePath};

/// Two blocks of zeros end the tar.
pub(crate) const END: u64 = 2 * BLOCK as u64;

/// How a tree is resolved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FoldOptions {
    /// Whether identical files become hard links, where their entries allow it.
    pub fold: bool,
    /// How many threads read files to compare them; `None` for as many as rayon's global pool has.
    /// The result is the same for any number.
    pub threads: Option<NonZeroUsize>,
}

impl Default for FoldOptions {
    /// Folding is on.
    fn default() -> Self {
        Self {
            fold: true,
            threads: None,
        }
    }
}

/// A tree whose tar is settled to the byte, but for the contents of files.
///
/// Parents that nobody put in are there, hard links lead to the first of their names, and identical
/// files are folded. [`crate::plan_blocks`] cuts its tar into blocks, and [`Self::read_block`] gives
/// the bytes of any of them, from any thread.
///
/// The tar's order is that of the paths' bytes, without a directory's trailing slash, with one
/// exception: **removals come before all their siblings**. Exactly: in the last component of a
/// whiteout, the prefix `.wh.` counts as one zero byte, and the mark of an opaque directory `D`,
/// written `D/.wh..wh..opq`, counts as `D/` and one zero byte, so that it is the first of all
/// inside `D`. In the tree's root both count without the part up to the slash.
///
/// Parents that are missing become directories with mode 0755, of root's, with time 0; but `tmp`
/// and `var/tmp` get 01777, and `root` gets 0700, since a layer that only adds a file below them
/// must not change what every base has there. Removals ask for their parents as all names do, and an
/// opaque mark for its directory: unpackers make them otherwise, each with a mode of its own.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub(crate) tree: Tree,
    pub(crate) items: Vec<Item>,
    pub(crate) proofs: BTreeMap<Index, Proof>,
    len: u64,
}

/// Resolves a tree: adds parents, turns hard links, and folds identical files.
///
/// Regular files of 64 KiB or more with the same content and the same attributes, owned by root and
/// writable by no one else, become hard links to the first of them, unless `options` or their
/// entries say otherwise. Files of one length are compared by a sample of head and tail, then by
/// SHA-256; when no two files that might fold have the same length, nothing is read.
///
/// # Examples
///
/// ```
/// use cooperage_tarball::{Attributes, Content, Entry, FoldOptions, MemberKind, Tree, TreePath, fold};
///
/// let mut tree = Tree::new();
/// for path in ["bin/app", "bin/app-twin"] {
///     let content = Content::bytes(vec![7; 100_000]);
///     tree.insert(TreePath::parse(path)?, Entry::file(content, Attributes::executable()))?;
/// }
/// let resolved = fold(&tree, &FoldOptions::default())?;
/// let kinds: Vec<_> = resolved.members().map(|member| member.kind).collect();
/// assert_eq!(kinds[0], MemberKind::Directory); // `bin`, which nobody put in
/// assert_eq!(kinds[2], MemberKind::HardLink { to: TreePath::parse("bin/app")? });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// When a hard link leads nowhere, to a directory or in a circle, when the records that an entry
/// needs are longer than readers take, or when a file cannot be read or changes meanwhile.
pub fn fold(tree: &Tree, options: &FoldOptions) -> Result<Resolved, FoldError> {
    let mut items = items(tree.store());
    links::resolve(tree.store(), &mut items)?;
    let proofs = if options.fold {
        twins::fold(tree.store(), &mut items, options)?
    } else {
        BTreeMap::new()
    };
    let mut resolved = Resolved {
        tree: tree.clone(),
        items,
        proofs,
        len: END,
    };
    let mut scratch = Vec::new();
    for index in 0..resolved.items.len() {
        scratch.clear();
        let records = resolved.write_head(index, &mut scratch);
        if records > MAX_PAX {
            let entry = resolved.path(index).display();
            return Err(FoldError::HeadTooLong {
                entry,
                actual: records,
            });
        }
        resolved.items[index].head = scratch.len() as u32;
        let len = scratch.len() as u64 + padded(resolved.body(index).unwrap_or(0));
        resolved.len = resolved.len.saturating_add(len);
    }
    Ok(resolved)
}

impl Resolved {
    /// The length of the tar in bytes, its end included.
    #[must_use]
    pub fn tar_len(&self) -> u64 {
        self.len
    }

    /// The number of entries of the tar.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether the tar has no entries, but its end alone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The entries of the tar, in its order.
    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        let mut offset = 0;
        (0..self.items.len()).map(move |index| {
            let item = &self.items[index];
            let data_offset = offset + u64::from(item.head);
            let member = Member {
                path: self.path(index),
                attributes: self.attributes(item).into_owned(),
                kind: self.kind(index),
                is_synthesised: item.form == Form::Parent,
                offset,
                data_offset,
                digest: self
                    .proofs
                    .get(&(index as Index))
                    .map(|proof| &proof.digest),
                origin: match item.form {
                    Form::Parent | Form::Opaque => Origin::default(),
                    _ => self.tree.store().origin(item.entry),
                },
            };
            offset = data_offset + padded(self.body(index).unwrap_or(0));
            member
        })
    }

    /// The length of what stands behind the head of an item, if it has a body.
    pub(crate) fn body(&self, index: usize) -> Option<u64> {
        let item = &self.items[index];
        let file = || self.tree.store().file(item.entry);
        (item.form == Form::Plain).then(file)?.map(|(len, _)| len)
    }

    /// Where the bytes are that stand behind the head of an item.
    pub(crate) fn content(&self, index: usize) -> Option<Content> {
        let item = &self.items[index];
        let content = || self.tree.store().content(item.entry);
        (item.form == Form::Plain).then(content)?
    }

    pub(crate) fn path(&self, index: usize) -> TreePath {
        self.tree.store().path(self.items[index].name)
    }

    /// The name of an item as it is written, without a directory's trailing slash.
    pub(crate) fn name(&self, index: usize) -> Vec<u8> {
        let (store, item) = (self.tree.store(), &self.items[index]);
        let mut name = Vec::new();
        store.write_path(item.name, &mut name);
        match item.form {
            Form::Plain | Form::Link(_) | Form::Parent if name.is_empty() => name.push(b'.'),
            Form::Plain | Form::Link(_) | Form::Parent => {}
            Form::Whiteout => {
                let last = name.len() - store.name(item.name).len();
                name.splice(last..last, *b".wh.");
            }
            Form::Opaque => {
                if !name.is_empty() {
                    name.push(b'/');
                }
                name.extend_from_slice(b".wh..wh..opq");
            }
        }
        name
    }

    /// What the head of an item says, for a removal that of its file.
    fn attributes(&self, item: &Item) -> Cow<'_, Attributes> {
        let store = self.tree.store();
        match item.form {
            Form::Plain | Form::Link(_) => Cow::Borrowed(store.attributes(item.entry)),
            Form::Parent => {
                let mode = parent_mode(store.path(item.name).as_bytes());
                Cow::Owned(Attributes::with_mode(mode))
            }
            Form::Whiteout | Form::Opaque => Cow::Owned(Attributes::file()),
        }
    }

    /// Appends the head of an item, and gives the length of its PAX records in bytes.
    pub(crate) fn write_head(&self, index: usize, out: &mut Vec<u8>) -> usize {
        let item = &self.items[index];
        let store = self.tree.store();
        let mut name = self.name(index);
        let (mut link, mut device) = (Cow::Borrowed(&b""[..]), (0, 0));
        let typeflag = match item.form {
            Form::Link(to) => {
                link = Cow::Owned(self.path(to as usize).as_bytes().to_vec());
                b'1'
            }
            Form::Whiteout | Form::Opaque => b'0',
            Form::Parent => b'5',
            Form::Plain if store.is_directory(item.entry) => b'5',
            Form::Plain => match store.other(item.entry) {
                Some(Kind::Symlink { target }) => {
                    link = Cow::Borrowed(target);
                    b'2'
                }
                Some(Kind::CharDevice { major, minor }) => {
                    device = (*major, *minor);
                    b'3'
                }
                Some(Kind::BlockDevice { major, minor }) => {
                    device = (*major, *minor);
                    b'4'
                }
                Some(Kind::Fifo) => b'6',
                // Links are resolved, and what else there is has a shape of its own.
                _ => b'0',
            },
        };
        if typeflag == b'5' {
            name.push(b'/');
        }
        Head {
            name: &name,
            attributes: &self.attributes(item),
            typeflag,
            size: self.body(index).unwrap_or(0),
            link: &link,
            device,
        }
        .write(out)
    }

    fn kind(&self, index: usize) -> MemberKind {
        let item = &self.items[index];
        match item.form {
            Form::Link(to) => MemberKind::HardLink {
                to: self.path(to as usize),
            },
            Form::Whiteout => MemberKind::Whiteout,
            Form::Opaque => MemberKind::Opaque,
            Form::Parent => MemberKind::Directory,
            Form::Plain => match self.tree.store().kind(item.entry) {
                Some(Kind::File { content, .. }) => MemberKind::File { content },
                Some(Kind::Symlink { target }) => MemberKind::Symlink { target },
                Some(Kind::Fifo) => MemberKind::Fifo,
                Some(Kind::CharDevice { major, minor }) => MemberKind::CharDevice { major, minor },
                Some(Kind::BlockDevice { major, minor }) => {
                    MemberKind::BlockDevice { major, minor }
                }
                _ => MemberKind::Directory,
            },
        }
    }
}

/// One entry of the tar of a [`Resolved`] tree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Member<'a> {
    /// Its path; for a whiteout what it removes, for an opaque mark the directory.
    pub path: TreePath,
    /// What is written of it; meaningless for a whiteout and an opaque mark.
    pub attributes: Attributes,
    /// What it is.
    pub kind: MemberKind,
    /// Whether it is a parent directory that nobody put into the tree.
    pub is_synthesised: bool,
    /// Where its head begins, in bytes from the start of the tar.
    pub offset: u64,
    /// Where its body begins, or would.
    pub data_offset: u64,
    /// The SHA-256 digest of a file, where comparing files made it known.
    pub digest: Option<&'a Digest>,
    /// Where it came from.
    pub origin: Origin,
}

/// What an entry of a tar is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MemberKind {
    /// A file with its body.
    File {
        /// Its bytes.
        content: Content,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points.
        target: Vec<u8>,
    },
    /// Another name of an entry before it.
    HardLink {
        /// That entry.
        to: TreePath,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// The removal of what lower layers have at the path.
    Whiteout,
    /// The mark of an opaque directory.
    Opaque,
}

/// Why a tree cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// A hard link leads to a path that the tree does not hold. A layer's hard links must lead to
    /// entries of the same layer.
    #[error("`{entry}` (from {origin}) is a hard link to `{to}`, which is not in the same layer")]
    DanglingLink {
        /// The link.
        entry: String,
        /// Where it leads.
        to: String,
        /// Where it came from.
        origin: Origin,
    },
    /// A hard link leads to what cannot have two names.
    #[error("`{entry}` (from {origin}) is a hard link to `{to}`, which is a {kind}")]
    LinkTarget {
        /// The link.
        entry: String,
        /// Where it leads.
        to: String,
        /// What is there.
        kind: &'static str,
        /// Where it came from.
        origin: Origin,
    },
    /// Hard links lead to one another and never to a file.
    #[error("`{entry}` (from {origin}) is a hard link that leads in a circle")]
    LinkLoop {
        /// One of the links.
        entry: String,
        /// Where it came from.
        origin: Origin,
    },
    /// What an entry has besides its content does not fit into what readers take.
    #[error(
        "`{entry}` needs {actual} bytes of records for its extended attributes and names, at most {MAX_PAX} are read by others"
    )]
    HeadTooLong {
        /// The entry.
        entry: String,
        /// How many bytes it needs.
        actual: usize,
    },
    /// A file could not be compared with others.
    #[error("cannot read `{}` for layer entry `{entry}`", path.display())]
    Read {
        /// The file on the machine that packs; empty for bytes in memory.
        path: PathBuf,
        /// Its path in the layer.
        entry: String,
        /// What the operating system said, or how it was seen to change.
        source: io::Error,
    },
    /// Threads could not be started.
    #[error("cannot start threads")]
    Threads {
        /// What the operating system said.
        source: io::Error,
    },
}
