//! What only one kind of host has: executable bits, and paths that are bytes.

use std::fs::File;
use std::io;
use std::path::Path;

/// Whether the owner may execute a file. Where files have no such bit, none is executable.
pub(crate) fn is_executable(path: &Path) -> io::Result<bool> {
    let metadata = std::fs::metadata(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Ok(metadata.permissions().mode() & 0o100 != 0)
    }
    #[cfg(not(unix))]
    {
        Ok(metadata.is_dir())
    }
}

/// A relative path as the bytes of a path in an image.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        path.as_os_str().as_bytes().to_vec()
    }
    #[cfg(not(unix))]
    {
        path.to_string_lossy().replace('\\', "/").into_bytes()
    }
}

/// A file beside its final place, which everyone may read as far as the umask lets them.
pub(crate) fn file_in(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    crate::staging::file_in(dir)
}

/// Lets what is made have the permissions of an ordinary new file.
pub(crate) fn as_new_file(builder: &mut tempfile::Builder<'_, '_>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    #[cfg(not(unix))]
    let _ = builder;
}

/// Locks a new file until it is closed; whether it still has its name.
pub(crate) fn lock(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use rustix::fs::{FlockOperation, flock};
        rustix::io::retry_on_intr(|| flock(file, FlockOperation::LockExclusive))?;
        is_named(file, path)
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(true)
    }
}

/// Whether a file is of this user and of no process any more, as far as can be told. If so, it is
/// locked.
pub(crate) fn is_left(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        use rustix::fs::{FlockOperation, flock};
        let user = rustix::process::geteuid().as_raw();
        file.metadata().is_ok_and(|metadata| metadata.uid() == user)
            && flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
            && is_named(file, path).unwrap_or(false)
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        false
    }
}

#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let ours = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(named) => Ok((ours.dev(), ours.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
