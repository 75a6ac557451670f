//! Certificates for one registry, as docker and containers keep them (containers-certs.d(5)).

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cooperage_registry::{Identity, Secret};

/// How large a file of certificates may be, in bytes.
const MAX_SIZE: u64 = 1 << 20;
/// How many files one directory may have.
const MAX_FILES: usize = 256;

/// What a directory of certificates holds.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    /// Authorities to believe, in PEM.
    pub(crate) authorities: Vec<u8>,
    /// What to show.
    pub(crate) identity: Option<Identity>,
}

impl Certificates {
    pub(crate) fn add(&mut self, other: Self) {
        self.authorities.extend(other.authorities);
        self.identity = other.identity.or(self.identity.take());
    }
}

/// Why certificates cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificatesError {
    /// A file or directory cannot be read.
    #[error("cannot read the certificates in `{}`", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate has no key, or a key no certificate.
    #[error("`{}` has no `{}` beside it", path.display(), missing)]
    Alone {
        /// What is there.
        path: PathBuf,
        /// What is not.
        missing: String,
    },
}

/// What a directory holds; `None` if there is none.
pub(crate) fn read(directory: &Path) -> Result<Option<Certificates>, CertificatesError> {
    match list(directory) {
        Ok(files) => collect(&files).map(Some),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(source) => Err(CertificatesError::Read {
            path: directory.to_owned(),
            source,
        }),
    }
}

/// What a directory holds that somebody named.
pub(crate) fn read_required(directory: &Path) -> Result<Certificates, CertificatesError> {
    let files = list(directory).map_err(|source| CertificatesError::Read {
        path: directory.to_owned(),
        source,
    })?;
    collect(&files)
}

fn collect(files: &[PathBuf]) -> Result<Certificates, CertificatesError> {
    let mut found = Certificates::default();
    for file in files {
        let extension = file.extension().and_then(|extension| extension.to_str());
        match extension {
            Some("crt") => {
                found.authorities.extend(content(file)?);
                found.authorities.push(b'\n');
            }
            Some("cert") => {
                let key = partner(file, "key", files)?;
                let key = String::from_utf8_lossy(&content(&key)?).into_owned();
                // As docker has it with several, the first one does.
                found.identity.get_or_insert(Identity {
                    certificates: content(file)?,
                    key: Secret::new(key),
                });
            }
            Some("key") => drop(partner(file, "cert", files)?),
            _ => {}
        }
    }
    Ok(found)
}

fn partner(file: &Path, extension: &str, files: &[PathBuf]) -> Result<PathBuf, CertificatesError> {
    let partner = file.with_extension(extension);
    if files.contains(&partner) {
        return Ok(partner);
    }
    let name = partner.file_name().unwrap_or_default();
    Err(CertificatesError::Alone {
        path: file.to_owned(),
        missing: name.to_string_lossy().into_owned(),
    })
}

fn content(path: &Path) -> Result<Vec<u8>, CertificatesError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = fs::File::open(path)?;
        file.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_SIZE {
            let message = format!("more than {MAX_SIZE} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(bytes)
    };
    read().map_err(|source| CertificatesError::Read {
        path: path.to_owned(),
        source,
    })
}

#[expect(clippy::disallowed_methods, reason = "sorted at once")]
fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths
        .take(MAX_FILES + 1)
        .collect::<io::Result<Vec<PathBuf>>>()?;
    if paths.len() > MAX_FILES {
        let message = format!("more than {MAX_FILES} files");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    paths.sort();
    Ok(paths)
}
