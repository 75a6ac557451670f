//! Looking an image up.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use cooperage_blob::Error;
use cooperage_digest::Digest;
use cooperage_image_spec::platform::select;
use cooperage_image_spec::{Descriptor, Document, ImageConfig, Platform, annotations};

use crate::document::Parsed;
use crate::{Layout, document};

/// How deep indexes are followed: as deep as they are copied.
const MAX_DEPTH: usize = 8;

/// What to look for. What is left out matches everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selector {
    /// The annotation `org.opencontainers.image.ref.name` of an entry of `index.json`, literally.
    pub name: Option<String>,
    /// The digest of an entry, or of what an index among them lists.
    pub digest: Option<Digest>,
    /// The platform: chooses the best image below each index, and refuses images of another one.
    pub platform: Option<Platform>,
    /// Annotations of the descriptor, all of which must be there with these values; of an entry,
    /// or else of what an index among them lists.
    pub annotations: BTreeMap<String, String>,
}

impl Selector {
    /// By name.
    #[must_use]
    pub fn name(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// By digest.
    #[must_use]
    pub fn digest(digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..Self::default()
        }
    }

    /// By platform, alone or on top of what is there.
    #[must_use]
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// By annotation, alone or on top of what is there.
    #[must_use]
    pub fn with_annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Whether this very descriptor is meant, nothing being read: for [`Layout::replace`] and
    /// [`Layout::remove`]. Here a platform matches only if the descriptor says one.
    #[must_use]
    pub fn matches(&self, descriptor: &Descriptor) -> bool {
        let platform = |wanted: &Platform| {
            descriptor
                .platform
                .as_ref()
                .is_some_and(|platform| platform.matches(wanted))
        };
        self.matches_name(descriptor)
            && self.matches_itself(descriptor)
            && self.platform.as_ref().is_none_or(platform)
    }

    fn matches_name(&self, descriptor: &Descriptor) -> bool {
        let name = descriptor.annotations.get(annotations::REF_NAME);
        self.name.as_ref().is_none_or(|wanted| name == Some(wanted))
    }

    fn matches_itself(&self, descriptor: &Descriptor) -> bool {
        self.digest
            .as_ref()
            .is_none_or(|digest| descriptor.digest == *digest)
            && self
                .annotations
                .iter()
                .all(|(key, value)| descriptor.annotations.get(key) == Some(value))
    }
}

/// As it stands in an error.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.name.iter().map(|name| format!("name `{name}`")));
        parts.extend(
            self.digest
                .iter()
                .map(|digest| format!("digest `{digest}`")),
        );
        parts.extend(
            self.platform
                .iter()
                .map(|platform| format!("platform `{platform}`")),
        );
        let annotations = self.annotations.iter();
        parts.extend(annotations.map(|(key, value)| format!("annotation `{key}={value}`")));
        if parts.is_empty() {
            parts.push("anything".into());
        }
        f.write_str(&parts.join(", "))
    }
}

/// Why there is not one answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Nothing matches.
    #[error("`{}` has nothing with {selector}; it has {}", path.display(), listed(available))]
    NotFound {
        /// The layout.
        path: PathBuf,
        /// What was looked for.
        selector: Box<Selector>,
        /// What there is instead: the entries of `index.json`, or the platforms of those that had
        /// the name.
        available: Vec<String>,
    },
    /// Several different ones match.
    #[error("`{}` has several with {selector}: {}; say which", path.display(), listed(found))]
    Ambiguous {
        /// The layout.
        path: PathBuf,
        /// What was looked for.
        selector: Box<Selector>,
        /// What matches.
        found: Vec<String>,
    },
    /// Something could not be read.
    #[error(transparent)]
    Blob(#[from] Error),
}

/// The first few, and how many more.
fn listed(items: &[String]) -> String {
    const SHOWN: usize = 12;
    if items.is_empty() {
        return "nothing".into();
    }
    let shown = items
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match items.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

impl Layout {
    /// Finds the one image, index or other blob that is meant.
    ///
    /// Several entries of the same digest are one. With a platform the answer is always an image of
    /// that platform, however deep below an index; an image whose descriptor says no platform is
    /// asked for its config. Without one it may be an index.
    ///
    /// # Errors
    ///
    /// [`FindError::NotFound`] and [`FindError::Ambiguous`] list what there is; [`FindError::Blob`]
    /// if an index or a config on the way cannot be read.
    pub fn find(&self, selector: &Selector) -> Result<Descriptor, FindError> {
        let (_, index) = self.index()?.into_parts();
        let entries = index.manifests;
        let named: Vec<_> = entries
            .iter()
            .filter(|entry| selector.matches_name(entry))
            .cloned()
            .collect();
        let mut found = self.shallowest(named, selector)?;
        let mut available: Vec<String> = entries.iter().map(label).collect();
        if let Some(wanted) = &selector.platform {
            let (mut best, mut platforms) = (Vec::new(), Vec::new());
            for base in found {
                let mut images = Vec::new();
                self.images(base, 0, &mut images)?;
                best.extend(select(&images, wanted).cloned());
                platforms.extend(images.iter().map(label));
            }
            if !platforms.is_empty() {
                available = platforms;
            }
            found = best;
        }
        dedup(&mut found);
        let (path, selector) = (self.path().into(), Box::new(selector.clone()));
        match found.len() {
            0 => Err(FindError::NotFound {
                path,
                selector,
                available,
            }),
            1 => Ok(found.remove(0)),
            _ => {
                let found = found.iter().map(label).collect();
                Err(FindError::Ambiguous {
                    path,
                    selector,
                    found,
                })
            }
        }
    }

    /// The descriptors that match by themselves, on the first level of indexes that has any.
    fn shallowest(
        &self,
        mut level: Vec<Descriptor>,
        selector: &Selector,
    ) -> Result<Vec<Descriptor>, Error> {
        for _ in 0..=MAX_DEPTH {
            let found: Vec<_> = level
                .iter()
                .filter(|at| selector.matches_itself(at))
                .cloned()
                .collect();
            if !found.is_empty() {
                return Ok(found);
            }
            let mut next = Vec::new();
            for descriptor in level.iter().filter(|at| at.media_type.is_index()) {
                next.extend(self.listed_by(descriptor)?);
            }
            dedup(&mut next);
            level = next;
        }
        Ok(Vec::new())
    }

    /// What an index lists; nothing if the layout lists it in turn and does not have it.
    fn listed_by(&self, index: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        match document::read(self, index) {
            Ok(Parsed::Index(index)) => Ok(index.manifests),
            Ok(_) => Ok(Vec::new()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// All images at or below a descriptor, each with its platform.
    fn images(
        &self,
        mut at: Descriptor,
        depth: usize,
        images: &mut Vec<Descriptor>,
    ) -> Result<(), Error> {
        if at.media_type.is_index() && depth <= MAX_DEPTH {
            for listed in self.listed_by(&at)? {
                self.images(listed, depth + 1, images)?;
            }
        } else if at.media_type.is_manifest() {
            if at.platform.is_none() {
                at.platform = self.platform_of(&at)?;
            }
            images.push(at);
        }
        Ok(())
    }

    /// What an image's config says that it runs on; nothing for an artifact.
    fn platform_of(&self, descriptor: &Descriptor) -> Result<Option<Platform>, Error> {
        let Parsed::Manifest(manifest) = document::read(self, descriptor)? else {
            return Ok(None);
        };
        if !manifest.config.media_type.is_config() {
            return Ok(None);
        }
        let bytes = cooperage_blob::read(self, &manifest.config)?;
        let config = Document::<ImageConfig>::parse(bytes).map_err(|error| {
            let digest = &manifest.config.digest;
            Error::malformed(format!("`{digest}` is not a valid config")).with_source(error)
        })?;
        Ok(Some(config.into_parts().1.platform))
    }
}

/// Leaves the first of each digest.
fn dedup(descriptors: &mut Vec<Descriptor>) {
    let mut seen = std::collections::BTreeSet::new();
    descriptors.retain(|descriptor| seen.insert(descriptor.digest.clone()));
}

/// As a list shows it: `app (sha256:0123456789ab, linux/arm64)`.
fn label(descriptor: &Descriptor) -> String {
    let digest = &descriptor.digest;
    let platform = descriptor.platform.as_ref();
    let platform = platform
        .map(|platform| format!(", {platform}"))
        .unwrap_or_default();
    let about = format!("({}:{}{platform})", digest.algorithm_name(), digest.short());
    match descriptor.annotations.get(annotations::REF_NAME) {
        Some(name) => format!("`{name}` {about}"),
        None => about,
    }
}
