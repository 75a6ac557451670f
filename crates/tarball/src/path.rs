//! Paths inside a tree.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// What a name must not begin with, since layers spell removals so.
pub(crate) const WHITEOUT_PREFIX: &[u8] = b".wh.";

/// The path of an entry: bytes, relative to the tree's root, in one spelling only.
///
/// Components are parted by `/`. None is empty, `.` or `..`, there is no NUL byte and no `/` at
/// either end, so two paths are the same place if and only if they are the same bytes. Nothing says
/// that they are UTF-8. Ordered by bytes.
///
/// The root of the tree is a path of its own, [`TreePath::root`], of no bytes.
///
/// # Examples
///
/// ```
/// use cooperage_tarball::TreePath;
///
/// let path = TreePath::parse("usr/bin/app")?;
/// assert_eq!(path.file_name(), b"app");
/// assert_eq!(path.parent(), Some(TreePath::parse("usr/bin")?));
///
/// let error = TreePath::parse("usr/../etc/passwd").unwrap_err();
/// assert_eq!(error.to_string(), "`usr/../etc/passwd` is no path in a tree: `..` may not stand in it");
/// # Ok::<(), cooperage_tarball::PathError>(())
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TreePath(Arc<[u8]>);

impl TreePath {
    /// The longest path, in bytes: what Linux can open, which counts a NUL byte behind it.
    pub const MAX_LEN: usize = 4095;

    /// Reads a path; one `/` at its end is taken off.
    ///
    /// # Errors
    ///
    /// When it is empty, absolute or too long, or has a NUL byte or a component that is empty, `.`
    /// or `..`.
    pub fn new(bytes: &[u8]) -> Result<Self, PathError> {
        let trimmed = bytes.strip_suffix(b"/").unwrap_or(bytes);
        match check(bytes, trimmed) {
            Ok(()) => Ok(Self(trimmed.into())),
            Err(fault) => Err(PathError {
                path: lossy(bytes),
                fault,
            }),
        }
    }

    /// Reads a path that is text, as [`Self::new`] does.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Self::new(text.as_bytes())
    }

    /// The root of the tree, written `./` in a tar.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from([]))
    }

    /// Whether this is the root of the tree.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes; none for the root.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The directory that this lies in; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(
            self.split()
                .0
                .map_or_else(Self::root, |parent| Self(parent.into())),
        )
    }

    /// The last component; of no bytes for the root.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        self.split().1
    }

    /// The path of `relative`, of one or more components, below this one.
    ///
    /// # Errors
    ///
    /// As for [`Self::new`].
    pub fn join(&self, relative: &[u8]) -> Result<Self, PathError> {
        if self.is_root() {
            return Self::new(relative);
        }
        if relative.first().is_none_or(|first| *first == b'/') {
            return Self::new(relative);
        }
        Self::new(&[&self.0, &b"/"[..], relative].concat())
    }

    /// The directories above, nearest to the root first, without the root and without itself.
    pub fn ancestors(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.0.len())
            .filter(|at| self.0[*at] == b'/')
            .map(|at| &self.0[..at])
    }

    /// Whether this lies below `directory`, at any depth.
    #[must_use]
    pub fn is_below(&self, directory: &Self) -> bool {
        if directory.is_root() {
            return !self.is_root();
        }
        self.0
            .strip_prefix(directory.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&b'/'))
    }

    /// For people: what is not UTF-8 is replaced, and the root is `./`.
    #[must_use]
    pub fn display(&self) -> String {
        if self.is_root() {
            "./".to_owned()
        } else {
            lossy(&self.0)
        }
    }

    /// A path from bytes that were taken from another path at a `/`.
    pub(crate) fn from_ancestor(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Whether a component begins with `.wh.`, which layers keep for themselves.
    pub(crate) fn is_reserved(&self) -> bool {
        self.0
            .split(|byte| *byte == b'/')
            .any(|name| name.starts_with(WHITEOUT_PREFIX))
    }

    fn split(&self) -> (Option<&[u8]>, &[u8]) {
        match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (Some(&self.0[..at]), &self.0[at + 1..]),
            None => (None, &self.0),
        }
    }
}

fn check(bytes: &[u8], path: &[u8]) -> Result<(), PathFault> {
    if bytes.is_empty() {
        return Err(PathFault::Empty);
    }
    if bytes[0] == b'/' {
        return Err(PathFault::Absolute);
    }
    if path.len() > TreePath::MAX_LEN {
        return Err(PathFault::TooLong { actual: path.len() });
    }
    if path.contains(&0) {
        return Err(PathFault::Nul);
    }
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" => return Err(PathFault::EmptyComponent),
            b"." => return Err(PathFault::Dots { component: "." }),
            b".." => return Err(PathFault::Dots { component: ".." }),
            _ => {}
        }
    }
    Ok(())
}

/// At most so many bytes of a path that is wrong are shown.
const SHOWN: usize = 200;

pub(crate) fn lossy(bytes: &[u8]) -> String {
    if bytes.len() <= SHOWN {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    format!("{}…", String::from_utf8_lossy(&bytes[..SHOWN]))
}

impl Borrow<[u8]> for TreePath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.display(), f)
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.display())
    }
}

impl std::str::FromStr for TreePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

/// Bytes that are no path in a tree.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{path}` is no path in a tree: {fault}")]
#[non_exhaustive]
pub struct PathError {
    /// The bytes, as text, shortened.
    pub path: String,
    /// What is wrong with them.
    pub fault: PathFault,
}

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PathFault {
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// It begins with `/`.
    #[error("it is absolute, expected it relative to the tree's root")]
    Absolute,
    /// It has `//` inside, or more than one `/` at its end.
    #[error("it has an empty part")]
    EmptyComponent,
    /// It has a component that names no entry.
    #[error("`{component}` may not stand in it")]
    Dots {
        /// `.` or `..`.
        component: &'static str,
    },
    /// It has a NUL byte.
    #[error("it has a NUL byte")]
    Nul,
    /// It is longer than [`TreePath::MAX_LEN`].
    #[error("it is {actual} bytes long, at most {} are taken", TreePath::MAX_LEN)]
    TooLong {
        /// Its length in bytes.
        actual: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        for good in ["a", "a/b", "a/b/", ".hidden", "...", "a b/\u{e9}", ".wh.x"] {
            let path = TreePath::parse(good).unwrap();
            assert_eq!(path.as_bytes(), good.trim_end_matches('/').as_bytes());
        }
        for bad in [
            "", "/", "/a", "a//b", "a//", "./a", "a/.", ".", "..", "a/../b", "a\0",
        ] {
            TreePath::parse(bad).expect_err(bad);
        }
        TreePath::new(&vec![b'a'; TreePath::MAX_LEN]).unwrap();
        TreePath::new(&vec![b'a'; TreePath::MAX_LEN + 1]).unwrap_err();
        assert_eq!(
            TreePath::new(b"\xff/\xfe").unwrap().as_bytes(),
            b"\xff/\xfe"
        );
    }

    #[test]
    fn parents_and_children() {
        let path = TreePath::parse("a/b/c").unwrap();
        assert_eq!(path.ancestors().collect::<Vec<_>>(), [&b"a"[..], b"a/b"]);
        assert_eq!(
            TreePath::parse("a").unwrap().parent(),
            Some(TreePath::root())
        );
        assert_eq!(TreePath::root().parent(), None);
        assert!(path.is_below(&TreePath::parse("a/b").unwrap()));
        assert!(path.is_below(&TreePath::root()));
        assert!(!path.is_below(&path));
        assert!(
            !TreePath::parse("ab")
                .unwrap()
                .is_below(&TreePath::parse("a").unwrap())
        );
        assert_eq!(TreePath::root().join(b"a/b/c"), Ok(path.clone()));
        assert_eq!(TreePath::parse("a").unwrap().join(b"b/c"), Ok(path.clone()));
        path.join(b"").unwrap_err();
        path.join(b"/d").unwrap_err();
        path.join(b"../d").unwrap_err();
    }
}
