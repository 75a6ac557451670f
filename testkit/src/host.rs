//! What one kind of host alone can say, with a portable path beside it.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::process::Command;

use tempfile::NamedTempFile;

/// What a file's metadata holds beyond the portable part.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unix {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    pub(crate) device: u64,
    /// Device and inode, when the file has more than one name.
    pub(crate) shared: Option<(u64, u64)>,
}

#[cfg(unix)]
mod imp {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;

    use rustix::fs::{FlockOperation, flock};

    use super::{Command, File, Metadata, NamedTempFile, Path, Unix, io};

    pub(crate) fn unix(metadata: &Metadata) -> Unix {
        let many = metadata.nlink() > 1 && !metadata.is_dir();
        Unix {
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime: metadata.mtime(),
            device: metadata.rdev(),
            shared: many.then(|| (metadata.dev(), metadata.ino())),
        }
    }

    pub(crate) fn xattrs(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut all = Vec::new();
        for name in xattr::list(path)? {
            if let Some(value) = xattr::get(path, &name)? {
                all.push((name.to_string_lossy().into_owned(), value));
            }
        }
        all.sort();
        Ok(all)
    }

    /// Held until the value is dropped.
    pub(crate) fn lock_directory(path: &Path) -> io::Result<Option<File>> {
        let handle = File::open(path)?;
        flock(&handle, FlockOperation::LockExclusive)?;
        Ok(Some(handle))
    }

    /// With the mode of any other new file: temporary ones are their owner's alone otherwise.
    pub(crate) fn temporary_file(directory: &Path) -> io::Result<NamedTempFile> {
        let mode = Permissions::from_mode(0o666);
        tempfile::Builder::new()
            .permissions(mode)
            .tempfile_in(directory)
    }

    pub(crate) fn lock_shared(file: &File) -> io::Result<()> {
        Ok(flock(file, FlockOperation::LockShared)?)
    }

    pub(crate) fn try_lock(file: &File) -> bool {
        flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    pub(crate) fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Others may reach what lies below a directory, if they know its name.
    pub(crate) fn let_pass(directory: &Path) {
        let mode = Permissions::from_mode(0o711);
        std::fs::set_permissions(directory, mode).expect("the directory is one's own");
    }

    /// Ctrl-C on the terminal no longer reaches the command.
    pub(crate) fn set_apart(command: &mut Command) {
        command.process_group(0);
    }
}

#[cfg(not(unix))]
mod imp {
    use super::{Command, File, Metadata, NamedTempFile, Path, Unix, io};

    pub(crate) fn unix(_: &Metadata) -> Unix {
        Unix::default()
    }

    pub(crate) fn xattrs(_: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
        Ok(Vec::new())
    }

    /// Golden values are blessed on Unix; elsewhere they are only read.
    pub(crate) fn lock_directory(_: &Path) -> io::Result<Option<File>> {
        Ok(None)
    }

    pub(crate) fn temporary_file(directory: &Path) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(directory)
    }

    pub(crate) fn lock_shared(_: &File) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn try_lock(_: &File) -> bool {
        false
    }

    pub(crate) fn is_root() -> bool {
        false
    }

    pub(crate) fn let_pass(_: &Path) {}

    pub(crate) fn set_apart(_: &mut Command) {}
}

pub(crate) use imp::{
    is_root, let_pass, lock_directory, lock_shared, set_apart, temporary_file, try_lock, unix,
    xattrs,
};
