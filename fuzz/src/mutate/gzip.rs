//! gzip: the checksum and the length behind a member.

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// What comes out of one member at most.
const LONGEST: usize = 256 << 10;

/// Makes what is behind the first member's end right, if it has one.
pub(crate) fn repair(bytes: &mut Vec<u8>) {
    let Some(start) = header(bytes) else { return };
    let mut inflate = Decompress::new(false);
    let mut out = Vec::with_capacity(LONGEST);
    let end = inflate.decompress_vec(&bytes[start..], &mut out, FlushDecompress::Finish);
    if !matches!(end, Ok(Status::StreamEnd)) {
        return;
    }
    let Ok(read) = usize::try_from(inflate.total_in()) else {
        return;
    };
    let end = start + read;
    let mut crc = Crc::new();
    crc.update(&out);
    let trailer = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat();
    bytes.resize(bytes.len().max(end + 8), 0);
    bytes[end..end + 8].copy_from_slice(&trailer);
}

/// Where the deflate stream of the first member begins. Spec: RFC 1952.
fn header(bytes: &[u8]) -> Option<usize> {
    let flags = *bytes.get(3)?;
    if !bytes.starts_with(&[0x1f, 0x8b, 8]) {
        return None;
    }
    let mut at = 10;
    if flags & 4 != 0 {
        let len = bytes.get(at..at + 2)?;
        at += 2 + usize::from(u16::from_le_bytes([len[0], len[1]]));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            at += 1 + bytes.get(at..)?.iter().position(|byte| *byte == 0)?;
        }
    }
    at += usize::from(flags & 2);
    (at <= bytes.len()).then_some(at)
}
