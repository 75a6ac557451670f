//! Prefix codes of least total length, none longer than a limit.

/// Replaces `lengths` with those of an optimal code for `counts`; 0 for symbols that do not come.
///
/// A single symbol has one bit, and its code is completed by the first other symbol, since some
/// readers refuse a code that is not complete; without any symbol the first two have one.
pub(super) fn lengths(counts: &[u32], limit: u8, lengths: &mut [u8]) {
    lengths.fill(0);
    // At most 288 symbols, and counts below 2^27: both fit into one word that sorts right.
    let mut leaves = [0_u64; 288];
    let mut used = 0;
    for (symbol, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        leaves[used] = u64::from(*count) << 16 | symbol as u64;
        used += 1;
    }
    if used < 2 {
        let only = (leaves[0] & 0xffff) as usize;
        lengths[only] = 1;
        lengths[usize::from(only == 0)] = 1;
        return;
    }
    let leaves = &mut leaves[..used];
    leaves.sort_unstable();
    let mut depths = [0_u8; 288];
    if !huffman(leaves, limit, &mut depths) {
        package_merge(leaves, limit, &mut depths);
    }
    for (leaf, depth) in leaves.iter().zip(depths) {
        lengths[(leaf & 0xffff) as usize] = depth;
    }
}

/// Huffman's own algorithm with two queues, a leaf before a tree of the same weight; false when a
/// code is longer than `limit`. `leaves` are sorted.
fn huffman(leaves: &[u64], limit: u8, depths: &mut [u8; 288]) -> bool {
    let used = leaves.len();
    let mut weights = [0_u64; 288];
    let mut parents = [0_u16; 576];
    let (mut leaf, mut tree) = (0, 0);
    for made in 0..used - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let take_leaf = leaf < used && (tree == made || leaves[leaf] >> 16 <= weights[tree]);
            let node = if take_leaf {
                weight += leaves[leaf] >> 16;
                leaf += 1;
                leaf - 1
            } else {
                weight += weights[tree];
                tree += 1;
                used + tree - 1
            };
            parents[node] = (used + made) as u16;
        }
        weights[made] = weight;
    }
    // The root is the last; each parent stands behind its children.
    let mut heights = [0_u16; 576];
    for node in (0..2 * used - 2).rev() {
        heights[node] = heights[usize::from(parents[node])] + 1;
    }
    let fits = heights[..used]
        .iter()
        .all(|height| *height <= u16::from(limit));
    for (depth, height) in depths.iter_mut().zip(&heights[..used]) {
        *depth = *height as u8;
    }
    fits
}

/// Larmore and Hirschberg's package-merge, a leaf before a package of the same weight: `limit`
/// rows, each the leaves merged with pairs of the row before.
fn package_merge(leaves: &[u64], limit: u8, depths: &mut [u8; 288]) {
    let used = leaves.len();
    // Of each row, which items are leaves; of the last one, the weights.
    let mut rows: Vec<Vec<bool>> = Vec::new();
    let mut weights: Vec<u64> = Vec::new();
    for _ in 0..limit {
        let packages: Vec<u64> = weights
            .chunks_exact(2)
            .map(|pair| pair[0] + pair[1])
            .collect();
        let (mut leaf, mut package) = (0, 0);
        let mut row = Vec::with_capacity(used + packages.len());
        weights = Vec::with_capacity(used + packages.len());
        while leaf < used || package < packages.len() {
            let take_leaf = leaf < used
                && packages
                    .get(package)
                    .is_none_or(|weight| leaves[leaf] >> 16 <= *weight);
            row.push(take_leaf);
            if take_leaf {
                weights.push(leaves[leaf] >> 16);
                leaf += 1;
            } else {
                weights.push(packages[package]);
                package += 1;
            }
        }
        rows.push(row);
    }
    depths[..used].fill(0);
    let mut taken = 2 * used - 2;
    for row in rows.iter().rev() {
        let leaves = row[..taken].iter().filter(|leaf| **leaf).count();
        for depth in &mut depths[..leaves] {
            *depth += 1;
        }
        taken = 2 * (taken - leaves);
    }
}

/// The canonical code of these lengths (RFC 1951 § 3.2.2), its bits reversed as they are written.
pub(super) fn codes(lengths: &[u8], codes: &mut [u16]) {
    let mut next = [0_u32; 17];
    for length in lengths {
        next[usize::from(length & 15) + 1] += 1;
    }
    // No code has length 0.
    next[1] = 0;
    for length in 1..16 {
        next[length + 1] = (next[length] + next[length + 1]) << 1;
    }
    // Now `next[length]` is the first code of that length.
    for (code, length) in codes.iter_mut().zip(lengths) {
        let length = usize::from(length & 15);
        *code = 0;
        if length > 0 {
            *code = (next[length] as u16).reverse_bits() >> (16 - length);
            next[length] += 1;
        }
    }
}
