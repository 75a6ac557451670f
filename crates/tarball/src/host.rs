//! All that only one kind of host can do, with a portable way beside it.

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

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};

    use super::{File, Identity, Metadata, io};

    pub(crate) fn identity(metadata: &Metadata) -> Identity {
        Identity {
            len: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
            inode: (metadata.dev(), metadata.ino()),
        }
    }

    /// Fills `buffer` from `offset` on, without moving the file's own position.
    pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(buffer, offset)
    }
}

#[cfg(not(unix))]
mod portable {
    use std::io::{Read as _, Seek as _, SeekFrom};
    use std::time::UNIX_EPOCH;

    use super::{File, Identity, Metadata, io};

    pub(crate) fn identity(metadata: &Metadata) -> Identity {
        let since = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let mtime = since.map_or((0, 0), |since| {
            (since.as_secs() as i64, i64::from(since.subsec_nanos()))
        });
        Identity {
            len: metadata.len(),
            mtime,
            ctime: (0, 0),
            inode: (0, 0),
        }
    }

    /// Fills `buffer` from `offset` on; every caller has opened the file for itself.
    pub(crate) fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

#[cfg(not(unix))]
pub(crate) use portable::{identity, read_exact_at};
#[cfg(unix)]
pub(crate) use unix::{identity, read_exact_at};
