//! The cheapest sequences for a block, once its symbols are known.

use std::ops::Range;

use super::block::Sequence;
use super::cost;
use super::finder::{Effort, Finder, Match, Step};
use super::symbols::{
    Counts, LENGTH_EXTRA, LENGTH_SLOT, MAX_MATCH, MIN_MATCH, dist_extra, dist_slot,
};

/// Parses blocks of one piece of input, in order.
pub(super) struct Optimal {
    finder: Finder,
    effort: Effort,
    /// How often; each time with the costs of what came of the time before.
    passes: u32,
    /// The matches of every position of the block, and where those of each begin.
    matches: Vec<Step>,
    starts: Vec<u32>,
    /// Costs to the end of the block, and the first step to there; a literal has length 1.
    best: Vec<(u32, Step)>,
    sequences: Vec<Sequence>,
    counts: Counts,
}

impl Optimal {
    pub(super) fn new(effort: Effort, passes: u32) -> Self {
        Self {
            finder: Finder::new(),
            effort,
            passes,
            matches: Vec::new(),
            starts: Vec::new(),
            best: Vec::new(),
            sequences: Vec::new(),
            counts: Counts::NONE,
        }
    }

    /// For another piece of input.
    pub(super) fn clear(&mut self) {
        self.finder.clear();
    }

    /// The sequences of `part`, when `counts` are about those of its symbols.
    pub(super) fn parse(
        &mut self,
        raw: &[u8],
        part: Range<usize>,
        counts: &Counts,
    ) -> (&[Sequence], &Counts) {
        self.matches.clear();
        self.starts.clear();
        let mut until = part.start;
        for at in part.clone() {
            self.starts.push(self.matches.len() as u32);
            if at < until {
                self.finder.skip(raw, at, at + 1);
                continue;
            }
            let length = self.finder.all(raw, at, self.effort, &mut self.matches);
            if length >= self.effort.nice {
                until = at + length;
            }
        }
        self.starts.push(self.matches.len() as u32);
        self.counts = counts.clone();
        for _ in 0..self.passes {
            self.search(&raw[part.clone()]);
            self.follow(&raw[part.clone()]);
        }
        (&self.sequences, &self.counts)
    }

    /// The cheapest way from each position to the end, from the last one on.
    fn search(&mut self, raw: &[u8]) {
        let costs = Costs::new(&self.counts);
        self.best.clear();
        self.best.resize(raw.len() + 1, (0, Step::default()));
        for at in (0..raw.len()).rev() {
            let literal = costs.litlen[usize::from(raw[at])] + self.best[at + 1].0;
            let mut best = (literal, Step::new(1, 0));
            let mut length = MIN_MATCH;
            for found in &self.matches[self.starts[at] as usize..self.starts[at + 1] as usize] {
                let dist = costs.dist[dist_slot(found.dist) & 31];
                let last = usize::from(found.length).min(raw.len() - at);
                while length <= last {
                    let cost = costs.lengths[length] + dist + self.best[at + length].0;
                    if cost < best.0 {
                        best = (cost, Step::new(length, usize::from(found.dist)));
                    }
                    length += 1;
                }
            }
            self.best[at] = best;
        }
    }

    /// Takes that way.
    fn follow(&mut self, raw: &[u8]) {
        self.sequences.clear();
        self.counts = Counts::NONE;
        let (mut at, mut literals) = (0, 0);
        while at < raw.len() {
            let step = self.best[at].1;
            let (length, dist) = (usize::from(step.length), usize::from(step.dist));
            if length < MIN_MATCH {
                self.counts.litlen[usize::from(raw[at])] += 1;
                literals += 1;
            } else {
                let sequence = Sequence::new(literals, Match { length, dist });
                self.counts.copy(sequence.length, sequence.dist);
                self.sequences.push(sequence);
                literals = 0;
            }
            at += length.max(1);
        }
        if literals > 0 {
            self.sequences.push(Sequence::new(literals, Match::NONE));
        }
    }
}

/// What a literal, a length and a distance cost, with the bits behind their symbols, in units of
/// 2^-6 bits.
struct Costs {
    litlen: [u32; 288],
    lengths: [u32; MAX_MATCH + 1],
    dist: [u32; 32],
}

impl Costs {
    fn new(counts: &Counts) -> Self {
        let mut costs = Self {
            litlen: [0; 288],
            lengths: [0; MAX_MATCH + 1],
            dist: [0; 32],
        };
        cost::symbols(&counts.litlen, &mut costs.litlen);
        cost::symbols(&counts.dist, &mut costs.dist);
        for (slot, length) in LENGTH_SLOT.iter().zip(&mut costs.lengths[MIN_MATCH..]) {
            let slot = usize::from(*slot);
            *length = costs.litlen[257 + slot] + (u32::from(LENGTH_EXTRA[slot]) << 6);
        }
        for (slot, dist) in costs.dist.iter_mut().enumerate() {
            *dist += (dist_extra(slot) as u32) << 6;
        }
        costs
    }
}
