//! The encoder `gzip-2`.

use std::io::{Read, Write};

use cooperage_compress::{Codec, Encoder, EncoderId, Encoding, decoder};
use zlib_rs::{InflateConfig, ReturnCode, decompress_slice};

#[path = "../../crates/compress/tests/it/plain/mod.rs"]
mod plain;

/// Of more than so many bytes the plain program would make a slow target.
const PLAIN: usize = 12 << 10;

/// What stands before the blocks of a layer: the header of the one member.
const HEADER: usize = 10;

/// The layer of these bytes, at a level and in blocks of at most so many bytes.
///
/// # Panics
///
/// If there is no such level, or no such block size.
#[must_use]
pub fn encode(bytes: &[u8], level: u8, block_size: u64) -> Vec<u8> {
    let encoding = Encoding::new(EncoderId::Gzip2, level, block_size).expect("it is a level");
    let mut encoder = Encoder::new(Vec::new(), encoding).expect("memory takes a header");
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// That a layer of one block is what the plain program of the same algorithm makes of these bytes.
///
/// # Panics
///
/// If it is not.
pub fn check_plain(layer: &[u8], bytes: &[u8], level: u8) {
    if !bytes.is_empty() {
        let plain = plain::deflate(bytes, level);
        let ours = &layer[HEADER..];
        assert!(ours.starts_with(&plain), "level {level}: not the same");
    }
}

/// What is encoded is read as it was by several readers, is hardly longer, and is what the plain
/// program of the same algorithm makes of it. The last byte chooses the level.
pub(crate) fn run(bytes: &[u8]) {
    let level = bytes.last().map_or(6, |byte| byte % 9 + 1);
    let layer = encode(bytes, level, 1 << 20);
    assert!(layer.len() <= bytes.len() + bytes.len() / 1024 + 64);

    let mut ours = Vec::new();
    decoder(Codec::Gzip, &*layer)
        .read_to_end(&mut ours)
        .expect("what we write is read");
    assert!(ours == bytes, "level {level}, by cooperage");
    let mut theirs = Vec::new();
    flate2::bufread::GzDecoder::new(&*layer)
        .read_to_end(&mut theirs)
        .expect("miniz_oxide reads it");
    assert!(theirs == bytes, "level {level}, by miniz_oxide");
    let mut room = vec![0; bytes.len() + 1];
    let (theirs, code) = decompress_slice(&mut room, &layer, InflateConfig { window_bits: 31 });
    assert!(
        code == ReturnCode::Ok && *theirs == *bytes,
        "level {level}, by zlib-rs: {code:?}"
    );

    let short = &bytes[..bytes.len().min(PLAIN)];
    if short.len() == bytes.len() {
        check_plain(&layer, bytes, level);
    } else {
        check_plain(&encode(short, level, 1 << 20), short, level);
    }
}
