//! Trees of files to and from tar bytes: canonical when writing, strict and lossless when reading.

mod path;

mod attributes;

mod content;

mod entry;

mod tree;

mod write;

mod read;

mod load;

mod scan;

mod overlay;

mod diff;

mod names;

mod host;

pub use attributes::{Attributes, Mtime};
pub use content::Content;
pub use diff::{DiffError, diff};
pub use entry::{Entry, Kind, Origin};
pub use load::LoadError;
pub use overlay::{OverlayError, overlay};
pub use path::{PathError, PathFault, TreePath};
pub use read::{ReadOptions, TarEntry, TarError, TarKind, TarReader, Trailing};
pub use scan::{AttributesFrom, HardLinks, ScanError, ScanOptions, Symlinks, scan};
pub use tree::{Difference, EntryFault, Tree, TreeError};
pub use write::{
    Block, BlockRules, FoldError, FoldOptions, Member, MemberKind, PackError, Resolved, fold,
    plan_blocks,
};
