//! A plan as a value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use cooperage_commit::{ConfigEdit, Edit, MediaTypes};
use cooperage_compress::Encoding;
use cooperage_image_spec::Platform;
use cooperage_runtime::RuntimeItem;
use cooperage_tarball::{Tree, TreePath};

/// What a plan file fully describes: one image, or an index of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The names the result is published under: image references, or any other text.
    pub names: Vec<String>,
    /// `Some` if the result is an index of the images, even of one.
    pub index: Option<IndexPlan>,
    /// One image, or the images of the index in their order.
    pub images: Vec<ImagePlan>,
}

/// What an index says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexPlan {
    /// Annotations of the index.
    pub annotations: BTreeMap<String, String>,
    /// Media types of the index.
    pub media_types: MediaTypes,
}

/// One image of one platform.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImagePlan {
    /// What it runs on; without it the base's, or `linux/amd64` from scratch.
    pub platform: Option<Platform>,
    /// What it stands on; from scratch without it.
    pub base: Option<BasePlan>,
    /// The vocabulary of the manifest and its descriptors.
    pub media_types: MediaTypes,
    /// RFC 3339; the epoch without it.
    pub created: Option<String>,
    /// Who made it.
    pub author: Edit<String>,
    /// The configuration for running: each part inherited, overridden or unset.
    pub config: ConfigEdit,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Layers over those of the base, lowest first.
    pub layers: Vec<LayerPlan>,
}

/// What an image stands on.
#[derive(Clone, Debug, PartialEq)]
pub struct BasePlan {
    /// Where it lies.
    pub from: BaseFrom,
    /// The digest of its manifest or index. Another one found there is an error.
    pub digest: Option<String>,
    /// The line of the plan file it stands on, from 1; 0 if it was never in a file.
    pub line: u64,
}

/// Where a base lies.
#[derive(Clone, Debug, PartialEq)]
pub enum BaseFrom {
    /// In a medium, as `cooperage copy` writes it: `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`,
    /// `docker-archive:FILE[:NAME]`.
    Reference(String),
    /// In two files, which hold its documents and none of its layers.
    Documents {
        /// Its manifest.
        manifest: PathBuf,
        /// Its config.
        config: PathBuf,
    },
}

impl BaseFrom {
    /// The reference, if it lies in a medium.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        match self {
            Self::Reference(reference) => Some(reference),
            Self::Documents { .. } => None,
        }
    }
}

/// As messages call it: the reference, or the manifest's file.
impl fmt::Display for BaseFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference(reference) => f.write_str(reference),
            Self::Documents { manifest, .. } => manifest.display().fmt(f),
        }
    }
}

/// One layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerPlan {
    /// What it holds, for people: shown, and kept in the history.
    pub name: Option<String>,
    /// Where its bytes come from.
    pub content: LayerContent,
    /// Attributes for entries by their paths, over what the entries say themselves.
    pub matches: Vec<MatchPlan>,
    /// How it is stored; the default of the plan crate where it is `None`.
    pub encoding: Option<Encoding>,
    /// Annotations of its descriptor.
    pub annotations: BTreeMap<String, String>,
    /// `created_by` of its history entry.
    pub created_by: Option<String>,
    /// `comment` of its history entry.
    pub comment: Option<String>,
    /// Its history entry's time, RFC 3339; the image's without it.
    pub created: Option<String>,
    /// The line of the plan file it stands on, from 1; 0 if it was never in a file.
    pub line: u64,
}

/// Where a layer's bytes come from.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerContent {
    /// Entries, in any order.
    Entries {
        /// What it holds.
        entries: Vec<EntryPlan>,
        /// Whether identical files become hard links.
        fold: bool,
    },
    /// A tree that is made already: [`PlanFile::load`](crate::PlanFile::load) makes it of the
    /// entries while it reads them, which takes a tenth of the memory.
    Tree {
        /// What it holds.
        tree: Tree,
        /// Whether identical files become hard links.
        fold: bool,
    },
    /// A tar that somebody else made.
    Tar {
        /// Where it lies, compressed or not.
        file: PathBuf,
        /// Whether it is taken as it is.
        form: TarForm,
    },
    /// A layer that was built before: its metadata, and never its bytes.
    Metadata {
        /// Where the metadata lies.
        file: PathBuf,
        /// Where its blob lies, for sinks that are to hold it; not read while forming the image.
        blob: Option<PathBuf>,
    },
}

impl Default for LayerContent {
    fn default() -> Self {
        Self::Entries {
            entries: Vec::new(),
            fold: true,
        }
    }
}

/// What becomes of a foreign tar.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TarForm {
    /// Its bytes stay as they are, compressed or not.
    #[default]
    Keep,
    /// Its tar stays as it is and is stored without compression.
    Uncompress,
    /// Its tar stays as it is and is compressed by the layer's encoder.
    Recompress,
    /// Its entries are read and written again in canonical form.
    Canonical,
}

/// One line of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryPlan {
    /// What it makes.
    pub what: EntryKind,
    /// Its attributes, where the plan gives them.
    pub attributes: EntryAttributes,
    /// The line of the plan file it stands on, from 1; 0 if it was never in a file.
    pub line: u64,
    /// Who wrote it, for messages: `[package.metadata.image] files`.
    pub origin: Option<String>,
}

/// What a line makes: `path` is where in the image, the other fields are the line's own.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "the fields are those that each variant's sentence names"
)]
pub enum EntryKind {
    /// A regular file with the bytes of a file on this machine.
    File {
        path: TreePath,
        file: PathBuf,
        fold: bool,
    },
    /// A regular file with these bytes.
    Bytes { path: TreePath, bytes: Vec<u8> },
    /// A directory.
    Directory { path: TreePath },
    /// A symlink.
    Symlink { path: TreePath, target: Vec<u8> },
    /// A symlink with the target of a symlink on this machine, wherever that leads.
    SymlinkOf { path: TreePath, file: PathBuf },
    /// A second name of a file of the same layer.
    HardLink { path: TreePath, to: TreePath },
    /// Removes what lower layers have at this path.
    Whiteout { path: TreePath },
    /// Hides all that lower layers have in this directory.
    Opaque { path: TreePath },
    /// A named pipe.
    Fifo { path: TreePath },
    /// A character device.
    CharDevice {
        path: TreePath,
        major: u32,
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        path: TreePath,
        major: u32,
        minor: u32,
    },
    /// All that lies below a directory of this machine: names, bytes, links and empty
    /// directories, but no modes, owners or times.
    Tree {
        path: Option<TreePath>,
        dir: PathBuf,
        dir_mode: Option<u32>,
    },
    /// Something that programs need around them, from pinned data.
    Runtime(RuntimeItem),
}

/// Attributes for all entries of a layer whose paths a glob matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatchPlan {
    /// The glob: `*` and `?` match no slash, `**` does.
    pub glob: String,
    /// What they get; the mode is for all but directories, symlinks take none.
    pub attributes: EntryAttributes,
    /// The mode of directories.
    pub dir_mode: Option<u32>,
    /// The line of the plan file it stands on, from 1; 0 if it was never in a file.
    pub line: u64,
    /// Who wrote it, for messages.
    pub origin: Option<String>,
}

/// Attributes that a line gives; what is `None` is the contract's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryAttributes {
    /// 0 to 0o7777.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Owner's name.
    pub user: Option<String>,
    /// Group's name.
    pub group: Option<String>,
    /// Seconds since the epoch.
    pub mtime: Option<i64>,
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}
