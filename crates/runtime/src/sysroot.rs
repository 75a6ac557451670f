//! The file system that libraries are taken from.

use std::io;
use std::path::{Path, PathBuf};

use crate::files::{self, Files, Located, Node};
use crate::ld_cache::{self, CacheEntry};
use crate::ld_conf;

/// The root of the file system that a program was built for: `/`, or a cross compiler's sysroot.
///
/// Every symlink is resolved inside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sysroot {
    root: PathBuf,
}

impl Default for Sysroot {
    /// The machine's own root, `/`.
    fn default() -> Self {
        Self {
            root: PathBuf::from("/"),
        }
    }
}

impl Sysroot {
    /// A sysroot at a directory, which must exist.
    pub fn new(root: &Path) -> io::Result<Self> {
        let root = std::fs::canonicalize(root)?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { root })
    }

    /// Where it lies on the build machine, without symlinks.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    pub(crate) fn locate(&self, path: &str) -> io::Result<Option<Located>> {
        files::locate(self, path)
    }

    /// The file of the build machine that lies at a resolved path.
    pub(crate) fn file(&self, real: &str) -> PathBuf {
        self.root.join(real)
    }

    /// The text or bytes of a file of the sysroot, if it is there and not larger than `limit`.
    pub(crate) fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        use io::Read;
        let Some(located) = self.locate(path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(self.file(&located.real))?;
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            let message = format!("`{path}` is larger than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Some(bytes))
    }

    /// The loader's cache: `None` where there is none, or none that can be understood.
    pub(crate) fn ld_cache(&self) -> io::Result<Option<Vec<CacheEntry>>> {
        let bytes = self.read("etc/ld.so.cache", 64 << 20)?;
        Ok(bytes.and_then(|bytes| ld_cache::parse(&bytes).ok()))
    }

    /// The directories of `/etc/ld.so.conf`, which `ldconfig` makes the cache from.
    pub(crate) fn ld_conf(&self) -> io::Result<Vec<String>> {
        let read = |path: &str| {
            let text = self.read(path, 1 << 20)?;
            Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
        };
        ld_conf::directories("etc/ld.so.conf", &read, &|directory| self.names(directory))
    }

    /// The names in a directory, sorted.
    fn names(&self, directory: &str) -> io::Result<Vec<String>> {
        let Some((real, Node::Directory)) = files::resolve(self, directory)? else {
            return Ok(Vec::new());
        };
        #[expect(clippy::disallowed_methods, reason = "sorted before anyone sees it")]
        let entries = std::fs::read_dir(self.file(&real))?;
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }
}

impl Files for Sysroot {
    fn node(&self, path: &str) -> io::Result<Option<Node>> {
        let path = self.root.join(path);
        let kind = match std::fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        if kind.is_symlink() {
            // A target that is not text cannot be an image's path; it leads nowhere.
            let target = std::fs::read_link(&path)?;
            return Ok(target.to_str().map(|text| Node::Symlink(text.to_owned())));
        }
        Ok(Some(if kind.is_file() {
            Node::File
        } else if kind.is_dir() {
            Node::Directory
        } else {
            Node::Other
        }))
    }
}

/// A directory that may not be entered hides its files from the loader as well.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    matches!(
        error.kind(),
        NotFound | NotADirectory | PermissionDenied | InvalidFilename | InvalidInput
    )
}
