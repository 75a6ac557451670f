//! A temporary file for what cannot be read by position: a pipe, or a compressed archive.

use std::io::{self, Cursor, Read, Seek, Write};

use cooperage_compress::{Codec, Detected, decoder, sniff};

use super::{ReadError, ReadOptions};
use crate::file::SharedFile;

/// As many bytes as it takes to tell a compressed stream from a tar.
const HEAD: u64 = 16;

/// A tar that is known not to be compressed, in a file.
pub(super) struct Spooled(pub(super) SharedFile);

/// The file itself if it is a plain tar, else what it unpacks to.
pub(super) fn spool_if_needed(
    file: SharedFile,
    place: &str,
    options: &ReadOptions,
) -> Result<Spooled, ReadError> {
    let mut head = Vec::new();
    file.whole()
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(|source| ReadError::Io {
            place: place.into(),
            source,
        })?;
    match compression(&head, place)? {
        Codec::None => Ok(Spooled(file)),
        _ => spool_stream(file.whole(), place, options),
    }
}

/// Unpacks a stream, compressed or not, into a temporary file.
pub(super) fn spool_stream(
    mut reader: impl Read + Send,
    place: &str,
    options: &ReadOptions,
) -> Result<Spooled, ReadError> {
    let io = |source| ReadError::Io {
        place: place.into(),
        source,
    };
    let mut head = Vec::new();
    (&mut reader)
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(io)?;
    let codec = compression(&head, place)?;
    let whole = Cursor::new(head).chain(reader);
    let mut from = decoder(codec, whole);
    let directory = match &options.spool_dir {
        Some(directory) => directory.clone(),
        None => tempfile::env::temp_dir(),
    };
    let keep = |source| ReadError::Spool {
        place: place.into(),
        directory: directory.clone(),
        source,
    };
    let mut to = tempfile::tempfile_in(&directory).map_err(keep)?;
    let (mut left, mut buffer) = (options.spool_limit, vec![0; 256 << 10]);
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(io(error)),
        };
        left = left
            .checked_sub(n as u64)
            .ok_or_else(|| ReadError::SpoolFull {
                place: place.into(),
                limit: options.spool_limit,
            })?;
        to.write_all(&buffer[..n]).map_err(keep)?;
    }
    to.rewind().map_err(keep)?;
    Ok(Spooled(SharedFile::new(to)))
}

fn compression(head: &[u8], place: &str) -> Result<Codec, ReadError> {
    match codec_of(head) {
        Ok(codec) => Ok(codec),
        Err(codec) => Err(ReadError::Compression {
            place: place.into(),
            codec,
        }),
    }
}

/// What the first bytes of a stream say, or the name of a codec that is not read here.
pub(super) fn codec_of(head: &[u8]) -> Result<Codec, &'static str> {
    match sniff(head) {
        Detected::None => Ok(Codec::None),
        Detected::Gzip => Ok(Codec::Gzip),
        Detected::Zstd => Ok(Codec::Zstd),
        Detected::Bzip2 => Err("bzip2"),
        Detected::Xz => Err("xz"),
    }
}
