//! `gzip-1`: raw DEFLATE by zlib-rs, each block ended by a full flush, all in one gzip member.
//!
//! zlib-rs is called by its own API. Through flate2 any crate in a user's graph could exchange the
//! library by a feature, and with it our bytes (`tests/features` in the workspace shows that this
//! cannot happen).

use zlib_rs::{Deflate, DeflateFlush, Status};

use super::{BlockEncoder, CodecError};
use crate::EncoderId;

/// Magic, DEFLATE, no flags, no time, XFL 0 whatever the level, OS 255 (unknown): RFC 1952 § 2.3.
pub(super) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The last DEFLATE block, empty (fixed codes, end of block), then CRC-32 and length modulo 2^32.
pub(super) fn trailer(crc32: u32, len: u64) -> [u8; 10] {
    let mut trailer = [0x03; 10];
    trailer[1] = 0x00;
    trailer[2..6].copy_from_slice(&crc32.to_le_bytes());
    trailer[6..].copy_from_slice(&(len as u32).to_le_bytes());
    trailer
}

/// The base 2 logarithm of DEFLATE's largest window, 32 KiB.
const WINDOW_BITS: u8 = 15;

pub(super) struct Deflater {
    state: Deflate,
}

impl Deflater {
    pub(super) fn new(level: u8) -> Self {
        Self {
            state: Deflate::new(i32::from(level), false, WINDOW_BITS),
        }
    }

    /// Compresses `raw` into `out`; false when there was no room for all of it.
    fn fits(&mut self, raw: &[u8], out: &mut [u8]) -> Result<bool, CodecError> {
        self.state.reset();
        loop {
            // Both are at most the length of a slice.
            let (read, written) = (
                self.state.total_in() as usize,
                self.state.total_out() as usize,
            );
            let status =
                self.state
                    .compress(&raw[read..], &mut out[written..], DeflateFlush::FullFlush);
            match status {
                Ok(Status::Ok | Status::BufError) => {}
                Ok(Status::StreamEnd) => return Err(failed("ended early")),
                Err(error) => return Err(failed(error.as_str())),
            }
            // A flush is complete when room is left behind it. One that ran out of room would be
            // repeated by the next call, and the buffer's size be seen in the bytes.
            if self.state.total_out() as usize == out.len() {
                return Ok(false);
            }
            if self.state.total_in() as usize == raw.len() {
                return Ok(true);
            }
            if (read, written)
                == (
                    self.state.total_in() as usize,
                    self.state.total_out() as usize,
                )
            {
                return Err(failed("makes no progress"));
            }
        }
    }
}

impl BlockEncoder for Deflater {
    fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        // Level 1 spends nine bits on a literal; the rest is room for the flush and for the ends
        // of blocks. Ample in every test; the loop is there so that this need not be believed.
        let mut room = raw.len() + raw.len() / 8 + 4096;
        loop {
            out.clear();
            out.resize(room, 0);
            if self.fits(raw, out)? {
                out.truncate(self.state.total_out() as usize);
                return Ok(());
            }
            room = room.checked_mul(2).ok_or_else(|| failed("no room"))?;
        }
    }
}

fn failed(reason: &'static str) -> CodecError {
    CodecError::Failed {
        encoder: EncoderId::Gzip1,
        reason,
    }
}
