//! What a medium is.

use std::io::{self, Read, Write};

use cooperage_digest::{Algorithm, Digest, VerifyingReader};
use cooperage_image_spec::{Descriptor, MAX_DOCUMENT_SIZE, MediaType, Reference};

use crate::Error;
use crate::ahead::{BUFFER, pump};

/// A blob that a medium names: where a reader of it starts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Root {
    /// The name as the medium writes it: a tag or any other text in a layout
    /// (`org.opencontainers.image.ref.name`), a full image reference in a docker archive or a
    /// registry. `None` for a root without a name, which is found by its digest alone.
    pub name: Option<String>,
    /// What it names: usually a manifest or an index.
    pub descriptor: Descriptor,
}

impl Root {
    /// A root with a name.
    #[must_use]
    pub fn named(name: impl Into<String>, descriptor: Descriptor) -> Self {
        Self {
            name: Some(name.into()),
            descriptor,
        }
    }

    /// A root without a name.
    #[must_use]
    pub fn unnamed(descriptor: Descriptor) -> Self {
        Self {
            name: None,
            descriptor,
        }
    }
}

/// Hands out blobs by descriptor, and says which of them have names.
pub trait Source: Send + Sync {
    /// All roots, in the medium's own order.
    fn roots(&self) -> Result<Vec<Root>, Error>;

    /// A blob's bytes as they lie there, *not verified*: media implement this, everybody else
    /// calls [`open`] or [`read`].
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if the medium has no such blob.
    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error>;

    /// The repository of a registry in which the blob lies as well, for sinks that can take it from
    /// there without its bytes passing by. Tag and digest of the reference are of no account.
    ///
    /// `None` unless the source knows of one; what it says is tried, not believed.
    fn origin(&self, _descriptor: &Descriptor) -> Option<Reference> {
        None
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        (**self).roots()
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        (**self).fetch(descriptor)
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        (**self).origin(descriptor)
    }
}

/// Takes blobs, and gives them names.
pub trait Sink: Send + Sync {
    /// Whether the blob is there already, whole: a `true` spares the transfer.
    ///
    /// A medium that cannot say so for certain says `false`.
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error>;

    /// Starts a blob whose digest need not be known yet. Several may be written at once.
    ///
    /// Nothing is to be seen of it in the medium until [`BlobWriter::finish`]; dropped before,
    /// it leaves nothing behind.
    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error>;

    /// Gives a root its name, or adds it without one. All it refers to must be there already.
    ///
    /// The change is atomic: a reader sees all of it or none. Idempotent: publishing the same
    /// root again changes nothing; another root under the same name takes the name over.
    fn publish(&self, root: &Root) -> Result<(), Error>;

    /// Whether the root is there already, under its name if it has one, and so is all that it
    /// refers to: a `true` spares everything below it.
    ///
    /// `false`, unless the medium can tell at once and for certain.
    fn holds(&self, _root: &Root) -> Result<bool, Error> {
        Ok(false)
    }

    /// Takes a blob that is not there yet straight from a source, its digest and size known before
    /// its first byte; the source may be read from its beginning more than once. `moved` is told
    /// of the bytes that went over, each once.
    ///
    /// Returns how many those were, none if the medium had the blob elsewhere; or `None` if this
    /// medium has no other way than [`Sink::create`].
    ///
    /// # Errors
    ///
    /// As [`BlobWriter::finish`] with the descriptor, and those of the source.
    fn take(
        &self,
        _source: &dyn Source,
        _descriptor: &Descriptor,
        _moved: &mut dyn FnMut(u64),
    ) -> Result<Option<u64>, Error> {
        Ok(None)
    }

    /// Takes the document of a root whose children are all there, and publishes it, in one step.
    ///
    /// Returns how many bytes went over, or `None` if this medium has no such step; then the
    /// document is written as any other blob, and [`Sink::publish`] is called.
    fn take_root(&self, _source: &dyn Source, _root: &Root) -> Result<Option<u64>, Error> {
        Ok(None)
    }
}

/// What was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// A blob being written; it hashes what passes, once.
pub trait BlobWriter: Write + Send {
    /// Ends the blob and puts it under its digest. If that blob is there already, this one is
    /// let go.
    ///
    /// With `expected`, digest and size must be just those, else nothing is kept and the error
    /// says [`Error::is_mismatch`].
    fn finish(self: Box<Self>, expected: Option<&Descriptor>) -> Result<Written, Error>;
}

/// Opens a blob; the reader fails at the end of the stream unless the bytes are the descriptor's.
pub fn open<'a>(
    source: &'a (impl Source + ?Sized),
    descriptor: &Descriptor,
) -> Result<VerifyingReader<Box<dyn Read + Send + 'a>>, Error> {
    if descriptor.digest.algorithm().is_none() {
        return Err(Error::unverifiable(descriptor));
    }
    let reader = source.fetch(descriptor)?;
    Ok(VerifyingReader::new(
        reader,
        descriptor.digest.clone(),
        descriptor.size,
    ))
}

/// Reads a document (manifest, index, config) whole, verified.
///
/// # Errors
///
/// [`Error::is_too_large`] for more than [`MAX_DOCUMENT_SIZE`] bytes; those of [`open`]; a
/// mismatch ([`Error::is_mismatch`]), with the repository of a registry that it came from.
pub fn read(source: &(impl Source + ?Sized), descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
    if descriptor.size > MAX_DOCUMENT_SIZE {
        return Err(Error::too_large(descriptor, MAX_DOCUMENT_SIZE));
    }
    let mut bytes = Vec::new();
    open(source, descriptor)
        .map_err(|error| came_from(source, descriptor, error))?
        .read_to_end(&mut bytes)
        .map_err(|error| came_from(source, descriptor, Error::read(descriptor, error)))?;
    Ok(bytes)
}

/// Wrong bytes are the fault of whoever gave them.
fn came_from(source: &(impl Source + ?Sized), descriptor: &Descriptor, error: Error) -> Error {
    if !error.is_mismatch() {
        return error;
    }
    match source.origin(descriptor) {
        Some(repository) => error.with_origin(format!("`{repository}`")),
        None => error,
    }
}

/// Writes a small blob whose bytes are at hand, and returns its descriptor.
pub fn put(
    sink: &(impl Sink + ?Sized),
    media_type: MediaType,
    bytes: &[u8],
) -> Result<Descriptor, Error> {
    let descriptor = Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64);
    if !sink.has(&descriptor)? {
        let mut writer = sink.create(Algorithm::Sha256)?;
        writer
            .write_all(bytes)
            .map_err(|error| Error::write(&descriptor, error))?;
        writer.finish(Some(&descriptor))?;
    }
    Ok(descriptor)
}

/// Copies one blob, verified while it passes, unless the sink has it. Returns the bytes moved.
pub fn transfer(
    source: &(impl Source + ?Sized),
    descriptor: &Descriptor,
    sink: &(impl Sink + ?Sized),
    moved: &mut dyn FnMut(u64),
) -> Result<u64, Error> {
    if sink.has(descriptor)? {
        return Ok(0);
    }
    send(source, descriptor, sink, moved)
}

/// From how many bytes on a blob is read ahead.
const LARGE: u64 = 1 << 20;

/// As [`transfer`], for a blob that the sink is known not to have.
pub(crate) fn send(
    source: &(impl Source + ?Sized),
    descriptor: &Descriptor,
    sink: &(impl Sink + ?Sized),
    moved: &mut dyn FnMut(u64),
) -> Result<u64, Error> {
    let Some(algorithm) = descriptor.digest.algorithm() else {
        return Err(Error::unverifiable(descriptor));
    };
    if let Some(bytes) = sink.take(&source, descriptor, moved)? {
        return Ok(bytes);
    }
    // The sink's writer hashes what it takes and compares: a verifying reader before it would
    // hash every byte a second time. Only the size is held here, so that no more than the
    // descriptor says is ever stored.
    let mut reader = source
        .fetch(descriptor)
        .map_err(|error| came_from(source, descriptor, error))?
        .take(descriptor.size.saturating_add(1));
    let mut writer = sink.create(algorithm)?;
    let mut take = |bytes: &[u8]| {
        writer
            .write_all(bytes)
            .map_err(|error| Error::write(descriptor, error))?;
        moved(bytes.len() as u64);
        Ok(())
    };
    // What is large is read ahead while it is hashed and written; a thread costs more than that
    // saves for what is small.
    if descriptor.size >= LARGE {
        pump(&mut reader, &mut take).map_err(|error| Error::read(descriptor, error))??;
    } else {
        let mut buffer = vec![0; BUFFER.min(descriptor.size as usize + 1)];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => take(&buffer[..n])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::read(descriptor, error)),
            }
        }
    }
    let written = writer.finish(Some(descriptor));
    Ok(written
        .map_err(|error| came_from(source, descriptor, error))?
        .size)
}
