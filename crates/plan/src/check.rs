//! Whether an image's programs can run on its base.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use cooperage_blob::Source;
use cooperage_commit::{Base, DEFAULT_TAR_LIMIT, LayerError, LoadedLayer, load_layer};
use cooperage_runtime::{BaseFacts, Binary, ElfError, Missing, check_against};
use cooperage_tarball::{Content, Kind, OverlayError, Tree, overlay};

use crate::layer::tree_of;
use crate::{BuildError, BuildOptions, ImagePlan, open_base};

/// Why it could not be found out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The base could not be opened.
    #[error(transparent)]
    Base(#[from] BuildError),
    /// A layer of the base could not be read.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The base's layers do not fit each other.
    #[error("the base's layers make no file tree")]
    Overlay(#[from] OverlayError),
    /// The base's libraries could not be read.
    #[error("cannot look for libraries in the base")]
    Facts(#[from] cooperage_runtime::BaseError),
    /// A program of the plan could not be read.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A program of the plan could not be understood.
    #[error(transparent)]
    Elf(#[from] ElfError),
}

/// What the plan's programs need and neither their base nor the plan's own layers have: a loader,
/// libraries, symbol versions. Empty if all is there, and for an image without a base.
///
/// Reads all layers of the base, into temporary files; writes nothing else.
pub fn check_base(
    image: &ImagePlan,
    options: &BuildOptions<'_>,
) -> Result<Vec<Missing>, CheckError> {
    let Some(base) = &image.base else {
        return Ok(Vec::new());
    };
    let own = own_trees(image, options)?;
    let programs = programs(&own)?;
    if programs.is_empty() {
        return Ok(Vec::new());
    }
    let (source, base) = open_base(base, image.platform.as_ref(), options)?;
    let loaded = load_layers(&*source, &base)?;
    let trees = loaded.iter().map(LoadedLayer::tree).chain(own.iter());
    let whole: Tree = overlay(trees)?;
    Ok(check_against(&programs, &BaseFacts::of(&whole)?)?)
}

/// The trees of the plan's own layers; nothing where one is built already.
pub(crate) fn own_trees(
    image: &ImagePlan,
    options: &BuildOptions<'_>,
) -> Result<Vec<Tree>, BuildError> {
    let layers = image.layers.iter();
    layers
        .map(|layer| Ok(tree_of(layer, options)?.unwrap_or_default()))
        .collect()
}

/// The base's layers, lowest first, each verified.
pub(crate) fn load_layers(
    source: &dyn Source,
    base: &Base,
) -> Result<Vec<LoadedLayer>, LayerError> {
    let layers = &base.manifest.value().layers;
    let diff_ids = &base.config.value().rootfs.diff_ids;
    layers
        .iter()
        .zip(diff_ids)
        .map(|(layer, diff_id)| load_layer(source, layer, Some(diff_id), DEFAULT_TAR_LIMIT))
        .collect()
}

/// The plan's files that begin as ELF files do.
pub(crate) fn programs(trees: &[Tree]) -> Result<Vec<Binary>, CheckError> {
    let mut programs = Vec::new();
    for (path, entry) in trees.iter().flat_map(Tree::iter) {
        let Kind::File {
            content: Content::File { path: file, .. },
            ..
        } = entry.kind
        else {
            continue;
        };
        let mut magic = Vec::new();
        let read = File::open(&file).and_then(|opened| opened.take(4).read_to_end(&mut magic));
        if let Err(source) = read {
            return Err(CheckError::Read { file, source });
        }
        if magic == b"\x7fELF" {
            programs.push(Binary {
                file,
                image_path: format!("/{}", path.display()),
            });
        }
    }
    Ok(programs)
}
