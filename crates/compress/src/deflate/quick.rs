//! From bytes to sequences with little search: of every place there are kept the two last ones with
//! the same four bytes, and the four last ones with the same eight.
//!
//! A bucket is one number and its places its parts, so that all of them come by one access, and
//! those that do not match cost no branch each. Binaries, where little matches, stop at the first
//! two; text, where much does, finds long matches among the four.

use super::block::Sequence;
use super::finder::Match;
use super::parse::better;
use super::symbols::{Counts, MAX_MATCH};
use super::view::{SPAN, View, byte, extend, load4, load8, same};

/// How hard to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Which places with the same eight bytes are looked at, the lowest bit being the last one.
    first: u32,
    /// The same for a better match, a byte further on.
    second: u32,
    /// From this length on a match is taken without a look further on.
    good: usize,
    /// How many positions at the end of a match are entered, and every which before them.
    ends: usize,
    stride: usize,
    /// After 2^`patience` literals without a match, every other position is looked at, and so on.
    patience: u32,
}

impl Effort {
    pub(super) const fn new(
        (first, second): (u32, u32),
        good: usize,
        (ends, stride): (usize, usize),
        patience: u32,
    ) -> Self {
        Self {
            first: (1 << first) - 1,
            second: (1 << second) - 1,
            good,
            ends,
            stride,
            patience,
        }
    }
}

/// How many bytes a position must have before the end of the piece to be entered or to begin a
/// match.
const READ: usize = 8;

const PAIR_BITS: u32 = 14;
const FOUR_BITS: u32 = 13;

/// From where on the next view is taken, and how far behind that it begins: at a multiple of 2^16,
/// so that places are the same numbers in it, and with a window before what comes.
const TURN: usize = (1 << 16) + (1 << 15);
const STEP: usize = 1 << 16;

/// The most sequences of a chunk: each but the last one has four bytes or more.
const MOST: usize = 1 << 13;

/// Parses pieces of input in chunks of at most 2^14 bytes.
pub(super) struct Parser {
    places: Places,
    sequences: Box<[Sequence; MOST]>,
    /// Where the view begins.
    base: usize,
    /// The last view of a piece, when `copied`, with whatever stood there before behind its end.
    tail: Box<View>,
    copied: bool,
}

impl Parser {
    #[expect(
        clippy::large_stack_arrays,
        reason = "128 KiB at most at a time, on their way to the heap"
    )]
    pub(super) fn new() -> Self {
        Self {
            places: Places {
                pairs: Box::new([0; 1 << PAIR_BITS]),
                fours: Box::new([0; 1 << FOUR_BITS]),
            },
            sequences: Box::new([Sequence::new(0, Match::NONE); MOST]),
            base: 0,
            tail: Box::new([0; SPAN + 8]),
            copied: false,
        }
    }

    /// For another piece of input: all places are the first one.
    pub(super) fn clear(&mut self) {
        self.places.pairs.fill(0);
        self.places.fours.fill(0);
        (self.base, self.copied) = (0, false);
    }

    /// Parses from `at` to the first border of a token at or behind `to`, and gives that, with the
    /// sequences, whose symbols are added to `counts`.
    pub(super) fn parse(
        &mut self,
        raw: &[u8],
        at: usize,
        to: usize,
        effort: Effort,
        counts: &mut Counts,
    ) -> (usize, &[Sequence]) {
        if at - self.base >= TURN {
            (self.base, self.copied) = (self.base + STEP, false);
        }
        let rest = &raw[self.base..];
        let view = rest.first_chunk().unwrap_or_else(|| {
            if !self.copied {
                self.tail[..rest.len()].copy_from_slice(rest);
                self.copied = true;
            }
            &self.tail
        });
        let mut chunk = Chunk {
            view,
            len: rest.len().min(SPAN),
            places: &mut self.places,
            counts,
            sequences: &mut self.sequences,
            count: 0,
            literals: 0,
        };
        let end = chunk.parse(at - self.base, to - self.base, effort);
        let count = chunk.count;
        (self.base + end, &self.sequences[..count])
    }
}

/// The positions that were entered, modulo 2^16, by hashes of what stands there.
struct Places {
    /// By four bytes, the last two, the last one lowest.
    pairs: Box<[u32; 1 << PAIR_BITS]>,
    /// By eight bytes, the last four.
    fours: Box<[u64; 1 << FOUR_BITS]>,
}

impl Places {
    /// Enters `at`, and gives what was there before.
    #[inline(always)]
    fn enter(&mut self, word: u64, at: usize) -> (u32, u64) {
        let hash = (word as u32).wrapping_mul(0x9e37_79b1) >> (32 - PAIR_BITS);
        let slot = &mut self.pairs[hash as usize];
        let pair = *slot;
        *slot = pair << 16 | at as u32 & 0xffff;
        let hash = word.wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - FOUR_BITS);
        let slot = &mut self.fours[hash as usize];
        let four = *slot;
        *slot = four << 16 | at as u64 & 0xffff;
        (pair, four)
    }
}

/// Where the last place before `at` is with the low 15 bits of `place`, or the first place of all.
///
/// If it is not the one that was entered, that is harmless, since its bytes are compared.
#[inline(always)]
fn before(at: usize, place: u32) -> usize {
    let dist = (at as u32).wrapping_sub(place).wrapping_sub(1) & 0x7fff;
    at.saturating_sub(dist as usize + 1)
}

/// A chunk that is parsed; positions are those of the view.
struct Chunk<'a> {
    view: &'a View,
    /// Where the piece ends, if it does in the view.
    len: usize,
    places: &'a mut Places,
    counts: &'a mut Counts,
    sequences: &'a mut [Sequence; MOST],
    /// How many sequences there are.
    count: usize,
    /// How many literals there are behind the last one.
    literals: usize,
}

impl Chunk<'_> {
    fn parse(&mut self, mut at: usize, to: usize, effort: Effort) -> usize {
        let last = to.min((self.len + 1).saturating_sub(READ));
        if at == 0 && at < last {
            // Nothing is before it.
            self.literal(at);
            at = 1;
        }
        while at < last {
            let mut found = self.search(at, effort.first);
            if found.length == 0 {
                let more = self.literals >> effort.patience;
                self.literal(at);
                at += 1;
                if more > 0 {
                    let until = (at + more).min(last);
                    while at < until {
                        self.literal(at);
                        at += 1;
                    }
                }
                continue;
            }
            let mut next = at + 1;
            while found.length < effort.good && next < last {
                let other = if found.length < READ {
                    self.search(next, effort.second)
                } else {
                    self.longer(next, found.length, effort.second)
                };
                next += 1;
                if !better(other, found) {
                    break;
                }
                self.literal(at);
                at += 1;
                found = other;
            }
            let end = at + found.length;
            self.copy(at, found);
            self.enter(next, end, effort);
            at = end;
        }
        while at < to {
            self.literal(at);
            at += 1;
        }
        if self.literals > 0 {
            self.push(Match::NONE);
        }
        at
    }

    #[inline(always)]
    fn literal(&mut self, at: usize) {
        self.counts.litlen[usize::from(byte(self.view, at))] += 1;
        self.literals += 1;
    }

    #[inline(always)]
    fn push(&mut self, found: Match) {
        self.sequences[self.count & (MOST - 1)] = Sequence::new(self.literals as u32, found);
        self.count += 1;
        self.literals = 0;
    }

    /// Takes a match, with the literals before it that it covers too.
    #[inline(always)]
    fn copy(&mut self, mut at: usize, mut found: Match) {
        while found.length < MAX_MATCH
            && self.literals > 0
            && found.dist < at
            && byte(self.view, at - 1) == byte(self.view, at - 1 - found.dist)
        {
            at -= 1;
            found.length += 1;
            self.counts.litlen[usize::from(byte(self.view, at))] -= 1;
            self.literals -= 1;
        }
        self.counts.copy(found.length as u16, found.dist as u16);
        self.push(found);
    }

    /// Enters what a match covers.
    #[inline(always)]
    fn enter(&mut self, from: usize, end: usize, effort: Effort) {
        let end = end.min((self.len + 1).saturating_sub(READ));
        let border = end.saturating_sub(effort.ends);
        let mut at = from;
        while at < border {
            self.places.enter(load8(self.view, at), at);
            at += effort.stride;
        }
        at = border.max(from);
        while at < end {
            self.places.enter(load8(self.view, at), at);
            at += 1;
        }
    }

    /// Enters `at`, and gives a match of four bytes or more.
    #[inline(always)]
    fn search(&mut self, at: usize, which: u32) -> Match {
        let word = load8(self.view, at);
        let (pair, four) = self.places.enter(word, at);
        let (one, other) = (before(at, pair), before(at, pair >> 16));
        let length = same(load8(self.view, one), word);
        let other_length = same(load8(self.view, other), word);
        let (length, found) = if other_length > length {
            (other_length, other)
        } else {
            (length, one)
        };
        if length < 4 {
            return Match::NONE;
        }
        let hits = self.hits(at, word, four, which);
        if hits != 0 {
            return self.longest(at, four, hits, READ - 1);
        }
        let length = if length < READ {
            length
        } else {
            extend(self.view, found, at, self.most(at))
        };
        Match {
            length,
            dist: at - found,
        }
    }

    /// Enters `at`, and gives a match that is not shorter than `least`, which is eight bytes or
    /// more.
    #[inline(always)]
    fn longer(&mut self, at: usize, least: usize, which: u32) -> Match {
        let word = load8(self.view, at);
        let (_, four) = self.places.enter(word, at);
        let hits = self.hits(at, word, four, which);
        self.longest(at, four, hits, least - 1)
    }

    #[inline(always)]
    fn most(&self, at: usize) -> usize {
        MAX_MATCH.min(self.len - at)
    }

    /// Which of four places have the same eight bytes, and are to be looked at.
    #[inline(always)]
    fn hits(&self, at: usize, word: u64, four: u64, which: u32) -> u32 {
        let mut hits = 0;
        for index in 0..4 {
            let place = before(at, (four >> (16 * index)) as u32);
            hits |= u32::from(load8(self.view, place) == word) << index;
        }
        hits & which
    }

    /// The longest match at these places, the last of them if there are several; none if it is not
    /// longer than `than`, which is seven bytes or more.
    #[inline(always)]
    fn longest(&self, at: usize, four: u64, mut hits: u32, than: usize) -> Match {
        let most = self.most(at);
        let (mut length, mut found) = (than, at);
        while hits != 0 {
            let place = before(at, (four >> (16 * hits.trailing_zeros())) as u32);
            if load4(self.view, place + length - 3) == load4(self.view, at + length - 3) {
                let here = extend(self.view, place, at, most);
                if here > length {
                    (length, found) = (here, place);
                }
            }
            hits &= hits - 1;
        }
        if found == at {
            return Match::NONE;
        }
        Match {
            length,
            dist: at - found,
        }
    }
}
