//! DEFLATE (RFC 1951) of our own: the bytes of `gzip-2`.
//!
//! `docs/determinism.md` § 5.3 is the algorithm, and `tests/it/plain` a second, slow program of
//! it that agrees byte for byte. Nothing here may depend on the width of `usize`, on floating point,
//! or on what was encoded before.

#![expect(
    clippy::inline_always,
    reason = "what is done for every byte must not be a call"
)]

mod bits;
mod block;
mod cost;
mod finder;
mod huffman;
mod optimal;
mod parse;
mod symbols;
mod tokens;

use crate::codec::{BlockEncoder, CodecError};
use finder::{Effort, Finder};
use optimal::Optimal;
use tokens::{Output, Tokens};

/// What a level stands for.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// How hard to look for a match.
    first: Effort,
    /// How hard to look for a better one, a byte further on.
    second: Effort,
    /// From this length on a match is taken without a look further on.
    good: usize,
    /// How many positions at either end of a match are entered, and every which between them.
    ends: usize,
    stride: usize,
    /// A block does not get another chunk with which it would have more bytes than this.
    longest: usize,
    /// How hard to look when a block is parsed again by cost, and how often that is done.
    again: Option<(Effort, u32)>,
}

/// A block is made of chunks of at least so many bytes.
const CHUNK: usize = 8192;

/// How far back a match of three bytes may lie, where its cost is not looked at.
const FAR: usize = 2048;

const LEVELS: [Level; 9] = [
    // Fast: each first match is taken.
    level(1, 1, 16, 0, (2, 8)),
    level(2, 1, 30, 0, (4, 4)),
    level(4, 1, 30, 0, (4, 4)),
    // With a look further on.
    level(4, 1, 30, 12, (4, 4)),
    level(6, 2, 30, 12, (4, 4)),
    level(16, 4, 64, 24, (8, 2)),
    level(64, 32, 258, 64, (8, 1)),
    // Small: each block is parsed again by cost.
    again(level(32, 16, 130, 32, (8, 1)), 32, 130, 1),
    again(level(64, 32, 258, 64, (8, 1)), 256, 258, 3),
];

const fn level(
    first: u32,
    second: u32,
    nice: usize,
    good: usize,
    entered: (usize, usize),
) -> Level {
    let (ends, stride) = entered;
    Level {
        first: Effort { depth: first, nice },
        second: Effort {
            depth: second,
            nice,
        },
        good,
        ends,
        stride,
        longest: 300_000,
        again: None,
    }
}

const fn again(level: Level, depth: u32, nice: usize, passes: u32) -> Level {
    Level {
        longest: 1 << 17,
        again: Some((Effort { depth, nice }, passes)),
        ..level
    }
}

/// Encodes pieces of input, each by itself.
///
/// Holds 0.2 MiB of tables and at most 3 MiB beside the encoded piece; at the levels 8 and 9 twice
/// the tables and at most 14 MiB.
pub(crate) struct Deflater {
    level: &'static Level,
    finder: Finder,
    tokens: Tokens,
    output: Output,
}

impl Deflater {
    /// At a level of 1 to 9.
    pub(crate) fn new(level: u8) -> Self {
        let level = &LEVELS[usize::from(level.clamp(1, 9)) - 1];
        let again = level.again;
        Self {
            level,
            finder: Finder::new(),
            tokens: Tokens::new(),
            output: Output {
                bits: bits::Bits::default(),
                optimal: again.map(|(effort, passes)| Optimal::new(effort, passes)),
            },
        }
    }
}

impl BlockEncoder for Deflater {
    fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.finder.clear();
        self.tokens.clear();
        self.output.bits.clear();
        if let Some(optimal) = &mut self.output.optimal {
            optimal.clear();
        }
        let mut at = 0;
        while at < raw.len() {
            let to = raw.len().min(at + CHUNK);
            at = parse::parse(raw, at, to, self.level, &mut self.finder, &mut self.tokens);
            self.tokens
                .end_chunk(raw, at, self.level.longest, &mut self.output);
        }
        self.tokens.end_block(raw, &mut self.output);
        block::sync(&mut self.output.bits);
        out.clear();
        out.extend_from_slice(self.output.bits.as_slice());
        Ok(())
    }
}
