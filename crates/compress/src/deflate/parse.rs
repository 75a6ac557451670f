//! From bytes to sequences: which of the matches found are taken.

use super::Level;
use super::finder::{Finder, Match};
use super::symbols::MAX_MATCH;
use super::tokens::Tokens;

/// Parses from `at` to the first border of a token at or behind `to`, and gives that.
pub(super) fn parse(
    raw: &[u8],
    mut at: usize,
    to: usize,
    level: &Level,
    finder: &mut Finder,
    tokens: &mut Tokens,
) -> usize {
    let (first, second) = (level.first, level.second);
    while at < to {
        let mut found = finder.longest(raw, at, 2, first);
        if found.length == 0 {
            tokens.literal(raw[at]);
            at += 1;
            continue;
        }
        let mut next = at + 1;
        while found.length < level.good {
            let other = finder.longest(raw, next, found.length - 1, second);
            next += 1;
            if other.length == 0 || !better(other, found) {
                break;
            }
            tokens.literal(raw[at]);
            at += 1;
            found = other;
        }
        let end = at + found.length;
        while found.length < MAX_MATCH
            && tokens.literals() > 0
            && found.dist < at
            && raw[at - 1] == raw[at - 1 - found.dist]
        {
            at -= 1;
            found.length += 1;
            tokens.take_back(raw[at]);
        }
        tokens.copy(found);
        enter(raw, next, end, level, finder);
        at = end;
    }
    at
}

/// Whether a match one byte further on is worth the literal.
#[inline(always)]
fn better(other: Match, found: Match) -> bool {
    4 * other.length + found.dist.ilog2() as usize
        > 4 * found.length + other.dist.ilog2() as usize + 2
}

/// Enters what a match covers: all of its ends, and every `stride`th position between.
#[inline(always)]
fn enter(raw: &[u8], from: usize, end: usize, level: &Level, finder: &mut Finder) {
    if end > from + 2 * level.ends {
        finder.skip(raw, from, from + level.ends, 1);
        finder.skip(raw, from + level.ends, end - level.ends, level.stride);
        finder.skip(raw, end - level.ends, end, 1);
    } else {
        finder.skip(raw, from, end, 1);
    }
}
