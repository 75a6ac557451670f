//! One layer in another compression.

use std::io::{self, Read, Write};

use cooperage_blob::{Sink, Source, Written, open};
use cooperage_compress::{Encoder, decoder};
use cooperage_digest::{Algorithm, Digest, Hasher};
use cooperage_image_spec::{Descriptor, DocumentError};

use crate::detect::detect;
use crate::marking::Marking;
use crate::recompress::RecompressOptions;

/// How much is read at once, in bytes.
const BUFFER: usize = 256 << 10;

/// Why an image could not be compressed anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecompressError {
    /// A blob is missing or wrong, or a document could not be stored.
    #[error("cannot form the image anew")]
    Blob(#[from] cooperage_blob::Error),
    /// A document is malformed.
    #[error("`{digest}` is not a valid document")]
    Document {
        /// Its digest.
        digest: Digest,
        /// Where and why.
        source: Box<DocumentError>,
    },
    /// Manifest and config disagree.
    #[error("manifest `{digest}` has {layers} layers, but its config has {diff_ids} diff IDs")]
    LayerCount {
        /// The manifest.
        digest: Digest,
        /// Layers in the manifest.
        layers: usize,
        /// Diff IDs in the config.
        diff_ids: usize,
    },
    /// A compression that no layer may have.
    #[error("layer `{digest}` is compressed with {codec}; only gzip and zstd are read")]
    Compression {
        /// The layer.
        digest: Digest,
        /// `bzip2` or `xz`.
        codec: &'static str,
    },
    /// A layer could not be read, decompressed or verified.
    #[error("cannot read layer `{digest}`")]
    Read {
        /// The layer.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// A layer could not be compressed.
    #[error("cannot compress layer `{digest}`")]
    Encode {
        /// The layer.
        digest: Digest,
        /// What the codec or the system said.
        source: io::Error,
    },
    /// The sink would not take it.
    #[error("cannot store layer `{digest}` in its new form")]
    Store {
        /// The layer.
        digest: Digest,
        /// Why.
        source: cooperage_blob::Error,
    },
    /// A diff ID by an algorithm that nothing here computes.
    #[error(
        "layer `{digest}`: the diff ID `{diff_id}` cannot be verified, expected sha256 or sha512"
    )]
    Unverifiable {
        /// The layer.
        digest: Digest,
        /// What the config says.
        diff_id: Digest,
    },
    /// A layer is not what the config says.
    #[error("layer `{digest}`: the config says diff ID {expected}, found {actual}")]
    DiffId {
        /// The layer.
        digest: Digest,
        /// What the config says.
        expected: Digest,
        /// What it is.
        actual: Digest,
    },
    /// A layer unpacks to more than is read.
    #[error("layer `{digest}` unpacks to more than {limit} bytes")]
    TooLarge {
        /// The layer.
        digest: Digest,
        /// [`RecompressOptions::tar_limit`].
        limit: u64,
    },
}

/// Stores a layer in another form; `None` if it is not in the source and need not be.
pub(crate) fn reencode(
    source: &dyn Source,
    layer: &Descriptor,
    diff_id: &Digest,
    options: &RecompressOptions<'_>,
    sink: &dyn Sink,
) -> Result<Option<Written>, RecompressError> {
    let digest = || layer.digest.clone();
    let Some(algorithm) = diff_id.algorithm() else {
        let diff_id = diff_id.clone();
        return Err(RecompressError::Unverifiable {
            digest: digest(),
            diff_id,
        });
    };
    let stored = match open(source, layer) {
        Err(error) if error.is_not_found() && !layer.urls.is_empty() => return Ok(None),
        stored => stored?,
    };
    let what = format!("{} to {}", layer.digest.short(), options.encoding.codec());
    let id = options.progress.start(&what, Some(layer.size));
    let told = Told {
        reader: stored,
        tell: |bytes| options.progress.advance(id, bytes),
    };
    let result = encode(told, layer, algorithm, options, sink);
    options.progress.finish(id);
    let (writer, actual) = result?;
    if actual != *diff_id {
        return Err(RecompressError::DiffId {
            digest: digest(),
            expected: diff_id.clone(),
            actual,
        });
    }
    let written = writer.finish();
    written.map(Some).map_err(|source| RecompressError::Store {
        digest: digest(),
        source,
    })
}

/// Writes all of a layer anew, and gives the digest of what it unpacks to.
fn encode<'a>(
    stored: impl Read + Send,
    layer: &Descriptor,
    algorithm: Algorithm,
    options: &RecompressOptions<'_>,
    sink: &'a dyn Sink,
) -> Result<(Marking<'a>, Digest), RecompressError> {
    let digest = || layer.digest.clone();
    let failed = |source| RecompressError::Read {
        digest: digest(),
        source,
    };
    let store = |source| RecompressError::Store {
        digest: digest(),
        source,
    };
    let (codec, mut stored) = detect(stored).map_err(failed)?;
    let codec = codec.map_err(|codec| RecompressError::Compression {
        digest: digest(),
        codec,
    })?;
    let mut writer = Marking::new(sink.create(Algorithm::Sha256).map_err(store)?);
    let not_written = |error, writer: &Marking<'_>| {
        if writer.has_failed() {
            return store(cooperage_blob::Error::io("cannot write its blob", error));
        }
        RecompressError::Encode {
            digest: digest(),
            source: error,
        }
    };
    let encoder = Encoder::with_workers(&mut writer, options.encoding, options.workers);
    let result = encoder.map_err(Fault::Write).and_then(|mut encoder| {
        let tar = decoder(codec, &mut stored);
        let actual = pass(tar, algorithm, options.tar_limit, &mut encoder)?;
        encoder.finish().map_err(Fault::Write)?;
        Ok(actual)
    });
    let actual = result.map_err(|fault| match fault {
        Fault::Read(error) => failed(error),
        Fault::Write(error) => not_written(error, &writer),
        Fault::TooLarge => RecompressError::TooLarge {
            digest: digest(),
            limit: options.tar_limit,
        },
    })?;
    // The decoder may stop before the end, where the digest is compared.
    io::copy(&mut stored, &mut io::sink()).map_err(failed)?;
    Ok((writer, actual))
}

/// Why bytes did not pass.
enum Fault {
    Read(io::Error),
    Write(io::Error),
    TooLarge,
}

/// Hands on all that is read, and gives its digest.
fn pass(
    mut tar: impl Read,
    algorithm: Algorithm,
    limit: u64,
    to: &mut impl Write,
) -> Result<Digest, Fault> {
    let (mut hasher, mut left) = (Hasher::new(algorithm), limit);
    let mut buffer = vec![0; BUFFER];
    loop {
        let n = match tar.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Fault::Read(error)),
        };
        left = left.checked_sub(n as u64).ok_or(Fault::TooLarge)?;
        hasher.update(&buffer[..n]);
        to.write_all(&buffer[..n]).map_err(Fault::Write)?;
    }
}

/// A reader that tells how much was read.
struct Told<R, F> {
    reader: R,
    tell: F,
}

impl<R: Read, F: Fn(u64)> Read for Told<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        (self.tell)(n as u64);
        Ok(n)
    }
}
