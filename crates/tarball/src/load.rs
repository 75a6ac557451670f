//! A tree of what a tar holds.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::names::Names;
use crate::{
    Content, Entry, Kind, Origin, ReadOptions, TarEntry, TarError, TarKind, TarReader, Tree,
    TreeError, TreePath,
};

impl Tree {
    /// The tree of an uncompressed tar on disk, a layer for example.
    ///
    /// Only its headers are read: the files' contents are slices of the tar, which has to stay as it
    /// is for as long as the tree is used.
    ///
    /// Of a path that comes twice the last entry counts, as for tar, unless `options` refuse it; a
    /// hard link made before leads to the earlier one still. A path together with its own whiteout
    /// means that nothing of it comes from lower layers, so a directory becomes opaque. A hard link
    /// to what the tar does not hold stays as it is: in a layer it leads to a lower one.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, is no tar that every reader understands in one way, or holds
    /// what contradicts itself, such as an entry below a symbolic link.
    pub fn from_tar(path: &Path, options: &ReadOptions) -> Result<Self, LoadError> {
        let shared: Arc<Path> = path.into();
        let origin = Origin::from(path.display().to_string());
        let file = File::open(path).map_err(|source| LoadError::Open {
            path: path.to_owned(),
            source,
        })?;
        let bad = |source| LoadError::Tar {
            path: path.to_owned(),
            source,
        };
        let contradicts = |source| LoadError::Tree {
            path: path.to_owned(),
            source,
        };

        let mut names = Names::default();
        let mut reader = TarReader::seekable(BufReader::new(file), *options);
        while let Some(entry) = reader.next_entry().map_err(bad)? {
            if options.refuse_duplicates && is_duplicate(&names, &entry) {
                let (tar, entry) = (path.to_owned(), entry.path.display());
                return Err(LoadError::Duplicate { path: tar, entry });
            }
            add(&mut names, entry, &shared, &origin).map_err(contradicts)?;
        }
        names.to_tree().map_err(contradicts)
    }
}

fn is_duplicate(names: &Names, entry: &TarEntry) -> bool {
    match entry.kind {
        TarKind::Whiteout => names.whiteouts.contains_key(&entry.path),
        TarKind::Opaque => names.opaque.contains(&entry.path),
        _ => names.inode(entry.path.as_bytes()).is_some(),
    }
}

fn add(
    names: &mut Names,
    found: TarEntry,
    tar: &Arc<Path>,
    origin: &Origin,
) -> Result<(), TreeError> {
    let (offset, len) = (found.data_offset, found.len);
    let content = || Content::Slice {
        path: Arc::clone(tar),
        offset,
        len,
    };
    let kind = match found.kind {
        TarKind::File => Kind::File {
            content: content(),
            fold: true,
        },
        TarKind::Directory => Kind::Directory,
        TarKind::Symlink { target } => Kind::Symlink { target },
        TarKind::HardLink { to } => {
            check_ancestors(names, &found.path, origin)?;
            let link = match names.inode(to.as_bytes()) {
                Some(inode) if names.entry(inode).kind != Kind::Directory => Some(inode),
                _ => None,
            };
            let link = link.unwrap_or_else(|| {
                let entry = Entry::new(Kind::HardLink { to }, found.attributes);
                names.new_inode(Arc::new(entry.with_origin(origin.clone())))
            });
            names.put(found.path, link);
            return Ok(());
        }
        TarKind::Fifo => Kind::Fifo,
        TarKind::CharDevice { major, minor } => Kind::CharDevice { major, minor },
        TarKind::BlockDevice { major, minor } => Kind::BlockDevice { major, minor },
        TarKind::Opaque => {
            names.opaque.insert(found.path);
            return Ok(());
        }
        TarKind::Whiteout => {
            let entry = Entry::whiteout().with_origin(origin.clone());
            names.whiteouts.insert(found.path, Arc::new(entry));
            return Ok(());
        }
    };
    check_ancestors(names, &found.path, origin)?;
    let entry = Entry::new(kind, found.attributes).with_origin(origin.clone());
    let inode = names.new_inode(Arc::new(entry));
    names.put(found.path, inode);
    Ok(())
}

/// Unpackers would follow a link, or fail.
fn check_ancestors(names: &Names, path: &TreePath, origin: &Origin) -> Result<(), TreeError> {
    for ancestor in path.ancestors() {
        if let Some(present) = names.get(ancestor)
            && present.kind != Kind::Directory
        {
            return Err(TreeError::NotADirectory {
                path: path.display(),
                parent: TreePath::from_ancestor(ancestor).display(),
                kind: present.kind.name(),
                parent_origin: present.origin.clone(),
                origin: origin.clone(),
            });
        }
    }
    Ok(())
}

/// Why there is no tree of a tar.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be opened.
    #[error("cannot open the tar `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It cannot be read as a tar.
    #[error("cannot read the tar `{}`", path.display())]
    Tar {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TarError,
    },
    /// Its entries make no tree.
    #[error("the tar `{}` makes no tree", path.display())]
    Tree {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TreeError,
    },
    /// A path comes twice, and that was to be refused.
    #[error("the tar `{}` has `{entry}` twice", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The path inside.
        entry: String,
    },
}
