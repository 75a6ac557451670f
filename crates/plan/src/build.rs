//! A plan becomes an image.

use std::num::NonZeroUsize;
use std::path::Path;

use cooperage_blob::{CopyOptions, NoProgress, Progress, Root, Sink, Source, copy_blobs, put};
use cooperage_commit::{Base, Formed, Recipe, Step, form, form_index, write};
use cooperage_compress::Workers;
use cooperage_image_spec::{Descriptor, Document, Index, MediaType, Platform};
use cooperage_tarball::Tree;

use crate::lanes::in_lanes;
use crate::layer::{LayerMaker, tree_of};
use crate::{BuildError, ImagePlan, IndexPlan, LayerMetadata, Plan, open_base};

/// Whether entries must say their mode.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Modes {
    /// A silent entry is 0644, a directory 0755.
    #[default]
    Default,
    /// A silent entry is an error: for build systems, whose plans should say everything. So is a
    /// [`SymlinkOf`](crate::EntryKind::SymlinkOf) an absolute link to a file of the same name (but for
    /// one directory), as which they show files.
    Required,
}

/// Where base images are found.
pub trait Bases: Send + Sync {
    /// Opens the medium that a base's reference names, and finds the base in it.
    fn open(&self, reference: &str)
    -> Result<(Box<dyn Source>, Descriptor), cooperage_blob::Error>;
}

/// Knows no base: for images from scratch.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBases;

impl Bases for NoBases {
    fn open(
        &self,
        reference: &str,
    ) -> Result<(Box<dyn Source>, Descriptor), cooperage_blob::Error> {
        let message = format!("the base `{reference}` cannot be opened: no base images here");
        Err(cooperage_blob::Error::unsupported(message))
    }
}

/// How a plan is built. Only `root`, `modes` and `bases` can change the result.
#[derive(Clone, Copy)]
pub struct BuildOptions<'a> {
    /// The directory that relative names in the plan start from.
    pub root: &'a Path,
    /// Whether entries must say their mode.
    pub modes: Modes,
    /// Blocks compressed, and blobs copied, at once.
    pub threads: NonZeroUsize,
    /// Where base images are found.
    pub bases: &'a dyn Bases,
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// Threads that compress for others too, instead of `threads` of this build's own.
    pub workers: Option<&'a Workers>,
}

impl BuildOptions<'_> {
    /// What compresses.
    pub(crate) fn workers(&self) -> Workers {
        let own = || Workers::new(self.threads);
        self.workers.cloned().unwrap_or_else(own)
    }
}

impl Default for BuildOptions<'_> {
    fn default() -> Self {
        Self {
            root: Path::new(""),
            modes: Modes::Default,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            bases: &NoBases,
            progress: &NoProgress,
            workers: None,
        }
    }
}

impl std::fmt::Debug for BuildOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildOptions")
            .field("root", &self.root)
            .field("modes", &self.modes)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// What was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The image, or the index of the images.
    pub descriptor: Descriptor,
    /// The images, in the plan's order.
    pub images: Vec<BuiltImage>,
}

/// One image that was built.
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// Its manifest.
    pub descriptor: Descriptor,
    /// Its config's digest and size, and its documents.
    pub formed: Formed,
    /// The layers over its base, lowest first.
    pub layers: Vec<LayerMetadata>,
    /// Number of layers that are the base's.
    pub base_layers: usize,
}

/// The trees of a plan's layers.
///
/// To make them finds most of what can be wrong with a plan: files that are not there, and entries
/// that contradict each other.
#[derive(Clone, Debug)]
pub struct Trees(Vec<Vec<Option<Tree>>>);

impl Trees {
    /// Makes the trees of all layers that a plan gives by their entries; nothing is written.
    ///
    /// # Errors
    ///
    /// [`BuildError::Tree`] for the first layer that makes none, and [`BuildError::NoImage`].
    pub fn of(plan: &Plan, options: &BuildOptions<'_>) -> Result<Self, BuildError> {
        if plan.images.is_empty() {
            return Err(BuildError::NoImage);
        }
        let of_image = |image: &ImagePlan| {
            let layers = image.layers.iter();
            layers.map(|layer| tree_of(layer, options)).collect()
        };
        let trees = plan.images.iter().map(of_image);
        Ok(Self(trees.collect::<Result<_, _>>()?))
    }
}

/// Builds a plan's images into a sink and publishes the result under the plan's names, or without
/// a name if it has none.
///
/// Layers go to the sink as they are made, two at a time, the names come last: if it fails, the sink shows what
/// it showed before.
pub fn build(
    plan: &Plan,
    sink: &(impl Sink + ?Sized),
    options: &BuildOptions<'_>,
) -> Result<Built, BuildError> {
    build_trees(plan, &Trees::of(plan, options)?, sink, options)
}

/// As [`build`], with the trees of this very plan.
pub fn build_trees(
    plan: &Plan,
    trees: &Trees,
    sink: &(impl Sink + ?Sized),
    options: &BuildOptions<'_>,
) -> Result<Built, BuildError> {
    let images = plan
        .images
        .iter()
        .zip(&trees.0)
        .map(|(image, trees)| build_one(image, trees, sink, options))
        .collect::<Result<Vec<_>, _>>()?;
    let descriptor = match (&plan.index, &images[..]) {
        (_, []) => return Err(BuildError::NoImage),
        (None, [image, ..]) => image.descriptor.clone(),
        (Some(index), images) => {
            let manifests = images
                .iter()
                .map(|image| image.descriptor.clone())
                .collect();
            let document = build_index(index, manifests)?;
            let media_type = document.value().media_type.clone();
            put(
                sink,
                media_type.unwrap_or(MediaType::OCI_INDEX),
                document.raw(),
            )?
        }
    };
    if plan.names.is_empty() {
        sink.publish(&Root::unnamed(descriptor.clone()))?;
    }
    for name in &plan.names {
        sink.publish(&Root::named(name, descriptor.clone()))?;
    }
    Ok(Built { descriptor, images })
}

/// So many layers of an image are made at the same time: while one is hashed to its end and synced,
/// the next is compressed. More would keep no processor busier, and need their blocks' memory.
const LAYERS_AT_ONCE: usize = 2;

fn build_one(
    image: &ImagePlan,
    trees: &[Option<Tree>],
    sink: &(impl Sink + ?Sized),
    options: &BuildOptions<'_>,
) -> Result<BuiltImage, BuildError> {
    let opened = match &image.base {
        Some(plan) => Some(open_base(plan, image.platform.as_ref(), options)?),
        None => None,
    };
    let layers: Vec<_> = image.layers.iter().zip(trees).collect();
    let lanes = LAYERS_AT_ONCE.min(options.threads.get());
    let workers = &options.workers();
    let maker = LayerMaker { options, workers };
    let layers = in_lanes(&layers, lanes, |(layer, tree)| {
        maker.build(layer, tree.as_ref(), sink)
    })?;
    let formed = build_image(image, &layers, opened.as_ref().map(|(_, base)| base))?;
    let mut base_layers = 0;
    if let Some((source, base)) = &opened {
        let blobs = &base.manifest.value().layers;
        base_layers = blobs.len();
        let copy = CopyOptions {
            jobs: options.threads,
            progress: options.progress,
        };
        copy_blobs(&**source, blobs, sink, &copy)?;
    }
    let descriptor = write(&formed, sink)?;
    Ok(BuiltImage {
        descriptor,
        formed,
        layers,
        base_layers,
    })
}

/// Forms an image's documents from its plan and what is known of its layers: no layer's bytes are
/// read, and nothing is written.
///
/// `layers` are those of the plan, in its order.
pub fn build_image(
    image: &ImagePlan,
    layers: &[LayerMetadata],
    base: Option<&Base>,
) -> Result<Formed, BuildError> {
    let step = |metadata: &LayerMetadata| Step::Layer {
        layer: metadata.layer.clone().into(),
        history: metadata.history.clone(),
    };
    let recipe = Recipe {
        platform: image.platform.clone(),
        created: image.created.clone(),
        author: image.author.clone(),
        config: image.config.clone(),
        steps: layers.iter().map(step).collect(),
        annotations: image.annotations.clone(),
        media_types: image.media_types,
    };
    Ok(form(base, &recipe)?)
}

/// Forms an index of images, in the order given; each descriptor says its platform.
///
/// # Errors
///
/// [`BuildError::SamePlatform`], and [`BuildError::Form`] for annotations that Docker's media types
/// do not carry.
pub fn build_index(
    index: &IndexPlan,
    manifests: Vec<Descriptor>,
) -> Result<Document<Index>, BuildError> {
    let platforms: Vec<_> = manifests
        .iter()
        .filter_map(|manifest| manifest.platform.as_ref().map(Platform::normalized))
        .collect();
    let twice = |(at, platform): (usize, &Platform)| platforms[..at].contains(platform);
    if let Some((_, platform)) = platforms.iter().enumerate().find(|found| twice(*found)) {
        let platform = platform.clone();
        return Err(BuildError::SamePlatform { platform });
    }
    Ok(form_index(
        manifests,
        index.annotations.clone(),
        index.media_types,
    )?)
}
