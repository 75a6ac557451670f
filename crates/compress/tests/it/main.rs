//! Bytes that nothing but the input may change, readers of every kind, hostile input, and threads.

mod corpus;
mod decoding;
mod encoding;
mod golden;
mod plain;
mod readers;
mod sameness;
mod threads;

use std::io::Read;
use std::num::NonZeroUsize;

use cooperage_compress::{BlockRecord, Blocks, Codec, EncoderId, Encoding, decoder, encode_blocks};

/// A stored layer with the records of its blocks.
#[derive(Clone, Debug, PartialEq)]
struct Layer {
    stored: Vec<u8>,
    records: Vec<BlockRecord>,
}

impl Layer {
    /// The stored bytes of one block.
    fn block(&self, index: usize) -> &[u8] {
        let record = &self.records[index];
        &self.stored[record.stored_offset as usize..][..record.stored_len as usize]
    }
}

fn threads(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("a number of threads")
}

fn encode<B: Blocks + ?Sized>(blocks: &B, encoding: &Encoding, n: usize) -> Layer
where
    B::Error: std::fmt::Debug,
{
    let (mut tar, mut stored) = (Vec::new(), Vec::new());
    let records = encode_blocks(blocks, encoding, threads(n), &mut |raw, bytes| {
        tar.extend_from_slice(raw);
        stored.extend_from_slice(bytes);
        Ok(())
    })
    .expect("the blocks can be encoded");
    assert_eq!(
        tar.len() as u64,
        records.iter().map(|record| record.len).sum::<u64>()
    );
    Layer { stored, records }
}

fn decode(codec: Codec, stored: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    decoder(codec, stored)
        .read_to_end(&mut tar)
        .expect("what we wrote can be read");
    tar
}

/// Every encoder at every level, in the default block size.
fn every_encoding() -> impl Iterator<Item = Encoding> {
    EncoderId::ALL.into_iter().flat_map(|encoder| {
        encoder.levels().map(move |level| {
            Encoding::new(encoder, level, encoder.default_block_size()).expect("a valid encoding")
        })
    })
}

/// Each codec once, at its default level and in the smallest blocks.
fn every_codec() -> impl Iterator<Item = Encoding> {
    let small = |codec| Encoding::of(codec).with_block_size(cooperage_compress::MIN_BLOCK_SIZE);
    Codec::ALL
        .into_iter()
        .map(move |codec| small(codec).expect("a valid block size"))
}
