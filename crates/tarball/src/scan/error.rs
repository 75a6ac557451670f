//! Why a directory cannot be scanned.

use std::io;
use std::path::PathBuf;

use crate::{PathError, TreeError};

/// Why a directory cannot be scanned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// A glob is malformed.
    #[error("a glob is malformed")]
    Glob {
        /// Which, and what is wrong with it.
        source: globset::Error,
    },
    /// Something cannot be read, for example because a symbolic link that is followed leads nowhere.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Symbolic links that are followed lead in a circle.
    #[error("`{}` leads back to `{}`, which it lies in", path.display(), ancestor.display())]
    Loop {
        /// The link.
        path: PathBuf,
        /// The directory above it that it leads to.
        ancestor: PathBuf,
    },
    /// What was to be scanned is no directory.
    #[error("`{}` is not a directory", path.display())]
    NotADirectory {
        /// What it is.
        path: PathBuf,
    },
    /// A socket, or something else that a tar cannot hold.
    #[error("`{}` is a socket or something else that a layer cannot hold; exclude it", path.display())]
    Unsupported {
        /// Where.
        path: PathBuf,
    },
    /// A name, or the target of a symbolic link, is not Unicode on a host where it must be.
    #[error("the name or target of `{}` is not Unicode", path.display())]
    Name {
        /// Where.
        path: PathBuf,
    },
    /// A path is no path in a tree, most likely too long.
    #[error("`{}` cannot be in a tree", path.display())]
    Path {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        source: PathError,
    },
    /// Something cannot be put into the tree.
    #[error("`{}` cannot be put into the tree", path.display())]
    Tree {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        source: TreeError,
    },
}
