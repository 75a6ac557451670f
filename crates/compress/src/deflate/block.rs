//! One DEFLATE block: stored, with fixed codes or with codes of its own, whichever is shortest.

use super::bits::{Bits, Room};
use super::finder::Match;
use super::huffman;
use super::symbols::{
    Counts, DIST, END, LENGTH_BASE, LENGTH_EXTRA, LENGTH_SLOT, LITLEN, dist_base, dist_extra,
    dist_slot,
};

/// Some literals and then a match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Sequence {
    /// How many literals.
    pub(super) literals: u32,
    /// The length of the match; 0 when there is none.
    pub(super) length: u16,
    /// How far back it lies.
    pub(super) dist: u16,
}

impl Sequence {
    #[inline(always)]
    pub(super) const fn new(literals: u32, copy: Match) -> Self {
        Self {
            literals,
            length: copy.length as u16,
            dist: copy.dist as u16,
        }
    }
}

/// Longest code of a literal or length: four of them and seven bits fit into a word.
const LITLEN_LIMIT: u8 = 14;

/// Longest code of a distance.
const DIST_LIMIT: u8 = 15;

/// Longest code of a code length, RFC 1951 § 3.2.7.
const PRECODE_LIMIT: u8 = 7;

/// In which order the code lengths of code lengths are written, same section.
const PRECODE_ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Lengths of all codes of a block.
#[derive(Debug)]
pub(super) struct Lengths {
    pub(super) litlen: [u8; 288],
    pub(super) dist: [u8; 32],
}

impl Lengths {
    const FIXED: Self = {
        let mut litlen = [8; 288];
        let mut symbol = 144;
        while symbol < 280 {
            litlen[symbol] = if symbol < 256 { 9 } else { 7 };
            symbol += 1;
        }
        Self {
            litlen,
            dist: [5; 32],
        }
    };

    pub(super) const NONE: Self = Self {
        litlen: [0; 288],
        dist: [0; 32],
    };

    /// The best for these counts.
    pub(super) fn fit(&mut self, counts: &Counts) {
        huffman::lengths(&counts.litlen[..LITLEN], LITLEN_LIMIT, &mut self.litlen);
        huffman::lengths(&counts.dist[..DIST], DIST_LIMIT, &mut self.dist);
    }

    /// How many bits symbols that come so often take, with those that follow them.
    fn cost(&self, counts: &Counts) -> u64 {
        let mut cost = 0;
        for (symbol, (count, length)) in counts.litlen.iter().zip(self.litlen).enumerate() {
            let extra = symbol
                .checked_sub(257)
                .and_then(|slot| LENGTH_EXTRA.get(slot));
            cost += u64::from(*count) * u64::from(length + extra.unwrap_or(&0));
        }
        for (slot, (count, length)) in counts.dist.iter().zip(self.dist).enumerate() {
            cost += u64::from(*count) * (u64::from(length) + dist_extra(slot) as u64);
        }
        cost
    }
}

/// The lengths of a block's codes as they are written before it.
struct Header {
    litlen: usize,
    dist: usize,
    /// Symbol of the precode, and what follows it.
    items: Vec<(u8, u8)>,
    precode: [u8; 19],
    precodes: usize,
}

/// How many bits follow a symbol of the precode.
const fn precode_extra(symbol: u8) -> u32 {
    match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    }
}

impl Header {
    fn new(lengths: &Lengths) -> Self {
        let last = |lengths: &[u8], least: usize| {
            let used = lengths.iter().rposition(|length| *length > 0);
            used.map_or(least, |last| (last + 1).max(least))
        };
        let litlen = last(&lengths.litlen[..LITLEN], 257);
        let dist = last(&lengths.dist[..DIST], 1);
        let mut all = [0; LITLEN + DIST];
        all[..litlen].copy_from_slice(&lengths.litlen[..litlen]);
        all[litlen..litlen + dist].copy_from_slice(&lengths.dist[..dist]);
        let items = items(&all[..litlen + dist]);

        let mut counts = [0; 19];
        for (symbol, _) in &items {
            counts[usize::from(*symbol)] += 1;
        }
        let mut precode = [0; 19];
        huffman::lengths(&counts, PRECODE_LIMIT, &mut precode);
        let last = PRECODE_ORDER
            .iter()
            .rposition(|symbol| precode[*symbol] > 0);
        Self {
            litlen,
            dist,
            items,
            precode,
            precodes: last.map_or(4, |last| (last + 1).max(4)),
        }
    }

    /// How many bits it takes.
    fn cost(&self) -> u64 {
        let items = self.items.iter().map(|(symbol, _)| {
            u64::from(self.precode[usize::from(*symbol)]) + u64::from(precode_extra(*symbol))
        });
        14 + 3 * self.precodes as u64 + items.sum::<u64>()
    }

    fn write(&self, bits: &mut Bits) {
        bits.write(self.litlen as u64 - 257, 5);
        bits.write(self.dist as u64 - 1, 5);
        bits.write(self.precodes as u64 - 4, 4);
        for symbol in &PRECODE_ORDER[..self.precodes] {
            bits.write(u64::from(self.precode[*symbol]), 3);
        }
        let mut codes = [0; 19];
        huffman::codes(&self.precode, &mut codes);
        for (symbol, extra) in &self.items {
            let index = usize::from(*symbol);
            bits.put(u64::from(codes[index]), u32::from(self.precode[index]));
            bits.write(u64::from(*extra), precode_extra(*symbol));
        }
    }
}

/// Code lengths as symbols of the precode: runs are taken as long as they can be.
fn items(lengths: &[u8]) -> Vec<(u8, u8)> {
    let mut items = Vec::with_capacity(lengths.len());
    for run in lengths.chunk_by(|one, other| one == other) {
        let (length, mut left) = (run[0], run.len());
        if length > 0 {
            items.push((length, 0));
            left -= 1;
        }
        while left >= 3 {
            let (symbol, least, most) = match (length, left) {
                (0, 11..) => (18, 11, 138),
                (0, _) => (17, 3, 10),
                _ => (16, 3, 6),
            };
            let now = left.min(most);
            items.push((symbol, (now - least) as u8));
            left -= now;
        }
        items.extend((0..left).map(|_| (length, 0)));
    }
    items
}

/// Writes `raw`, which `sequences` are all of, as one block or as several stored ones. `counts` are
/// those of the sequences, without the end.
pub(super) fn write(bits: &mut Bits, raw: &[u8], sequences: &[Sequence], counts: &Counts) {
    let mut counts = counts.clone();
    counts.litlen[END] = 1;
    let mut own = Lengths::NONE;
    own.fit(&counts);
    let header = Header::new(&own);
    let costs = [
        stored_cost(bits.position(), raw.len()),
        3 + Lengths::FIXED.cost(&counts),
        3 + header.cost() + own.cost(&counts),
    ];
    if costs[0] <= costs[1].min(costs[2]) {
        return stored(bits, raw);
    }
    if costs[1] <= costs[2] {
        bits.write(0b010, 3);
        coded(bits, raw, sequences, &Lengths::FIXED);
    } else {
        bits.write(0b100, 3);
        header.write(bits);
        coded(bits, raw, sequences, &own);
    }
}

/// The most that one stored block holds.
const STORED: usize = 65_535;

fn stored_cost(position: u64, len: usize) -> u64 {
    let blocks = len.div_ceil(STORED).max(1) as u64;
    let first = (position + 3).next_multiple_of(8) + 32 - position;
    first + 40 * (blocks - 1) + 8 * len as u64
}

fn stored(bits: &mut Bits, raw: &[u8]) {
    for part in raw.chunks(STORED) {
        bits.write(0b000, 3);
        bits.align();
        bits.bytes(&(part.len() as u16).to_le_bytes());
        bits.bytes(&(!(part.len() as u16)).to_le_bytes());
        bits.bytes(part);
    }
}

/// Ends at the border of a byte, by an empty stored block.
pub(super) fn sync(bits: &mut Bits) {
    bits.write(0b000, 3);
    bits.align();
    bits.bytes(&[0x00, 0x00, 0xff, 0xff]);
}

/// A code in the upper 24 bits, its length in the lower 8.
type Packed = u32;

fn pack(codes: &[u16], lengths: &[u8], packed: &mut [Packed]) {
    for ((packed, code), length) in packed.iter_mut().zip(codes).zip(lengths) {
        *packed = u32::from(*code) << 8 | u32::from(*length);
    }
}

fn coded(bits: &mut Bits, raw: &[u8], sequences: &[Sequence], lengths: &Lengths) {
    let (mut litlen_codes, mut dist_codes) = ([0; 288], [0; 32]);
    huffman::codes(&lengths.litlen, &mut litlen_codes);
    huffman::codes(&lengths.dist, &mut dist_codes);
    let (mut litlen, mut dists) = ([0; 288], [0; 32]);
    pack(&litlen_codes, &lengths.litlen, &mut litlen);
    pack(&dist_codes, &lengths.dist, &mut dists);
    // Each length with the bits that follow its symbol.
    let mut copies = [0; 256];
    for (length, copy) in copies.iter_mut().enumerate() {
        let slot = usize::from(LENGTH_SLOT[length]);
        let packed = litlen[257 + slot];
        let extra = length as u32 - u32::from(LENGTH_BASE[slot]);
        let shift = packed & 0xff;
        *copy = (packed >> 8 | extra << shift) << 8 | (shift + u32::from(LENGTH_EXTRA[slot]));
    }

    // A literal takes at most 14 bits, and a match at most 47 for three bytes or more.
    let mut room = bits.room(2 * raw.len() + 16);
    let mut rest = raw;
    for sequence in sequences {
        let literals = (sequence.literals as usize).min(rest.len());
        literal_codes(&mut room, rest, literals, &litlen);
        rest = &rest[literals..];
        if sequence.length > 0 {
            room.put(copies[usize::from((sequence.length as u8).wrapping_sub(3))]);
            let slot = dist_slot(sequence.dist) & 31;
            room.put(dists[slot]);
            let extra = usize::from(sequence.dist) - 1 - dist_base(slot);
            room.put((extra as u32) << 8 | dist_extra(slot) as u32);
            room.spill();
            rest = rest.get(usize::from(sequence.length)..).unwrap_or_default();
        }
    }
    room.put(litlen[END]);
    room.spill();
    let left = room.leave();
    bits.leave(left);
}

/// Adds the codes of the first `count` bytes of `rest`.
#[inline(always)]
fn literal_codes(room: &mut Room<'_>, mut rest: &[u8], mut count: usize, codes: &[Packed; 288]) {
    while count > 4 {
        let Some((four, behind)) = rest.split_first_chunk::<4>() else {
            break;
        };
        for byte in four {
            room.put(codes[usize::from(*byte)]);
        }
        room.spill();
        (rest, count) = (behind, count - 4);
    }
    if let Some(four) = rest.first_chunk::<4>() {
        // No branch for how many there are, which nobody can guess.
        for (index, byte) in four.iter().enumerate() {
            let code = codes[usize::from(*byte)];
            room.put(if index < count { code } else { 0 });
        }
    } else {
        for byte in &rest[..count] {
            room.put(codes[usize::from(*byte)]);
        }
    }
    room.spill();
}
