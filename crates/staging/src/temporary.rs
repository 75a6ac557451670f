//! Temporary files and directories.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::host::{self, Lock, Readers};
use crate::live::Live;
use crate::place::parent;

const PREFIX: &str = ".cooperage-";
const SUFFIX: &str = ".tmp";

/// A file under a name of its own. It goes away when dropped; if the process is killed, with the
/// next one that is made in the same directory.
///
/// Errors of reading and writing are the system's own, and say nothing of that name.
#[derive(Debug)]
pub struct TemporaryFile {
    file: File,
    live: Live,
    // As long as there is a file, it is locked.
    _lock: Lock,
}

impl TemporaryFile {
    /// A file beside `path`, which is to become it, with the permissions of an ordinary new file.
    ///
    /// # Errors
    ///
    /// What the system says of making a file there.
    pub fn beside(path: &Path) -> io::Result<Self> {
        Self::new_in(parent(path), Readers::All)
    }

    /// A file for this user alone, where the system keeps temporary ones (`TMPDIR`).
    ///
    /// # Errors
    ///
    /// What the system says of making a file there.
    pub fn private() -> io::Result<Self> {
        Self::new_in(&tempfile::env::temp_dir(), Readers::Owner)
    }

    fn new_in(directory: &Path, readers: Readers) -> io::Result<Self> {
        let create = |path: &Path| host::create_file(path, readers);
        let (file, live, lock) = make(directory, create)?;
        Ok(Self {
            file,
            live,
            _lock: lock,
        })
    }

    /// Its name, as long as it is temporary.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.live.path()
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its final name, on the same file system, in the place of what has that name.
    ///
    /// # Errors
    ///
    /// What the system says; the file is gone then.
    pub fn rename(self, to: &Path) -> io::Result<()> {
        self.live.rename(to)
    }
}

impl Read for TemporaryFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for TemporaryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// A directory for this user alone. It goes away when dropped, with all that it holds; if the
/// process is killed, with the next one that is made in the same place.
#[derive(Debug)]
pub struct TemporaryDirectory {
    live: Live,
    // Dropped after the directory: as long as there is one, it is locked.
    _lock: Lock,
}

impl TemporaryDirectory {
    /// A directory in `parent`.
    ///
    /// # Errors
    ///
    /// What the system says of making one there.
    pub fn new_in(parent: &Path) -> io::Result<Self> {
        let ((), live, lock) = make(parent, host::create_directory)?;
        Ok(Self { live, _lock: lock })
    }

    /// A directory where the system keeps temporary ones (`TMPDIR`).
    ///
    /// # Errors
    ///
    /// What the system says of making one there.
    pub fn private() -> io::Result<Self> {
        Self::new_in(&tempfile::env::temp_dir())
    }

    /// Its name.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.live.path()
    }
}

/// Makes something under a new name in `directory`, and locks it.
fn make<T>(
    directory: &Path,
    create: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(T, Live, Lock)> {
    sweep(directory);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    loop {
        let (made, live) = Live::make(|| {
            // Errors of `create` are handed on as they are.
            let (made, path) = builder.make_in(directory, &create)?.into_parts();
            Ok((made, path.keep().map_err(|error| error.error)?))
        })?;
        if let Some(lock) = Lock::take(live.path())? {
            return Ok((made, live, lock));
        }
    }
}

/// Removes what killed processes left in `directory`. What cannot be removed stays: it is in
/// nobody's way.
#[expect(clippy::disallowed_methods, reason = "the order does not matter")]
fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        let is_known = |kind: fs::FileType| kind.is_file() || kind.is_dir();
        if !is_ours || !entry.file_type().is_ok_and(is_known) {
            continue;
        }
        let path = entry.path();
        if let Some(_lock) = Lock::take_left(&path) {
            let _ = host::remove(&path);
        }
    }
}
