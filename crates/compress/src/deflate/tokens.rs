//! Sequences that wait to be written, and where one DEFLATE block ends and the next begins.

use super::bits::Bits;
use super::block::{self, Sequence};
use super::cost;
use super::finder::Match;
use super::optimal::Optimal;
use super::symbols::Counts;

/// Sequences in chunks: a block is made of whole chunks.
pub(super) struct Tokens {
    sequences: Vec<Sequence>,
    /// Literals behind the last sequence.
    literals: u32,
    /// Of the chunk that is not ended yet.
    chunk: Counts,
    /// Of the chunks before it, back to the last block.
    block: Counts,
    block_cost: u64,
    /// How many sequences the block has.
    ended: usize,
    /// Where the block begins.
    from: usize,
    /// Where the chunk begins.
    to: usize,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            sequences: Vec::new(),
            literals: 0,
            chunk: Counts::NONE,
            block: Counts::NONE,
            block_cost: 0,
            ended: 0,
            from: 0,
            to: 0,
        }
    }

    /// How many literals came since the last match or end of a chunk.
    #[inline(always)]
    pub(super) fn literals(&self) -> u32 {
        self.literals
    }

    #[inline(always)]
    pub(super) fn literal(&mut self, byte: u8) {
        self.chunk.litlen[usize::from(byte)] += 1;
        self.literals += 1;
    }

    /// Takes the last literal back.
    #[inline(always)]
    pub(super) fn take_back(&mut self, byte: u8) {
        self.chunk.litlen[usize::from(byte)] -= 1;
        self.literals -= 1;
    }

    #[inline(always)]
    pub(super) fn copy(&mut self, found: Match) {
        let sequence = Sequence::new(self.literals, found);
        self.chunk.copy(sequence.length, sequence.dist);
        self.sequences.push(sequence);
        self.literals = 0;
    }

    /// Adds sequences that were counted already, and gives where they end.
    pub(super) fn extend<'a>(
        &mut self,
        parse: impl FnOnce(&mut Counts) -> (usize, &'a [Sequence]),
    ) -> usize {
        let (at, sequences) = parse(&mut self.chunk);
        self.sequences.extend_from_slice(sequences);
        at
    }

    /// Ends the chunk at `at`. It joins the block if that is shorter than another header, else the
    /// block is written and the chunk begins the next.
    pub(super) fn end_chunk(&mut self, raw: &[u8], at: usize, longest: usize, out: &mut Output) {
        if self.literals > 0 {
            self.sequences
                .push(Sequence::new(self.literals, Match::NONE));
            self.literals = 0;
        }
        let mut joined = self.block.clone();
        joined.add(&self.chunk);
        let (joined_cost, chunk_cost) = (cost::block(&joined), cost::block(&self.chunk));
        let apart = self.block_cost + chunk_cost + cost::HEADER;
        if self.ended > 0 && (joined_cost > apart || at - self.from > longest) {
            self.end_block(raw, out);
            self.block = self.chunk.clone();
            self.block_cost = chunk_cost;
        } else {
            self.block = joined;
            self.block_cost = joined_cost;
        }
        self.chunk = Counts::NONE;
        self.ended = self.sequences.len();
        self.to = at;
    }

    /// Writes the chunks that were ended, if any.
    pub(super) fn end_block(&mut self, raw: &[u8], out: &mut Output) {
        if self.ended > 0 {
            let sequences = &self.sequences[..self.ended];
            out.write(raw, self.from..self.to, sequences, &self.block);
            self.sequences.drain(..self.ended);
        }
        (self.ended, self.from) = (0, self.to);
        self.block = Counts::NONE;
        self.block_cost = 0;
    }

    /// For another piece of input; everything was written.
    pub(super) fn clear(&mut self) {
        (self.from, self.to) = (0, 0);
    }
}

/// Where blocks go.
pub(super) struct Output {
    pub(super) bits: Bits,
    /// Parses a block anew, now that it is known what is in it.
    pub(super) optimal: Option<Optimal>,
}

impl Output {
    fn write(
        &mut self,
        raw: &[u8],
        part: std::ops::Range<usize>,
        sequences: &[Sequence],
        counts: &Counts,
    ) {
        if let Some(optimal) = &mut self.optimal {
            let (sequences, counts) = optimal.parse(raw, part.clone(), counts);
            block::write(&mut self.bits, &raw[part], sequences, counts);
        } else {
            block::write(&mut self.bits, &raw[part], sequences, counts);
        }
    }
}
