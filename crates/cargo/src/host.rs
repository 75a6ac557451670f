//! What only one kind of host has: executable bits, and paths that are bytes.

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
    let mut builder = tempfile::Builder::new();
    builder.prefix(".cooperage-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(dir)
}
