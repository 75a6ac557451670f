//! Blobs: found, or fetched by one and waited for by all others.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use cooperage_blob::{Error, Written};
use cooperage_digest::{Algorithm, Digest, HashingWriter, VerifyError, VerifyingReader};
use cooperage_image_spec::{Descriptor, MAX_DOCUMENT_SIZE, MediaType};

use crate::cache::{make_directory, open_if_there};
use crate::host::{Lock, Patience};
use crate::reader::InUse;
use crate::{Cache, CachedBlob};

const BUFFER: usize = 256 << 10;

/// Why there is no blob.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// It could not be fetched, or what was fetched is not what its descriptor says.
    #[error(transparent)]
    Fetch(Error),
    /// The cache cannot be read or written (a full disk, no permission): the blob may well be had
    /// without it.
    #[error(transparent)]
    Cache(Error),
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Fetch(error) | BlobError::Cache(error) => error,
        }
    }
}

/// Whoever wants a blob from elsewhere.
pub(crate) type Fetch<'a> = dyn FnMut(&mut dyn Write) -> Result<(), Error> + 'a;

impl Cache {
    /// A blob that is there; marked as used.
    ///
    /// # Errors
    ///
    /// When the cache cannot be read, and [`Error::is_mismatch`] when the blob is there and whole,
    /// and has another size than the descriptor says.
    pub fn get(&self, descriptor: &Descriptor) -> Result<Option<CachedBlob>, Error> {
        let path = self.blob_path(&descriptor.digest);
        let cannot_read = |error| Error::read(descriptor, error);
        let Some(file) = open_if_there(&path).map_err(cannot_read)? else {
            return Ok(None);
        };
        let mut file = InUse::new(file).map_err(cannot_read)?;
        let size = file.file().metadata().map_err(cannot_read)?.len();
        if size != descriptor.size {
            return wrong_size(file, &path, descriptor, size).map_err(cannot_read);
        }
        Ok(Some(CachedBlob::new(file, path, descriptor, false)))
    }

    /// A document (manifest, index, config) by its digest alone, whole and verified.
    ///
    /// `None` also for what is damaged, which is removed, and for what is larger than
    /// [`MAX_DOCUMENT_SIZE`].
    ///
    /// # Errors
    ///
    /// When the cache cannot be read.
    pub fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let size = match fs::metadata(self.blob_path(digest)) {
            Ok(metadata) if metadata.len() <= MAX_DOCUMENT_SIZE => metadata.len(),
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.unusable(error)),
        };
        let descriptor = Descriptor::new(MediaType::new(""), digest.clone(), size);
        let Some(mut blob) = self.get(&descriptor)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        match blob.read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(error) => Err(self.unusable(error)),
        }
    }

    /// A blob; `fetch` writes it if it is not there, while others who want it wait.
    ///
    /// What `fetch` writes gets its name only if it is, whole, what the descriptor says; else, or
    /// if `fetch` fails, nothing of it stays. Whoever waited then fetches in turn.
    ///
    /// # Errors
    ///
    /// [`BlobError::Fetch`] with `fetch`'s own error, or [`Error::is_mismatch`] or
    /// [`Error::is_unverifiable`]; [`BlobError::Cache`].
    pub fn blob(
        &self,
        descriptor: &Descriptor,
        fetch: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<CachedBlob, BlobError> {
        let mut fetch = Some(fetch);
        self.blob_dyn(descriptor, &mut |writer| match fetch.take() {
            Some(fetch) => fetch(writer),
            None => Ok(()),
        })
    }

    fn blob_dyn(
        &self,
        descriptor: &Descriptor,
        fetch: &mut Fetch<'_>,
    ) -> Result<CachedBlob, BlobError> {
        let Some(algorithm) = descriptor.digest.algorithm() else {
            return Err(BlobError::Fetch(Error::unverifiable(descriptor)));
        };
        if let Some(blob) = self.get(descriptor).map_err(of_get)? {
            return Ok(blob);
        }
        let unusable = |error| BlobError::Cache(self.unusable(error));
        let Some(claim) =
            Claim::take(self, &blob_name(&descriptor.digest), Patience::Wait).map_err(unusable)?
        else {
            return Err(unusable(io::ErrorKind::WouldBlock.into()));
        };
        // Whoever had the lock until now has fetched it, most likely.
        if let Some(blob) = self.get(descriptor).map_err(of_get)? {
            return Ok(blob);
        }
        let file = self.fetch_to(&claim, descriptor, algorithm, fetch)?;
        let path = self.blob_path(&descriptor.digest);
        let mut blob = InUse::new(file).map_err(unusable)?;
        path.parent()
            .map_or(Ok(()), make_directory)
            .map_err(unusable)?;
        fs::rename(&claim.data, &path).map_err(unusable)?;
        drop(claim);
        blob.file().rewind().map_err(unusable)?;
        // It is in use, and so not among those that go.
        let _ = self.shrink(self.limit());
        Ok(CachedBlob::new(blob, path, descriptor, true))
    }

    fn fetch_to(
        &self,
        claim: &Claim,
        descriptor: &Descriptor,
        algorithm: Algorithm,
        fetch: &mut Fetch<'_>,
    ) -> Result<File, BlobError> {
        let unusable = |error| BlobError::Cache(self.unusable(error));
        let file = claim.create().map_err(unusable)?;
        let mut writer = Writer {
            bytes: HashingWriter::new(BufWriter::with_capacity(BUFFER, file), algorithm),
            descriptor,
            failed: false,
        };
        let fetched = fetch(&mut writer);
        let failed = writer.failed;
        if let Err(error) = fetched {
            return Err(if failed {
                BlobError::Cache(error)
            } else {
                BlobError::Fetch(error)
            });
        }
        let (file, digest, size) = writer.bytes.finish();
        let file = file
            .into_inner()
            .map_err(|error| unusable(error.into_error()))?;
        Written { digest, size }
            .check(Some(descriptor))
            .map_err(BlobError::Fetch)?;
        Ok(file)
    }
}

/// A cached blob that contradicts its descriptor is the descriptor's fault, all else is ours.
fn of_get(error: Error) -> BlobError {
    if error.is_mismatch() {
        BlobError::Fetch(error)
    } else {
        BlobError::Cache(error)
    }
}

/// Either the file is damaged, or the descriptor lies: the digest tells.
fn wrong_size(
    mut file: InUse,
    path: &Path,
    descriptor: &Descriptor,
    size: u64,
) -> io::Result<Option<CachedBlob>> {
    let digest = descriptor.digest.clone();
    let whole = io::copy(
        &mut VerifyingReader::new(file.file(), digest.clone(), size),
        &mut io::sink(),
    );
    match whole {
        Ok(_) => {
            let error = VerifyError::Size {
                digest,
                expected: descriptor.size,
                actual: size,
            };
            Err(io::Error::new(io::ErrorKind::InvalidData, error))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            file.remove(path);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What a blob that is being fetched is called.
pub(crate) fn blob_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm_name(), digest.encoded())
}

/// The right to write a file of the cache, before it gets its name; what was written is removed
/// with it, unless it was renamed.
pub(crate) struct Claim {
    pub(crate) data: PathBuf,
    _lock: Lock,
}

impl Claim {
    /// `None` if others have it and there is no patience.
    pub(crate) fn take(cache: &Cache, name: &str, patience: Patience) -> io::Result<Option<Self>> {
        let lock = Lock::take(&cache.partial(&format!("{name}.lock")), patience)?;
        let claim = |lock| Self {
            data: cache.partial(name),
            _lock: lock,
        };
        Ok(lock.map(claim))
    }

    /// Begins with no bytes, whatever one that was killed has left.
    pub(crate) fn create(&self) -> io::Result<File> {
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&self.data)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Before the lock is let go of. Where it was renamed, there is none.
        let _ = fs::remove_file(&self.data);
    }
}

/// Takes no more than the descriptor says, and remembers whose fault a failure is.
struct Writer<'a> {
    bytes: HashingWriter<BufWriter<File>>,
    descriptor: &'a Descriptor,
    failed: bool,
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let expected = self.descriptor.size;
        let actual = self.bytes.size().saturating_add(bytes.len() as u64);
        if actual > expected {
            let digest = self.descriptor.digest.clone();
            let error = VerifyError::Size {
                digest,
                expected,
                actual,
            };
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        let result = self.bytes.write(bytes);
        self.failed |= result.is_err();
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.bytes.flush();
        self.failed |= result.is_err();
        result
    }
}
