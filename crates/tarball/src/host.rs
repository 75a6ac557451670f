//! All that only one kind of host can do, with a portable way beside it.

pub(crate) mod directory;
pub(crate) mod neighbours;

use std::fs::{File, Metadata};
use std::io;

/// What tells one state of a file from another, short of reading it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    pub(crate) len: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
    inode: (u64, u64),
}

/// What the host says of a file, besides what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostAttributes {
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// When it was modified, in whole seconds after 1970, rounded down.
    pub(crate) seconds: i64,
}

/// What is neither file, directory nor link.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Special {
    Fifo,
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
}

/// Extended attributes by name.
pub(crate) type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// What is said of a file that was one and is something else now.
pub(crate) fn expect_file(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let message = "it is no regular file any more";
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{
        FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
    };
    use std::path::Path;

    use super::{File, HostAttributes, Identity, Metadata, Special, Xattrs, io};
    use crate::Attributes;

    pub(crate) fn identity(metadata: &Metadata) -> Identity {
        Identity {
            len: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
            inode: (metadata.dev(), metadata.ino()),
        }
    }

    /// Opens a file to read it. What has become a pipe meanwhile does not hold anybody up.
    pub(crate) fn open(path: &Path) -> io::Result<File> {
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        File::options().read(true).custom_flags(flags).open(path)
    }

    /// Fills `buffer` from `offset` on, without moving the file's own position.
    pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(buffer, offset)
    }

    /// A name as bytes; `None` where it has no bytes of its own.
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere a name may have none")]
    pub(crate) fn bytes(name: &OsStr) -> Option<Vec<u8>> {
        Some(name.as_bytes().to_vec())
    }

    pub(crate) fn is_executable(metadata: &Metadata) -> bool {
        metadata.mode() & 0o100 != 0
    }

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere the host says nothing")]
    pub(crate) fn attributes(metadata: &Metadata) -> Option<HostAttributes> {
        Some(HostAttributes {
            mode: metadata.mode() & Attributes::MODE_MAX,
            uid: metadata.uid().into(),
            gid: metadata.gid().into(),
            seconds: metadata.mtime(),
        })
    }

    /// What tells the file from all others, if it has several names.
    pub(crate) fn linked_file(metadata: &Metadata) -> Option<(u64, u64)> {
        let is_linked = metadata.nlink() > 1 && !metadata.is_dir();
        is_linked.then(|| (metadata.dev(), metadata.ino()))
    }

    pub(crate) fn special(metadata: &Metadata) -> Option<Special> {
        let file_type = metadata.file_type();
        let (major, minor) = (
            rustix::fs::major(metadata.rdev()),
            rustix::fs::minor(metadata.rdev()),
        );
        if file_type.is_fifo() {
            Some(Special::Fifo)
        } else if file_type.is_char_device() {
            Some(Special::CharDevice { major, minor })
        } else if file_type.is_block_device() {
            Some(Special::BlockDevice { major, minor })
        } else {
            None
        }
    }

    /// All extended attributes; none where the file system knows none.
    pub(crate) fn xattrs(path: &Path, follow: bool) -> io::Result<Xattrs> {
        let names = if follow {
            xattr::list_deref(path)
        } else {
            xattr::list(path)
        };
        let names = match names {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(Xattrs::new()),
            names => names?,
        };
        let mut xattrs = Xattrs::new();
        for name in names {
            let value = if follow {
                xattr::get_deref(path, &name)
            } else {
                xattr::get(path, &name)
            }?;
            // Taken away since it was listed.
            let Some(value) = value else { continue };
            xattrs.push((name.as_bytes().to_vec(), value));
        }
        Ok(xattrs)
    }
}

#[cfg(not(unix))]
mod portable {
    use std::ffi::OsStr;
    use std::io::{Read as _, Seek as _, SeekFrom};
    use std::path::Path;
    use std::time::UNIX_EPOCH;

    use super::{File, HostAttributes, Identity, Metadata, Special, Xattrs, io};

    pub(crate) fn identity(metadata: &Metadata) -> Identity {
        let since = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let mtime = since.map_or((0, 0), |since| {
            (
                since.as_secs().cast_signed(),
                i64::from(since.subsec_nanos()),
            )
        });
        Identity {
            len: metadata.len(),
            mtime,
            ctime: (0, 0),
            inode: (0, 0),
        }
    }

    /// Opens a file to read it.
    pub(crate) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    /// Fills `buffer` from `offset` on; every caller has opened the file for itself.
    pub(crate) fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }

    pub(crate) fn bytes(name: &OsStr) -> Option<Vec<u8>> {
        Some(name.to_str()?.as_bytes().to_vec())
    }

    pub(crate) fn is_executable(_: &Metadata) -> bool {
        false
    }

    pub(crate) fn attributes(_: &Metadata) -> Option<HostAttributes> {
        None
    }

    pub(crate) fn linked_file(_: &Metadata) -> Option<(u64, u64)> {
        None
    }

    pub(crate) fn special(_: &Metadata) -> Option<Special> {
        None
    }

    pub(crate) fn xattrs(_: &Path, _: bool) -> io::Result<Xattrs> {
        Ok(Xattrs::new())
    }
}

#[cfg(not(unix))]
pub(crate) use portable::{
    attributes, bytes, identity, is_executable, linked_file, open, read_exact_at, special, xattrs,
};
#[cfg(unix)]
pub(crate) use unix::{
    attributes, bytes, identity, is_executable, linked_file, open, read_exact_at, special, xattrs,
};
