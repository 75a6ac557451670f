//! Removing a whole tree.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chmod, fchmod, fstat, openat, unlinkat};
use rustix::io::{Errno, Result};

/// A directory on the way down.
struct Level {
    name: CString,
    /// Device and inode: what one comes back to must be what one left.
    id: (u64, u64),
}

/// Removes what stands at `name` with all that is below it; nothing there is no error.
///
/// No link is followed. Three handles are held at most, however deep it goes. Directories that
/// their owner may not write are made so first.
pub(super) fn remove_all(parent: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    if unlink(parent, name)? {
        return Ok(());
    }
    let mut current = enter(parent, name)?;
    let mut above = vec![level(&current, name)?];
    loop {
        if let Some(below) = clear(&current)? {
            let next = enter(current.as_fd(), &below)?;
            above.push(level(&next, &below)?);
            current = next;
            continue;
        }
        let Some(done) = above.pop() else {
            return Ok(());
        };
        let Some(last) = above.last() else {
            return rmdir(parent, &done.name);
        };
        let up = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let up = openat(&current, c"..", up, Mode::empty())?;
        if level(&up, &last.name)?.id != last.id {
            // Moved elsewhere by someone else: what lies there is not ours to remove.
            return Err(Errno::STALE);
        }
        rmdir(up.as_fd(), &done.name)?;
        current = up;
    }
}

/// Removes all but directories, up to the first directory, which is given.
fn clear(directory: &OwnedFd) -> Result<Option<CString>> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let is_directory = entry.file_type() == FileType::Directory;
        if is_directory || !unlink(directory.as_fd(), name)? {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

/// Removes what is no directory; `false` if it is one.
fn unlink(parent: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        Err(error) => Err(error),
    }
}

fn rmdir(parent: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

fn enter(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || openat(parent, name, OFlags::RDONLY | flags, Mode::empty());
    let opened = match open() {
        Err(Errno::ACCESS) => {
            let closed = openat(parent, name, OFlags::PATH | flags, Mode::empty())?;
            chmod(through_proc(&closed), Mode::RWXU)?;
            open()?
        }
        result => result?,
    };
    // Where this fails, removing says why.
    let _ = fchmod(&opened, Mode::RWXU);
    Ok(opened)
}

fn level(directory: &OwnedFd, name: &CStr) -> Result<Level> {
    let found = fstat(directory)?;
    Ok(Level {
        name: name.to_owned(),
        id: (found.st_dev, found.st_ino),
    })
}

/// A name for what a handle leads to, even if the handle is good for nothing else.
pub(super) fn through_proc(handle: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", handle.as_raw_fd())
}
