//! What a directory tree holds, one line an entry, for comparing what two programs unpacked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::host;

/// One entry of a tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Relative to the tree, `/` between its parts; bytes that are no UTF-8 as `\xNN`.
    pub path: String,
    /// What it is, with the part of it that is its content.
    pub kind: Kind,
    /// Permission bits, setuid and its like among them.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Seconds since the epoch.
    pub mtime: i64,
    /// Extended attributes, sorted by name.
    pub xattrs: Vec<(String, Vec<u8>)>,
    /// The first path, in the order of the listing, of the file that this is a hard link to.
    /// The first itself has its own path here, once there is a second.
    pub linked: Option<String>,
}

/// What an entry is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// The SHA-256 of its bytes, in hexadecimal.
        sha256: String,
    },
    /// A directory.
    Directory,
    /// A symbolic link and what it holds.
    Symlink(String),
    /// A fifo, a socket or a device.
    Special {
        /// The type bits of its mode, such as 0o010000 for a fifo.
        kind: u32,
        /// Device number, as the kernel packs it; 0 for what is no device.
        device: u64,
    },
}

/// A tree's entries in the order of their paths' bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listing(pub Vec<Entry>);

impl Listing {
    /// The same without modification times: for unpackers that do not set all of them.
    #[must_use]
    pub fn without_mtime(mut self) -> Self {
        for entry in &mut self.0 {
            entry.mtime = 0;
        }
        self
    }

    /// The same without any path that `is_unwanted`.
    #[must_use]
    pub fn without(mut self, is_unwanted: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|entry| !is_unwanted(&entry.path));
        self
    }

    /// The entry at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.path == path)
    }

    /// Asserts that both are the same, showing the lines that are not.
    #[track_caller]
    pub fn assert_same(&self, other: &Self, what: &str) {
        let lines = |listing: &Self| -> BTreeSet<String> {
            listing.0.iter().map(ToString::to_string).collect()
        };
        let (left, right) = (lines(self), lines(other));
        let mut differences: Vec<_> = left.difference(&right).map(|line| (line, '-')).collect();
        differences.extend(right.difference(&left).map(|line| (line, '+')));
        differences.sort();
        let text: String = differences
            .iter()
            .fold(String::new(), |mut text, (line, sign)| {
                writeln!(text, "{sign} {line}").expect("a string takes all");
                text
            });
        assert!(text.is_empty(), "{what}: the trees differ\n{text}");
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            mode,
            uid,
            gid,
            mtime,
            ..
        } = self;
        write!(f, "{path} {mode:04o} {uid}:{gid} @{mtime} ")?;
        match &self.kind {
            Kind::File { size, sha256 } => write!(f, "file {size} {sha256}")?,
            Kind::Directory => f.write_str("directory")?,
            Kind::Symlink(target) => write!(f, "-> {target}")?,
            Kind::Special { kind, device } => write!(f, "special {kind:o} {device:x}")?,
        }
        for (name, value) in &self.xattrs {
            write!(f, " {name}={}", value.escape_ascii())?;
        }
        match &self.linked {
            Some(first) => write!(f, " = {first}"),
            None => Ok(()),
        }
    }
}

/// Lists the tree below `directory`, without `directory` itself.
#[must_use]
pub fn tree_listing(directory: &Path) -> Listing {
    let mut entries = Vec::new();
    let mut names = BTreeMap::<(u64, u64), Vec<usize>>::new();
    for found in walkdir::WalkDir::new(directory).min_depth(1) {
        let found = found.expect("the tree can be read");
        let (entry, shared) = entry(directory, found.path())
            .unwrap_or_else(|why| panic!("cannot list `{}`: {why}", found.path().display()));
        entries.push((entry, shared));
    }
    entries.sort_by(|(left, _), (right, _)| left.path.cmp(&right.path));
    for (n, (_, shared)) in entries.iter().enumerate() {
        if let Some(inode) = shared {
            names.entry(*inode).or_default().push(n);
        }
    }
    let mut entries: Vec<_> = entries.into_iter().map(|(entry, _)| entry).collect();
    for group in names.values().filter(|group| group.len() > 1) {
        let first = entries[group[0]].path.clone();
        for n in group {
            entries[*n].linked = Some(first.clone());
        }
    }
    Listing(entries)
}

fn entry(directory: &Path, path: &Path) -> io::Result<(Entry, Option<(u64, u64)>)> {
    let metadata = path.symlink_metadata()?;
    let unix = host::unix(&metadata);
    let kind = if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_symlink() {
        Kind::Symlink(readable(path.read_link()?.as_os_str().as_encoded_bytes()))
    } else if metadata.is_file() {
        let mut hasher = Sha256::new();
        std::io::copy(&mut std::fs::File::open(path)?, &mut Hashing(&mut hasher))?;
        let sha256 = hasher
            .finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").expect("a string takes all");
                text
            });
        Kind::File {
            size: metadata.len(),
            sha256,
        }
    } else {
        Kind::Special {
            kind: unix.mode & 0o170_000,
            device: unix.device,
        }
    };
    let relative = path
        .strip_prefix(directory)
        .expect("the walk stays below its start");
    let entry = Entry {
        path: readable(relative.as_os_str().as_encoded_bytes()),
        kind,
        mode: unix.mode & 0o7777,
        uid: unix.uid,
        gid: unix.gid,
        mtime: unix.mtime,
        xattrs: host::xattrs(path)?,
        linked: None,
    };
    Ok((entry, unix.shared))
}

/// A hasher as something to be written to.
struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Text as it is, anything else byte by byte.
fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.replace(std::path::MAIN_SEPARATOR, "/"),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}
