//! Symbols, what they cost, and how they are written.

use super::Token;

fn length_symbol(length: usize) -> (usize, u32, u32) {
    let index = length as u32 - 3;
    match index {
        255 => (285, 0, 0),
        0..8 => (257 + index as usize, 0, 0),
        _ => {
            let extra = index.ilog2() - 2;
            (
                257 + 4 * extra as usize + (index >> extra) as usize,
                extra,
                index % (1 << extra),
            )
        }
    }
}

fn dist_symbol(dist: usize) -> (usize, u32, u32) {
    let index = dist as u32 - 1;
    if index < 4 {
        return (index as usize, 0, 0);
    }
    let extra = index.ilog2() - 1;
    let slot = 2 * extra as usize + (index >> extra) as usize;
    (slot, extra, index % (1 << extra))
}

fn count(tokens: &[Token]) -> (Vec<u32>, Vec<u32>) {
    let (mut litlen, mut dists) = (vec![0; 286], vec![0; 30]);
    for token in tokens {
        match *token {
            Token::Literal(byte) => litlen[usize::from(byte)] += 1,
            Token::Copy(length, dist) => {
                litlen[length_symbol(length).0] += 1;
                dists[dist_symbol(dist).0] += 1;
            }
        }
    }
    (litlen, dists)
}

/// In units of 2^-12.
fn log2(number: u32) -> u64 {
    let top = number.ilog2();
    let mut x = (256 + u64::from(number) * (1 << 8) / (1 << top) % 256) << 23;
    (0..12).fold(u64::from(top), |log, _| {
        x = (x * x) >> 31;
        let bit = x >> 32;
        x >>= bit;
        2 * log + bit
    })
}

pub(super) fn cost(tokens: &[Token]) -> u64 {
    let (litlen, dists) = count(tokens);
    let one = |counts: &[u32]| -> u64 {
        let all = counts.iter().sum::<u32>().max(1);
        let used = counts.iter().filter(|count| **count > 0);
        let known = used.clone().map(|count| u64::from(*count) * log2(*count));
        u64::from(all) * log2(all) - known.sum::<u64>() + ((used.count() as u64) << 14)
    };
    one(&litlen) + one(&dists)
}

/// The tokens that cost least, when symbols cost what they would in a code for `tokens`.
pub(super) fn cheapest(raw: &[u8], all: &[Vec<(usize, usize)>], tokens: &[Token]) -> Vec<Token> {
    let (litlen, dists) = count(tokens);
    let price = |counts: &[u32], symbol: usize| {
        let all = log2(counts.iter().sum::<u32>().max(1));
        all.saturating_sub(log2(counts[symbol].max(1))) >> 6
    };
    let litlen: Vec<u64> = (0..286).map(|symbol| price(&litlen, symbol)).collect();
    let dists: Vec<u64> = (0..30).map(|symbol| price(&dists, symbol)).collect();
    let mut best = vec![(0, Token::Literal(0)); raw.len() + 1];
    for at in (0..raw.len()).rev() {
        let literal = litlen[usize::from(raw[at])] + best[at + 1].0;
        best[at] = (literal, Token::Literal(raw[at]));
        for length in 3..=258.min(raw.len() - at) {
            let Some((_, dist)) = all[at].iter().find(|(longest, _)| *longest >= length) else {
                break;
            };
            let (one, other) = (length_symbol(length), dist_symbol(*dist));
            let extra = u64::from(one.1 + other.1) << 6;
            let price = litlen[one.0] + dists[other.0] + extra + best[at + length].0;
            if price < best[at].0 {
                best[at] = (price, Token::Copy(length, *dist));
            }
        }
    }
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < raw.len() {
        tokens.push(best[at].1);
        at += match best[at].1 {
            Token::Literal(_) => 1,
            Token::Copy(length, _) => length,
        };
    }
    tokens
}

/// A node: its weight, whether it is made of others, and which leaves are below it.
type Node = (u64, bool, Vec<usize>);

/// Takes the lightest: leaves first, then those made first.
fn lightest(nodes: &mut Vec<Node>) -> Node {
    let keys = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (node.0, node.1, index));
    let (_, _, index) = keys.min().expect("there are some");
    nodes.remove(index)
}

fn code_lengths(counts: &[u32], limit: usize) -> Vec<usize> {
    let mut lengths = vec![0; counts.len()];
    let mut used: Vec<usize> = (0..counts.len())
        .filter(|symbol| counts[*symbol] > 0)
        .collect();
    used.sort_by_key(|symbol| counts[*symbol]);
    if used.len() < 2 {
        let only = used.first().copied().unwrap_or(0);
        lengths[only] = 1;
        lengths[usize::from(only == 0)] = 1;
        return lengths;
    }
    let leaf = |symbol: &usize| (u64::from(counts[*symbol]), false, vec![*symbol]);
    let leaves: Vec<Node> = used.iter().map(leaf).collect();
    let mut nodes = leaves.clone();
    while nodes.len() > 1 {
        let (one, other) = (lightest(&mut nodes), lightest(&mut nodes));
        let below = [one.2, other.2].concat();
        for symbol in &below {
            lengths[*symbol] += 1;
        }
        nodes.push((one.0 + other.0, true, below));
    }
    if lengths.iter().all(|length| *length <= limit) {
        return lengths;
    }
    // Package-merge.
    let mut row: Vec<Node> = Vec::new();
    for _ in 0..limit {
        let pairs = row.chunks_exact(2);
        let packages = pairs.map(|pair| {
            let below = [&pair[0].2[..], &pair[1].2].concat();
            (pair[0].0 + pair[1].0, true, below)
        });
        row = leaves.iter().cloned().chain(packages).collect();
        row.sort_by_key(|node| (node.0, node.1));
    }
    lengths.fill(0);
    for (_, _, below) in &row[..2 * used.len() - 2] {
        for symbol in below {
            lengths[*symbol] += 1;
        }
    }
    lengths
}

/// Codes by symbol, the first bit first.
fn codes(lengths: &[usize]) -> Vec<Vec<bool>> {
    let mut codes = vec![Vec::new(); lengths.len()];
    let (mut code, mut before) = (0_u32, 0);
    let mut used: Vec<usize> = (0..lengths.len())
        .filter(|symbol| lengths[*symbol] > 0)
        .collect();
    used.sort_by_key(|symbol| lengths[*symbol]);
    for symbol in used {
        code <<= lengths[symbol] - before;
        before = lengths[symbol];
        codes[symbol] = (0..before).rev().map(|bit| code >> bit & 1 == 1).collect();
        code += 1;
    }
    codes
}

fn put(bits: &mut Vec<bool>, number: u32, count: u32) {
    bits.extend((0..count).map(|bit| number >> bit & 1 == 1));
}

/// The tokens in these codes, and the end.
fn coded(tokens: &[Token], litlen: &[usize], dists: &[usize]) -> Vec<bool> {
    let (litlen, dists) = (codes(litlen), codes(dists));
    let mut bits = Vec::new();
    for token in tokens {
        match *token {
            Token::Literal(byte) => bits.extend(&litlen[usize::from(byte)]),
            Token::Copy(length, dist) => {
                let (one, other) = (length_symbol(length), dist_symbol(dist));
                bits.extend(&litlen[one.0]);
                put(&mut bits, one.2, one.1);
                bits.extend(&dists[other.0]);
                put(&mut bits, other.2, other.1);
            }
        }
    }
    bits.extend(&litlen[256]);
    bits
}

/// The lengths of codes, as they are written.
fn header(litlen: &[usize], dists: &[usize]) -> Vec<bool> {
    let used = |lengths: &[usize]| {
        lengths
            .iter()
            .rposition(|length| *length > 0)
            .map_or(0, |last| last + 1)
    };
    let (litlen, dists) = (
        &litlen[..used(litlen).max(257)],
        &dists[..used(dists).max(1)],
    );
    let mut items = Vec::new();
    let all = [litlen, dists].concat();
    let mut rest = &all[..];
    while let [length, ..] = *rest {
        let run = rest.iter().take_while(|other| **other == length).count();
        rest = &rest[run..];
        let mut left = run;
        if length > 0 {
            items.push((length, 0, 0));
            left -= 1;
        }
        while left >= 3 {
            let (symbol, least, most, extra) = match (length, left) {
                (0, 11..) => (18, 11, 138, 7),
                (0, _) => (17, 3, 10, 3),
                _ => (16, 3, 6, 2),
            };
            items.push((symbol, left.min(most) as u32 - least, extra));
            left -= left.min(most);
        }
        items.extend(std::iter::repeat_n((length, 0, 0), left));
    }
    let mut counts = [0; 19];
    for (symbol, _, _) in &items {
        counts[*symbol] += 1;
    }
    let lengths = code_lengths(&counts, 7);
    let order = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let ordered = order.map(|symbol| lengths[symbol]);
    let written = used(&ordered).max(4);
    let mut bits = Vec::new();
    put(&mut bits, litlen.len() as u32 - 257, 5);
    put(&mut bits, dists.len() as u32 - 1, 5);
    put(&mut bits, written as u32 - 4, 4);
    ordered[..written]
        .iter()
        .for_each(|length| put(&mut bits, *length as u32, 3));
    let codes = codes(&lengths);
    for (symbol, number, extra) in items {
        bits.extend(&codes[symbol]);
        put(&mut bits, number, extra);
    }
    bits
}

pub(super) fn stored(bits: &mut Vec<bool>, raw: &[u8]) {
    let empty = raw.is_empty().then_some(raw);
    for part in raw.chunks(65_535).chain(empty) {
        put(bits, 0, 3);
        bits.resize(bits.len().next_multiple_of(8), false);
        put(bits, part.len() as u32, 16);
        put(bits, !(part.len() as u32), 16);
        for byte in part {
            put(bits, u32::from(*byte), 8);
        }
    }
}

/// One block, in the shortest of three ways.
pub(super) fn write(bits: &mut Vec<bool>, raw: &[u8], tokens: &[Token]) {
    let (mut litlen, dists) = count(tokens);
    litlen[256] = 1;
    let own = (code_lengths(&litlen, 14), code_lengths(&dists, 15));
    let lengths = |symbol| match symbol {
        144..256 => 9,
        256..280 => 7,
        _ => 8_usize,
    };
    let fixed = (0..288).map(lengths).collect::<Vec<_>>();
    let mut ways = [bits.clone(), bits.clone(), bits.clone()];
    stored(&mut ways[0], raw);
    put(&mut ways[1], 0b010, 3);
    ways[1].extend(coded(tokens, &fixed, &[5; 30]));
    put(&mut ways[2], 0b100, 3);
    ways[2].extend(header(&own.0, &own.1));
    ways[2].extend(coded(tokens, &own.0, &own.1));
    // The first of the shortest.
    let shortest = ways.into_iter().min_by_key(Vec::len);
    *bits = shortest.expect("there are three");
}
