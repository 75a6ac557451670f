//! From a tree to the bytes of a tar.

pub(crate) mod header;

pub(crate) mod order;

mod links;

mod twins;

mod resolved;

mod blocks;

mod pack;

pub use blocks::{Block, BlockRules, plan_blocks};
pub use pack::PackError;
pub use resolved::{FoldError, FoldOptions, Member, MemberKind, Resolved, fold};
