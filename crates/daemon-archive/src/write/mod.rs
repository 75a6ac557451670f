//! Archives written.

mod choose;
mod contents;
mod error;
mod oci;
mod prepare;
mod recompress;
mod report;
mod tar;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use cooperage_blob::Source;
use cooperage_compress::{Codec, Encoding};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Index, Platform, Reference, annotations};

pub use contents::{Contents, LayerNames, contents};
pub use error::WriteError;
pub use oci::write as write_oci;
pub use report::{Detail, Recompressed, Report, WrittenImage};

use crate::docker_manifest::{self, ManifestItem};
use crate::read::blob_path;
use prepare::Prepared;
use tar::TarWriter;

/// The most that [`write()`] keeps of recompressed layers on disk where nothing else is said:
/// 64 GiB.
pub const DEFAULT_RECOMPRESSED_LIMIT: u64 = 64 << 30;

/// An image for an archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    /// Its manifest, or an index of which one manifest is taken.
    pub descriptor: Descriptor,
    /// Its names, without digests; a missing tag is `latest`. None for an image that is found by its
    /// ID alone.
    pub names: Vec<Reference>,
}

/// How a docker archive is written.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// Which image of an index is taken. An image that runs on another platform is refused, be it
    /// of an index or alone. `None` takes an index that has one image only.
    pub platform: Option<Platform>,
    /// What becomes of zstd layers.
    pub layers: LayerForm,
    /// How layers are recompressed; its codec must be gzip or none.
    pub encoding: Encoding,
    /// Where recompressed layers are kept until they are written, since the length of each must be
    /// known before the first; `None` for the system's directory for temporary files.
    pub spool_dir: Option<PathBuf>,
    /// The most bytes of recompressed layers that are kept there.
    pub spool_limit: u64,
    /// Layers that are named and not written, by the digests that the source's manifests give
    /// them: those that the reader of the archive is known to have. They are not read, and never
    /// recompressed. Documents are always written.
    pub leave_out: BTreeSet<Digest>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            platform: None,
            layers: LayerForm::default(),
            encoding: Encoding::of(Codec::Gzip),
            spool_dir: None,
            spool_limit: DEFAULT_RECOMPRESSED_LIMIT,
            leave_out: BTreeSet::new(),
        }
    }
}

/// What becomes of layers that not every reader of docker archives can unpack. Uncompressed and
/// gzip layers always stay as they are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LayerForm {
    /// zstd layers are recompressed to gzip, which Docker 20.10 needs. The image ID stays, the
    /// manifest and its digest change: [`WrittenImage::recompressed`] says so.
    #[default]
    Gzip,
    /// zstd layers stay as they are.
    Keep,
}

/// Writes images as one docker archive that is an image layout too, as one stream.
///
/// What real readers need decides its form: `manifest.json`, `index.json` and `oci-layout` come
/// first, for those that stream; then every blob once, under `blobs/<algorithm>/<encoded>`. There
/// are no links and no entry twice, paths are relative and clean, headers canonical (mode 0644,
/// directories 0755, root, modification time 0). The bytes depend on the images and their names
/// alone, not on the order in which they are given.
///
/// Documents go in as they are. Docker's graph-driver stores read `manifest.json`, the configs and
/// the layers, and nothing else: what they therefore do not see is named in
/// [`WrittenImage::oci_only`], and what is not in the archive at all in [`WrittenImage::dropped`].
///
/// Every blob is verified while it passes. When this fails, what `out` has taken is no archive.
///
/// # Errors
///
/// All of [`WriteError`]; only [`WriteError::Source`] and [`WriteError::Output`] once the first
/// byte is written.
pub fn write(
    source: &dyn Source,
    images: &[Image],
    out: &mut dyn Write,
    options: &WriteOptions,
) -> Result<Report, WriteError> {
    let prepared = prepare::prepare(source, images, options)?;
    let mut tar = TarWriter::new(out);
    let items: Vec<_> = prepared.images.iter().map(item).collect();
    tar.bytes("manifest.json", &docker_manifest::to_bytes(&items))?;
    let descriptors = prepared.images.iter().flat_map(index_descriptors);
    write_layout_files(&mut tar, &Document::new(Index::new(descriptors.collect())))?;
    let mut seen = BTreeSet::new();
    let digests = prepared
        .images
        .iter()
        .flat_map(prepare::PreparedImage::blobs);
    let absent = |blob: &Descriptor| {
        options.leave_out.contains(&blob.digest) && !prepared.documents.contains_key(&blob.digest)
    };
    let blobs: Vec<_> = digests
        .filter(|blob| !absent(blob) && seen.insert(blob.digest.clone()))
        .collect();
    write_directories(&mut tar, blobs.iter().map(|blob| &blob.digest))?;
    for blob in &blobs {
        write_blob(&mut tar, source, &prepared, blob)?;
    }
    let size = tar.finish()?;
    Ok(Report {
        images: prepared
            .images
            .into_iter()
            .map(|image| image.report)
            .collect(),
        size,
    })
}

fn write_blob(
    tar: &mut TarWriter<'_>,
    source: &dyn Source,
    prepared: &Prepared,
    blob: &Descriptor,
) -> Result<(), WriteError> {
    let path = blob_path(&blob.digest);
    if let Some(bytes) = prepared.documents.get(&blob.digest) {
        return tar.bytes(&path, bytes);
    }
    match prepared.recompressed.reader(&blob.digest) {
        Some(mut reader) => tar.stream(&path, blob, &mut reader),
        None => tar.stream(&path, blob, &mut cooperage_blob::open(source, blob)?),
    }
}

/// The two files that make a directory an image layout.
fn write_layout_files(tar: &mut TarWriter<'_>, index: &Document<Index>) -> Result<(), WriteError> {
    tar.bytes("index.json", index.raw())?;
    tar.bytes("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
}

fn write_directories<'a>(
    tar: &mut TarWriter<'_>,
    digests: impl Iterator<Item = &'a Digest>,
) -> Result<(), WriteError> {
    let algorithms: BTreeSet<_> = digests.map(Digest::algorithm_name).collect();
    if !algorithms.is_empty() {
        tar.directory("blobs")?;
    }
    algorithms
        .iter()
        .try_for_each(|algorithm| tar.directory(&format!("blobs/{algorithm}")))
}

/// One image for `manifest.json`. Its names are full: podman takes `app:v1`, as Docker writes it
/// itself, for `localhost/app:v1`, and Docker takes the full one as well.
fn item(image: &prepare::PreparedImage) -> ManifestItem {
    ManifestItem {
        config: blob_path(&image.config.digest),
        repo_tags: image.names.iter().map(ToString::to_string).collect(),
        layers: image
            .layers
            .iter()
            .map(|layer| blob_path(&layer.digest))
            .collect(),
        describes_layers: false,
    }
}

/// One descriptor for each name: containerd takes the full name, others the tag.
fn index_descriptors(image: &prepare::PreparedImage) -> Vec<Descriptor> {
    let mut bare = image.manifest.clone();
    bare.annotations.remove(annotations::REF_NAME);
    bare.annotations.remove(annotations::CONTAINERD_IMAGE_NAME);
    let with_name = |name: &Reference| {
        let mut descriptor = bare.clone();
        let mut add = |key: &str, value: String| descriptor.annotations.insert(key.into(), value);
        add(annotations::CONTAINERD_IMAGE_NAME, name.to_string());
        add(annotations::REF_NAME, name.tag().unwrap_or_default().into());
        descriptor
    };
    match &image.names[..] {
        [] => vec![bare],
        names => names.iter().map(with_name).collect(),
    }
}
