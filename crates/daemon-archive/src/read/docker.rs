//! What `docker save` writes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::OnceLock;

use cooperage_blob::{Error, Root, Source};
use cooperage_compress::{Codec, decoder};
use cooperage_digest::{Digest, VerifyError};
use cooperage_image_spec::{
    Descriptor, Document, ImageConfig, Manifest, MediaType, Reference, annotations,
};

use super::archive::{Archive, Member, Span};
use super::layers::{self, Measured};
use super::manifests::{Found, blob_path, image_manifests};
use super::{ManifestForm, ReadError, ReadOptions};
use crate::docker_manifest::{self, ManifestItem};
use crate::hashing::HashingReader;

/// A docker archive: any tar that has a `manifest.json`.
///
/// That is what `docker save` writes since version 1.10 (`<id>/layer.tar`, a repeated layer as a
/// symbolic link; since 25 an image layout beside it), and podman, skopeo, go-containerregistry,
/// Bazel's rules and [`write()`](crate::write) here.
///
/// Its roots are the images of `manifest.json`: one for each of their names, in full
/// (`docker.io/library/app:latest`), and one without a name for an image that has none.
/// Where the archive is an image layout too and has a manifest of just that config and those
/// files, that manifest is the root, byte for byte; else one is formed from config and layers, in
/// the form that [`ReadOptions::manifests`] says, the same each time. Config bytes are never
/// touched.
///
/// Every layer is checked against the config's diff ID before its first byte is handed out, or
/// when the archive is opened if a manifest has to be formed. Blobs are read by position, from
/// any thread; nothing is unpacked.
#[derive(Debug)]
pub struct DockerArchive {
    archive: Archive,
    roots: Vec<Root>,
    blobs: BTreeMap<Digest, Blob>,
    layers: BTreeMap<Digest, Vec<Check>>,
    /// Manifests that `docker save` made.
    stand_ins: BTreeSet<Digest>,
}

#[derive(Debug)]
enum Blob {
    Stored(Span),
    Formed(Vec<u8>),
}

/// A compressed layer whose diff ID is still to be compared.
#[derive(Debug)]
struct Check {
    entry: String,
    span: Span,
    codec: Codec,
    diff_id: Digest,
    passed: OnceLock<()>,
}

impl DockerArchive {
    /// Opens an archive, compressed as a whole or not.
    ///
    /// Reads the headers of the tar and its documents; the layers as well if a manifest has to be
    /// formed, since it names them by digest.
    ///
    /// # Errors
    ///
    /// All of [`ReadError`].
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, ReadError> {
        Self::new(Archive::open(path, options)?, options)
    }

    /// Spools a stream into a temporary file, reads that, and verifies all of it at once: see
    /// [`ReadOptions`] and [`Self::verify`].
    ///
    /// # Errors
    ///
    /// All of [`ReadError`].
    pub fn from_reader(reader: impl Read + Send, options: &ReadOptions) -> Result<Self, ReadError> {
        let archive = Self::new(Archive::from_reader(reader, options)?, options)?;
        archive.verify()?;
        Ok(archive)
    }

    fn new(archive: Archive, options: &ReadOptions) -> Result<Self, ReadError> {
        let span = archive.find("manifest.json")?;
        let items =
            docker_manifest::parse(&archive.read("manifest.json", span)?).map_err(|source| {
                ReadError::ManifestJson {
                    place: archive.place().into(),
                    source: Box::new(source),
                }
            })?;
        let found = image_manifests(&archive)?;
        let mut reading = Reading {
            blobs: named_blobs(&archive),
            archive: &archive,
            form: options.manifests,
            found,
            measured: BTreeMap::new(),
            layers: BTreeMap::new(),
        };
        let (mut roots, mut stand_ins) = (Vec::<Root>::new(), BTreeSet::new());
        for item in &items {
            let descriptor = reading.image(item)?;
            if item.describes_layers {
                stand_ins.insert(descriptor.digest.clone());
            }
            for name in names(&archive, item)? {
                if roots.iter().any(|root| root.name.as_ref() == Some(&name)) {
                    return Err(ReadError::NameTwice {
                        place: archive.place().into(),
                        name,
                    });
                }
                roots.push(Root::named(name, descriptor.clone()));
            }
            if item.repo_tags.is_empty() {
                roots.push(Root::unnamed(descriptor));
            }
        }
        let Reading { blobs, layers, .. } = reading;
        Ok(Self {
            archive,
            roots,
            blobs,
            layers,
            stand_ins,
        })
    }

    /// Whether this manifest stands in for the image's own, which was not kept.
    ///
    /// It does if it was formed here, and if `docker save` wrote it: since Docker 25 an archive is an
    /// image layout, but of what a graph driver unpacked the manifest is made with the archive
    /// (`manifest.json` has `LayerSources` then). The layers of such a manifest are usually
    /// uncompressed, whatever the image's own were.
    #[must_use]
    pub fn is_stand_in(&self, manifest: &Digest) -> bool {
        let formed = matches!(self.blobs.get(manifest), Some(Blob::Formed(_)));
        formed || self.stand_ins.contains(manifest)
    }

    /// Reads all that the roots refer to, and compares every digest and every diff ID.
    ///
    /// # Errors
    ///
    /// [`ReadError::Blob`] for the first blob that is missing or wrong.
    pub fn verify(&self) -> Result<(), ReadError> {
        let wrong = |source| ReadError::Blob {
            place: self.archive.place().into(),
            source,
        };
        let mut seen = BTreeSet::new();
        for root in &self.roots {
            cooperage_blob::walk(self, &root.descriptor, &mut |descriptor, document| {
                if document.is_some() || !seen.insert(descriptor.digest.clone()) {
                    return Ok(());
                }
                let mut reader = cooperage_blob::open(self, descriptor)?;
                io::copy(&mut reader, &mut io::sink())
                    .map_err(|error| Error::read(descriptor, error))?;
                Ok(())
            })
            .map_err(wrong)?;
        }
        Ok(())
    }
}

impl Source for DockerArchive {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(self.roots.clone())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        for check in self.layers.get(&descriptor.digest).into_iter().flatten() {
            check.run(&self.archive)?;
        }
        match self.blobs.get(&descriptor.digest) {
            Some(Blob::Stored(span)) => Ok(Box::new(self.archive.reader(*span))),
            Some(Blob::Formed(bytes)) => Ok(Box::new(Cursor::new(&bytes[..]))),
            None => Err(Error::blob_not_found(descriptor, self.archive.place())),
        }
    }
}

impl Check {
    fn run(&self, archive: &Archive) -> Result<(), Error> {
        if self.passed.get().is_some() {
            return Ok(());
        }
        let actual = HashingReader::new(decoder(self.codec, archive.reader(self.span)))
            .finish()
            .map_err(|source| ReadError::Layer {
                place: archive.place().into(),
                entry: self.entry.clone(),
                source,
            })?;
        if actual.0 != self.diff_id {
            let (entry, expected) = (&self.entry, self.diff_id.clone());
            let error = VerifyError::Digest {
                expected,
                actual: actual.0,
                size: actual.1,
            };
            return Err(Error::io(
                format!("layer `{entry}` of {} has another diff ID", archive.place()),
                io::Error::new(io::ErrorKind::InvalidData, error),
            ));
        }
        let _ = self.passed.set(());
        Ok(())
    }
}

/// Blobs that lie where a layout keeps them. Their names are claims until they are read.
fn named_blobs(archive: &Archive) -> BTreeMap<Digest, Blob> {
    let digest = |path: &[u8]| {
        let path = std::str::from_utf8(path).ok()?;
        path.replacen('/', ":", 1).parse().ok()
    };
    let blob = |(path, member): (&[u8], &Member)| match member {
        Member::File(span) => Some((digest(path)?, Blob::Stored(*span))),
        _ => None,
    };
    archive.below("blobs").filter_map(blob).collect()
}

/// The digest that a path claims: `blobs/sha256/<hex>` in a layout; of configs `<hex>.json`, as
/// Docker, skopeo and podman write them, or `sha256:<hex>`, as crane does.
fn named_digest(path: &str) -> Option<Digest> {
    if let Some(name) = path.strip_prefix("blobs/") {
        return name.replacen('/', ":", 1).parse().ok();
    }
    if path.starts_with("sha256:") {
        return path.parse().ok();
    }
    format!("sha256:{}", path.strip_suffix(".json")?)
        .parse()
        .ok()
}

fn names(archive: &Archive, item: &ManifestItem) -> Result<Vec<String>, ReadError> {
    let full = |name: &String| match name.parse::<Reference>() {
        Ok(reference) => Ok(reference.with_default_tag().to_string()),
        Err(source) => {
            let (place, name) = (archive.place().into(), name.clone());
            Err(ReadError::Name {
                place,
                name,
                source: Box::new(source),
            })
        }
    };
    item.repo_tags.iter().map(full).collect()
}

/// What is gathered while the images of `manifest.json` are gone through.
struct Reading<'a> {
    archive: &'a Archive,
    form: ManifestForm,
    found: Vec<Found>,
    blobs: BTreeMap<Digest, Blob>,
    measured: BTreeMap<Span, Measured>,
    layers: BTreeMap<Digest, Vec<Check>>,
}

impl Reading<'_> {
    /// The descriptor of one image's manifest, found or formed.
    fn image(&mut self, item: &ManifestItem) -> Result<Descriptor, ReadError> {
        let archive = self.archive;
        let config_span = archive.find(&item.config)?;
        let bytes = archive.read(&item.config, config_span)?;
        self.is_as_named(&item.config, &Digest::of(&bytes), config_span.len)?;
        let config = archive.document::<ImageConfig>(&item.config, bytes)?;
        let diff_ids = &config.value().rootfs.diff_ids;
        if diff_ids.len() != item.layers.len() {
            return Err(ReadError::LayerCount {
                place: archive.place().into(),
                config: item.config.clone(),
                layers: item.layers.len(),
                diff_ids: diff_ids.len(),
            });
        }
        let spans = item.layers.iter().map(|path| archive.find(path));
        let spans = spans.collect::<Result<Vec<_>, _>>()?;
        if let Some(at) = self
            .found
            .iter()
            .position(|found| self.is_of(found, &config, &spans))
        {
            self.check_later(item, &spans, diff_ids, at)?;
            let mut descriptor = self.found[at].descriptor.clone();
            descriptor.annotations.remove(annotations::REF_NAME);
            descriptor
                .annotations
                .remove(annotations::CONTAINERD_IMAGE_NAME);
            return Ok(descriptor);
        }
        self.form(item, config_span, &config, &spans)
    }

    /// Whether a manifest is of this config, and of just these files.
    fn is_of(&self, found: &Found, config: &Document<ImageConfig>, spans: &[Span]) -> bool {
        let lies_at = |descriptor: &Descriptor, span: &Span| {
            self.archive
                .find_optional(&blob_path(&descriptor.digest))
                .ok()
                .flatten()
                == Some(*span)
        };
        found.manifest.config.digest == config.digest()
            && found.manifest.layers.len() == spans.len()
            && found
                .manifest
                .layers
                .iter()
                .zip(spans)
                .all(|(layer, span)| lies_at(layer, span))
    }

    /// An uncompressed layer's digest is its diff ID; others are unpacked when they are fetched.
    fn check_later(
        &mut self,
        item: &ManifestItem,
        spans: &[Span],
        diff_ids: &[Digest],
        at: usize,
    ) -> Result<(), ReadError> {
        let layers = self.found[at].manifest.layers.iter().zip(&item.layers);
        for ((layer, entry), (span, diff_id)) in layers.zip(spans.iter().zip(diff_ids)) {
            let codec = layers::codec(self.archive, entry, *span)?;
            if codec == Codec::None && layer.digest.algorithm_name() == diff_id.algorithm_name() {
                self.same_diff_id(entry, diff_id, &layer.digest)?;
                continue;
            }
            let checks = self.layers.entry(layer.digest.clone()).or_default();
            if checks.iter().all(|check| check.diff_id != *diff_id) {
                checks.push(Check {
                    entry: entry.clone(),
                    span: *span,
                    codec,
                    diff_id: diff_id.clone(),
                    passed: OnceLock::new(),
                });
            }
        }
        Ok(())
    }

    /// A path may be a claim, too: what no manifest vouches for is to be what it is called.
    fn is_as_named(&self, entry: &str, actual: &Digest, size: u64) -> Result<(), ReadError> {
        match named_digest(entry) {
            Some(expected) if expected.algorithm() == actual.algorithm() && expected != *actual => {
                let descriptor = Descriptor::new(
                    MediaType::new("application/octet-stream"),
                    expected.clone(),
                    size,
                );
                let actual = actual.clone();
                let error = VerifyError::Digest {
                    expected,
                    actual,
                    size,
                };
                let error = io::Error::new(io::ErrorKind::InvalidData, error);
                Err(ReadError::Blob {
                    place: self.archive.place().into(),
                    source: Error::read(&descriptor, error),
                })
            }
            _ => Ok(()),
        }
    }

    fn same_diff_id(
        &self,
        entry: &str,
        expected: &Digest,
        actual: &Digest,
    ) -> Result<(), ReadError> {
        if expected == actual {
            return Ok(());
        }
        Err(ReadError::DiffId {
            place: self.archive.place().into(),
            entry: entry.into(),
            expected: expected.clone(),
            actual: actual.clone(),
        })
    }

    fn form(
        &mut self,
        item: &ManifestItem,
        config_span: Span,
        config: &Document<ImageConfig>,
        spans: &[Span],
    ) -> Result<Descriptor, ReadError> {
        let mut layers = Vec::new();
        let diff_ids = &config.value().rootfs.diff_ids;
        for ((entry, span), diff_id) in item.layers.iter().zip(spans).zip(diff_ids) {
            let measured = match self.measured.get(span) {
                Some(measured) => measured.clone(),
                None => layers::measure(self.archive, entry, *span)?,
            };
            self.same_diff_id(entry, diff_id, &measured.diff_id)?;
            self.is_as_named(entry, &measured.digest, span.len)?;
            layers.push(measured.descriptor(self.form));
            self.blobs
                .insert(measured.digest.clone(), Blob::Stored(*span));
            self.measured.insert(*span, measured);
        }
        let (manifest_type, config_type) = match self.form {
            ManifestForm::Oci => (MediaType::OCI_MANIFEST, MediaType::OCI_CONFIG),
            ManifestForm::Docker => (MediaType::DOCKER_MANIFEST, MediaType::DOCKER_CONFIG),
        };
        let mut manifest = Manifest::new(config.descriptor(config_type), layers);
        manifest.media_type = Some(manifest_type.clone());
        let manifest = Document::new(manifest);
        self.blobs
            .insert(config.digest(), Blob::Stored(config_span));
        let descriptor = manifest.descriptor(manifest_type);
        self.blobs
            .insert(manifest.digest(), Blob::Formed(manifest.into_parts().0));
        Ok(descriptor)
    }
}
