//! What an archive would hold, before a layer is read.

use cooperage_blob::Source;
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Reference, ToJson};

use super::choose::choose;
use super::prepare::{check_names, documents, with_tags};
use super::{Image, WriteError, WriteOptions};

/// An image as [`write()`](crate::write) would take it from its source.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Contents {
    /// Its names, in full, sorted, each once.
    pub names: Vec<Reference>,
    /// The one manifest that is taken.
    pub manifest: Descriptor,
    /// Its config.
    pub config: Descriptor,
    /// Its layers, lowest first, as the source has them.
    pub layers: Vec<LayerNames>,
}

/// A layer, by both of its names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LayerNames {
    /// What the manifest lists.
    pub blob: Descriptor,
    /// What the config lists. It is the config's word: no layer was read.
    pub diff_id: Digest,
}

/// Says what [`write()`](crate::write) would put into an archive: each image once, with all its
/// names, in an order that depends on the images alone. Manifests and configs are read, layers
/// are not.
///
/// Who knows that the reader of the archive has some of the layers passes them on as
/// [`WriteOptions::leave_out`].
///
/// # Errors
///
/// Those of [`WriteError`] that speak of manifests, configs, platforms and names.
pub fn contents(
    source: &dyn Source,
    images: &[Image],
    options: &WriteOptions,
) -> Result<Vec<Contents>, WriteError> {
    let mut images: Vec<_> = images.iter().map(with_tags).collect();
    check_names(&images)?;
    images.sort_by_cached_key(|image| image.descriptor.to_json().to_canonical());
    let mut all: Vec<Contents> = Vec::new();
    for image in images {
        let manifest = choose(source, &image.descriptor, options.platform.as_ref())?.manifest;
        if let Some(same) = all
            .iter_mut()
            .find(|same| same.manifest.digest == manifest.digest)
        {
            same.names.extend(image.names);
            continue;
        }
        let (document, config) = documents(source, &manifest)?;
        let (_, document) = document.into_parts();
        let layers = document.layers.into_iter();
        let diff_ids = config.into_parts().1.rootfs.diff_ids;
        all.push(Contents {
            names: image.names,
            manifest,
            config: document.config,
            layers: layers
                .zip(diff_ids)
                .map(|(blob, diff_id)| LayerNames { blob, diff_id })
                .collect(),
        });
    }
    for image in &mut all {
        image.names.sort_by_cached_key(ToString::to_string);
        image.names.dedup();
    }
    Ok(all)
}
