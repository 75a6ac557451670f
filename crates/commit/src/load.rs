//! A packed layer becomes a tree again.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use cooperage_blob::{Source, open};
use cooperage_compress::decoder;
use cooperage_digest::{Algorithm, Digest, Hasher};
use cooperage_image_spec::Descriptor;
use cooperage_staging::TemporaryFile;
use cooperage_tarball::{LoadError, ReadOptions, Tree};

use crate::detect::detect;

/// A layer that was read. Its tree's contents lie in a temporary file, which goes with it.
#[derive(Debug)]
pub struct LoadedLayer {
    tree: Tree,
    diff_id: Digest,
    spool: TemporaryFile,
}

impl LoadedLayer {
    /// What it holds.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The digest of its tar.
    #[must_use]
    pub fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    /// The uncompressed tar.
    #[must_use]
    pub fn tar(&self) -> &std::path::Path {
        self.spool.path()
    }
}

/// How much of a layer is read, so that a bomb cannot fill the disk.
pub const DEFAULT_TAR_LIMIT: u64 = 64 << 30;

/// Why a layer could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// The medium does not have it, or it cannot be verified.
    #[error("cannot read layer `{origin}`")]
    Blob {
        /// Which.
        origin: String,
        /// Why.
        #[source]
        source: cooperage_blob::Error,
    },
    /// It could not be decompressed or verified.
    #[error("cannot unpack layer `{origin}`")]
    Unpack {
        /// Which.
        origin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its tar cannot be kept in a temporary file.
    #[error("cannot keep the tar of layer `{origin}` in a temporary file in `{}`", directory.display())]
    Spool {
        /// Which.
        origin: String,
        /// Where temporary files go.
        directory: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A compression that no layer may have.
    #[error("layer `{origin}` is compressed with {codec}, for which no layer media type exists")]
    NoMediaType {
        /// Which.
        origin: String,
        /// `bzip2` or `xz`.
        codec: &'static str,
    },
    /// More bytes than the limit.
    #[error("layer `{origin}` unpacks to more than {limit} bytes, which is the limit")]
    TooLarge {
        /// Which.
        origin: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The tar is not the one that the config names.
    #[error("layer `{origin}`: expected diff ID {expected}, found {actual}")]
    DiffId {
        /// Which.
        origin: String,
        /// What the config says.
        expected: Digest,
        /// What it is.
        actual: Digest,
    },
    /// It is no tar that makes a tree.
    #[error("layer `{origin}` holds no file tree")]
    Tar {
        /// Which.
        origin: String,
        /// Why.
        #[source]
        source: LoadError,
    },
}

/// Reads a layer from a medium: its blob is verified, and its tar against `diff_id` if one is
/// given. At most `limit` bytes of tar are written to a temporary file.
pub fn load_layer(
    source: &(impl Source + ?Sized),
    descriptor: &Descriptor,
    diff_id: Option<&Digest>,
    limit: u64,
) -> Result<LoadedLayer, LayerError> {
    let origin = descriptor.digest.to_string();
    let reader = open(source, descriptor).map_err(|source| LayerError::Blob {
        origin: origin.clone(),
        source,
    })?;
    load_tar(reader, &origin, diff_id, limit)
}

/// The same for a tar, compressed or not, that lies anywhere else; `origin` names it in errors.
pub fn load_tar(
    reader: impl Read + Send,
    origin: &str,
    diff_id: Option<&Digest>,
    limit: u64,
) -> Result<LoadedLayer, LayerError> {
    let keep = |source| cannot_keep(origin, source);
    let mut spool = TemporaryFile::private().map_err(keep)?;
    let actual = spool_tar(reader, origin, limit, &mut spool)?;
    match diff_id {
        Some(expected) if *expected != actual => {
            let (origin, expected) = (origin.to_owned(), expected.clone());
            return Err(LayerError::DiffId {
                origin,
                expected,
                actual,
            });
        }
        _ => {}
    }
    let tree = Tree::from_tar(spool.path(), &ReadOptions::default()).map_err(|source| {
        LayerError::Tar {
            origin: origin.to_owned(),
            source,
        }
    })?;
    Ok(LoadedLayer {
        tree,
        diff_id: actual,
        spool,
    })
}

fn cannot_keep(origin: &str, source: io::Error) -> LayerError {
    LayerError::Spool {
        origin: origin.to_owned(),
        directory: tempfile::env::temp_dir(),
        source,
    }
}

fn spool_tar(
    mut reader: impl Read + Send,
    origin: &str,
    limit: u64,
    spool: &mut TemporaryFile,
) -> Result<Digest, LayerError> {
    let unpack = |source| LayerError::Unpack {
        origin: origin.to_owned(),
        source,
    };
    let (codec, mut whole) = detect(&mut reader).map_err(unpack)?;
    let codec = codec.map_err(|codec| LayerError::NoMediaType {
        origin: origin.to_owned(),
        codec,
    })?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut size = 0_u64;
    {
        let mut tar = decoder(codec, &mut whole);
        let mut buffer = vec![0; 256 << 10];
        loop {
            let n = match tar.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unpack(error)),
            };
            size += n as u64;
            if size > limit {
                return Err(LayerError::TooLarge {
                    origin: origin.to_owned(),
                    limit,
                });
            }
            hasher.update(&buffer[..n]);
            spool
                .write_all(&buffer[..n])
                .map_err(|source| cannot_keep(origin, source))?;
        }
    }
    // A decoder may stop before the end: only the end of the blob verifies it.
    io::copy(&mut whole, &mut io::sink()).map_err(unpack)?;
    Ok(hasher.finish())
}
