//! `gzip-2` a second time, slow and plain, from `docs/determinism.md` § 5.3: not one trick for
//! speed, and nothing shared with the crate.

mod bits;
mod quick;

use std::ops::Range;

use bits::{cheapest, cost, stored, write};
use quick::Buckets;

/// How hard to look: places of a chain, and the length that ends a search.
type Effort = (u32, usize);

enum Parse {
    Quick(Quick),
    Chains(Chains),
}

struct Quick {
    first: usize,
    second: usize,
    good: usize,
    ends: usize,
    stride: usize,
    patience: u32,
}

struct Chains {
    first: Effort,
    second: Effort,
    good: usize,
}

struct Level {
    parse: Parse,
    longest: usize,
    again: Option<(Effort, u32)>,
}

#[rustfmt::skip]
const LEVELS: [Level; 9] = [
    quick(Quick { first: 1, second: 0, good: 0, ends: 0, stride: 8, patience: 4 }),
    quick(Quick { first: 1, second: 1, good: 6, ends: 1, stride: 4, patience: 4 }),
    quick(Quick { first: 2, second: 1, good: 8, ends: 1, stride: 3, patience: 4 }),
    quick(Quick { first: 4, second: 2, good: 12, ends: 1, stride: 4, patience: 4 }),
    quick(Quick { first: 4, second: 4, good: 20, ends: 1, stride: 3, patience: 4 }),
    quick(Quick { first: 4, second: 4, good: 64, ends: 1, stride: 1, patience: 6 }),
    chains((64, 258), (32, 258), 64, 300_000, None),
    chains((32, 130), (16, 130), 32, 131_072, Some(((32, 130), 1))),
    chains((64, 258), (32, 258), 64, 131_072, Some(((256, 258), 3))),
];

const fn quick(quick: Quick) -> Level {
    Level {
        parse: Parse::Quick(quick),
        longest: 300_000,
        again: None,
    }
}

const fn chains(
    first: Effort,
    second: Effort,
    good: usize,
    longest: usize,
    again: Option<(Effort, u32)>,
) -> Level {
    let parse = Parse::Chains(Chains {
        first,
        second,
        good,
    });
    Level {
        parse,
        longest,
        again,
    }
}

#[derive(Clone, Copy)]
enum Token {
    Literal(u8),
    Copy(usize, usize),
}

/// One block of the layer, as raw DEFLATE.
pub(crate) fn deflate(raw: &[u8], level: u8) -> Vec<u8> {
    let level = &LEVELS[usize::from(level) - 1];
    let (mut places, mut again) = (Places::new(), Places::new());
    let mut buckets = Buckets::new();
    let mut bits = Vec::new();
    let (mut block, mut from, mut chunk_from, mut at) = (Vec::new(), 0, 0, 0);
    while at < raw.len() {
        let (chunk, end) = match &level.parse {
            Parse::Quick(quick) => buckets.parse(raw, at, raw.len().min(at + 16_384), quick),
            Parse::Chains(chains) => parse(raw, at, raw.len().min(at + 8192), chains, &mut places),
        };
        let together = [&block[..], &chunk].concat();
        let apart = cost(&block) + cost(&chunk) + (50 << 12);
        if !block.is_empty() && (cost(&together) > apart || end - from > level.longest) {
            end_block(raw, from..chunk_from, &block, level, &mut again, &mut bits);
            (block, from) = (chunk, chunk_from);
        } else {
            block = together;
        }
        (chunk_from, at) = (end, end);
    }
    if !block.is_empty() {
        end_block(raw, from..at, &block, level, &mut again, &mut bits);
    }
    stored(&mut bits, &[]);
    let byte = |bits: &[bool]| {
        bits.iter()
            .rev()
            .fold(0, |byte, bit| byte << 1 | u8::from(*bit))
    };
    bits.chunks(8).map(byte).collect()
}

struct Places {
    heads: Vec<u16>,
    longs: Vec<u16>,
    shorts: Vec<u16>,
    chain: Vec<u16>,
}

fn number(raw: &[u8], at: usize, bytes: usize) -> u64 {
    let digits = raw[at..at + bytes].iter().rev();
    digits.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn hash4(raw: &[u8], at: usize) -> usize {
    ((number(raw, at, 4) * 0x9e37_79b1 % (1 << 32)) >> 17) as usize
}

fn hash3(raw: &[u8], at: usize) -> usize {
    (((number(raw, at, 3) << 8) * 0x9e37_79b1 % (1 << 32)) >> 19) as usize
}

fn hash8(raw: &[u8], at: usize) -> usize {
    ((u128::from(number(raw, at, 8)) * 0x9e37_79b1_85eb_ca87 % (1 << 64)) >> 50) as usize
}

/// How many bytes are the same at `at` and so far before it; 0 where nothing may be.
fn same(raw: &[u8], at: usize, dist: usize) -> usize {
    if dist == 0 || dist > 32_768 || dist > at {
        return 0;
    }
    let most = 258.min(raw.len() - at);
    (0..most)
        .take_while(|index| raw[at + index] == raw[at + index - dist])
        .count()
}

impl Places {
    fn new() -> Self {
        Self {
            heads: vec![0; 1 << 15],
            longs: vec![0; 1 << 14],
            shorts: vec![0; 1 << 13],
            chain: vec![0; 1 << 15],
        }
    }

    fn enter(&mut self, raw: &[u8], at: usize) {
        if at + 8 <= raw.len() {
            let head = &mut self.heads[hash4(raw, at)];
            self.chain[at % 32_768] = (at as u16).wrapping_sub(*head);
            *head = at as u16;
            self.longs[hash8(raw, at)] = at as u16;
        }
    }

    /// Distances to look at, in order: of eight bytes, of three, and those of the chain.
    fn look(&mut self, raw: &[u8], at: usize, depth: u32) -> (usize, usize, Vec<usize>) {
        let back = |place: u16| usize::from((at as u16).wrapping_sub(place));
        let long = back(self.longs[hash8(raw, at)]);
        let near = back(std::mem::replace(
            &mut self.shorts[hash3(raw, at)],
            at as u16,
        ));
        self.enter(raw, at);
        let (mut chain, mut dist) = (Vec::new(), usize::from(self.chain[at % 32_768]));
        while chain.len() < depth as usize && (1..=32_768.min(at)).contains(&dist) {
            chain.push(dist);
            match usize::from(self.chain[(at - dist) % 32_768]) {
                0 => break,
                step => dist += step,
            }
        }
        (long, near, chain)
    }

    fn longest(&mut self, raw: &[u8], at: usize, than: usize, effort: Effort) -> (usize, usize) {
        if at + 8 > raw.len() {
            return (0, 0);
        }
        let (long, near, chain) = self.look(raw, at, effort.0);
        let most = 258.min(raw.len() - at);
        if than >= most {
            return (0, 0);
        }
        let (mut length, mut found) = (than, 0);
        let here = same(raw, at, long);
        if here >= 8 && here > length {
            (length, found) = (here, long);
        }
        if length < 3 && near <= 2048 && same(raw, at, near) >= 3 {
            (length, found) = (3, near);
        }
        for dist in chain {
            if length >= effort.1.min(most) {
                break;
            }
            let here = same(raw, at, dist);
            if here > length.max(3) {
                (length, found) = (here, dist);
            }
        }
        if found == 0 { (0, 0) } else { (length, found) }
    }

    fn all(&mut self, raw: &[u8], at: usize, effort: Effort) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        if at + 8 > raw.len() {
            return all;
        }
        let (_, near, chain) = self.look(raw, at, effort.0);
        let mut length = 2;
        if same(raw, at, near) >= 3 {
            length = 3;
            all.push((3, near));
        }
        for dist in chain {
            if length >= effort.1.min(258).min(raw.len() - at) {
                break;
            }
            let here = same(raw, at, dist);
            if here > length.max(3) {
                length = here;
                all.truncate(15);
                all.push((here, dist));
            }
        }
        all
    }
}

/// Whether a match one byte further on is worth the literal.
fn better(other: (usize, usize), found: (usize, usize)) -> bool {
    let worth = |(length, dist): (usize, usize)| 4 * length + 16 - dist.ilog2() as usize;
    other.0 > 0 && worth(other) > worth(found) + 2
}

/// Takes a match at `at`, and with it the literals before that it covers as well.
fn take(raw: &[u8], at: &mut usize, found: (usize, usize), tokens: &mut Vec<Token>) {
    let (mut length, dist) = found;
    while let Some(Token::Literal(byte)) = tokens.last() {
        if length == 258 || dist >= *at || raw[*at - 1 - dist] != *byte {
            break;
        }
        tokens.pop();
        *at -= 1;
        length += 1;
    }
    tokens.push(Token::Copy(length, dist));
}

fn parse(
    raw: &[u8],
    mut at: usize,
    to: usize,
    level: &Chains,
    places: &mut Places,
) -> (Vec<Token>, usize) {
    let mut tokens = Vec::new();
    while at < to {
        let (mut length, mut dist) = places.longest(raw, at, 2, level.first);
        if length == 0 {
            tokens.push(Token::Literal(raw[at]));
            at += 1;
            continue;
        }
        let mut next = at + 1;
        while length < level.good {
            let other = places.longest(raw, next, length - 1, level.second);
            next += 1;
            if !better(other, (length, dist)) {
                break;
            }
            tokens.push(Token::Literal(raw[at]));
            at += 1;
            (length, dist) = other;
        }
        let end = at + length;
        take(raw, &mut at, (length, dist), &mut tokens);
        for place in next..end {
            places.enter(raw, place);
        }
        at = end;
    }
    (tokens, at)
}

fn end_block(
    raw: &[u8],
    part: Range<usize>,
    tokens: &[Token],
    level: &Level,
    places: &mut Places,
    bits: &mut Vec<bool>,
) {
    let raw_part = &raw[part.clone()];
    let Some((effort, passes)) = level.again else {
        return write(bits, raw_part, tokens);
    };
    let (mut all, mut until) = (Vec::new(), 0);
    for at in part.clone() {
        if at < until {
            places.enter(raw, at);
            all.push(Vec::new());
            continue;
        }
        all.push(places.all(raw, at, effort));
        let longest = all
            .last()
            .and_then(|all| all.last())
            .map_or(0, |(length, _)| *length);
        if longest >= effort.1 {
            until = at + longest;
        }
    }
    let mut tokens = tokens.to_vec();
    for _ in 0..passes {
        tokens = cheapest(raw_part, &all, &tokens);
    }
    write(bits, raw_part, &tokens);
}
