//! `none-1`: the bytes as they are.

use super::{BlockEncoder, CodecError};

pub(super) struct Copy;

impl BlockEncoder for Copy {
    fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.clear();
        out.extend_from_slice(raw);
        Ok(())
    }
}
