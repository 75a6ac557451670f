//! Trees of files to and from tar bytes: canonical when writing, strict and lossless when reading.
//!
//! A [`Tree`] is what a layer will hold, or holds: entries by path, in no order of their own.
//!
//! | from | | to |
//! |---|---|---|
//! | entries, one by one | [`Tree::insert`] | a tree that does not contradict itself |
//! | a directory | [`scan`] | a tree |
//! | the tar of a layer | [`Tree::from_tar`] | a tree whose files are slices of the tar |
//! | several layers | [`overlay`] | the tree that a container sees |
//! | two trees | [`diff`] | the layer that makes one into the other |
//! | a tree | [`fold`] | a [`Resolved`] tree: parents added, links turned, identical files folded |
//! | a resolved tree | [`plan_blocks`], [`Resolved::read_block`] | its tar, in blocks, from any thread |
//! | | [`Resolved::write_to`] | its tar, as a stream |
//! | a tree | [`unpack`] | a directory |
//! | any tar | [`TarReader`] | its entries, as a stream |
//!
//! # The bytes that are written
//!
//! One tree has one tar, whoever writes it. Its order and the parents that are added are described
//! at [`Resolved`], what is folded at [`fold`], and where it is cut into blocks at [`plan_blocks`].
//! Each entry is a ustar header and, for a file, its body with zeros up to a multiple of 512 bytes:
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 100 | the path's first 100 bytes; a directory's ends in `/`, and the root is `./` |
//! | 100, 108, 116 | 8 each | mode, uid, gid: seven octal digits and NUL |
//! | 124, 136 | 12 each | size of the body, modification time: eleven octal digits and NUL |
//! | 148 | 8 | the sum of all bytes, these taken as spaces: six octal digits, NUL, space |
//! | 156 | 1 | `0` file, `1` hard link, `2` symbolic link, `3` character device, `4` block device, `5` directory, `6` fifo, `x` records |
//! | 157 | 100 | the first 100 bytes of what a link leads to |
//! | 257 | 8 | `ustar`, NUL, `00` |
//! | 265, 297 | 32 each | the first 31 bytes of owner's and group's name |
//! | 329, 337 | 8 each | device numbers, 0 for all else: seven octal digits and NUL |
//! | 345 | 167 | NUL; the prefix is never used |
//!
//! What a header cannot say, PAX records say, sorted by the bytes of their keys: `SCHILY.xattr.` and
//! name for each extended attribute; `gid` and `uid` over 2097151; `gname` and `uname` over 31 bytes
//! or not ASCII; `path` and `linkpath` over 100 bytes (a directory's slash counted) or not ASCII;
//! `mtime` below 0, over 8589934591 or with a fraction; `size` over 8589934591; and
//! `hdrcharset=BINARY` when any of these texts is not UTF-8. A number that a record says is 0 in the
//! header, but for a time with a fraction, whose whole seconds stand there if they fit. The records
//! are the body of an entry of type `x` before the entry itself, with the name `././@PaxHeader`,
//! mode 0644, and everything else 0 or empty.
//!
//! A hard link has size 0 and repeats all attributes of the file, extended ones too, since unpackers
//! that set the owner of a link take capabilities and setuid away from the file. A whiteout and the
//! mark of an opaque directory are empty files with mode 0644, of root's, with time 0. Two blocks of
//! zeros end the tar.
//!
//! Spec: POSIX.1-2017, `pax` § ustar Interchange Format, § pax Header Block; image-spec v1.1,
//! `layer.md`.
//!
//! # Examples
//!
//! ```
//! use cooperage_tarball::{Attributes, Content, Entry, Tree, TreePath, fold};
//!
//! let mut tree = Tree::new();
//! let app = Entry::file(Content::bytes(*b"#!/bin/sh\n"), Attributes::executable());
//! tree.insert(TreePath::parse("usr/bin/app")?, app)?;
//! // A name that the base image has and this one shall not.
//! tree.insert(TreePath::parse("usr/bin/+x")?, Entry::whiteout())?;
//!
//! let mut tar = Vec::new();
//! fold(&tree, &Default::default())?.write_to(&mut tar)?;
//! assert!(tar.starts_with(b"usr/\0"));
//! assert!(tar[1024..].starts_with(b"usr/bin/.wh.+x\0"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod path;

mod glob;

mod attributes;

mod content;

mod entry;

mod tree;

mod write;

mod read;

mod load;

mod scan;

mod overlay;

mod diff;

mod names;

mod unpack;

mod host;

pub use attributes::{Attributes, Mtime};
pub use content::Content;
pub use diff::{DiffError, diff};
pub use entry::{Entry, Kind, Origin};
pub use glob::{GlobError, PathGlob};
pub use host::neighbours::Neighbours;
pub use load::LoadError;
pub use overlay::{OverlayError, overlay};
pub use path::{PathError, PathFault, TreePath};
pub use read::{ReadOptions, TarEntry, TarError, TarKind, TarReader, Trailing};
pub use scan::{AttributesFrom, HardLinks, ScanError, ScanOptions, Symlinks, scan};
pub use tree::{Difference, EntryFault, Tree, TreeError};
pub use unpack::{
    Existing, LeftOut, Omission, Refused, UnpackError, UnpackOptions, Unpacked, unpack,
};
pub use write::{
    Block, BlockRules, FoldError, FoldOptions, Member, MemberKind, PackError, Resolved, fold,
    plan_blocks,
};
