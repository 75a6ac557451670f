//! What anyone wrote is read, and what is broken or hostile is refused in bounded memory.

use std::io::{self, Read, Write};

use cooperage_compress::{
    Codec, DecodeError, Detected, Encoding, decoder, sniff, sniffing_decoder,
};
use cooperage_testkit::ragged::{Numbers, RaggedReader};
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;

use crate::{corpus, decode, encode, every_codec};

fn gzip_member(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; zstd_safe::compress_bound(bytes.len())];
    let n = zstd_safe::compress(&mut out[..], bytes, 3).unwrap();
    out.truncate(n);
    out
}

/// What comes out before the error, and the error.
fn fails(codec: Codec, stored: &[u8]) -> (Vec<u8>, DecodeError) {
    let mut out = Vec::new();
    let mut reader = decoder(codec, stored);
    let error = reader.read_to_end(&mut out).expect_err("it is broken");
    assert!(reader.read(&mut [0; 8]).is_err(), "an error must last");
    let kind = error.kind();
    let error = *error
        .into_inner()
        .expect("a reason")
        .downcast::<DecodeError>()
        .expect("of ours");
    let eof = matches!(error, DecodeError::Truncated { .. });
    assert_eq!(kind == io::ErrorKind::UnexpectedEof, eof, "{error}");
    (out, error)
}

#[test]
fn several_members_and_zeros_behind_them() {
    let two = [gzip_member(b"one, "), gzip_member(b"two")].concat();
    assert_eq!(decode(Codec::Gzip, &two), b"one, two");
    let padded = [two, vec![0; 100_000]].concat();
    assert_eq!(decode(Codec::Gzip, &padded), b"one, two");
    let named = GzBuilder::new()
        .filename("layer.tar")
        .comment("c")
        .extra(vec![1; 300])
        .mtime(9);
    let mut named = named.write(Vec::new(), Compression::best());
    named.write_all(b"named").unwrap();
    assert_eq!(decode(Codec::Gzip, &named.finish().unwrap()), b"named");
    // A member without content is not the end.
    let hollow = [gzip_member(b""), gzip_member(b"x"), gzip_member(b"")].concat();
    assert_eq!(decode(Codec::Gzip, &hollow), b"x");
}

#[test]
fn several_frames_and_skippable_ones() {
    let skippable = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00abc";
    let hollow = b"\x50\x2a\x4d\x18\x00\x00\x00\x00";
    let all = [
        &skippable[..],
        &zstd_frame(b"one, "),
        hollow,
        &zstd_frame(b""),
        &zstd_frame(b"two"),
        skippable,
    ];
    assert_eq!(decode(Codec::Zstd, &all.concat()), b"one, two");
    assert_eq!(sniff(skippable), Detected::Zstd);
}

/// From its fifth byte on this frame is a skippable one of 51,819 bytes, too: libzstd takes it for
/// that where its magic number came alone.
#[test]
fn a_header_within_which_another_frame_begins() {
    let length: u32 = 256 + 0x184d;
    let block = (length << 3 | 1 << 1 | 1).to_le_bytes();
    // A window, no dictionary, a length in two bytes; one block of one byte again and again.
    let frame = [b"\x28\xb5\x2f\xfd\x50\x2a\x4d\x18", &block[..3], b"\0"].concat();
    let noise = Numbers::new(1).bytes(100_000);
    let stored = [frame, zstd_frame(&noise)].concat();
    let expected = [&vec![0; length as usize][..], &noise].concat();
    assert_eq!(zstd_safe_decode(&stored, expected.len()), expected);
    let check = |what: &str, mut reader: Box<dyn Read + Send + '_>| {
        // With room for all of it at once.
        let mut out = vec![1; expected.len()];
        reader.read_exact(&mut out).expect(what);
        assert!(out == expected, "{what}");
        assert_eq!(reader.read(&mut [0]).expect(what), 0, "{what}");
    };
    check("whole", decoder(Codec::Zstd, &*stored));
    for seed in 0..20 {
        let ragged = RaggedReader::new(&*stored, seed);
        check(&seed.to_string(), decoder(Codec::Zstd, ragged));
    }
}

/// By libzstd, which is given all at once.
fn zstd_safe_decode(stored: &[u8], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    let n = zstd_safe::decompress(&mut out[..], stored).unwrap();
    out.truncate(n);
    out
}

/// Headers of every shape, cut short everywhere.
#[test]
fn frames_that_end_within_their_header() {
    for descriptor in 0..=255 {
        let header = [&[0x28, 0xb5, 0x2f, 0xfd, descriptor][..], &[0; 13]].concat();
        for length in 0..6 {
            let (out, error) = fails(Codec::Zstd, &header[..length]);
            assert_eq!(out, b"");
            let offset = length as u64;
            let codec = Codec::Zstd;
            assert_eq!(error, DecodeError::Truncated { codec, offset });
        }
    }
    let skippable = b"\x50\x2a\x4d\x18\x00\x00\x00\x00";
    for length in 0..8 {
        let (_, error) = fails(Codec::Zstd, &skippable[..length]);
        assert!(matches!(error, DecodeError::Truncated { .. }), "{error}");
    }
}

#[test]
fn what_follows_the_end_is_refused() {
    let member = gzip_member(b"member");
    let n = member.len() as u64;
    for garbage in [&b"garbage"[..], b"\x00\x00x", b"\x00\x00\x1f\x8b\x08"] {
        let (out, error) = fails(Codec::Gzip, &[&member, garbage].concat());
        assert_eq!(out, b"member");
        assert_eq!(
            error,
            DecodeError::TrailingGarbage {
                codec: Codec::Gzip,
                offset: n
            }
        );
    }
    // What begins like a member must be one.
    for garbage in [
        &b"\x1f"[..],
        b"\x1f\x8b\x08",
        b"\x1fx",
        b"\x1f\x8b\x08\xe0aaaaaaaaaa",
    ] {
        fails(Codec::Gzip, &[&member, garbage].concat());
    }
    let frame = zstd_frame(b"frame");
    let n = frame.len() as u64;
    for garbage in [
        &b"garbage"[..],
        &[0; 512],
        b"\x28",
        b"\x28\xb5\x2f",
        b"\x1f\x8b\x08\x00\x00",
    ] {
        let (out, error) = fails(Codec::Zstd, &[&frame, garbage].concat());
        assert_eq!(out, b"frame");
        assert_eq!(
            error,
            DecodeError::TrailingGarbage {
                codec: Codec::Zstd,
                offset: n
            }
        );
    }
}

#[test]
fn every_truncation_is_noticed() {
    let tar = &corpus::blocks()[0][..3_000];
    let pieces = [&tar[..1_000], &tar[1_000..]];
    for encoding in every_codec().filter(|encoding| encoding.codec() != Codec::None) {
        let layer = encode(&pieces[..], &encoding, 1);
        for len in 0..layer.stored.len() {
            // A frame's end is an end: only a digest can tell that another should follow.
            let is_end = encoding.codec() == Codec::Zstd
                && layer
                    .records
                    .iter()
                    .any(|record| record.stored_offset == len as u64 && len > 0);
            if is_end {
                continue;
            }
            let (out, error) = fails(encoding.codec(), &layer.stored[..len]);
            let expect = match error {
                DecodeError::Truncated { offset, .. } => len as u64 == offset,
                // Less than a magic number is left behind a frame.
                DecodeError::TrailingGarbage { offset, .. } => {
                    encoding.codec() == Codec::Zstd && len as u64 - offset < 4
                }
                _ => false,
            };
            assert!(expect, "{error} at {len}");
            assert!(tar.starts_with(&out));
        }
    }
}

#[test]
fn every_flipped_bit_of_gzip_is_noticed() {
    let tar = &corpus::blocks()[0][..2_000];
    let stored = encode(&[tar][..], &Encoding::default(), 1).stored;
    let mut silent = 0;
    for bit in 0..stored.len() * 8 {
        let mut other = stored.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        let mut out = Vec::new();
        let result = decoder(Codec::Gzip, &other[..]).read_to_end(&mut out);
        // Time, XFL, OS and the flag "text" say nothing of the content, nor do the bits that fill
        // up the byte before a stored block and the last one.
        silent += usize::from(result.is_ok());
        assert!(result.is_err() || out == tar, "bit {bit}");
    }
    assert!(
        (49..49 + 2 * 7 + 1).contains(&silent),
        "{silent} bits say nothing"
    );
}

#[test]
fn flipped_bits_of_zstd_never_panic_nor_grow() {
    let tar = &corpus::blocks()[0][..2_000];
    let stored = zstd_frame(tar);
    for bit in 0..stored.len() * 8 {
        let mut other = stored.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        let mut out = Vec::new();
        drop(
            decoder(Codec::Zstd, &other[..])
                .take(1 << 20)
                .read_to_end(&mut out),
        );
        assert!(out.len() < 1 << 20);
    }
}

#[test]
fn a_window_over_128_mib_is_refused_and_a_claimed_size_not_believed() {
    let window = |log: u8| {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (log - 10) << 3];
        frame.extend_from_slice(&[0x09, 0x00, 0x00, b'x']); // the last block, one raw byte
        frame
    };
    assert_eq!(decode(Codec::Zstd, &window(27)), b"x");
    for log in [28, 31, 41] {
        let (_, error) = fails(Codec::Zstd, &window(log));
        assert!(error.to_string().contains("too much memory"), "{error}");
    }
    // A single segment whose content, and so window, is said to be 2^62 bytes.
    let mut huge = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    huge.extend_from_slice(&(1_u64 << 62).to_le_bytes());
    huge.extend_from_slice(&[0x09, 0x00, 0x00, b'x']);
    fails(Codec::Zstd, &huge);
}

/// Resident memory of this process in bytes, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

#[test]
fn bombs_are_streamed() {
    let zeros = vec![0; 8 << 20];
    for encoding in every_codec().filter(|encoding| encoding.codec() != Codec::None) {
        let blocks = vec![&zeros[..]; 64];
        let bomb = encode(&blocks[..], &encoding, 2).stored;
        let before = resident();
        let n = io::copy(&mut decoder(encoding.codec(), &bomb[..]), &mut io::sink()).unwrap();
        assert_eq!(n, 512 << 20);
        if let (Some(before), Some(after)) = (before, resident()) {
            // Other tests run beside this one; half a gigabyte is far from their noise.
            assert!(
                after.saturating_sub(before) < 512 << 20,
                "{encoding:?}: {before} to {after}"
            );
        }
    }
}

#[test]
fn sniffing_finds_the_codec_and_refuses_what_has_no_media_type() {
    let tar = corpus::blocks().concat();
    for encoding in every_codec() {
        let stored = encode(&[&tar][..], &encoding, 1).stored;
        let (codec, mut reader) = sniffing_decoder(RaggedReader::new(&stored[..], 5)).unwrap();
        let mut out = Vec::new();
        reader.read_to_end(&mut out).unwrap();
        assert!(codec == encoding.codec() && out == tar, "{encoding:?}");
    }
    for (start, expect) in [
        (&b"BZh91AY&SY"[..], "layers cannot be stored as bzip2"),
        (b"\xfd7zXZ\0\0\x04", "layers cannot be stored as xz"),
    ] {
        let error = sniffing_decoder(start).err().unwrap();
        assert!(error.to_string().starts_with(expect), "{error}");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
    for short in [
        &b""[..],
        b"\x1f",
        b"\x1f\x8b",
        b"\x28\xb5\x2f",
        b"\xfd7zX",
        b"BZ",
    ] {
        assert_eq!(sniff(short), Detected::None);
        let (codec, mut reader) = sniffing_decoder(short).unwrap();
        let mut out = Vec::new();
        reader.read_to_end(&mut out).unwrap();
        assert_eq!((codec, &out[..]), (Codec::None, short));
    }
}

/// Gives its bytes, then an error of its own instead of an end, and counts.
struct Breaks<'a>(&'a [u8]);

impl Read for Breaks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "digest mismatch",
            ));
        }
        self.0.read(buffer)
    }
}

#[test]
fn the_readers_own_error_is_passed_on_and_its_end_awaited() {
    let tar = corpus::blocks().concat();
    for encoding in every_codec() {
        let stored = encode(&[&tar][..], &encoding, 1).stored;
        for len in [0, 5, stored.len() / 2, stored.len()] {
            let mut out = Vec::new();
            let error = decoder(encoding.codec(), Breaks(&stored[..len]))
                .read_to_end(&mut out)
                .expect_err("the reader never ends well");
            assert_eq!(
                error.to_string(),
                "digest mismatch",
                "{encoding:?} after {len}"
            );
        }
    }
}

proptest! {
    #[test]
    fn nothing_makes_a_decoder_panic(
        bytes: Vec<u8>,
        start in 0..4_usize,
        seed: u64,
    ) {
        let starts: [&[u8]; 4] =
            [b"", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"];
        let stored = [starts[start], &bytes].concat();
        for codec in Codec::ALL {
            let mut reader = decoder(codec, RaggedReader::new(&stored[..], seed)).take(1 << 20);
            drop(reader.read_to_end(&mut Vec::new()));
        }
    }

    #[test]
    fn read_sizes_do_not_matter(seed: u64) {
        let tar = Numbers::new(seed).bytes(3_000).repeat(40);
        for encoding in every_codec() {
            let stored = encode(&[&tar[..70_000], &tar[70_000..]][..], &encoding, 1).stored;
            let reader = decoder(encoding.codec(), RaggedReader::new(&stored[..], seed));
            let mut out = Vec::new();
            RaggedReader::new(reader, seed ^ 1).read_to_end(&mut out).unwrap();
            prop_assert!(out == tar);
        }
    }
}
