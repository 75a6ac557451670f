//! Where the bytes at a position stood before.
//!
//! Positions are kept modulo 2^16. One that is older than that looks nearer than it is; that is
//! harmless, since a place counts only when its bytes are those that are looked for.

use super::FAR;
use super::symbols::{MAX_MATCH, WINDOW};

/// How many bytes a position must have before the end to be entered or to begin a match, so that
/// these can always be read.
pub(super) const READ: usize = 8;

const HEAD_BITS: u32 = 15;
const SHORT_BITS: u32 = 13;
const LONG_BITS: u32 = 14;

/// A match: how long, and how far back. The length is 0 where there is none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Match {
    pub(super) length: usize,
    pub(super) dist: usize,
}

impl Match {
    pub(super) const NONE: Self = Self { length: 0, dist: 0 };
}

/// How hard to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// How many places of a chain are looked at, at least one.
    pub(super) depth: u32,
    /// A match of so many bytes is not tried to better.
    pub(super) nice: usize,
}

/// The positions that were entered, found by hashes of what stands there.
pub(super) struct Finder {
    /// By four bytes, the position entered last.
    heads: Box<[u16; 1 << HEAD_BITS]>,
    /// By position modulo the window, how far before it the one stood that was entered before it
    /// with the same hash of four bytes, modulo 2^16.
    chain: Box<[u16; WINDOW]>,
    /// By eight bytes, the position entered last.
    longs: Box<[u16; 1 << LONG_BITS]>,
    /// By three bytes, the position looked at last.
    shorts: Box<[u16; 1 << SHORT_BITS]>,
}

#[inline(always)]
fn load8(data: &[u8], at: usize) -> u64 {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline(always)]
fn load4(data: &[u8], at: usize) -> u32 {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[inline(always)]
const fn hash_head(word: u64) -> usize {
    ((word as u32).wrapping_mul(0x9e37_79b1) >> (32 - HEAD_BITS)) as usize
}

#[inline(always)]
const fn hash_short(word: u64) -> usize {
    (((word as u32) << 8).wrapping_mul(0x9e37_79b1) >> (32 - SHORT_BITS)) as usize
}

#[inline(always)]
const fn hash_long(word: u64) -> usize {
    (word.wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - LONG_BITS)) as usize
}

/// How many bytes at `at` and `before` are the same, up to `most`, of which `known` are.
#[inline(always)]
fn extend(data: &[u8], before: usize, at: usize, known: usize, most: usize) -> usize {
    let mut length = known;
    while length + 8 <= most {
        let other = load8(data, before + length) ^ load8(data, at + length);
        if other != 0 {
            return length + (other.trailing_zeros() >> 3) as usize;
        }
        length += 8;
    }
    while length < most && data[before + length] == data[at + length] {
        length += 1;
    }
    length
}

/// Whether a distance is one of DEFLATE's, and within the piece.
#[inline(always)]
const fn reaches(dist: usize, at: usize) -> bool {
    dist.wrapping_sub(1) < WINDOW && dist <= at
}

impl Finder {
    #[expect(
        clippy::large_stack_arrays,
        reason = "64 KiB at most at a time, on their way to the heap"
    )]
    pub(super) fn new() -> Self {
        Self {
            heads: Box::new([0; 1 << HEAD_BITS]),
            chain: Box::new([0; WINDOW]),
            longs: Box::new([0; 1 << LONG_BITS]),
            shorts: Box::new([0; 1 << SHORT_BITS]),
        }
    }

    /// Forgets everything, for another piece of input: all places are the first one.
    pub(super) fn clear(&mut self) {
        self.heads.fill(0);
        self.chain.fill(0);
        self.longs.fill(0);
        self.shorts.fill(0);
    }

    /// Enters `at`, and gives how far back the last place stands with the same hash of four bytes.
    #[inline(always)]
    fn enter(&mut self, word: u64, at: usize) -> usize {
        let head = &mut self.heads[hash_head(word)];
        let dist = (at as u16).wrapping_sub(*head);
        *head = at as u16;
        self.chain[at & (WINDOW - 1)] = dist;
        self.longs[hash_long(word)] = at as u16;
        usize::from(dist)
    }

    /// Enters every position from `from` on, before `to`.
    #[inline(always)]
    pub(super) fn skip(&mut self, data: &[u8], from: usize, to: usize) {
        let to = to.min((data.len() + 1).saturating_sub(READ));
        let mut at = from;
        while at < to {
            self.enter(load8(data, at), at);
            at += 1;
        }
    }

    /// Enters `at`, and gives the longest match there that is longer than `than`, which is at least
    /// 2; of several of that length the one that is found first.
    #[inline(always)]
    pub(super) fn longest(&mut self, data: &[u8], at: usize, than: usize, effort: Effort) -> Match {
        let none = Match::NONE;
        if at + READ > data.len() {
            return none;
        }
        let word = load8(data, at);
        let most = MAX_MATCH.min(data.len() - at);
        let nice = effort.nice.min(most);
        let long = usize::from((at as u16).wrapping_sub(self.longs[hash_long(word)]));
        let short = &mut self.shorts[hash_short(word)];
        let near = usize::from((at as u16).wrapping_sub(*short));
        *short = at as u16;
        let mut dist = self.enter(word, at);

        let (mut length, mut found) = (than, 0);
        if than >= most {
            return none;
        }
        if reaches(long, at) && load8(data, at - long) == word {
            let here = extend(data, at - long, at, 8, most);
            if here > length {
                (length, found) = (here, long);
            }
        }
        if length < 3
            && near <= FAR
            && reaches(near, at)
            && (load4(data, at - near) ^ word as u32) << 8 == 0
        {
            (length, found) = (3, near);
        }
        let mut left = effort.depth;
        while length < nice && reaches(dist, at) {
            let before = at - dist;
            let probe = length.max(3) - 3;
            if load4(data, before + probe) == load4(data, at + probe) {
                let other = load8(data, before) ^ word;
                let here = if other == 0 {
                    extend(data, before, at, 8, most)
                } else {
                    (other.trailing_zeros() >> 3) as usize
                };
                if here > length.max(3) {
                    (length, found) = (here, dist);
                }
            }
            left -= 1;
            let step = usize::from(self.chain[before & (WINDOW - 1)]);
            if left == 0 || step == 0 {
                break;
            }
            dist += step;
        }
        if found == 0 {
            return none;
        }
        Match {
            length,
            dist: found,
        }
    }

    /// Enters `at`, and adds to `all` each match that is longer than those found before it, the
    /// shortest first; of more than [`MOST`] the last ones but one are left out. Gives the length
    /// of the longest.
    pub(super) fn all(
        &mut self,
        data: &[u8],
        at: usize,
        effort: Effort,
        all: &mut Vec<Step>,
    ) -> usize {
        if at + READ > data.len() {
            return 0;
        }
        let word = load8(data, at);
        let most = MAX_MATCH.min(data.len() - at);
        let nice = effort.nice.min(most);
        let short = &mut self.shorts[hash_short(word)];
        let near = usize::from((at as u16).wrapping_sub(*short));
        *short = at as u16;
        let mut dist = self.enter(word, at);
        let first = all.len();
        let mut length = 2;
        if reaches(near, at) && (load4(data, at - near) ^ word as u32) << 8 == 0 {
            length = 3;
            all.push(Step::new(length, near));
        }
        let mut left = effort.depth;
        while length < nice && reaches(dist, at) {
            let before = at - dist;
            let probe = length.max(3) - 3;
            if load4(data, before + probe) == load4(data, at + probe) {
                let here = extend(data, before, at, 0, most);
                if here > length.max(3) {
                    length = here;
                    if all.len() - first == MOST {
                        all.pop();
                    }
                    all.push(Step::new(length, dist));
                }
            }
            left -= 1;
            let step = usize::from(self.chain[before & (WINDOW - 1)]);
            if left == 0 || step == 0 {
                break;
            }
            dist += step;
        }
        length
    }
}

/// How many matches of one position are kept.
const MOST: usize = 16;

/// A match in half the room, or a literal, whose distance is 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) length: u16,
    pub(super) dist: u16,
}

impl Step {
    pub(super) const fn new(length: usize, dist: usize) -> Self {
        Self {
            length: length as u16,
            dist: dist as u16,
        }
    }
}
