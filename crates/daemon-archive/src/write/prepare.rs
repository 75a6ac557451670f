//! Everything that must be known before the first byte: documents, layers, names, order.

use std::collections::BTreeMap;

use cooperage_blob::Source;
use cooperage_compress::Codec;
use cooperage_digest::Digest;
use cooperage_image_spec::{
    Descriptor, Document, ImageConfig, Manifest, MediaType, Reference, ToJson, annotations,
};

use super::choose::{Chosen, choose, read};
use super::recompress::RecompressedLayers;
use super::{Detail, Image, LayerForm, Recompressed, WriteError, WriteOptions, WrittenImage};

/// Images ready to be written, in the archive's order.
pub(super) struct Prepared {
    pub(super) images: Vec<PreparedImage>,
    /// Manifests and configs, by digest.
    pub(super) documents: BTreeMap<Digest, Vec<u8>>,
    pub(super) recompressed: RecompressedLayers,
}

pub(super) struct PreparedImage {
    pub(super) names: Vec<Reference>,
    pub(super) manifest: Descriptor,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    pub(super) report: WrittenImage,
}

impl PreparedImage {
    /// Its blobs in the order of the archive, repeated ones too.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        [&self.manifest, &self.config]
            .into_iter()
            .chain(&self.layers)
    }
}

pub(super) fn prepare(
    source: &dyn Source,
    images: &[Image],
    options: &WriteOptions,
) -> Result<Prepared, WriteError> {
    if options.encoding.codec() == Codec::Zstd {
        return Err(WriteError::Encoding { codec: Codec::Zstd });
    }
    // The order in which images are given must not show.
    let mut images: Vec<_> = images.iter().map(with_tags).collect();
    check_names(&images)?;
    images.sort_by_cached_key(|image| image.descriptor.to_json().to_canonical());
    let mut prepared = Prepared {
        images: Vec::new(),
        documents: BTreeMap::new(),
        recompressed: RecompressedLayers::new(),
    };
    for image in &images {
        prepared.add(source, image, options)?;
    }
    for image in &mut prepared.images {
        image.finish();
    }
    let key = |image: &PreparedImage| {
        let first = image.report.names.first().cloned();
        (first.is_none(), first, image.manifest.digest.clone())
    };
    prepared.images.sort_by_cached_key(key);
    Ok(prepared)
}

pub(super) fn with_tags(image: &Image) -> Image {
    let names = image
        .names
        .iter()
        .map(|name| name.clone().with_default_tag());
    Image {
        descriptor: image.descriptor.clone(),
        names: names.collect(),
    }
}

pub(super) fn check_names(images: &[Image]) -> Result<(), WriteError> {
    let mut owners = BTreeMap::new();
    for image in images {
        for name in &image.names {
            let text = name.to_string();
            if name.tag().is_none() || name.digest().is_some() {
                return Err(WriteError::Name { name: text });
            }
            let digest = &image.descriptor.digest;
            match owners.insert(text.clone(), digest) {
                Some(first) if first != digest => {
                    let (first, second) = (first.clone(), digest.clone());
                    return Err(WriteError::NameTwice {
                        name: text,
                        first,
                        second,
                    });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

impl Prepared {
    fn add(
        &mut self,
        source: &dyn Source,
        image: &Image,
        options: &WriteOptions,
    ) -> Result<(), WriteError> {
        let chosen = choose(source, &image.descriptor, options.platform.as_ref())?;
        let source_digest = &chosen.manifest.digest;
        let same = |other: &PreparedImage| other.report.source.digest == *source_digest;
        let at = if let Some(at) = self.images.iter().position(same) {
            at
        } else {
            let prepared = self.image(source, &chosen, options)?;
            self.images.push(prepared);
            self.images.len() - 1
        };
        let prepared = &mut self.images[at];
        prepared.names.extend(image.names.iter().cloned());
        prepared.report.dropped.extend(chosen.dropped);
        Ok(())
    }

    fn image(
        &mut self,
        source: &dyn Source,
        chosen: &Chosen,
        options: &WriteOptions,
    ) -> Result<PreparedImage, WriteError> {
        let (document, config_document) = documents(source, &chosen.manifest)?;
        let config = document.value().config.clone();
        let diff_ids = &config_document.value().rootfs.diff_ids;
        let layers = &document.value().layers;
        let mut details = Details::of(&chosen.manifest, document.value());
        let (mut written, mut recompressed) = (Vec::new(), Vec::new());
        for (layer, diff_id) in layers.iter().zip(diff_ids) {
            let to = self.layer(source, layer, diff_id, options)?;
            if to.digest != layer.digest {
                details.lose(layer);
                let change = Recompressed {
                    from: layer.clone(),
                    to: to.clone(),
                };
                if !recompressed.contains(&change) {
                    recompressed.push(change);
                }
            }
            written.push(to);
        }
        let mut manifest = chosen.manifest.clone();
        let document = if recompressed.is_empty() {
            document
        } else {
            let document = document.edit(|manifest| manifest.layers.clone_from(&written));
            (manifest.digest, manifest.size) = (document.digest(), document.size());
            manifest.data = None;
            document
        };
        self.keep(&manifest, document);
        self.keep(&config, config_document);
        let report = WrittenImage {
            names: Vec::new(),
            source: chosen.manifest.clone(),
            manifest: manifest.clone(),
            config_digest: config.digest.clone(),
            recompressed,
            left_out: left_out(&written, options),
            dropped: details.dropped,
            oci_only: details.oci_only,
        };
        Ok(PreparedImage {
            names: Vec::new(),
            manifest,
            config,
            layers: written,
            report,
        })
    }

    fn keep<T>(&mut self, descriptor: &Descriptor, document: Document<T>) {
        self.documents
            .insert(descriptor.digest.clone(), document.into_parts().0);
    }

    /// The layer as it goes into the archive.
    fn layer(
        &mut self,
        source: &dyn Source,
        layer: &Descriptor,
        diff_id: &Digest,
        options: &WriteOptions,
    ) -> Result<Descriptor, WriteError> {
        if !layer.media_type.is_layer() {
            let (digest, media_type) = (layer.digest.clone(), layer.media_type.clone());
            return Err(WriteError::LayerType { digest, media_type });
        }
        match options.layers {
            // Whoever has it has it as it is.
            _ if options.leave_out.contains(&layer.digest) => Ok(layer.clone()),
            LayerForm::Gzip if is_zstd(&layer.media_type) => {
                self.recompressed.layer(source, layer, diff_id, options)
            }
            _ => Ok(layer.clone()),
        }
    }
}

/// An image's manifest and config, found to agree.
pub(super) fn documents(
    source: &dyn Source,
    manifest: &Descriptor,
) -> Result<(Document<Manifest>, Document<ImageConfig>), WriteError> {
    let digest = manifest.digest.clone();
    let manifest = read::<Manifest>(source, manifest)?;
    let config = &manifest.value().config;
    if !config.media_type.is_config() {
        let media_type = config.media_type.clone();
        return Err(WriteError::NotAnImage { digest, media_type });
    }
    let config = read::<ImageConfig>(source, config)?;
    let (layers, diff_ids) = (
        manifest.value().layers.len(),
        config.value().rootfs.diff_ids.len(),
    );
    if layers != diff_ids {
        return Err(WriteError::LayerCount {
            digest,
            layers,
            diff_ids,
        });
    }
    Ok((manifest, config))
}

/// Layers that are not written, each once, in the order of the manifest.
fn left_out(layers: &[Descriptor], options: &WriteOptions) -> Vec<Descriptor> {
    let mut left_out: Vec<Descriptor> = Vec::new();
    for layer in layers {
        let known = left_out.iter().any(|other| other.digest == layer.digest);
        if options.leave_out.contains(&layer.digest) && !known {
            left_out.push(layer.clone());
        }
    }
    left_out
}

fn is_zstd(media_type: &MediaType) -> bool {
    media_type.as_str().ends_with("+zstd") || *media_type == MediaType::DOCKER_LAYER_ZSTD
}

impl PreparedImage {
    /// Names sorted, each once; no detail twice.
    fn finish(&mut self) {
        self.names.sort_by_cached_key(ToString::to_string);
        self.names.dedup();
        self.report.names = self.names.iter().map(ToString::to_string).collect();
        let mut seen: Vec<Detail> = Vec::new();
        self.report.dropped.retain(|detail| {
            let new = !seen.contains(detail);
            seen.push(detail.clone());
            new
        });
    }
}

/// What `manifest.json` has no place for.
#[derive(Default)]
struct Details {
    dropped: Vec<Detail>,
    oci_only: Vec<Detail>,
}

impl Details {
    fn of(descriptor: &Descriptor, manifest: &Manifest) -> Self {
        let mut oci_only = Vec::new();
        let keys = descriptor.annotations.keys().filter(|key| {
            ![annotations::REF_NAME, annotations::CONTAINERD_IMAGE_NAME].contains(&key.as_str())
        });
        let of = &descriptor.digest;
        oci_only.extend(keys.map(|key| Detail::DescriptorAnnotation {
            of: of.clone(),
            key: key.clone(),
        }));
        oci_only.extend(manifest.annotations.keys().map(|key| Detail::Annotation {
            of: of.clone(),
            key: key.clone(),
        }));
        oci_only.extend(manifest.artifact_type.clone().map(Detail::ArtifactType));
        oci_only.extend(
            manifest
                .subject
                .as_ref()
                .map(|to| Detail::Subject(to.digest.clone())),
        );
        for child in manifest.children() {
            oci_only.extend(descriptor_annotations(child));
        }
        Self {
            dropped: Vec::new(),
            oci_only,
        }
    }

    /// A recompressed layer's annotations speak of the bytes that it had before.
    fn lose(&mut self, layer: &Descriptor) {
        let lost: Vec<_> = descriptor_annotations(layer).collect();
        self.oci_only.retain(|detail| !lost.contains(detail));
        self.dropped.extend(lost);
    }
}

fn descriptor_annotations(descriptor: &Descriptor) -> impl Iterator<Item = Detail> {
    let of = &descriptor.digest;
    let keys = descriptor.annotations.keys();
    keys.map(|key| Detail::DescriptorAnnotation {
        of: of.clone(),
        key: key.clone(),
    })
}
