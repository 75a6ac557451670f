//! Layer codecs (none, gzip, zstd) in blocks: parallel, and the same bytes for any number of threads.
//!
//! A layer is cut into blocks, and each is compressed alone, with no history shared. So blocks
//! compress in parallel, an unchanged block compresses to unchanged bytes, and each can be read by
//! itself ([`BlockRecord`] says where it lies).
//!
//! - **gzip** is one single member: each block is raw DEFLATE that ends byte-aligned in a full
//!   flush, CRCs are combined. Several members would be legal, but many readers stop after the
//!   first.
//! - **zstd** has a frame for each block.
//! - **none** is the tar itself.
//!
//! The bytes depend on the input, the cuts and the [`Encoding`] alone: an encoder's id, a level
//! and a block size. Not on threads, write sizes, the processor, or on features that other crates
//! of a program switch on in the codec libraries.
//!
//! - [`encode_blocks`] compresses blocks that were planned before ([`Blocks`]),
//! - [`Encoder`] a stream that nobody planned,
//! - [`decoder`] and [`sniffing_decoder`] read what anyone wrote.
//!
//! # Examples
//!
//! ```
//! use cooperage_compress::{Encoder, Encoding, sniffing_decoder};
//! use std::io::{Read, Write};
//!
//! let mut encoder = Encoder::new(Vec::new(), Encoding::default())?;
//! encoder.write_all(&[7; 5_000_000])?;
//! let layer = encoder.finish()?;
//!
//! let mut tar = Vec::new();
//! let (codec, mut decoder) = sniffing_decoder(&layer[..])?;
//! decoder.read_to_end(&mut tar)?;
//! assert_eq!((codec.as_str(), tar.len()), ("gzip", 5_000_000));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Limits
//!
//! What stands on another's library (all but `none-1` and `gzip-2`) is promised within a minor
//! release of this crate; a change of bytes is a new [`EncoderId`], and the versions of the
//! libraries are pinned. Level and block
//! size belong in the layer's metadata, since nothing in the layer itself tells them.

mod blocks;
mod codec;
mod decode;
mod deflate;
mod encoder;
mod encoding;
mod engine;
mod pool;
mod sniff;

pub use blocks::{BlockRecord, Blocks};
pub use codec::CodecError;
pub use decode::{DecodeError, decoder, sniffing_decoder};
pub use encoder::Encoder;
pub use encoding::{
    Codec, DEFAULT_GZIP_LEVEL, DEFAULT_ZSTD_LEVEL, EncoderId, Encoding, EncodingError,
    MAX_BLOCK_SIZE, MIN_BLOCK_SIZE,
};
pub use engine::{BlockSink, EncodeError, encode_blocks};
pub use pool::Workers;
pub use sniff::{Detected, sniff};
