//! A layer's plan becomes a layer.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use cooperage_blob::Sink;
use cooperage_commit::{
    DEFAULT_TAR_LIMIT, Layer, LayerForm, LoadedLayer, PackOptions, adopt, load_tar, pack,
};
use cooperage_compress::{Encoding, Workers};
use cooperage_digest::Algorithm;
use cooperage_image_spec::{Descriptor, History, MAX_DOCUMENT_SIZE};
use cooperage_tarball::Tree;

use crate::{
    BuildError, BuildOptions, LayerContent, LayerMetadata, LayerPlan, TarForm, apply_matches, host,
    layer_tree,
};

/// Builds one layer: its blob goes to the sink, what is known of it is returned.
///
/// A [`LayerContent::Metadata`] is read and returned; its blob goes to the sink if the plan names
/// it, and must be there already otherwise.
pub fn build_layer(
    plan: &LayerPlan,
    sink: &(impl Sink + ?Sized),
    options: &BuildOptions<'_>,
) -> Result<LayerMetadata, BuildError> {
    let workers = &options.workers();
    let tree = tree_of(plan, options)?;
    let maker = LayerMaker { options, workers };
    maker.build(plan, tree.as_ref(), sink)
}

/// The tree of a layer that is given by its entries.
pub(crate) fn tree_of(
    plan: &LayerPlan,
    options: &BuildOptions<'_>,
) -> Result<Option<Tree>, BuildError> {
    let entries = match &plan.content {
        LayerContent::Entries { entries, .. } => entries,
        LayerContent::Tree { tree, .. } => return Ok(Some(tree.clone())),
        LayerContent::Tar { .. } | LayerContent::Metadata { .. } => return Ok(None),
    };
    let made = layer_tree(entries, options.root, options.modes).and_then(|mut tree| {
        apply_matches(&mut tree, &plan.matches)?;
        Ok(tree)
    });
    made.map(Some).map_err(|source| BuildError::Tree {
        layer: layer_name(plan),
        source,
    })
}

/// What messages call it.
pub(crate) fn layer_name(plan: &LayerPlan) -> String {
    plan.name.clone().unwrap_or_else(|| "layer".into())
}

/// Makes layers, several at a time on the same threads.
pub(crate) struct LayerMaker<'a> {
    pub(crate) options: &'a BuildOptions<'a>,
    pub(crate) workers: &'a Workers,
}

impl<'a> LayerMaker<'a> {
    /// As [`build_layer`], with [`tree_of`] the plan.
    pub(crate) fn build(
        &self,
        plan: &LayerPlan,
        tree: Option<&Tree>,
        sink: &(impl Sink + ?Sized),
    ) -> Result<LayerMetadata, BuildError> {
        let encoding = plan.encoding.unwrap_or_default();
        let name = plan.name.as_deref().unwrap_or("layer");
        let layer = match &plan.content {
            LayerContent::Entries { fold, .. } | LayerContent::Tree { fold, .. } => {
                let none = Tree::new();
                let tree = tree.unwrap_or(&none);
                pack(tree, &self.pack_options(name, encoding, *fold), sink)?
            }
            LayerContent::Tar { file, form } => {
                let file = self.options.root.join(file);
                let built = self.build_tar(&file, *form, name, encoding, sink);
                built.map_err(|error| error.at(plan.line, "tar"))?
            }
            LayerContent::Metadata { file, blob } => {
                let metadata = layer_metadata(plan, file, self.options)?;
                return reuse(plan, metadata, blob.as_deref(), sink, self.options);
            }
        };
        Ok(described(plan, layer))
    }

    fn pack_options<'n>(&self, name: &'n str, encoding: Encoding, fold: bool) -> PackOptions<'n>
    where
        'a: 'n,
    {
        PackOptions {
            encoding,
            fold,
            threads: self.options.threads,
            workers: Some(self.workers),
            name,
            progress: self.options.progress,
        }
    }

    fn build_tar(
        &self,
        file: &Path,
        form: TarForm,
        name: &str,
        encoding: Encoding,
        sink: &(impl Sink + ?Sized),
    ) -> Result<Layer, BuildError> {
        let read = |source| BuildError::Read {
            file: file.to_owned(),
            source,
        };
        let form = match form {
            TarForm::Keep => LayerForm::Keep,
            TarForm::Uncompress => LayerForm::Uncompress,
            TarForm::Recompress => LayerForm::Recompress(encoding),
            TarForm::Canonical => {
                let loaded = load_foreign(file)?;
                return Ok(pack(
                    loaded.tree(),
                    &self.pack_options(name, encoding, true),
                    sink,
                )?);
            }
        };
        let origin = format!("`{}`", file.display());
        Ok(adopt(
            open_input(file).map_err(read)?,
            &origin,
            form,
            self.workers,
            sink,
        )?)
    }
}

/// A layer with what its plan says of it.
pub(crate) fn described(plan: &LayerPlan, mut layer: Layer) -> LayerMetadata {
    let annotations = plan.annotations.clone();
    layer.descriptor.annotations.extend(annotations);
    let name = plan.name.as_deref().unwrap_or("layer");
    let history = History {
        created: plan.created.clone(),
        created_by: Some(
            plan.created_by
                .clone()
                .unwrap_or_else(|| format!("cooperage: {name}")),
        ),
        comment: plan.comment.clone(),
        ..History::default()
    };
    LayerMetadata {
        name: plan.name.clone(),
        layer,
        history,
    }
}

/// A tar that somebody else made, as a tree.
pub(crate) fn load_foreign(file: &Path) -> Result<LoadedLayer, BuildError> {
    let reader = open_input(file).map_err(|source| BuildError::Read {
        file: file.to_owned(),
        source,
    })?;
    let origin = file.display().to_string();
    Ok(load_tar(reader, &origin, None, DEFAULT_TAR_LIMIT)?)
}

/// Reads `file`, which the plan names as the metadata of a layer that was built before.
///
/// # Errors
///
/// When it cannot be read or is no layer metadata.
pub fn layer_metadata(
    plan: &LayerPlan,
    file: &Path,
    options: &BuildOptions<'_>,
) -> Result<LayerMetadata, BuildError> {
    let metadata = read_metadata(&options.root.join(file));
    metadata.map_err(|error| error.at(plan.line, "metadata"))
}

fn reuse(
    plan: &LayerPlan,
    metadata: LayerMetadata,
    blob: Option<&Path>,
    sink: &(impl Sink + ?Sized),
    options: &BuildOptions<'_>,
) -> Result<LayerMetadata, BuildError> {
    let descriptor = &metadata.layer.descriptor;
    if sink.has(descriptor)? {
        return Ok(metadata);
    }
    let Some(blob) = blob else {
        let descriptor = descriptor.clone().into();
        return Err(BuildError::NoBlob { descriptor }.at(plan.line, "metadata"));
    };
    let copied = copy_blob(&options.root.join(blob), descriptor, sink);
    copied.map_err(|error| error.at(plan.line, "blob"))?;
    Ok(metadata)
}

fn copy_blob(
    blob: &Path,
    descriptor: &Descriptor,
    sink: &(impl Sink + ?Sized),
) -> Result<(), BuildError> {
    let read = |source| BuildError::Read {
        file: blob.to_owned(),
        source,
    };
    let mut reader = open_input(blob).map_err(read)?;
    let mut writer = sink.create(descriptor.digest.algorithm().unwrap_or(Algorithm::Sha256))?;
    let mut buffer = vec![0; 256 << 10];
    // One byte more than it says: then it is another blob, however long it is.
    let mut left = descriptor.size.saturating_add(1);
    while left > 0 {
        let room = buffer.len().min(left.try_into().unwrap_or(usize::MAX));
        let n = match reader.read(&mut buffer[..room]) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read(error)),
        };
        writer
            .write_all(&buffer[..n])
            .map_err(|error| cooperage_blob::Error::write(descriptor, error))?;
        left -= n as u64;
    }
    let written = writer.finish(Some(descriptor));
    written.map(drop).map_err(|source| BuildError::Blob {
        file: blob.to_owned(),
        source,
    })
}

/// Opens a file or a pipe that the plan names. A device is neither: some never end.
fn open_input(path: &Path) -> io::Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() || host::is_pipe(kind) {
        return File::open(path);
    }
    let found = host::type_name(kind);
    let message = format!("expected a file or a pipe, found {found}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn read_metadata(file: &Path) -> Result<LayerMetadata, BuildError> {
    let read = |source| BuildError::Read {
        file: file.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let limited = open_input(file).map_err(read)?;
    // One byte more than a document may have: the parser then says that it is too large.
    limited
        .take(MAX_DOCUMENT_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    LayerMetadata::parse(&bytes).map_err(|source| BuildError::Metadata {
        file: file.to_owned(),
        source,
    })
}
