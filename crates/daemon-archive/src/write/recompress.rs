//! Layers that change their codec on the way.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;

use cooperage_blob::Source;
use cooperage_compress::{Codec, Encoder, decoder};
use cooperage_digest::{Algorithm, Digest, HashingWriter, VerifyingReader};
use cooperage_image_spec::{Descriptor, MediaType};

use super::{WriteError, WriteOptions};
use crate::file::{SharedFile, SpanReader};
use crate::hashing::HashingReader;
use crate::read::Span;

/// All recompressed layers, one behind the other in one temporary file that is made when the first
/// one comes.
pub(super) struct RecompressedLayers {
    file: Option<(File, SharedFile)>,
    len: u64,
    by_source: BTreeMap<Digest, (Descriptor, Digest)>,
    spans: BTreeMap<Digest, Span>,
}

impl RecompressedLayers {
    pub(super) fn new() -> Self {
        Self {
            file: None,
            len: 0,
            by_source: BTreeMap::new(),
            spans: BTreeMap::new(),
        }
    }

    /// The stored bytes of a layer that was made here, verified.
    pub(super) fn reader(&self, digest: &Digest) -> Option<VerifyingReader<SpanReader>> {
        let (span, (_, file)) = (self.spans.get(digest)?, self.file.as_ref()?);
        Some(VerifyingReader::new(
            file.reader(*span),
            digest.clone(),
            span.len,
        ))
    }

    /// Recompresses a zstd layer, once however often it is asked for.
    pub(super) fn layer(
        &mut self,
        source: &dyn Source,
        layer: &Descriptor,
        expected: &Digest,
        options: &WriteOptions,
    ) -> Result<Descriptor, WriteError> {
        if !self.by_source.contains_key(&layer.digest) {
            let done = self.recompress(source, layer, options)?;
            self.by_source.insert(layer.digest.clone(), done);
        }
        let (descriptor, actual) = &self.by_source[&layer.digest];
        if actual != expected {
            return Err(WriteError::DiffId {
                digest: layer.digest.clone(),
                expected: expected.clone(),
                actual: actual.clone(),
            });
        }
        Ok(descriptor.clone())
    }

    fn recompress(
        &mut self,
        source: &dyn Source,
        layer: &Descriptor,
        options: &WriteOptions,
    ) -> Result<(Descriptor, Digest), WriteError> {
        let failed = |source| WriteError::Recompress {
            digest: layer.digest.clone(),
            source,
        };
        let stored = cooperage_blob::open(source, layer)?;
        let left = options.spool_limit.saturating_sub(self.len);
        let mut room = Room {
            file: self.file(options).map_err(failed)?,
            left,
            full: false,
        };
        let hashing = HashingWriter::new(&mut room, Algorithm::Sha256);
        let result = encode(decoder(Codec::Zstd, stored), hashing, options);
        let (digest, size, diff_id) = match result {
            Ok(done) => done,
            Err(_) if room.full => {
                return Err(WriteError::SpoolFull {
                    limit: options.spool_limit,
                });
            }
            Err(source) => return Err(failed(source)),
        };
        self.spans.insert(
            digest.clone(),
            Span {
                offset: self.len,
                len: size,
            },
        );
        self.len += size;
        let media_type = match (layer.media_type.is_docker(), options.encoding.codec()) {
            (true, Codec::None) => MediaType::DOCKER_LAYER,
            (true, _) => MediaType::DOCKER_LAYER_GZIP,
            (false, Codec::None) => MediaType::OCI_LAYER,
            (false, _) => MediaType::OCI_LAYER_GZIP,
        };
        Ok((Descriptor::new(media_type, digest, size), diff_id))
    }

    fn file(&mut self, options: &WriteOptions) -> io::Result<&mut File> {
        if self.file.is_none() {
            let file = match &options.spool_dir {
                Some(directory) => tempfile::tempfile_in(directory)?,
                None => tempfile::tempfile()?,
            };
            self.file = Some((file.try_clone()?, SharedFile::new(file)));
        }
        let (file, _) = self.file.as_mut().expect("made above");
        Ok(file)
    }
}

/// Gives the digest and size of the stored form, and the diff ID.
fn encode(
    tar: impl Read,
    out: HashingWriter<&mut Room<'_>>,
    options: &WriteOptions,
) -> io::Result<(Digest, u64, Digest)> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut encoder = Encoder::with_threads(out, options.encoding, threads)?;
    let mut tar = HashingReader::new(tar);
    io::copy(&mut tar, &mut encoder)?;
    let (diff_id, _) = tar.finish()?;
    let (_, digest, size) = encoder.finish()?.finish();
    Ok((digest, size, diff_id))
}

/// A file that takes so many bytes more.
struct Room<'a> {
    file: &'a mut File,
    left: u64,
    full: bool,
}

impl Write for Room<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            self.full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self.file.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
