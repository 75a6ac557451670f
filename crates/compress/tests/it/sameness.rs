//! What must not reach the bytes: threads, write sizes, flushes, and what came before a block.

use std::io::Write;

use cooperage_compress::{Codec, Encoder, Encoding, MIN_BLOCK_SIZE};
use cooperage_testkit::ragged;
use proptest::prelude::*;

use crate::{corpus, decode, encode, every_codec, every_encoding, threads};

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
