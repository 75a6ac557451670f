//! The one seam between the engine and a codec library: what stands before the blocks, how one
//! block is compressed by itself, and what stands behind them.

mod gzip;
mod none;
mod zstd;

use crate::deflate::Deflater;
use crate::{EncoderId, Encoding};

/// Compresses blocks, each without regard to any other; every worker has its own.
pub(crate) trait BlockEncoder: Send {
    /// Replaces `out` with the stored form of `raw`, which is not empty.
    ///
    /// The bytes depend on `raw` alone: not on the blocks before, nor on the capacity of `out`.
    fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError>;
}

/// A codec's library failed, or is not the one whose bytes the encoder's id promises.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The library reported an error, of which only want of memory is known to be possible.
    #[error("`{encoder}` failed: {reason}")]
    Failed {
        /// The encoder.
        encoder: EncoderId,
        /// What its library said.
        reason: &'static str,
    },
    /// Another version of the library is linked, for instance the system's, and would make other
    /// bytes than the id promises.
    #[error(
        "`{encoder}` stands for libzstd {expected}, but {found} is linked into this program; build \
         it without zstd-sys's feature `pkg-config` and without `ZSTD_SYS_USE_PKG_CONFIG`"
    )]
    OtherLibrary {
        /// The encoder.
        encoder: EncoderId,
        /// The version that the id stands for.
        expected: &'static str,
        /// The version that is linked.
        found: &'static str,
    },
}

/// A new encoder for the blocks of one layer.
pub(crate) fn block_encoder(encoding: &Encoding) -> Result<Box<dyn BlockEncoder>, CodecError> {
    Ok(match encoding.encoder() {
        EncoderId::None1 => Box::new(none::Copy),
        EncoderId::Gzip1 => Box::new(gzip::Deflater::new(encoding.level())),
        EncoderId::Gzip2 => Box::new(Deflater::new(encoding.level())),
        EncoderId::Zstd1 => Box::new(zstd::Framer::new(encoding.level())?),
    })
}

/// What stands before the first block.
pub(crate) fn header(encoding: &Encoding) -> &'static [u8] {
    match encoding.encoder() {
        EncoderId::None1 | EncoderId::Zstd1 => &[],
        EncoderId::Gzip1 | EncoderId::Gzip2 => &gzip::HEADER,
    }
}

/// What stands behind the last block, when `len` bytes with this CRC-32 went before.
pub(crate) fn trailer(encoding: &Encoding, crc32: u32, len: u64) -> Result<Vec<u8>, CodecError> {
    match encoding.encoder() {
        EncoderId::Zstd1 if len == 0 => {
            // No frame at all is not a zstd file: `zstd -d` calls an empty one truncated.
            let mut frame = Vec::new();
            block_encoder(encoding)?.encode(&[], &mut frame)?;
            Ok(frame)
        }
        EncoderId::None1 | EncoderId::Zstd1 => Ok(Vec::new()),
        EncoderId::Gzip1 | EncoderId::Gzip2 => Ok(gzip::trailer(crc32, len).to_vec()),
    }
}
