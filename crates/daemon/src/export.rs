//! Images put into a file.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use cooperage_daemon_archive::{DockerArchive, ReadOptions, SinkError, replace};

use crate::save::Saved;
use crate::{Engine, Error, ImageName};

/// What goes wrong while the file is written.
enum Failure {
    Daemon(Error),
    File(SinkError),
}

impl From<SinkError> for Failure {
    fn from(error: SinkError) -> Self {
        Self::File(error)
    }
}

impl Engine {
    /// Puts images into a file, as the daemon saves them: the archive that `docker save -o` writes,
    /// byte for byte. Returns its length.
    ///
    /// It is written beside its place, verified as [`Engine::save`] does, synced and renamed: what
    /// was there before is there until all is well.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::save`]; [`Error::File`].
    pub fn export(&self, names: &[ImageName], path: &Path) -> Result<u64, Error> {
        let mut stream = self.saved(names)?;
        let result = replace(path, |file, young| {
            let length = pour(&mut stream, file, path).map_err(Failure::Daemon)?;
            self.check(young).map_err(Failure::Daemon)?;
            Ok(length)
        });
        match result {
            Ok(length) => Ok(length),
            Err(Failure::Daemon(error)) => Err(stream.failure().unwrap_or(error)),
            Err(Failure::File(error)) => Err(Error::File {
                path: path.into(),
                source: io::Error::other(error),
            }),
        }
    }

    /// Whether the file is what it should be.
    fn check(&self, path: &Path) -> Result<(), Error> {
        let archive = DockerArchive::open(path, &ReadOptions::default());
        archive
            .and_then(|archive| archive.verify())
            .map_err(|source| Error::Read {
                endpoint: self.endpoint().clone(),
                source,
            })
    }
}

/// Copies the stream, and tells a broken connection from a full disk.
fn pour(stream: &mut Saved<'_>, file: &mut File, path: &Path) -> Result<u64, Error> {
    let (mut buffer, mut length) = (vec![0; 256 << 10], 0);
    loop {
        let n = match stream.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(stream.broken(error)),
        };
        file.write_all(&buffer[..n]).map_err(|source| Error::File {
            path: path.into(),
            source,
        })?;
        length += n as u64;
    }
}
