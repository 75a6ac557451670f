//! What symbols cost, before there is a code: by entropy, in whole numbers.

use super::symbols::Counts;

/// log2 in units of 2^-12 bits of 1 + i/256.
const LOG2: [u16; 256] = log2_table();

const fn log2_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        // By squaring: the integer part of the square's logarithm is the next bit.
        let mut x = (256 + index as u64) << 23; // 1.0 is 2^31
        let mut bits = 0;
        let mut n = 0;
        while n < 12 {
            x = (x * x) >> 31;
            bits <<= 1;
            if x >= 1 << 32 {
                x >>= 1;
                bits |= 1;
            }
            n += 1;
        }
        table[index] = bits;
        index += 1;
    }
    table
}

/// The base 2 logarithm of a number over 0, in units of 2^-12.
#[inline]
pub(super) const fn log2(number: u32) -> u64 {
    let top = number.ilog2();
    let mantissa = ((number as u64) << 32 >> top >> 24) & 255;
    (top as u64) << 12 | LOG2[mantissa as usize] as u64
}

/// What another header costs beside its symbols, in units of 2^-12 bits.
pub(super) const HEADER: u64 = 50 << 12;

/// What a symbol in use adds to the header, in the same units.
const SYMBOL: u64 = 4 << 12;

/// About how many bits, in units of 2^-12, the codes of a block with these counts take, with those
/// of its header.
pub(super) fn block(counts: &Counts) -> u64 {
    alphabet(&counts.litlen) + alphabet(&counts.dist)
}

fn alphabet(counts: &[u32]) -> u64 {
    let (mut all, mut known, mut header) = (0, 0, 0);
    for count in counts.iter().filter(|count| **count > 0) {
        all += count;
        known += u64::from(*count) * log2(*count);
        header += SYMBOL;
    }
    // Not less than what is known, since no count is more than all.
    header + u64::from(all) * log2(all.max(1)) - known
}

/// What each symbol costs, in units of 2^-6 bits; one that does not come, as if it came once.
pub(super) fn symbols(counts: &[u32], costs: &mut [u32]) {
    let all = log2(counts.iter().sum::<u32>().max(1));
    for (cost, count) in costs.iter_mut().zip(counts) {
        *cost = (all.saturating_sub(log2((*count).max(1))) >> 6) as u32;
    }
}
