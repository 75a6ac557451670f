//! Handles of Linux.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, UTIME_OMIT,
    Uid, XattrFlags, chmod, chownat, fchmod, fchown, fremovexattr, fsetxattr, fstat, futimens,
    linkat, makedev, mkdirat, mknodat, openat, renameat, renameat_with, setxattr, symlinkat,
    utimensat,
};
use rustix::io::Errno;

use super::Failure;
use super::remove::{remove_all, through_proc};
use super::resolve::Resolver;
use crate::host::Special;
use crate::{Mtime, TreePath};

pub(super) fn failure(error: &io::Error) -> Failure {
    match Errno::from_io_error(error) {
        Some(Errno::PERM | Errno::OPNOTSUPP | Errno::INVAL) => Failure::Refused,
        Some(Errno::NOTEMPTY | Errno::EXIST) => Failure::NotEmpty,
        _ => Failure::Other,
    }
}

/// The directory that another is made and named in; of the caller's choice, so links are followed.
#[derive(Debug)]
pub(crate) struct Parent(OwnedFd);

impl Parent {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// Makes a directory that nobody else can enter. Rules for new files that it would inherit, and
    /// hand down, are taken off.
    pub(crate) fn make_root(&self, name: &str) -> io::Result<Root> {
        mkdirat(&self.0, name, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = openat(&self.0, name, flags, Mode::empty())?;
        for rules in ["system.posix_acl_default", "system.posix_acl_access"] {
            // Most often there are none.
            let _ = fremovexattr(&root, rules);
        }
        let resolver = Resolver::of(&root);
        Ok(Root { fd: root, resolver })
    }

    /// Gives `from` the name `to`, in place of an empty directory too.
    pub(crate) fn rename(&self, from: &str, to: &Path) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    /// Lets two directories have each other's name, in one step where the file system can.
    pub(crate) fn exchange(&self, new: &str, old: &Path) -> io::Result<()> {
        match renameat_with(&self.0, new, &self.0, old, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS) => {}
            result => return Ok(result?),
        }
        let aside = format!("{new}.old");
        renameat(&self.0, old, &self.0, &aside)?;
        let swapped = renameat(&self.0, new, &self.0, old);
        let to = if swapped.is_ok() { Path::new(new) } else { old };
        renameat(&self.0, &aside, &self.0, to)?;
        Ok(swapped?)
    }

    /// Removes `name` and all below it.
    pub(crate) fn remove_all(&self, name: &str) -> io::Result<()> {
        let name = CString::new(name).map_err(io::Error::from)?;
        Ok(remove_all(self.0.as_fd(), &name)?)
    }
}

/// The directory that paths are beneath.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    resolver: Resolver,
}

impl Root {
    /// The directory at a path, of which no component is a link.
    pub(crate) fn directory(&self, path: &TreePath) -> io::Result<Directory> {
        let found = self.resolver.directory(&self.fd, path.as_bytes())?;
        Ok(Directory(found))
    }
}

/// An open directory, in which things are made. Whatever has the name already is an error.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// Makes a directory that only its owner can enter.
    pub(crate) fn make_directory(&self, name: &[u8]) -> io::Result<()> {
        Ok(mkdirat(&self.0, name, Mode::RWXU)?)
    }

    /// Makes an empty file that only its owner can read.
    pub(crate) fn make_file(&self, name: &[u8]) -> io::Result<Node> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Node(Handle::Open(file.into())))
    }

    pub(crate) fn make_symlink(&self, name: &[u8], target: &[u8]) -> io::Result<Node> {
        symlinkat(target, &self.0, name)?;
        self.look(name, |found| {
            FileType::from_raw_mode(found.st_mode) == FileType::Symlink
        })
        .map(|fd| Node(Handle::Link(fd)))
    }

    pub(crate) fn make_special(&self, name: &[u8], special: Special) -> io::Result<Node> {
        let (kind, device) = match special {
            Special::Fifo => (FileType::Fifo, 0),
            Special::CharDevice { major, minor } => {
                (FileType::CharacterDevice, makedev(major, minor))
            }
            Special::BlockDevice { major, minor } => (FileType::BlockDevice, makedev(major, minor)),
        };
        mknodat(&self.0, name, kind, Mode::RUSR | Mode::WUSR, device)?;
        // The system keeps fewer bits of the numbers than they have.
        self.look(name, |found| {
            FileType::from_raw_mode(found.st_mode) == kind && found.st_rdev == device
        })
        .map(|fd| Node(Handle::Special(fd)))
    }

    /// Gives what stands at `name` in `directory` another name here. A link is not followed.
    pub(crate) fn link(&self, directory: &Self, name: &[u8], to: &[u8]) -> io::Result<()> {
        Ok(linkat(&directory.0, name, &self.0, to, AtFlags::empty())?)
    }

    pub(crate) fn into_node(self) -> Node {
        Node(Handle::Open(self.0.into()))
    }

    /// A handle of what was just made, without opening it: that can do anything, with a device.
    fn look(&self, name: &[u8], is_ours: impl FnOnce(&Stat) -> bool) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.0, name, flags, Mode::empty())?;
        if is_ours(&fstat(&fd)?) {
            return Ok(fd);
        }
        Err(io::Error::other("what lies there is not what was made"))
    }
}

/// Something that was made.
#[derive(Debug)]
pub(crate) struct Node(Handle);

#[derive(Debug)]
enum Handle {
    /// A file or directory.
    Open(File),
    Link(OwnedFd),
    /// Never opened.
    Special(OwnedFd),
}

impl Node {
    pub(crate) fn is_link(&self) -> bool {
        matches!(self.0, Handle::Link(_))
    }

    pub(crate) fn set_owner(&self, uid: u64, gid: u64) -> io::Result<()> {
        let (Some(uid), Some(gid)) = (id(uid), id(gid)) else {
            return Err(Errno::INVAL.into());
        };
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        let done = match &self.0 {
            Handle::Open(file) => fchown(file, uid, gid),
            Handle::Link(fd) | Handle::Special(fd) => {
                chownat(fd, c"", uid, gid, AtFlags::EMPTY_PATH)
            }
        };
        Ok(done?)
    }

    pub(crate) fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()> {
        let done = match &self.0 {
            Handle::Open(file) => fsetxattr(file, name, value, XattrFlags::empty()),
            // The name leads to the very node and not beyond, even if that is a link.
            Handle::Link(fd) | Handle::Special(fd) => {
                setxattr(through_proc(fd), name, value, XattrFlags::empty())
            }
        };
        Ok(done?)
    }

    /// Sets permissions, setuid, setgid and sticky; nothing for a link, which has none.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        let mode = Mode::from_raw_mode(mode);
        let done = match &self.0 {
            Handle::Open(file) => fchmod(file, mode),
            Handle::Link(_) => Ok(()),
            Handle::Special(fd) => chmod(through_proc(fd), mode),
        };
        Ok(done?)
    }

    /// Permissions, setuid, setgid and sticky as they are.
    pub(crate) fn mode(&self) -> io::Result<u32> {
        let found = match &self.0 {
            Handle::Open(file) => fstat(file)?,
            Handle::Link(fd) | Handle::Special(fd) => fstat(fd)?,
        };
        Ok(found.st_mode & crate::Attributes::MODE_MAX)
    }

    /// Sets when it was modified, and not when it was read.
    pub(crate) fn set_mtime(&self, mtime: Mtime) -> io::Result<()> {
        let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
        let times = Timestamps {
            last_access: time(0, UTIME_OMIT),
            last_modification: time(mtime.seconds, mtime.nanoseconds.into()),
        };
        match &self.0 {
            Handle::Open(file) => Ok(futimens(file, &times)?),
            Handle::Link(fd) | Handle::Special(fd) => {
                match utimensat(fd, c"", &times, AtFlags::EMPTY_PATH) {
                    // Before Linux 5.8.
                    Err(Errno::INVAL | Errno::NOENT) => {
                        Ok(utimensat(CWD, through_proc(fd), &times, AtFlags::empty())?)
                    }
                    result => Ok(result?),
                }
            }
        }
    }
}

impl Write for Node {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Handle::Open(file) => file.write(bytes),
            Handle::Link(_) | Handle::Special(_) => Err(Errno::BADF.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A number of an owner or group; the greatest means that nothing is to change.
fn id(number: u64) -> Option<u32> {
    u32::try_from(number).ok().filter(|id| *id != u32::MAX)
}
