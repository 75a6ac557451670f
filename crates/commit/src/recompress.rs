//! The layers of an image that exists in another compression, and its documents after them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use cooperage_blob::{NoProgress, Progress, Sink, Source, Written, parallel, put, read, walk};
use cooperage_compress::{Codec, Encoding, Workers};
use cooperage_digest::Digest;
use cooperage_image_spec::{
    Descriptor, Document, FromJson, ImageConfig, Index, Manifest, MediaType,
};

use crate::load::DEFAULT_TAR_LIMIT;
use crate::pack::layer_media_type;
use crate::reencode::reencode;

pub use crate::reencode::RecompressError;

/// How many layers are made at once: there is one thread for each that reads and unpacks, while all
/// threads compress for both.
const LAYERS_AT_ONCE: NonZeroUsize = NonZeroUsize::new(2).expect("not zero");

/// Where an index says which of its images an attestation speaks of.
const REFERS_TO: &str = "vnd.docker.reference.digest";

/// What annotations of a layer begin with that describe its stored bytes: tables of contents of
/// layers that are read in part.
const OF_STORED_BYTES: [&str; 3] = [
    "containerd.io/snapshot/stargz/",
    "io.containers.estargz.",
    "io.github.containers.zstd-chunked.",
];

/// Which layers [`recompress`] takes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RecompressLayers {
    /// All that have another compression.
    #[default]
    All,
    /// Those that have none.
    Uncompressed,
}

/// How [`recompress`] goes about it. Only `encoding` and `layers` reach the bytes.
#[derive(Clone, Copy)]
pub struct RecompressOptions<'a> {
    /// The form that layers get.
    pub encoding: Encoding,
    /// Which layers get it. One whose media type has that codec already stays as it is, at whatever
    /// level it was made.
    pub layers: RecompressLayers,
    /// What compresses.
    pub workers: &'a Workers,
    /// The most bytes that one layer may unpack to.
    pub tar_limit: u64,
    /// Who is told; of each layer as many bytes as are stored of it now.
    pub progress: &'a dyn Progress,
}

impl<'a> RecompressOptions<'a> {
    /// All layers, within the usual limit, and nobody is told.
    #[must_use]
    pub fn new(encoding: Encoding, workers: &'a Workers) -> Self {
        Self {
            encoding,
            layers: RecompressLayers::All,
            workers,
            tar_limit: DEFAULT_TAR_LIMIT,
            progress: &NoProgress,
        }
    }
}

impl std::fmt::Debug for RecompressOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecompressOptions")
            .field("encoding", &self.encoding)
            .field("layers", &self.layers)
            .field("workers", &self.workers)
            .field("tar_limit", &self.tar_limit)
            .finish_non_exhaustive()
    }
}

/// A blob that another one takes the place of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replaced {
    /// As it was.
    pub from: Descriptor,
    /// As it is.
    pub to: Descriptor,
}

/// What [`recompress`] made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Recompressed {
    /// The roots, in the order in which they were given; one that nothing was changed below is as it
    /// was.
    pub roots: Vec<Descriptor>,
    /// Manifests and indexes that are others now, children first.
    pub documents: Vec<Replaced>,
    /// Layers, each once, in the order in which the roots come to them.
    pub layers: Vec<Replaced>,
    /// Annotations that were true of a layer's stored bytes alone and are gone, as
    /// `sha256:…: annotation …`, sorted.
    pub dropped: BTreeSet<String>,
}

/// Compresses layers of images anew, and forms their manifests and indexes after them.
///
/// The tar inside each layer stays as it is, byte for byte: what a layer unpacks to is compared with
/// the config's diff ID before the layer is taken. So the config stays too, and with it the image
/// ID. In manifests and indexes those digests, sizes and media types change that have to, and in an
/// index the reference of an attestation to its image; everything else stays, members that nobody
/// knows included. A manifest with Docker's media types keeps them. Artifacts stay as they are, and
/// so do layers that may not be passed on, or that are to be fetched from elsewhere and are not
/// there. Whether a layer is a tar is not asked: the diff ID says that it is what it was.
///
/// What is new goes into the sink, and nothing else; no root is published. Who reads the image
/// afterwards looks in the sink first and in the source then. The same layers give the same bytes for
/// any number of threads. If it fails, blobs may lie in the sink that nothing names.
///
/// # Errors
///
/// All of [`RecompressError`].
pub fn recompress(
    source: &dyn Source,
    roots: &[Descriptor],
    options: &RecompressOptions<'_>,
    sink: &dyn Sink,
) -> Result<Recompressed, RecompressError> {
    let wanted = wanted(source, roots, options)?;
    let lanes = LAYERS_AT_ONCE.min(options.workers.threads());
    let results = parallel(&wanted, lanes, |(layer, diff_id)| {
        reencode(source, layer, diff_id, options, sink)
    });
    let mut making = Making {
        options,
        sink,
        layers: BTreeMap::new(),
        documents: BTreeMap::new(),
        told: BTreeSet::new(),
        made: Recompressed::default(),
    };
    for ((layer, _), result) in wanted.iter().zip(results) {
        if let Some(written) = result? {
            making.layers.insert(layer.digest.clone(), written);
        }
    }
    for root in roots {
        let mut failed = None;
        let walked = walk(source, root, &mut |at, bytes| {
            let Some(bytes) = bytes else { return Ok(()) };
            making.document(at, bytes).map_err(|error| {
                failed = Some(error);
                stopped(at)
            })
        });
        done(walked, failed)?;
        let root = making.after(root);
        making.made.roots.push(root);
    }
    Ok(making.made)
}

/// The layers to be made, each once, with the diff ID that it is to have.
fn wanted(
    source: &dyn Source,
    roots: &[Descriptor],
    options: &RecompressOptions<'_>,
) -> Result<Vec<(Descriptor, Digest)>, RecompressError> {
    let (mut wanted, mut seen) = (Vec::new(), BTreeSet::new());
    for root in roots {
        let mut failed = None;
        let walked = walk(source, root, &mut |at, bytes| {
            let Some(bytes) = bytes.filter(|_| at.media_type.is_manifest()) else {
                return Ok(());
            };
            let layers = layers_of(source, at, bytes, options).map_err(|error| {
                failed = Some(error);
                stopped(at)
            })?;
            for (layer, diff_id) in layers {
                if seen.insert((layer.digest.clone(), diff_id.clone())) {
                    wanted.push((layer, diff_id));
                }
            }
            Ok(())
        });
        done(walked, failed)?;
    }
    Ok(wanted)
}

/// What ends a walk; [`done`] has the reason.
fn stopped(at: &Descriptor) -> cooperage_blob::Error {
    cooperage_blob::Error::failed(format!("`{}` was not taken", at.digest))
}

fn done(
    walked: Result<(), cooperage_blob::Error>,
    failed: Option<RecompressError>,
) -> Result<(), RecompressError> {
    match failed {
        Some(error) => Err(error),
        None => Ok(walked?),
    }
}

/// Those layers of a manifest that are to be made, with their diff IDs.
fn layers_of(
    source: &dyn Source,
    at: &Descriptor,
    bytes: &[u8],
    options: &RecompressOptions<'_>,
) -> Result<Vec<(Descriptor, Digest)>, RecompressError> {
    let manifest = parse::<Manifest>(at, bytes.to_vec())?;
    let manifest = manifest.value();
    let any = manifest
        .layers
        .iter()
        .any(|layer| is_wanted(layer, options));
    if !any || !manifest.config.media_type.is_config() {
        return Ok(Vec::new());
    }
    let config = parse::<ImageConfig>(&manifest.config, read(source, &manifest.config)?)?;
    let diff_ids = &config.value().rootfs.diff_ids;
    if diff_ids.len() != manifest.layers.len() {
        return Err(RecompressError::LayerCount {
            digest: at.digest.clone(),
            layers: manifest.layers.len(),
            diff_ids: diff_ids.len(),
        });
    }
    let layers = manifest.layers.iter().zip(diff_ids);
    Ok(layers
        .filter(|(layer, _)| is_wanted(layer, options))
        .map(|(layer, diff_id)| (layer.clone(), diff_id.clone()))
        .collect())
}

fn is_wanted(layer: &Descriptor, options: &RecompressOptions<'_>) -> bool {
    match (codec(&layer.media_type), options.layers) {
        (None, _) => false,
        (Some(codec), RecompressLayers::All) => codec != options.encoding.codec(),
        (Some(codec), RecompressLayers::Uncompressed) => {
            codec == Codec::None && options.encoding.codec() != Codec::None
        }
    }
}

/// What a layer's media type says, if it is one that may be passed on.
fn codec(media_type: &MediaType) -> Option<Codec> {
    let oci = media_type.to_oci();
    Codec::ALL
        .into_iter()
        .find(|codec| layer_media_type(*codec) == oci)
}

fn parse<T: FromJson>(at: &Descriptor, bytes: Vec<u8>) -> Result<Document<T>, RecompressError> {
    Document::parse(bytes).map_err(|source| RecompressError::Document {
        digest: at.digest.clone(),
        source: Box::new(source),
    })
}

/// What is known while documents are formed.
struct Making<'a> {
    options: &'a RecompressOptions<'a>,
    sink: &'a dyn Sink,
    /// By the digest that they had.
    layers: BTreeMap<Digest, Written>,
    /// By the digest that they had.
    documents: BTreeMap<Digest, Written>,
    /// The layers that were told of.
    told: BTreeSet<Digest>,
    made: Recompressed,
}

impl Making<'_> {
    fn document(&mut self, at: &Descriptor, bytes: &[u8]) -> Result<(), RecompressError> {
        if self.documents.contains_key(&at.digest) {
            return Ok(());
        }
        let raw = if at.media_type.is_manifest() {
            self.manifest(at, bytes)?
        } else {
            self.index(at, bytes)?
        };
        if raw == bytes {
            return Ok(());
        }
        let put = put(self.sink, at.media_type.clone(), &raw)?;
        let written = Written {
            digest: put.digest,
            size: put.size,
        };
        self.documents.insert(at.digest.clone(), written);
        self.made.documents.push(Replaced {
            from: at.clone(),
            to: self.after(at),
        });
        Ok(())
    }

    fn manifest(&mut self, at: &Descriptor, bytes: &[u8]) -> Result<Vec<u8>, RecompressError> {
        let document = parse::<Manifest>(at, bytes.to_vec())?;
        // The blobs of an artifact may be layers of an image as well.
        if !document.value().config.media_type.is_config() {
            return Ok(document.into_parts().0);
        }
        let edited = document.edit(|manifest| {
            for layer in &mut manifest.layers {
                self.layer(layer);
            }
        });
        Ok(edited.into_parts().0)
    }

    /// Puts a layer that was made in the place of what it was made of.
    fn layer(&mut self, layer: &mut Descriptor) {
        let Some(written) = self.layers.get(&layer.digest) else {
            return;
        };
        if !is_wanted(layer, self.options) {
            return;
        }
        let from = layer.clone();
        let oci = layer_media_type(self.options.encoding.codec());
        layer.media_type = match oci.to_docker() {
            Some(docker) if layer.media_type.is_docker() => docker,
            _ => oci,
        };
        // Elsewhere there are the bytes that it had.
        layer.urls.clear();
        take_place(layer, written);
        layer.annotations.retain(|key, _| {
            let lost = OF_STORED_BYTES.iter().any(|start| key.starts_with(start));
            if lost {
                let text = format!("{}: annotation {key}", from.digest);
                self.made.dropped.insert(text);
            }
            !lost
        });
        if self.told.insert(from.digest.clone()) {
            let to = layer.clone();
            self.made.layers.push(Replaced { from, to });
        }
    }

    fn index(&self, at: &Descriptor, bytes: &[u8]) -> Result<Vec<u8>, RecompressError> {
        let edited = parse::<Index>(at, bytes.to_vec())?.edit(|index| {
            for child in &mut index.manifests {
                *child = self.after(child);
                let refers_to = child.annotations.get_mut(REFERS_TO);
                let Some(text) = refers_to else { continue };
                let to = text.parse().ok().and_then(|of| self.documents.get(&of));
                if let Some(to) = to {
                    *text = to.digest.to_string();
                }
            }
        });
        Ok(edited.into_parts().0)
    }

    /// The descriptor of a document as it is now.
    fn after(&self, document: &Descriptor) -> Descriptor {
        let mut after = document.clone();
        if let Some(written) = self.documents.get(&document.digest) {
            take_place(&mut after, written);
        }
        after
    }
}

fn take_place(descriptor: &mut Descriptor, written: &Written) {
    descriptor.digest = written.digest.clone();
    descriptor.size = written.size;
    descriptor.data = None;
}
