//! What must not reach the bytes: threads, write sizes, flushes, and what came before a block.

use std::io::Write;

use cooperage_compress::{Codec, Encoder, EncoderId, Encoding, MIN_BLOCK_SIZE};
use cooperage_testkit::ragged;
use proptest::prelude::*;

use crate::{corpus, decode, encode, every_codec, every_encoding, plain, threads};

#[test]
fn the_number_of_threads_does_not_reach_the_bytes() {
    // Small pieces, so that sixteen threads have something to do.
    let tar = corpus::blocks().concat();
    let blocks: Vec<_> = tar.chunks(20_011).collect();
    for encoding in every_codec() {
        let one = encode(&blocks[..], &encoding, 1);
        for n in [2, 5, 16, 1000] {
            assert!(
                encode(&blocks[..], &encoding, n) == one,
                "{n} threads, {encoding:?}"
            );
        }
    }
}

#[test]
fn what_came_before_a_block_does_not_reach_its_bytes() {
    let blocks = corpus::blocks();
    let backwards: Vec<_> = blocks.iter().rev().collect();
    for encoding in every_encoding() {
        let layer = encode(&blocks[..], &encoding, 1);
        let other = encode(&backwards[..], &encoding, 1);
        for index in 0..blocks.len() {
            let (here, there) = (layer.block(index), other.block(blocks.len() - 1 - index));
            assert!(here == there, "block {index}, {encoding:?}");
        }
    }
}

fn write_in(sizes: &mut dyn FnMut() -> usize, tar: &[u8], encoding: Encoding, n: usize) -> Vec<u8> {
    let mut encoder = Encoder::with_threads(Vec::new(), encoding, threads(n)).unwrap();
    let mut rest = tar;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(sizes().min(rest.len()));
        encoder.write_all(now).unwrap();
        encoder.flush().unwrap();
        assert_eq!(encoder.total_in(), (tar.len() - later.len()) as u64);
        rest = later;
    }
    assert_eq!(encoder.write(&[]).unwrap(), 0);
    encoder.finish().unwrap()
}

#[test]
fn write_sizes_do_not_reach_the_bytes() {
    let tar = corpus::blocks().concat();
    for encoding in every_codec() {
        let cuts: Vec<_> = tar.chunks(encoding.block_size() as usize).collect();
        let expect = encode(&cuts[..], &encoding, 1);
        for (size, n) in [
            (1, 1),
            (511, 2),
            (4_096, 5),
            (65_536, 3),
            (100_000, 16),
            (tar.len(), 2),
        ] {
            let stored = write_in(&mut || size, &tar, encoding, n);
            assert!(
                stored == expect.stored,
                "writes of {size}, {n} threads, {encoding:?}"
            );
        }
        let mut encoder = Encoder::with_threads(Vec::new(), encoding, threads(2)).unwrap();
        ragged::write_raggedly(&mut encoder, &tar, 7).unwrap();
        let (stored, records) = encoder.finish_with_records().unwrap();
        assert!(
            stored == expect.stored && records == expect.records,
            "{encoding:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_goes_in_comes_out(
        pieces in proptest::collection::vec((any::<u8>(), 0..90_000_usize, any::<bool>()), 0..6),
        step in 1..200_000_usize,
        n in 1..4_usize,
        codec in prop_oneof![Just(Codec::None), Just(Codec::Gzip), Just(Codec::Zstd)],
    ) {
        let pieces: Vec<Vec<u8>> = pieces
            .into_iter()
            .map(|(byte, len, noise)| {
                let mut numbers = ragged::Numbers::new(u64::from(byte));
                if noise { numbers.bytes(len) } else { vec![byte; len] }
            })
            .collect();
        let encoding = Encoding::of(codec).with_block_size(MIN_BLOCK_SIZE).unwrap();
        let tar = pieces.concat();
        prop_assert!(decode(codec, &encode(&pieces[..], &encoding, n).stored) == tar);
        prop_assert!(decode(codec, &write_in(&mut || step, &tar, encoding, n)) == tar);
    }
}

/// What `gzip-2` makes of a block at a level is what the plain program makes of it, and any
/// reader's content.
fn check_plain(raw: &[u8], level: u8) {
    let encoding = Encoding::new(EncoderId::Gzip2, level, 1 << 20).unwrap();
    let layer = encode(&[raw][..], &encoding, 1);
    assert!(decode(Codec::Gzip, &layer.stored) == raw, "level {level}");
    if !raw.is_empty() {
        let plain = plain::deflate(raw, level);
        assert!(
            layer.block(0) == plain,
            "level {level}, {} bytes: {} and {}",
            raw.len(),
            layer.block(0).len(),
            plain.len()
        );
    }
}

#[test]
fn a_plain_program_of_the_same_algorithm_agrees() {
    let blocks = corpus::blocks();
    for level in EncoderId::Gzip2.levels() {
        for block in &blocks {
            // All of it takes the plain program minutes.
            check_plain(&block[..block.len().min(150_000)], level);
        }
    }
}

#[test]
fn a_plain_program_agrees_at_every_border() {
    let mut numbers = ragged::Numbers::new(7);
    let noise = numbers.bytes(32_768 + 65_536 + 300);
    let counted: Vec<u8> = (0..70_000_u32)
        .flat_map(|n| (n / 3).to_le_bytes())
        .collect();
    // Symbols as rare as Fibonacci's numbers have the longest codes there are.
    let mut rare = Vec::new();
    let (mut one, mut other) = (1_usize, 1);
    for byte in 0..22_u8 {
        rare.extend(std::iter::repeat_n(byte.wrapping_mul(37), one));
        (one, other) = (other, one + other);
    }
    let mut order: Vec<(u64, u8)> = rare
        .iter()
        .map(|byte| (numbers.next_u64(), *byte))
        .collect();
    order.sort_unstable();
    let rare: Vec<u8> = order.into_iter().map(|(_, byte)| byte).collect();
    let at = |dist: usize| [&noise[..dist], &noise[..300]].concat();
    for level in EncoderId::Gzip2.levels() {
        for len in 0..20 {
            check_plain(&vec![7; len], level);
        }
        for len in [258, 259, 263, 8191, 8192, 8193, 65_535, 65_536] {
            check_plain(&noise[..len], level);
            check_plain(&vec![0; len], level);
        }
        for dist in [32_767, 32_768, 32_769, 65_536, 65_537] {
            check_plain(&at(dist), level);
        }
        check_plain(&counted, level);
        check_plain(&rare, level);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_plain_program_agrees_on_whatever_goes_in(
        seed in any::<u64>(),
        pieces in proptest::collection::vec((1..9_000_usize, 0..4_u8), 0..8),
        level in 1..=9_u8,
    ) {
        let mut numbers = ragged::Numbers::new(seed);
        let mut raw: Vec<u8> = Vec::new();
        for (len, kind) in pieces {
            match kind {
                0 => raw.extend(numbers.bytes(len)),
                1 => raw.extend(numbers.text(len)),
                2 => raw.extend(numbers.bytes(len).iter().map(|byte| byte & 3)),
                _ => {
                    let from = raw.len() / 2;
                    raw.extend_from_within(from..(from + len).min(raw.len()));
                }
            }
        }
        check_plain(&raw, level);
    }
}
