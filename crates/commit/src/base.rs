//! The image that another one is built on.

use cooperage_blob::{Source, read};
use cooperage_image_spec::{
    Descriptor, Document, DocumentError, ImageConfig, Index, Manifest, Platform, platform,
};

/// An image to build on: its documents, and none of its layers' bytes.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its manifest's descriptor.
    pub descriptor: Descriptor,
    /// Its manifest.
    pub manifest: Document<Manifest>,
    /// Its config.
    pub config: Document<ImageConfig>,
}

/// Why an image cannot be used, to look at or to build on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// A document could not be read.
    #[error("cannot read the image's documents")]
    Read {
        /// Why.
        #[source]
        source: cooperage_blob::Error,
    },
    /// A document is not what its media type says.
    #[error("`{}` is not a valid `{}`", descriptor.digest, descriptor.media_type)]
    Document {
        /// Which.
        descriptor: Box<Descriptor>,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// Neither a manifest nor an index.
    #[error("`{}` is no image: its media type is `{}`", descriptor.digest, descriptor.media_type)]
    NotAnImage {
        /// What it is.
        descriptor: Box<Descriptor>,
    },
    /// The index has no image for the platform.
    #[error("the index has no image for `{wanted}`; it has {}", list(found))]
    NoPlatform {
        /// What was asked for.
        wanted: Platform,
        /// What there is.
        found: Vec<Platform>,
    },
    /// Indexes of indexes, too deep.
    #[error("the image's indexes nest more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Config and manifest do not fit each other.
    #[error("the image `{}` has {layers} layers, its config has {diff_ids} diff IDs", descriptor.digest)]
    LayerCount {
        /// The manifest.
        descriptor: Box<Descriptor>,
        /// Layers of the manifest.
        layers: usize,
        /// Diff IDs of the config.
        diff_ids: usize,
    },
    /// Config and history do not fit each other.
    #[error(
        "the image `{}` has {layers} layers, its history has {history} entries that made one",
        descriptor.digest
    )]
    HistoryCount {
        /// The manifest.
        descriptor: Box<Descriptor>,
        /// Layers of the manifest.
        layers: usize,
        /// Entries of the history that are not marked as empty.
        history: usize,
    },
}

const MAX_DEPTH: usize = 8;

fn list(platforms: &[Platform]) -> String {
    if platforms.is_empty() {
        return "none that says its platform".into();
    }
    platforms
        .iter()
        .map(|platform| format!("`{platform}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Base {
    /// Reads the documents of an image; of an index, those of the image for `platform`.
    pub fn read(
        source: &(impl Source + ?Sized),
        descriptor: &Descriptor,
        wanted: &Platform,
    ) -> Result<Self, BaseError> {
        let mut descriptor = descriptor.clone();
        for _ in 0..=MAX_DEPTH {
            let bytes = read(source, &descriptor).map_err(|source| BaseError::Read { source })?;
            if descriptor.media_type.is_manifest() {
                return Self::of_manifest(source, descriptor, bytes);
            }
            if !descriptor.media_type.is_index() {
                return Err(BaseError::NotAnImage {
                    descriptor: descriptor.into(),
                });
            }
            let (_, index) = document::<Index>(&descriptor, bytes)?.into_parts();
            descriptor = match platform::select(&index.manifests, wanted) {
                Some(chosen) => chosen.clone(),
                // Nested indexes need not say a platform: with one alone there is no choice.
                None if index.manifests.len() == 1 && index.manifests[0].platform.is_none() => {
                    index.manifests[0].clone()
                }
                None => {
                    let found = index.manifests.iter().filter_map(|m| m.platform.clone());
                    let found = found.collect();
                    return Err(BaseError::NoPlatform {
                        wanted: wanted.clone(),
                        found,
                    });
                }
            };
        }
        Err(BaseError::TooDeep)
    }

    fn of_manifest(
        source: &(impl Source + ?Sized),
        descriptor: Descriptor,
        bytes: Vec<u8>,
    ) -> Result<Self, BaseError> {
        let manifest: Document<Manifest> = document(&descriptor, bytes)?;
        let config = manifest.value().config.clone();
        if !config.media_type.is_config() {
            return Err(BaseError::NotAnImage {
                descriptor: config.into(),
            });
        }
        let bytes = read(source, &config).map_err(|source| BaseError::Read { source })?;
        let config: Document<ImageConfig> = document(&config, bytes)?;
        let (layers, diff_ids) = (
            manifest.value().layers.len(),
            config.value().rootfs.diff_ids.len(),
        );
        if layers != diff_ids {
            let descriptor = descriptor.into();
            return Err(BaseError::LayerCount {
                descriptor,
                layers,
                diff_ids,
            });
        }
        let entries = &config.value().history;
        let history = entries.iter().filter(|entry| !entry.empty_layer).count();
        if !entries.is_empty() && history != layers {
            let descriptor = descriptor.into();
            return Err(BaseError::HistoryCount {
                descriptor,
                layers,
                history,
            });
        }
        Ok(Self {
            descriptor,
            manifest,
            config,
        })
    }
}

fn document<T: cooperage_image_spec::FromJson>(
    descriptor: &Descriptor,
    bytes: Vec<u8>,
) -> Result<Document<T>, BaseError> {
    Document::parse(bytes).map_err(|source| BaseError::Document {
        descriptor: descriptor.clone().into(),
        source,
    })
}
