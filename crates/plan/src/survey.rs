//! What can be told of a layer without building it.

use std::io::{self, Write};

use cooperage_blob::{BlobWriter, Root, Sink, Written};
use cooperage_commit::{Layer, PackError, layer_media_type};
use cooperage_digest::{Algorithm, Digest, Hasher};
use cooperage_image_spec::Descriptor;
use cooperage_tarball::{
    Attributes, Content, Entry, FoldError, FoldOptions, Resolved, Tree, TreePath, fold,
};

use crate::layer::{build_layer, described, layer_name, load_foreign};
use crate::tree::TreeMaker;
use crate::{
    BuildError, BuildOptions, EntryKind, EntryPlan, LayerContent, LayerMetadata, LayerPlan, TarForm,
};

/// Looks for all that would keep [`build_layer`] from making a layer, without packing or storing
/// it.
///
/// The type and length of each file that an entry names are asked for; its bytes are not read. A
/// `tar`, a `metadata` and a `blob` are read through. That no sink may have the blob of a layer
/// that is given by its `metadata` alone is no fault.
///
/// What comes back is what is known by then: of a layer that would have to be packed or compressed
/// digests and stored size are those of no bytes, and there are no blocks.
///
/// # Errors
///
/// All faults, in the order of the lines. Where an entry is at fault what others say of it is taken
/// as right.
pub fn survey_layer(
    plan: &LayerPlan,
    options: &BuildOptions<'_>,
) -> Result<LayerMetadata, Vec<BuildError>> {
    match &plan.content {
        LayerContent::Entries { entries, .. } => {
            let (tree, faults) = best_tree(plan, entries, options);
            match (tree, faults) {
                (Some(tree), faults) => measure(plan, tree, faults, options),
                (None, faults) => Err(faults),
            }
        }
        LayerContent::Tree { tree, .. } => measure(plan, tree.clone(), Vec::new(), options),
        LayerContent::Tar { file, form } => {
            let file = options.root.join(file);
            if *form == TarForm::Canonical {
                let loaded = load_foreign(&file);
                let loaded = loaded.map_err(|error| vec![error.at(plan.line, "tar")])?;
                return measure(plan, loaded.tree().clone(), Vec::new(), options);
            }
            let mut read = plan.clone();
            if let LayerContent::Tar { form, .. } = &mut read.content {
                *form = TarForm::Keep;
            }
            let mut metadata = build_layer(&read, &Nowhere::default(), options).map_err(one)?;
            if *form != TarForm::Keep {
                let codec = match form {
                    TarForm::Uncompress => cooperage_compress::Codec::None,
                    _ => plan.encoding.unwrap_or_default().codec(),
                };
                metadata.layer.descriptor.media_type = layer_media_type(codec);
            }
            Ok(metadata)
        }
        LayerContent::Metadata { blob, .. } => {
            let has_all = blob.is_none();
            build_layer(plan, &Nowhere { has_all }, options).map_err(one)
        }
    }
}

fn one(error: BuildError) -> Vec<BuildError> {
    vec![error]
}

/// The tree of all entries that can stand in it, and what keeps the others out.
///
/// In place of those a file or directory without content is put, so that what needs them is no
/// fault of its own. There is no tree where that cannot be done.
fn best_tree(
    plan: &LayerPlan,
    entries: &[EntryPlan],
    options: &BuildOptions<'_>,
) -> (Option<Tree>, Vec<BuildError>) {
    let maker = TreeMaker::new(options.root, options.modes);
    let (mut tree, mut faults, mut whole) = (Tree::new(), Vec::new(), true);
    for entry in entries {
        let Err(source) = maker.add(&mut tree, entry) else {
            continue;
        };
        let layer = layer_name(plan);
        faults.push(BuildError::Tree { layer, source });
        let stand_in = match &entry.what {
            EntryKind::File { path, .. }
            | EntryKind::Bytes { path, .. }
            | EntryKind::Symlink { path, .. }
            | EntryKind::SymlinkOf { path, .. }
            | EntryKind::HardLink { path, .. }
            | EntryKind::Fifo { path }
            | EntryKind::CharDevice { path, .. }
            | EntryKind::BlockDevice { path, .. } => (path, empty()),
            EntryKind::Directory { path } => (path, Entry::directory(Attributes::directory())),
            EntryKind::Whiteout { .. } | EntryKind::Opaque { .. } => continue,
            EntryKind::Tree { .. } | EntryKind::Runtime(_) => {
                whole = false;
                continue;
            }
        };
        // Where something stands there already, that serves as well.
        let (path, entry) = stand_in;
        let _ = tree.insert(path.clone(), entry);
    }
    (whole.then_some(tree), faults)
}

fn empty() -> Entry {
    Entry::file(Content::bytes(*b""), Attributes::file())
}

/// Entries and length of a tree's tar: links are resolved, and no file is read.
fn measure(
    plan: &LayerPlan,
    mut tree: Tree,
    mut faults: Vec<BuildError>,
    options: &BuildOptions<'_>,
) -> Result<LayerMetadata, Vec<BuildError>> {
    let fold_options = FoldOptions {
        fold: false,
        threads: Some(options.threads),
    };
    let resolved = loop {
        match fold(&tree, &fold_options) {
            Ok(resolved) => break Some(resolved),
            Err(source) => {
                let link = faulty_link(&source);
                let name = layer_name(plan);
                faults.push(PackError::Fold { name, source }.into());
                // A link that leads nowhere is taken for a file, so that the next fault shows.
                match link {
                    Some(path) if tree.remove(&path).is_some() => {
                        let _ = tree.insert(path, empty());
                    }
                    _ => break None,
                }
            }
        }
    };
    match resolved {
        Some(resolved) if faults.is_empty() => Ok(foreseen(plan, &resolved)),
        _ => Err(faults),
    }
}

fn faulty_link(error: &FoldError) -> Option<TreePath> {
    match error {
        FoldError::DanglingLink { entry, .. }
        | FoldError::LinkTarget { entry, .. }
        | FoldError::LinkLoop { entry, .. } => TreePath::parse(entry).ok(),
        _ => None,
    }
}

fn foreseen(plan: &LayerPlan, resolved: &Resolved) -> LayerMetadata {
    let encoding = plan.encoding.unwrap_or_default();
    let media_type = layer_media_type(encoding.codec());
    let layer = Layer {
        descriptor: Descriptor::new(media_type, Digest::of(b""), 0),
        diff_id: Digest::of(b""),
        size: resolved.tar_len(),
        encoding: Some(encoding),
        blocks: Vec::new(),
        entries: resolved.len() as u64,
    };
    described(plan, layer)
}

/// Keeps nothing: what is written is hashed, and let go.
#[derive(Default)]
struct Nowhere {
    has_all: bool,
}

impl Sink for Nowhere {
    fn has(&self, _: &Descriptor) -> Result<bool, cooperage_blob::Error> {
        Ok(self.has_all)
    }

    fn create(
        &self,
        algorithm: Algorithm,
    ) -> Result<Box<dyn BlobWriter + '_>, cooperage_blob::Error> {
        Ok(Box::new(Hashing {
            hasher: Hasher::new(algorithm),
            size: 0,
        }))
    }

    fn publish(&self, _: &Root) -> Result<(), cooperage_blob::Error> {
        Ok(())
    }
}

struct Hashing {
    hasher: Hasher,
    size: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for Hashing {
    fn finish(
        self: Box<Self>,
        expected: Option<&Descriptor>,
    ) -> Result<Written, cooperage_blob::Error> {
        let written = Written {
            digest: self.hasher.finish(),
            size: self.size,
        };
        written.check(expected)?;
        Ok(written)
    }
}
