//! The alphabets of RFC 1951 § 3.2.5: which symbol stands for a length or a distance, and the bits
//! behind it.

/// The shortest match that DEFLATE can say, in bytes.
pub(super) const MIN_MATCH: usize = 3;

/// The longest, in bytes.
pub(super) const MAX_MATCH: usize = 258;

/// How far back a match may lie, in bytes.
pub(super) const WINDOW: usize = 1 << 15;

/// Literals, the end of a block, lengths.
pub(super) const LITLEN: usize = 286;

/// Distances.
pub(super) const DIST: usize = 30;

/// The symbol that ends a block.
pub(super) const END: usize = 256;

/// How many bits follow a length symbol, from 257 on.
pub(super) const LENGTH_EXTRA: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];

/// The shortest length of each length symbol, less 3.
pub(super) const LENGTH_BASE: [u8; 29] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128,
    160, 192, 224, 255,
];

/// By length less 3: the symbol less 257.
pub(super) const LENGTH_SLOT: [u8; 256] = length_slots();

const fn length_slots() -> [u8; 256] {
    let mut slots = [0; 256];
    let (mut length, mut slot) = (0, 0);
    while length < 256 {
        // 258 has a symbol of its own.
        if slot < 28 && length == LENGTH_BASE[slot as usize + 1] as usize {
            slot += 1;
        }
        slots[length] = slot;
        length += 1;
    }
    slots
}

/// The symbol of a distance of 1 to 32,768.
#[inline]
pub(super) const fn dist_slot(dist: u16) -> usize {
    let dist = dist.wrapping_sub(1) as usize & (WINDOW - 1);
    if dist < 2 {
        return dist;
    }
    let top = dist.ilog2() as usize;
    2 * top + (dist >> (top - 1) & 1)
}

/// How many bits follow a distance symbol.
#[inline]
pub(super) const fn dist_extra(slot: usize) -> usize {
    if slot < 2 { 0 } else { slot / 2 - 1 }
}

/// The shortest distance of a symbol, less 1.
#[inline]
pub(super) const fn dist_base(slot: usize) -> usize {
    if slot < 2 {
        slot
    } else {
        (2 + (slot & 1)) << (slot / 2 - 1)
    }
}

/// How often each symbol comes.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    /// Of literals, end and lengths; two more than there are, so that no index needs a check.
    pub(super) litlen: [u32; 288],
    /// Of distances.
    pub(super) dist: [u32; 32],
}

impl Counts {
    pub(super) const NONE: Self = Self {
        litlen: [0; 288],
        dist: [0; 32],
    };

    #[inline]
    pub(super) fn copy(&mut self, length: u16, dist: u16) {
        let slot = LENGTH_SLOT[usize::from((length as u8).wrapping_sub(3))];
        self.litlen[257 + usize::from(slot & 31).min(28)] += 1;
        self.dist[dist_slot(dist) & 31] += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (here, there) in self.litlen.iter_mut().zip(&other.litlen) {
            *here += there;
        }
        for (here, there) in self.dist.iter_mut().zip(&other.dist) {
            *here += there;
        }
    }
}
