//! `zstd-1`: each block one frame of libzstd, with its content size, without checksum, dictionary
//! or threads of the library's own.
//!
//! No checksum, since a layer is verified by its digest and four bytes in each frame would say
//! nothing more; content size, since a reader that knows it can allocate once and seek.

use zstd_safe::{CCtx, CParameter};

use super::{BlockEncoder, CodecError};
use crate::EncoderId;

/// What `zstd-1` stands for. `zstd-sys` can be told to link another, by a feature that any crate
/// of a user's graph may switch on, or by the environment when it is built.
const VERSION: &str = "1.5.7";

pub(super) struct Framer {
    level: i32,
}

impl Framer {
    pub(super) fn new(level: u8) -> Result<Self, CodecError> {
        let found = zstd_safe::version_string();
        if found == VERSION {
            return Ok(Self {
                level: i32::from(level),
            });
        }
        Err(CodecError::OtherLibrary {
            encoder: EncoderId::Zstd1,
            expected: VERSION,
            found,
        })
    }
}

impl BlockEncoder for Framer {
    fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        // A new context for each block, so that nothing of the blocks before can be in it (a used
        // one salts its row hashes by what it saw, for one). No slower by any measurement of ours.
        let mut context = CCtx::try_create().ok_or_else(|| failed("no memory for a context"))?;
        for parameter in [
            CParameter::CompressionLevel(self.level),
            CParameter::ContentSizeFlag(true),
            CParameter::ChecksumFlag(false),
            CParameter::DictIdFlag(false),
        ] {
            context.set_parameter(parameter).map_err(reason)?;
        }
        out.clear();
        out.reserve(zstd_safe::compress_bound(raw.len()));
        context.compress2(out, raw).map_err(reason)?;
        Ok(())
    }
}

fn reason(code: zstd_safe::ErrorCode) -> CodecError {
    failed(zstd_safe::get_error_name(code))
}

fn failed(reason: &'static str) -> CodecError {
    CodecError::Failed {
        encoder: EncoderId::Zstd1,
        reason,
    }
}
