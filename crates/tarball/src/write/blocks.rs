//! How a tar is cut into blocks.

use cooperage_digest::{Algorithm, Hasher};

use super::header::padded;
use super::resolved::{END, Resolved};

/// A file of so many bytes or more gets blocks of its own.
const OWN_BLOCKS: u64 = 256 * 1024;

/// What a tar is cut by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockRules {
    /// The size of a block in bytes: 1 MiB for gzip and 4 MiB for zstd. Less than 4096 counts as
    /// 4096.
    pub block_size: u64,
}

/// A run of bytes of a tar that is compressed alone.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Block {
    /// Where it begins, in bytes from the start of the tar.
    pub offset: u64,
    /// How many bytes long it is.
    pub len: u64,
    pub(crate) part: Part,
}

/// What a block holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// The items `first..end`, without the body of a last one that has blocks of its own, and the
    /// end of the tar if `is_last`.
    Items {
        first: usize,
        end: usize,
        is_last: bool,
    },
    /// A part of the body of one item, `bytes` long without padding.
    Body {
        index: usize,
        start: u64,
        bytes: u64,
    },
}

/// Whether a body stands in blocks of its own.
pub(crate) fn has_own_blocks(body: Option<u64>) -> bool {
    body.is_some_and(|len| len >= OWN_BLOCKS)
}

/// Cuts the tar of a resolved tree into blocks, from its metadata alone.
///
/// The blocks cover the tar without gap or overlap, and where they are cut depends on paths and
/// lengths only, so that adding a file changes the blocks around it and no others:
///
/// - A file of 256 KiB or more gets blocks of its own, cut every `block_size` bytes from its own
///   start, its padding in the last of them. Its head closes the group of entries before it.
/// - All else is grouped. A group is cut before an entry when it has at least a quarter of
///   `block_size` and the first byte of the SHA-256 of the entry's name, as written but without a
///   trailing slash, has its low four bits zero; and before an entry that would make it longer than
///   `block_size`. An entry that alone is longer is a group alone.
/// - The 1024 zero bytes at the end join the last group if one is open and has room for them, and
///   are a block of their own otherwise.
#[must_use]
pub fn plan_blocks(resolved: &Resolved, rules: BlockRules) -> Vec<Block> {
    let size = rules.block_size.max(4096);
    let mut plan = Plan::default();
    for index in 0..resolved.items.len() {
        let body = resolved.body(index);
        let own = has_own_blocks(body);
        let len = body.unwrap_or(0);
        let head = u64::from(resolved.items[index].head);
        let grouped = if own { head } else { head + padded(len) };
        let is_full = plan.group + grouped > size;
        if is_full || (plan.group >= size / 4 && chooses_itself(&resolved.name(index))) {
            plan.close(index);
        }
        plan.group += grouped;
        if own {
            plan.close(index + 1);
            plan.body(index, len, size);
        }
    }
    let count = resolved.items.len();
    if plan.group + END > size {
        plan.close(count);
    }
    plan.group += END;
    plan.push(
        plan.group,
        Part::Items {
            first: plan.first,
            end: count,
            is_last: true,
        },
    );
    plan.blocks
}

#[derive(Default)]
struct Plan {
    blocks: Vec<Block>,
    offset: u64,
    /// The first item of the group that is open, and the group's length so far.
    first: usize,
    group: u64,
}

impl Plan {
    fn push(&mut self, len: u64, part: Part) {
        self.blocks.push(Block {
            offset: self.offset,
            len,
            part,
        });
        self.offset = self.offset.saturating_add(len);
    }

    /// Ends the group before the item `end`.
    fn close(&mut self, end: usize) {
        if self.group > 0 {
            self.push(
                self.group,
                Part::Items {
                    first: self.first,
                    end,
                    is_last: false,
                },
            );
        }
        self.first = end;
        self.group = 0;
    }

    fn body(&mut self, index: usize, len: u64, size: u64) {
        let mut start = 0;
        while start < len {
            let bytes = size.min(len - start);
            let is_end = start + bytes == len;
            let stored = if is_end { padded(len) - start } else { bytes };
            self.push(
                stored,
                Part::Body {
                    index,
                    start,
                    bytes,
                },
            );
            start += bytes;
        }
    }
}

fn chooses_itself(name: &[u8]) -> bool {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(name);
    // The second hex digit is the low half of the first byte.
    hasher.finish().encoded().as_bytes()[1] == b'0'
}
