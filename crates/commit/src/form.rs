//! Config, manifest and index: the one place where they are made.

use std::collections::BTreeMap;

use cooperage_blob::{Sink, put};
use cooperage_image_spec::{
    Descriptor, Document, History, ImageConfig, Index, Manifest, MediaType, Platform,
};

use crate::{Base, ConfigEdit, Edit, Layer};

/// What `created` is when nobody says otherwise.
pub const EPOCH: &str = "1970-01-01T00:00:00Z";

/// The vocabulary of an image's documents.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MediaTypes {
    /// `application/vnd.oci.image.…`
    #[default]
    Oci,
    /// `application/vnd.docker.…` (image manifest version 2, schema 2).
    Docker,
}

/// One step of an image's history.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A layer on top of those before it.
    Layer {
        /// The layer; annotations of its descriptor are kept.
        layer: Box<Layer>,
        /// Its history entry; `empty_layer` is set to `false`.
        history: History,
    },
    /// A change of the configuration alone.
    Empty {
        /// Its history entry; `empty_layer` is set to `true`.
        history: History,
    },
}

impl Step {
    /// A layer with an empty history entry.
    #[must_use]
    pub fn layer(layer: Layer) -> Self {
        Self::Layer {
            layer: layer.into(),
            history: History::default(),
        }
    }
}

/// What an image is made of, besides its base.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipe {
    /// What it runs on; without it the base's, or `linux/amd64` from scratch.
    pub platform: Option<Platform>,
    /// RFC 3339; the epoch without it. History entries without a time get it too.
    pub created: Option<String>,
    /// Who made it.
    pub author: Edit<String>,
    /// How to run it.
    pub config: ConfigEdit,
    /// Layers and other steps over those of the base, in order.
    pub steps: Vec<Step>,
    /// Annotations of the manifest. The base's are not inherited: they are said of the base.
    pub annotations: BTreeMap<String, String>,
    /// The vocabulary of the manifest and its descriptors. A base's are translated, since some
    /// run times refuse a mixture.
    pub media_types: MediaTypes,
}

/// An image's documents, not yet in any medium.
#[derive(Clone, Debug)]
pub struct Formed {
    /// The config.
    pub config: Document<ImageConfig>,
    /// The manifest.
    pub manifest: Document<Manifest>,
    /// What it runs on.
    pub platform: Platform,
}

/// Why an image could not be formed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A layer whose media type has no counterpart in the vocabulary asked for.
    #[error(
        "layer `{}` of type `{}` has no Docker media type: use OCI media types or gzip", descriptor.digest, descriptor.media_type
    )]
    NoDockerType {
        /// The layer.
        descriptor: Box<Descriptor>,
    },
    /// Docker's documents have no annotations.
    #[error("Docker media types carry no annotations, `{key}` was asked for: use OCI media types")]
    Annotation {
        /// The first annotation.
        key: String,
    },
    /// The base runs on something else.
    #[error("the base runs on `{base}`, the image is to run on `{wanted}`")]
    Platform {
        /// What the base runs on.
        base: Platform,
        /// What was asked for.
        wanted: Platform,
    },
    /// A time that is not RFC 3339.
    #[error("`{value}` is not a time: expected RFC 3339, such as `{EPOCH}`")]
    Created {
        /// What was read.
        value: String,
    },
}

/// Makes an image's config and manifest, on a base or from scratch.
///
/// A pure function: the same base documents and recipe give the same bytes. What the base's
/// config holds and this crate does not know stays (Docker's `OnBuild`, `Shell`, …). A base
/// without history gets one entry a layer, since either all layers have one or none.
///
/// Spec: image-spec v1.1, `config.md`, `manifest.md`.
pub fn form(base: Option<&Base>, recipe: &Recipe) -> Result<Formed, FormError> {
    let created = recipe.created.as_deref().unwrap_or(EPOCH);
    check_time(created)?;
    let platform = choose_platform(base, recipe)?;
    let mut config = base
        .map(|base| base.config.value().clone())
        .unwrap_or_default();
    config.platform = platform.clone();
    config.created = Some(created.to_owned());
    recipe.author.apply(&mut config.author);
    recipe.config.apply(&mut config.config);
    if config.history.is_empty() {
        let comment = Some("layer of the base image".to_owned());
        let entry = History {
            comment,
            ..History::default()
        };
        config.history = vec![entry; config.rootfs.diff_ids.len()];
    }

    let mut layers = base
        .map(|base| base.manifest.value().layers.clone())
        .unwrap_or_default();
    for step in &recipe.steps {
        let (history, empty_layer) = match step {
            Step::Empty { history } => (history, true),
            Step::Layer { layer, history } => {
                layers.push(layer.descriptor.clone());
                config.rootfs.diff_ids.push(layer.diff_id.clone());
                (history, false)
            }
        };
        let mut history = History {
            empty_layer,
            ..history.clone()
        };
        let time = history.created.get_or_insert_with(|| created.to_owned());
        check_time(time)?;
        config.history.push(history);
    }
    let config = Document::new(config);
    let manifest = form_manifest(&config, layers, recipe)?;
    Ok(Formed {
        config,
        manifest,
        platform,
    })
}

fn choose_platform(base: Option<&Base>, recipe: &Recipe) -> Result<Platform, FormError> {
    let of_base = base.map(|base| &base.config.value().platform);
    match (of_base, &recipe.platform) {
        (None, None) => Ok(Platform::linux_amd64()),
        (None, Some(wanted)) => Ok(wanted.clone()),
        (Some(base), None) => Ok(base.clone()),
        (Some(base), Some(wanted)) if base.matches(wanted) => Ok(base.clone()),
        (Some(base), Some(wanted)) => Err(FormError::Platform {
            base: base.clone(),
            wanted: wanted.clone(),
        }),
    }
}

fn form_manifest(
    config: &Document<ImageConfig>,
    layers: Vec<Descriptor>,
    recipe: &Recipe,
) -> Result<Document<Manifest>, FormError> {
    let docker = recipe.media_types == MediaTypes::Docker;
    let layers = layers
        .into_iter()
        .map(|layer| translate(layer, docker))
        .collect::<Result<_, _>>()?;
    if let (true, Some(key)) = (docker, recipe.annotations.keys().next()) {
        return Err(FormError::Annotation { key: key.clone() });
    }
    let (manifest_type, config_type) = if docker {
        (MediaType::DOCKER_MANIFEST, MediaType::DOCKER_CONFIG)
    } else {
        (MediaType::OCI_MANIFEST, MediaType::OCI_CONFIG)
    };
    let mut manifest = Manifest::new(config.descriptor(config_type), layers);
    manifest.media_type = Some(manifest_type);
    manifest.annotations.clone_from(&recipe.annotations);
    Ok(Document::new(manifest))
}

fn translate(mut layer: Descriptor, docker: bool) -> Result<Descriptor, FormError> {
    if !docker {
        layer.media_type = layer.media_type.to_oci();
        return Ok(layer);
    }
    if let Some(key) = layer.annotations.keys().next() {
        return Err(FormError::Annotation { key: key.clone() });
    }
    match layer.media_type.to_docker() {
        Some(media_type) if media_type.is_layer() => {
            layer.media_type = media_type;
            Ok(layer)
        }
        _ => Err(FormError::NoDockerType {
            descriptor: layer.into(),
        }),
    }
}

/// Seconds since the epoch in RFC 3339, UTC. `None` outside the years 0 to 9999.
#[must_use]
pub fn epoch_to_rfc3339(seconds: i64) -> Option<String> {
    let days = seconds.div_euclid(86_400);
    let time = seconds.rem_euclid(86_400);
    // Days from the civil calendar, after Howard Hinnant's `civil_from_days`.
    let shifted = days.checked_add(719_468)?;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (0..=9999).contains(&year).then(|| {
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    })
}

/// Refuses what is no time as an image's `created` has it: RFC 3339, `YYYY-MM-DDThh:mm:ss`, perhaps
/// a fraction, and `Z` or an offset. The shape is looked at, and each number's range.
///
/// # Errors
///
/// [`FormError::Created`].
pub fn check_time(value: &str) -> Result<(), FormError> {
    if is_rfc3339(value.as_bytes()) {
        return Ok(());
    }
    Err(FormError::Created {
        value: value.to_owned(),
    })
}

fn is_rfc3339(text: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>, max: u32| {
        let digits = text.get(range)?;
        let all = digits.iter().all(u8::is_ascii_digit);
        let value = digits
            .iter()
            .fold(0, |n, digit| n * 10 + u32::from(digit.wrapping_sub(b'0')));
        (all && value <= max).then_some(value)
    };
    let at = |at: usize, wanted: &[u8]| text.get(at).is_some_and(|byte| wanted.contains(byte));
    let fields = [
        (0..4, 9999),
        (5..7, 12),
        (8..10, 31),
        (11..13, 23),
        (14..16, 59),
        (17..19, 60),
    ];
    if !fields
        .into_iter()
        .all(|(range, max)| number(range, max).is_some())
        || number(5..7, 12) == Some(0)
        || number(8..10, 31) == Some(0)
        || !(at(4, b"-") && at(7, b"-") && at(10, b"Tt") && at(13, b":") && at(16, b":"))
    {
        return false;
    }
    let mut rest = &text[19..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    let offset = text.len() - rest.len();
    match rest {
        b"Z" | b"z" => true,
        [b'+' | b'-', _, _, b':', _, _] => {
            number(offset + 1..offset + 3, 23).is_some()
                && number(offset + 4..offset + 6, 59).is_some()
        }
        _ => false,
    }
}

/// Puts an image's documents into a medium whose layers are there, and returns the manifest's
/// descriptor with its platform. Nothing is published.
pub fn write(
    image: &Formed,
    sink: &(impl Sink + ?Sized),
) -> Result<Descriptor, cooperage_blob::Error> {
    let manifest = image.manifest.value();
    put(sink, manifest.config.media_type.clone(), image.config.raw())?;
    let media_type = manifest
        .media_type
        .clone()
        .unwrap_or(MediaType::OCI_MANIFEST);
    let mut descriptor = put(sink, media_type, image.manifest.raw())?;
    descriptor.platform = Some(image.platform.clone());
    Ok(descriptor)
}

/// Makes the index of several images, in the order given; each descriptor should say its platform.
pub fn form_index(
    manifests: Vec<Descriptor>,
    annotations: BTreeMap<String, String>,
    media_types: MediaTypes,
) -> Result<Document<Index>, FormError> {
    let media_type = match (media_types, annotations.keys().next()) {
        (MediaTypes::Oci, _) => MediaType::OCI_INDEX,
        (MediaTypes::Docker, None) => MediaType::DOCKER_LIST,
        (MediaTypes::Docker, Some(key)) => {
            return Err(FormError::Annotation { key: key.clone() });
        }
    };
    let mut index = Index::new(manifests);
    index.media_type = Some(media_type);
    index.annotations = annotations;
    Ok(Document::new(index))
}
