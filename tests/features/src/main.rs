//! Prints the digests of our encoders at every level, and that of what flate2 makes of the same.
//!
//! The first must be the same whatever features are on; the second shows that they are.

#[path = "../../../crates/compress/tests/it/corpus.rs"]
mod corpus;

use std::io::Write;
use std::num::NonZeroUsize;

use cooperage_compress::{Codec, EncoderId, Encoding, decoder, encode_blocks};
use cooperage_digest::Digest;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let blocks = corpus::blocks();
    let tar = blocks.concat();

    let mut foreign = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    foreign.write_all(&tar)?;
    let foreign = foreign.finish()?;
    println!("flate2: {}", Digest::of(&foreign));
    check_decodes(Codec::Gzip, &foreign, &tar)?;

    let threads = NonZeroUsize::new(2).ok_or("two is not zero")?;
    for encoder in EncoderId::ALL {
        for level in encoder.levels() {
            let encoding = Encoding::new(encoder, level, encoder.default_block_size())?;
            let mut layer = Vec::new();
            encode_blocks(&blocks[..], &encoding, threads, &mut |_, stored| {
                layer.extend_from_slice(stored);
                Ok(())
            })?;
            println!("{encoder} {level}: {}", Digest::of(&layer));
            check_decodes(encoder.codec(), &layer, &tar)?;
        }
    }
    Ok(())
}

/// Decoding goes through the library that the features chose.
fn check_decodes(codec: Codec, stored: &[u8], tar: &[u8]) -> Result<(), String> {
    let mut out = Vec::new();
    std::io::copy(&mut decoder(codec, stored), &mut out).map_err(|error| error.to_string())?;
    if out == tar {
        Ok(())
    } else {
        Err(format!("{codec} decodes to something else"))
    }
}
