//! Which image of an index.

use cooperage_blob::Source;
use cooperage_image_spec::{
    Descriptor, Document, FromJson, ImageConfig, Index, Manifest, Platform, platform,
};

use super::{Detail, WriteError};

/// How deep indexes may nest.
const MAX_DEPTH: usize = 8;
/// How many manifests an index may list, nested ones too.
const MAX_MANIFESTS: usize = 10_000;

/// The one image that was asked for.
pub(super) struct Chosen {
    pub(super) manifest: Descriptor,
    /// What the index has besides.
    pub(super) dropped: Vec<Detail>,
}

/// Takes the image for `wanted`, or the only one.
pub(super) fn choose(
    source: &dyn Source,
    root: &Descriptor,
    wanted: Option<&Platform>,
) -> Result<Chosen, WriteError> {
    if !root.media_type.is_manifest() && !root.media_type.is_index() {
        let (digest, media_type) = (root.digest.clone(), root.media_type.clone());
        return Err(WriteError::NotAnImage { digest, media_type });
    }
    if root.media_type.is_manifest() && wanted.is_none() {
        return Ok(Chosen {
            manifest: root.clone(),
            dropped: Vec::new(),
        });
    }
    let mut listing = Listing {
        source,
        root,
        images: Vec::new(),
        others: Vec::new(),
        count: 0,
    };
    listing.list(root, 0)?;
    let Listing {
        mut images,
        mut others,
        ..
    } = listing;
    let at = pick(root, &images, wanted)?;
    let mut manifest = images.remove(at);
    if root.media_type.is_manifest() {
        manifest.platform.clone_from(&root.platform);
    }
    let left = images
        .into_iter()
        .filter(|image| image.digest != manifest.digest);
    others.extend(
        left.filter_map(|image| image.platform)
            .map(Detail::Platform),
    );
    Ok(Chosen {
        manifest,
        dropped: others,
    })
}

/// Which of an index's images it is.
fn pick(
    root: &Descriptor,
    images: &[Descriptor],
    wanted: Option<&Platform>,
) -> Result<usize, WriteError> {
    let digest = root.digest.clone();
    let Some(wanted) = wanted else {
        return match images.len() {
            0 => Err(WriteError::NotAnImage {
                digest,
                media_type: root.media_type.clone(),
            }),
            1 => Ok(0),
            _ => Err(WriteError::SeveralPlatforms {
                digest,
                available: platforms(images),
            }),
        };
    };
    let best = platform::select(images, wanted);
    let at = best.and_then(|best| images.iter().position(|image| std::ptr::eq(image, best)));
    at.ok_or_else(|| WriteError::NoSuchPlatform {
        digest,
        wanted: Box::new(wanted.clone()),
        available: platforms(images),
    })
}

fn platforms(images: &[Descriptor]) -> Vec<Platform> {
    images
        .iter()
        .filter_map(|image| image.platform.clone())
        .collect()
}

struct Listing<'a> {
    source: &'a dyn Source,
    root: &'a Descriptor,
    /// Image manifests, all with their platform.
    images: Vec<Descriptor>,
    others: Vec<Detail>,
    count: usize,
}

impl Listing<'_> {
    fn list(&mut self, descriptor: &Descriptor, depth: usize) -> Result<(), WriteError> {
        self.count += 1;
        if depth > MAX_DEPTH || self.count > MAX_MANIFESTS {
            return Err(WriteError::TooDeep {
                digest: self.root.digest.clone(),
                depth: MAX_DEPTH,
                count: MAX_MANIFESTS,
            });
        }
        if is_attached(descriptor) {
            self.others
                .push(Detail::Attached(descriptor.digest.clone()));
        } else if descriptor.media_type.is_index() {
            let (_, index) = read::<Index>(self.source, descriptor)?.into_parts();
            let of = &descriptor.digest;
            self.others
                .extend(index.annotations.into_keys().map(|key| Detail::Annotation {
                    of: of.clone(),
                    key,
                }));
            for child in &index.manifests {
                self.list(child, depth + 1)?;
            }
        } else {
            let mut image = descriptor.clone();
            if image.platform.is_none() {
                let manifest = read::<Manifest>(self.source, descriptor)?;
                let config = read::<ImageConfig>(self.source, &manifest.value().config)?;
                image.platform = Some(config.value().platform.clone());
            }
            self.images.push(image);
        }
        Ok(())
    }
}

/// Attestations and other artifacts stand among an index's images.
fn is_attached(descriptor: &Descriptor) -> bool {
    let unknown = |platform: &Platform| platform.os == "unknown";
    !(descriptor.media_type.is_manifest() || descriptor.media_type.is_index())
        || descriptor.artifact_type.is_some()
        || descriptor.platform.as_ref().is_some_and(unknown)
        || descriptor
            .annotations
            .contains_key("vnd.docker.reference.type")
}

/// A verified document of the source's.
pub(super) fn read<T: FromJson>(
    source: &dyn Source,
    descriptor: &Descriptor,
) -> Result<Document<T>, WriteError> {
    let bytes = cooperage_blob::read(source, descriptor)?;
    Document::parse(bytes).map_err(|source| WriteError::Document {
        digest: descriptor.digest.clone(),
        source,
    })
}
