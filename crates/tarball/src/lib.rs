//! Trees of files to and from tar bytes: canonical when writing, strict and lossless when reading.

mod path;

mod attributes;

mod content;

mod entry;

mod tree;

mod write;

mod host;

pub use attributes::{Attributes, Mtime};
pub use content::Content;
pub use entry::{Entry, Kind, Origin};
pub use path::{PathError, PathFault, TreePath};
pub use tree::{Difference, EntryFault, Tree, TreeError};
pub use write::{
    Block, BlockRules, FoldError, FoldOptions, Member, MemberKind, PackError, Resolved, fold,
    plan_blocks,
};
