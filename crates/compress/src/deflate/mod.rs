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
mod quick;
mod symbols;
mod tokens;
mod view;

use crate::codec::{BlockEncoder, CodecError};
use finder::{Effort, Finder};
use optimal::Optimal;
use tokens::{Output, Tokens};

/// What a level stands for.
#[derive(Clone, Copy, Debug)]
struct Level {
    parse: Parse,
    /// A block does not get another chunk with which it would have more bytes than this.
    longest: usize,
    /// How hard to look when a block is parsed again by cost, and how often that is done.
    again: Option<(Effort, u32)>,
}

/// How matches are found.
#[derive(Clone, Copy, Debug)]
enum Parse {
    Quick(quick::Effort),
    Chains(parse::Chains),
}

/// A block is made of chunks of at least so many bytes.
const CHUNK: usize = 8192;

/// The same for levels that are to be quick.
const QUICK_CHUNK: usize = 1 << 14;

/// How far back a match of three bytes may lie, where its cost is not looked at.
const FAR: usize = 2048;

const LEVELS: [Level; 9] = [
    // Fast: each first match is taken.
    quick((1, 0), 0, (0, 8), 4),
    // With a look further on.
    quick((1, 1), 6, (1, 4), 4),
    quick((2, 1), 8, (1, 3), 4),
    quick((4, 2), 12, (1, 4), 4),
    quick((4, 4), 20, (1, 3), 4),
    quick((4, 4), 64, (1, 1), 6),
    chains((64, 32), 258, 64),
    // Small: each block is parsed again by cost.
    again(chains((32, 16), 130, 32), 32, 130, 1),
    again(chains((64, 32), 258, 64), 256, 258, 3),
];

const fn quick(places: (u32, u32), good: usize, entered: (usize, usize), patience: u32) -> Level {
    Level {
        parse: Parse::Quick(quick::Effort::new(places, good, entered, patience)),
        longest: 300_000,
        again: None,
    }
}

const fn chains((first, second): (u32, u32), nice: usize, good: usize) -> Level {
    Level {
        parse: Parse::Chains(parse::Chains {
            first: Effort { depth: first, nice },
            second: Effort {
                depth: second,
                nice,
            },
            good,
        }),
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
/// Holds 0.3 MiB of tables and at most 3 MiB beside the encoded piece; at the levels 8 and 9 twice
/// the tables and at most 14 MiB.
pub(crate) struct Deflater {
    level: &'static Level,
    parser: Parser,
    tokens: Tokens,
    output: Output,
}

/// What [`Parse`] takes.
enum Parser {
    Quick(quick::Parser),
    Chains(Finder),
}

impl Deflater {
    /// At a level of 1 to 9.
    pub(crate) fn new(level: u8) -> Self {
        let level = &LEVELS[usize::from(level.clamp(1, 9)) - 1];
        let again = level.again;
        Self {
            level,
            parser: match level.parse {
                Parse::Quick(_) => Parser::Quick(quick::Parser::new()),
                Parse::Chains(_) => Parser::Chains(Finder::new()),
            },
            tokens: Tokens::new(),
            output: Output {
                bits: bits::Bits::default(),
                optimal: again.map(|(effort, passes)| Optimal::new(effort, passes)),
            },
        }
    }

    /// Parses one chunk from `at` on, and gives where it ends.
    fn chunk(&mut self, raw: &[u8], at: usize) -> usize {
        let tokens = &mut self.tokens;
        match (&mut self.parser, self.level.parse) {
            (Parser::Quick(parser), Parse::Quick(effort)) => {
                let to = raw.len().min(at + QUICK_CHUNK);
                tokens.extend(|counts| parser.parse(raw, at, to, effort, counts))
            }
            (Parser::Chains(finder), Parse::Chains(chains)) => {
                let to = raw.len().min(at + CHUNK);
                parse::parse(raw, at, to, &chains, finder, tokens)
            }
            _ => unreachable!("the parser was made for the level"),
        }
    }
}

impl BlockEncoder for Deflater {
    fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        match &mut self.parser {
            Parser::Quick(parser) => parser.clear(),
            Parser::Chains(finder) => finder.clear(),
        }
        self.tokens.clear();
        self.output.bits.clear();
        if let Some(optimal) = &mut self.output.optimal {
            optimal.clear();
        }
        let mut at = 0;
        while at < raw.len() {
            at = self.chunk(raw, at);
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
