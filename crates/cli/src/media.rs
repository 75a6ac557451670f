//! Finding images in media.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use cooperage_blob::{Source, read};
use cooperage_commit::{Base, DEFAULT_TAR_LIMIT, LoadedLayer, load_layer};
use cooperage_image_spec::{Descriptor, Document, Index, Platform};
use cooperage_plan::Bases;
use cooperage_transport::{Layers, Location};

use crate::context::Context as Program;
use crate::error::Hinted;

/// Most indexes in one another, and most manifests of all of them, that are followed.
const MAX_DEPTH: usize = 8;
const MAX_MANIFESTS: usize = 10_000;

/// Finds bases in layouts, archives and registries; relative paths start from `root`.
pub(crate) struct Media<'a> {
    pub(crate) root: &'a Path,
    pub(crate) context: &'a Program,
    pub(crate) layers: Layers,
}

impl Bases for Media<'_> {
    fn open(
        &self,
        reference: &str,
    ) -> Result<(Box<dyn Source>, Descriptor), cooperage_blob::Error> {
        let absent = |source: Box<dyn std::error::Error + Send + Sync>| {
            cooperage_blob::Error::unsupported("no image is found there").with_source(source)
        };
        let location: Location = reference.parse().map_err(|error| absent(Box::new(error)))?;
        let place = location.clone().below(self.root);
        let opened = self
            .context
            .open(&place, self.layers)
            .map_err(|error| absent(error.into()))?;
        let descriptor = match location.digest().filter(|_| place.medium().is_local()) {
            None => {
                let root = opened.root().map_err(|error| absent(Box::new(error)))?;
                root.descriptor
            }
            Some(digest) => opened
                .roots()
                .map_err(|error| absent(Box::new(error)))?
                .into_iter()
                .map(|root| root.descriptor)
                .find(|descriptor| descriptor.digest == *digest)
                .ok_or_else(|| absent(format!("it does not hold `{digest}`").into()))?,
        };
        Ok((opened.into_source(), descriptor))
    }
}

/// The manifests below a root, in the order of its indexes; what is no index is itself.
pub(crate) fn manifests(source: &dyn Source, root: &Descriptor) -> Result<Vec<Descriptor>> {
    let mut found = Vec::new();
    collect(source, root, 0, &mut found)?;
    Ok(found)
}

fn collect(
    source: &dyn Source,
    at: &Descriptor,
    depth: usize,
    found: &mut Vec<Descriptor>,
) -> Result<()> {
    if depth > MAX_DEPTH || found.len() > MAX_MANIFESTS {
        bail!(
            "`{}` lies too deep or among too many manifests: \
             at most {MAX_DEPTH} levels and {MAX_MANIFESTS} manifests are followed",
            at.digest
        );
    }
    if !at.media_type.is_index() {
        found.push(at.clone());
        return Ok(());
    }
    for child in index(source, at)?.value().manifests.clone() {
        collect(source, &child, depth + 1, found)?;
    }
    Ok(())
}

pub(crate) fn index(source: &dyn Source, at: &Descriptor) -> Result<Document<Index>> {
    let bytes = read(source, at)?;
    Document::parse(bytes).with_context(|| format!("`{}` is not a valid index", at.digest))
}

/// Whether the manifest is an attestation or another thing that runs nowhere.
pub(crate) fn is_attachment(manifest: &Descriptor) -> bool {
    let unknown = |platform: &Platform| platform.os == "unknown";
    manifest.platform.as_ref().is_some_and(unknown)
}

/// The one image that is meant: of an index that for the platform, or the only one.
pub(crate) fn image(
    source: &dyn Source,
    root: &Descriptor,
    platform: Option<&Platform>,
) -> Result<Base> {
    image_for(source, root, platform, "`--platform` chooses one")
}

/// The same, with what is said of how to choose one.
pub(crate) fn image_for(
    source: &dyn Source,
    root: &Descriptor,
    platform: Option<&Platform>,
    hint: &'static str,
) -> Result<Base> {
    if let Some(wanted) = platform {
        let image = Base::read(source, root, wanted)?;
        let found = &image.config.value().platform;
        if !found.matches(wanted) {
            bail!(
                "`{}` runs on {found}, not on {wanted}",
                image.descriptor.digest
            );
        }
        return Ok(image);
    }
    let all = manifests(source, root)?;
    let images: Vec<_> = all.iter().filter(|child| !is_attachment(child)).collect();
    match images[..] {
        [one] => Ok(Base::read(source, one, &Platform::linux_amd64())?),
        [] => bail!("the index `{}` holds no image", root.digest),
        _ => {
            let platforms: Vec<String> = images
                .iter()
                .filter_map(|image| image.platform.as_ref())
                .map(|platform| format!("`{platform}`"))
                .collect();
            let text = format!(
                "`{}` is an index of images for {}",
                root.digest,
                platforms.join(", ")
            );
            bail!(Hinted::new(anyhow!(text), hint))
        }
    }
}

/// Reads all layers of an image, the lowest first; each is verified by both of its names.
pub(crate) fn layers(
    source: &dyn Source,
    image: &Base,
    program: &Program,
) -> Result<Vec<LoadedLayer>> {
    let blobs = &image.manifest.value().layers;
    let diff_ids = &image.config.value().rootfs.diff_ids;
    let mut layers = Vec::new();
    for (blob, diff_id) in blobs.iter().zip(diff_ids) {
        let progress = program.progress();
        let id = progress.start(&format!("read {}", blob.digest.short()), Some(blob.size));
        let loaded = load_layer(source, blob, Some(diff_id), DEFAULT_TAR_LIMIT);
        progress.advance(id, blob.size);
        progress.finish(id);
        layers.push(loaded?);
    }
    Ok(layers)
}

/// What is said of layers that cannot be laid over one another.
pub(crate) const NO_TREE: &str = "the image's layers make no file tree";
