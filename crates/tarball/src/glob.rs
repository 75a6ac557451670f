//! Globs of paths in a tree.

use std::ffi::OsStr;
use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

use crate::TreePath;

/// A glob of paths: `*` and `?` stop at `/`, `**` does not, `{a,b}` is either, `[a-z]` is one of
/// them. One slash before it is of no account.
///
/// # Examples
///
/// ```
/// use cooperage_tarball::{PathGlob, TreePath};
///
/// let glob = PathGlob::new("/usr/**/*.{h,hpp}")?;
/// assert!(glob.matches(&TreePath::parse("usr/include/zlib.h")?));
/// assert!(!glob.matches(&TreePath::parse("opt/zlib.h")?));
/// assert!(PathGlob::new("usr/[").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PathGlob {
    text: String,
    matcher: GlobMatcher,
}

/// Why a text is no glob.
#[derive(Debug, thiserror::Error)]
#[error("`{glob}` is no glob")]
pub struct GlobError {
    /// The text.
    pub glob: String,
    /// What is wrong with it.
    #[source]
    source: globset::Error,
}

impl PathGlob {
    /// Reads a glob.
    ///
    /// # Errors
    ///
    /// [`GlobError`]
    pub fn new(text: &str) -> Result<Self, GlobError> {
        let pattern = text.strip_prefix('/').unwrap_or(text);
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        match glob {
            Ok(glob) => Ok(Self {
                text: text.to_owned(),
                matcher: glob.compile_matcher(),
            }),
            Err(source) => Err(GlobError {
                glob: text.to_owned(),
                source,
            }),
        }
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a path fits it. In a path that is not UTF-8, each byte that is none stands for one
    /// that no glob names.
    #[must_use]
    pub fn matches(&self, path: &TreePath) -> bool {
        let text = String::from_utf8_lossy(path.as_bytes());
        self.matcher.is_match(OsStr::new(&*text))
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
