//! A tree becomes a layer.

use std::io::{self, Write};
use std::num::NonZeroUsize;

use cooperage_blob::{NoProgress, Progress, Sink};
use cooperage_compress::{Blocks, Codec, EncodeError, Encoding, Workers};
use cooperage_digest::{Algorithm, Hasher};
use cooperage_image_spec::{Descriptor, MediaType};
use cooperage_tarball::{Block, BlockRules, FoldOptions, Resolved, Tree, fold, plan_blocks};

use crate::Layer;

/// How [`pack`] goes about it. Only `encoding` and `fold` reach the bytes.
#[derive(Clone, Copy)]
pub struct PackOptions<'a> {
    /// How the layer is stored.
    pub encoding: Encoding,
    /// Whether identical files become hard links.
    pub fold: bool,
    /// Blocks compressed at once, and files compared at once for folding.
    pub threads: NonZeroUsize,
    /// What compresses, shared with layers that are packed at the same time; threads and memory of
    /// its own without it.
    pub workers: Option<&'a Workers>,
    /// What the layer is called while it is packed.
    pub name: &'a str,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

impl Default for PackOptions<'_> {
    fn default() -> Self {
        Self {
            encoding: Encoding::default(),
            fold: true,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            workers: None,
            name: "layer",
            progress: &NoProgress,
        }
    }
}

impl std::fmt::Debug for PackOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackOptions")
            .field("encoding", &self.encoding)
            .field("fold", &self.fold)
            .field("threads", &self.threads)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why a tree could not be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// Its files could not be looked at.
    #[error("cannot prepare layer `{name}`")]
    Fold {
        /// The layer.
        name: String,
        /// Why.
        #[source]
        source: cooperage_tarball::FoldError,
    },
    /// A file could not be read, or had changed.
    #[error("cannot pack layer `{name}`")]
    Read {
        /// The layer.
        name: String,
        /// Why.
        #[source]
        source: cooperage_tarball::PackError,
    },
    /// The encoder failed.
    #[error("cannot compress layer `{name}`")]
    Encode {
        /// The layer.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The sink would not take the blob.
    #[error("cannot store layer `{name}`")]
    Store {
        /// The layer.
        name: String,
        /// Why.
        #[source]
        source: cooperage_blob::Error,
    },
}

/// The blocks of a tree, as the encoder wants them.
struct TreeBlocks<'a> {
    resolved: &'a Resolved,
    blocks: Vec<Block>,
}

impl Blocks for TreeBlocks<'_> {
    type Error = cooperage_tarball::PackError;

    fn count(&self) -> usize {
        self.blocks.len()
    }

    fn read(&self, index: usize, out: &mut Vec<u8>) -> Result<(), Self::Error> {
        self.resolved.read_block(&self.blocks[index], out)
    }
}

/// Threads that compare files for one layer alone. Where as many are asked for as there are
/// processors, all layers of the program share rayon's, however many are made at once.
fn own_threads(threads: NonZeroUsize) -> Option<NonZeroUsize> {
    let processors = std::thread::available_parallelism();
    (processors.ok() != Some(threads)).then_some(threads)
}

/// The media type of a layer stored with a codec, in OCI's vocabulary.
///
/// Spec: image-spec v1.1, `media-types.md`.
#[must_use]
pub fn layer_media_type(codec: Codec) -> MediaType {
    match codec {
        Codec::None => MediaType::OCI_LAYER,
        Codec::Gzip => MediaType::OCI_LAYER_GZIP,
        Codec::Zstd => MediaType::OCI_LAYER_ZSTD,
    }
}

/// Packs a tree to a layer blob in the sink.
///
/// One pass: each file is read once (twice where it has to be compared for folding), and both
/// digests are made while the bytes stream. Memory is bounded by the number of threads and the
/// block size, whatever the tree holds. If it fails, the sink holds nothing new.
pub fn pack(
    tree: &Tree,
    options: &PackOptions<'_>,
    sink: &(impl Sink + ?Sized),
) -> Result<Layer, PackError> {
    let name = || options.name.to_owned();
    let fold_options = FoldOptions {
        fold: options.fold,
        threads: own_threads(options.threads),
    };
    let resolved = fold(tree, &fold_options).map_err(|source| PackError::Fold {
        name: name(),
        source,
    })?;
    let rules = BlockRules {
        block_size: options.encoding.block_size(),
    };
    let blocks = TreeBlocks {
        blocks: plan_blocks(&resolved, rules),
        resolved: &resolved,
    };

    let store = |source| PackError::Store {
        name: name(),
        source,
    };
    let mut writer = sink.create(Algorithm::Sha256).map_err(store)?;
    // Stored as it is, the tar's digest is the blob's: one hash is enough.
    let compressed = options.encoding.codec() != Codec::None;
    let mut diff_id = compressed.then(|| Hasher::new(Algorithm::Sha256));
    let mut size = 0;
    let progress = options.progress;
    let id = progress.start(options.name, Some(resolved.tar_len()));
    let shared = options.workers.cloned();
    let workers = shared.unwrap_or_else(|| Workers::new(options.threads));
    let result = workers.encode_blocks(&blocks, &options.encoding, &mut |raw, stored| {
        if let Some(hasher) = &mut diff_id {
            hasher.update(raw);
        }
        size += raw.len() as u64;
        progress.advance(id, raw.len() as u64);
        writer.write_all(stored)
    });
    progress.finish(id);
    let records = result.map_err(|error| match error {
        EncodeError::Read { source, .. } => PackError::Read {
            name: name(),
            source,
        },
        EncodeError::Write(source) => store(cooperage_blob::Error::io(
            "cannot write the layer's blob",
            source,
        )),
        other => PackError::Encode {
            name: name(),
            source: io::Error::other(other),
        },
    })?;
    let written = writer.finish(None).map_err(store)?;
    let media_type = layer_media_type(options.encoding.codec());
    Ok(Layer {
        diff_id: diff_id.map_or_else(|| written.digest.clone(), Hasher::finish),
        descriptor: Descriptor::new(media_type, written.digest, written.size),
        size,
        encoding: Some(options.encoding),
        blocks: records,
        entries: resolved.len() as u64,
    })
}
