//! What a layer's bytes are compressed with, by their beginning.

use std::io::{self, Read};

use cooperage_compress::{Codec, Detected, sniff};

/// A layer's bytes, none of them taken.
pub(crate) type Peeked<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// The codec, or the name of one that no layer may have, and all the bytes.
pub(crate) fn detect<R: Read>(
    mut reader: R,
) -> io::Result<(Result<Codec, &'static str>, Peeked<R>)> {
    let mut start = Vec::new();
    reader.by_ref().take(512).read_to_end(&mut start)?;
    let codec = match sniff(&start) {
        Detected::None => Ok(Codec::None),
        Detected::Gzip => Ok(Codec::Gzip),
        Detected::Zstd => Ok(Codec::Zstd),
        Detected::Bzip2 => Err("bzip2"),
        Detected::Xz => Err("xz"),
    };
    Ok((codec, io::Cursor::new(start).chain(reader)))
}
