//! From a path to a handle, beneath another handle.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result};

/// How a path is followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Resolver {
    /// The system does it, in one step: Linux 5.6 and newer, where no sandbox forbids it.
    System,
    /// One component after the other, each from the handle of the one before.
    Components,
}

const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// To be opened for reading: its attributes can be set then.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// On the way to somewhere else.
const STEP: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// How often the system is asked again when it could not tell because something moved.
const ATTEMPTS: usize = 32;

impl Resolver {
    /// What works on this machine: systems and sandboxes differ in how they say that they have it not.
    pub(super) fn of(root: &OwnedFd) -> Self {
        match openat2(root, ".", DIRECTORY, Mode::empty(), BENEATH) {
            Ok(_) => Self::System,
            Err(_) => Self::Components,
        }
    }

    /// The directory at `path`, which has no `..`, below `root`; no component is a link.
    pub(super) fn directory(self, root: &OwnedFd, path: &[u8]) -> Result<OwnedFd> {
        if path.is_empty() {
            return openat(root, ".", DIRECTORY, Mode::empty());
        }
        match self {
            Self::System => {
                for _ in 0..ATTEMPTS {
                    match openat2(root, path, DIRECTORY, Mode::empty(), BENEATH) {
                        Err(Errno::AGAIN) => {}
                        result => return result,
                    }
                }
                Err(Errno::AGAIN)
            }
            Self::Components => step_by_step(root.as_fd(), path),
        }
    }
}

fn step_by_step(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    let (above, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&b""[..], path),
    };
    let mut at: Option<OwnedFd> = None;
    for step in above
        .split(|byte| *byte == b'/')
        .filter(|step| !step.is_empty())
    {
        let from = at.as_ref().map_or(root, AsFd::as_fd);
        at = Some(openat(from, plain(step)?, STEP, Mode::empty())?);
    }
    let from = at.as_ref().map_or(root, AsFd::as_fd);
    openat(from, plain(name)?, DIRECTORY, Mode::empty())
}

/// A component that leads nowhere but down.
fn plain(name: &[u8]) -> Result<&[u8]> {
    match name {
        b"" | b"." | b".." => Err(Errno::INVAL),
        name if name.contains(&b'/') => Err(Errno::INVAL),
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    const BOTH: [Resolver; 2] = [Resolver::System, Resolver::Components];

    #[test]
    fn both_ways_lead_to_directories_below_and_nowhere_else() {
        let outside = tempfile::tempdir().unwrap();
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("a/b/c")).unwrap();
        fs::write(place.path().join("a/file"), "").unwrap();
        symlink(outside.path(), place.path().join("a/absolute")).unwrap();
        symlink("../..", place.path().join("a/up")).unwrap();
        symlink("b", place.path().join("a/inside")).unwrap();
        symlink("/proc/self/root", place.path().join("a/magic")).unwrap();
        let root = OwnedFd::from(File::open(place.path()).unwrap());
        for resolver in BOTH {
            for path in ["", "a", "a/b", "a/b/c"] {
                let found = resolver.directory(&root, path.as_bytes()).unwrap();
                let found = rustix::fs::fstat(found).unwrap().st_ino;
                let there = rustix::fs::stat(place.path().join(path)).unwrap().st_ino;
                assert_eq!(found, there, "{resolver:?}: {path}");
            }
            for path in [
                "a/absolute",
                "a/absolute/x",
                "a/up",
                "a/up/x",
                "a/inside",
                "a/inside/c",
                "a/magic",
                "a/magic/tmp",
                "a/file",
                "a/none",
                "..",
                "a/../..",
                "/",
                "/tmp",
            ] {
                let found = resolver.directory(&root, path.as_bytes());
                // Going up and down again stays beneath, but no path of a tree does that.
                assert!(found.is_err(), "{resolver:?} opened `{path}`");
            }
        }
    }

    #[test]
    fn depth_takes_no_handles() {
        let place = tempfile::tempdir().unwrap();
        let root = OwnedFd::from(File::open(place.path()).unwrap());
        let mut path = Vec::new();
        for _ in 0..1500 {
            let at = Resolver::System.directory(&root, &path).unwrap();
            rustix::fs::mkdirat(at, "d", Mode::RWXU).unwrap();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.push(b'd');
        }
        for resolver in BOTH {
            resolver.directory(&root, &path).unwrap();
        }
        super::super::remove::remove_all(root.as_fd(), c"d").unwrap();
        assert!(!place.path().join("d").exists());
    }
}
