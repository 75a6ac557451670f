//! The readers of gzip and zstd.

use std::io::{self, Read};

use cooperage_compress::{Codec, DecodeError, decoder, sniffing_decoder};
use cooperage_testkit::ragged::RaggedReader;

use crate::memory;

/// A few bytes can stand for gigabytes; so many of them are looked at.
const LONGEST: u64 = 1 << 20;

pub(crate) fn gzip(bytes: &[u8]) {
    let ours = check(Codec::Gzip, bytes);
    // flate2's own reader of several members knows nothing of zeros behind them.
    let mut theirs = Vec::new();
    let read = flate2::bufread::MultiGzDecoder::new(bytes)
        .take(LONGEST)
        .read_to_end(&mut theirs);
    match (&ours, read) {
        (Ok(ours), Ok(_)) => assert!(*ours == theirs),
        (Err(error), Ok(_)) => panic!("another reader takes it: {error}"),
        (Ok(_), Err(error)) => {
            let end = bytes
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |at| at + 1);
            assert!(end < bytes.len(), "another reader refuses it: {error}");
        }
        (Err(_), Err(_)) => {}
    }
}

pub(crate) fn zstd(bytes: &[u8]) {
    // What C allocates is limited by libFuzzer.
    drop(check(Codec::Zstd, bytes));
}

fn check(codec: Codec, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let limit = (4 << 20) + 2 * bytes.len();
    let whole = memory::within(limit, || read(decoder(codec, bytes)));
    let ragged = read(decoder(codec, RaggedReader::new(bytes, 5)));
    let texts = [&whole.0, &ragged.0].map(|end| end.as_ref().err().map(ToString::to_string));
    assert_eq!(texts[0].is_some(), texts[1].is_some(), "{texts:?}");
    // Of a frame with a fault libzstd gives nothing where all of it came at once.
    let is_same = match whole.0 {
        Ok(()) => whole.1 == ragged.1,
        Err(_) => whole.1.starts_with(&ragged.1) || ragged.1.starts_with(&whole.1),
    };
    assert!(is_same, "bytes do not depend on how they come");
    let found = sniffing_decoder(bytes).map(|(codec, _)| codec).ok();
    match whole.0 {
        Ok(()) => {
            assert_eq!(found, Some(codec), "a whole stream begins like one");
            Ok(whole.1)
        }
        Err(error) => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
            match inner {
                Some(DecodeError::Truncated { offset, .. }) => {
                    assert_eq!(*offset, bytes.len() as u64, "{error}");
                }
                Some(
                    DecodeError::Corrupt { offset, .. }
                    | DecodeError::TrailingGarbage { offset, .. },
                ) => assert!(*offset <= bytes.len() as u64, "{error}"),
                _ => panic!("an error of another kind: {error:?}"),
            }
            Err(error.to_string())
        }
    }
}

/// How it ended, and what was read before.
fn read(reader: Box<dyn Read + Send + '_>) -> (io::Result<()>, Vec<u8>) {
    let mut out = Vec::new();
    let end = reader.take(LONGEST).read_to_end(&mut out).map(drop);
    (end, out)
}
