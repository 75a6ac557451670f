//! The levels that look at few places.

use super::{Quick, Token, better, number, same, take};

/// The last places with the same four bytes, and with the same eight, the last one first.
pub(super) struct Buckets {
    pairs: Vec<[u16; 2]>,
    fours: Vec<[u16; 4]>,
}

fn hash4(raw: &[u8], at: usize) -> usize {
    ((number(raw, at, 4) * 0x9e37_79b1 % (1 << 32)) >> 18) as usize
}

fn hash8(raw: &[u8], at: usize) -> usize {
    ((u128::from(number(raw, at, 8)) * 0x9e37_79b1_85eb_ca87 % (1 << 64)) >> 51) as usize
}

/// How far before `at` a place is.
fn back(at: usize, place: u16) -> usize {
    let dist = (at as u16).wrapping_sub(place).wrapping_sub(1) % 32_768;
    at.min(usize::from(dist) + 1)
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self {
            pairs: vec![[0; 2]; 1 << 14],
            fours: vec![[0; 4]; 1 << 13],
        }
    }

    fn enter(&mut self, raw: &[u8], at: usize) {
        let pair = &mut self.pairs[hash4(raw, at)];
        *pair = [at as u16, pair[0]];
        let four = &mut self.fours[hash8(raw, at)];
        *four = [at as u16, four[0], four[1], four[2]];
    }

    /// A match for one that is `than` bytes long, or for none.
    fn search(&mut self, raw: &[u8], at: usize, than: usize, places: usize) -> (usize, usize) {
        let pair = self.pairs[hash4(raw, at)].map(|place| back(at, place));
        let four = self.fours[hash8(raw, at)].map(|place| back(at, place));
        self.enter(raw, at);
        let mut best = (0, 0);
        if than < 8 {
            for dist in pair {
                let here = same(raw, at, dist).min(8);
                if here > best.0 {
                    best = (here, dist);
                }
            }
            if best.0 < 4 {
                return (0, 0);
            }
        }
        let mut long = (0, 0);
        for dist in four.into_iter().take(places) {
            let here = same(raw, at, dist);
            if here >= 8 && here > long.0 {
                long = (here, dist);
            }
        }
        if than >= 8 {
            return if long.0 >= than { long } else { (0, 0) };
        }
        if long.0 > 0 {
            return long;
        }
        (same(raw, at, best.1), best.1)
    }

    pub(super) fn parse(
        &mut self,
        raw: &[u8],
        mut at: usize,
        to: usize,
        level: &Quick,
    ) -> (Vec<Token>, usize) {
        let mut tokens = Vec::new();
        let end = (raw.len() + 1).saturating_sub(8);
        let mut literals = 0;
        while at < to.min(end) {
            let mut found = (0, 0);
            if at > 0 {
                found = self.search(raw, at, 0, level.first);
            }
            if found.0 == 0 {
                let count = 1 + (literals >> level.patience);
                for byte in &raw[at..to.min(end).min(at + count)] {
                    tokens.push(Token::Literal(*byte));
                    literals += 1;
                    at += 1;
                }
                continue;
            }
            let mut next = at + 1;
            while found.0 < level.good && next < to.min(end) {
                let other = self.search(raw, next, found.0, level.second);
                next += 1;
                if !better(other, found) {
                    break;
                }
                tokens.push(Token::Literal(raw[at]));
                at += 1;
                found = other;
            }
            let behind = at + found.0;
            take(raw, &mut at, found, &mut tokens);
            literals = 0;
            let border = behind.min(end).saturating_sub(level.ends);
            for place in next..behind.min(end) {
                if place >= border || (place - next).is_multiple_of(level.stride) {
                    self.enter(raw, place);
                }
            }
            at = behind;
        }
        for byte in &raw[at.min(to)..to] {
            tokens.push(Token::Literal(*byte));
            at += 1;
        }
        (tokens, at)
    }
}
