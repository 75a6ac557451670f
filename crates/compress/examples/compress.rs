//! Compresses standard input to standard output: `compress gzip-2 4 < layer.tar > layer.tar.gz`.

use std::env;
use std::io::{self, Write};
use std::thread;

use cooperage_compress::{Encoder, EncoderId, Encoding};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let encoder: EncoderId = arguments.next().as_deref().unwrap_or("gzip-2").parse()?;
    let level = arguments
        .next()
        .map_or(Ok(encoder.default_level()), |level| level.parse())?;
    let encoding = Encoding::new(encoder, level, encoder.default_block_size())?;

    let threads = thread::available_parallelism()?;
    let mut encoder = Encoder::with_threads(io::stdout().lock(), encoding, threads)?;
    io::copy(&mut io::stdin().lock(), &mut encoder)?;
    encoder.finish()?.flush()?;
    Ok(())
}
