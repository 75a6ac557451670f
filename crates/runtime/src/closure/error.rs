//! Why a closure could not be found.

use std::io;
use std::path::PathBuf;

use crate::elf::ElfError;
use crate::ld_cache::CacheError;
use crate::loader::WorldError;

/// Why a closure could not be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClosureError {
    /// A binary could not be read.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// The sysroot could not be searched.
    #[error("cannot search for libraries at `{}`", path.display())]
    Search {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The loader that a program names is not there.
    #[error(
        "`{}` needs the loader `{interpreter}`, which is not in the sysroot `{}`: \
         name the sysroot of its target",
        binary.display(), sysroot.display()
    )]
    Interpreter {
        /// The program.
        binary: PathBuf,
        /// The path it names.
        interpreter: String,
        /// Where it was looked for.
        sysroot: PathBuf,
    },
    /// A library is nowhere to be found.
    #[error(
        "library `{library}`, needed by `{}`, was not found; searched: {}",
        needed_by.display(), listed(searched)
    )]
    Missing {
        /// The name that is needed.
        library: String,
        /// The file that needs it.
        needed_by: PathBuf,
        /// Where it was looked for, in order.
        searched: Vec<String>,
    },
    /// A library was found that is older than the program.
    #[error(
        "`{}` needs version `{version}` of `{library}`, but `{}` offers {}",
        needed_by.display(), file.display(), offer(offered.as_deref())
    )]
    Version {
        /// The name that is needed.
        library: String,
        /// The version that is needed.
        version: String,
        /// The file that needs it.
        needed_by: PathBuf,
        /// The library that was found.
        file: PathBuf,
        /// The newest version of the same family that it has.
        offered: Option<String>,
    },
    /// Two different files would have to lie at one path of the image.
    #[error(
        "both `{}` and `{}` would have to lie at `{image_path}` in the image",
        first.display(), second.display()
    )]
    Conflict {
        /// The path in the image.
        image_path: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// No setting makes the loader in the image find what the one here finds.
    #[error(
        "the loader in the image would not find `{library}` at `{image_path}`, where `{needed_by}` \
         needs it: give the program a run path to it"
    )]
    Unreachable {
        /// The name that is needed.
        library: String,
        /// Where the library lies in the image.
        image_path: String,
        /// The image path of what needs it.
        needed_by: String,
    },
    /// The loader's cache could not be written.
    #[error("cannot write `etc/ld.so.cache`")]
    Cache(#[from] CacheError),
}

impl From<WorldError> for ClosureError {
    fn from(error: WorldError) -> Self {
        match error {
            WorldError::Io { path, source } => Self::Search { path, source },
            WorldError::Elf(error) => Self::Elf(error),
        }
    }
}

fn listed(paths: &[String]) -> String {
    let listed: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
    if listed.is_empty() {
        "nowhere".to_owned()
    } else {
        listed.join(", ")
    }
}

pub(crate) fn offer(offered: Option<&str>) -> String {
    offered.map_or_else(
        || "none like it".to_owned(),
        |version| format!("`{version}` at most"),
    )
}
