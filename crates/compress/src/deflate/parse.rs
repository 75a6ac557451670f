//! From bytes to sequences: which of the matches found are taken.

use super::finder::{Effort, Finder, Match};
use super::symbols::MAX_MATCH;
use super::tokens::Tokens;

/// How hard to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chains {
    /// For a match.
    pub(super) first: Effort,
    /// For a better one, a byte further on.
    pub(super) second: Effort,
    /// From this length on a match is taken without a look further on.
    pub(super) good: usize,
}

/// Parses from `at` to the first border of a token at or behind `to`, and gives that.
pub(super) fn parse(
    raw: &[u8],
    mut at: usize,
    to: usize,
    level: &Chains,
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
            if !better(other, found) {
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
        finder.skip(raw, next, end);
        at = end;
    }
    at
}

/// Whether there is a match one byte further on that is worth the literal.
#[inline(always)]
pub(super) fn better(other: Match, found: Match) -> bool {
    other.length > 0
        && 4 * other.length + found.dist.ilog2() as usize
            > 4 * found.length + other.dist.ilog2() as usize + 2
}
