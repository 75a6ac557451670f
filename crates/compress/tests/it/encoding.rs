//! What an encoding may say, and the exact form of what comes out.

use cooperage_compress::{
    Codec, EncoderId, Encoding, EncodingError, MAX_BLOCK_SIZE, MIN_BLOCK_SIZE,
};

use crate::{corpus, decode, encode, every_codec, every_encoding};

fn check_refused(id: &str, level: u8, block_size: u64, expect: &str) {
    let error = Encoding::parse(id, level, block_size).expect_err(expect);
    assert_eq!(error.to_string(), expect);
}

#[test]
fn what_is_not_an_encoding_is_refused_with_the_reason() {
    let known = "known are `none-1`, `gzip-1`, `gzip-2`, `zstd-1`";
    check_refused(
        "gzip",
        6,
        1 << 20,
        &format!("unknown encoder id `gzip`, {known}"),
    );
    check_refused("", 6, 1 << 20, &format!("unknown encoder id ``, {known}"));
    check_refused(
        "gzip-1",
        0,
        1 << 20,
        "`gzip-1` has no level 0, expected 1 to 9",
    );
    check_refused(
        "gzip-1",
        10,
        1 << 20,
        "`gzip-1` has no level 10, expected 1 to 9",
    );
    check_refused(
        "zstd-1",
        20,
        1 << 20,
        "`zstd-1` has no level 20, expected 1 to 19",
    );
    check_refused(
        "none-1",
        1,
        1 << 20,
        "`none-1` has no level 1, expected 0 to 0",
    );
    for size in [0, MIN_BLOCK_SIZE - 1, MAX_BLOCK_SIZE + 1, u64::MAX] {
        let expect =
            format!("a block size of {size} bytes is out of range, expected 65536 to 67108864");
        check_refused("zstd-1", 3, size, &expect);
    }
    let error: EncodingError = "bzip2".parse::<Codec>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown codec `bzip2`, known are `none`, `gzip`, `zstd`"
    );
}

#[test]
fn names_round_trip() {
    for encoder in EncoderId::ALL {
        assert_eq!(encoder.to_string().parse(), Ok(encoder));
        assert_eq!(encoder.codec().encoder().codec(), encoder.codec());
        assert!(encoder.levels().contains(&encoder.default_level()));
    }
    for codec in Codec::ALL {
        assert_eq!(codec.to_string().parse(), Ok(codec));
        let encoding = Encoding::of(codec);
        let (id, level, size) = (encoding.encoder(), encoding.level(), encoding.block_size());
        assert_eq!(Encoding::parse(id.as_str(), level, size), Ok(encoding));
    }
    let default = Encoding::default();
    assert_eq!(
        (default.encoder(), default.block_size()),
        (EncoderId::Gzip2, 1 << 20)
    );
    assert_eq!(Encoding::of(Codec::Zstd).block_size(), 4 << 20);
}

#[test]
fn nothing_has_its_form_too() {
    let none: [Vec<u8>; 0] = [];
    let gzip: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let zstd: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00];
    for (encoding, expect) in every_codec().zip([&[][..], gzip, zstd]) {
        assert_eq!(
            encode(&none[..], &encoding, 2).stored,
            expect,
            "{encoding:?}"
        );
        assert_eq!(
            encode(&[b""; 3][..], &encoding, 2).stored,
            expect,
            "{encoding:?}"
        );
        assert_eq!(decode(encoding.codec(), expect), b"");
    }
}

/// DEFLATE without a header, as a reader that seeks to a block does.
fn inflate_alone(stored: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 2 << 20];
    let mut state = flate2::Decompress::new(false);
    let status = state
        .decompress(stored, &mut out, flate2::FlushDecompress::Sync)
        .unwrap();
    assert_eq!(
        (status, state.total_in()),
        (flate2::Status::Ok, stored.len() as u64)
    );
    out.truncate(state.total_out() as usize);
    out
}

#[test]
fn each_block_can_be_read_alone_where_its_record_says() {
    let blocks = corpus::blocks();
    for encoding in every_encoding() {
        let layer = encode(&blocks[..], &encoding, 3);
        assert_eq!(
            decode(encoding.codec(), &layer.stored),
            blocks.concat(),
            "{encoding:?}"
        );
        assert_eq!(layer.records.len(), blocks.len());
        let mut offset = 0;
        let mut stored_offset = if encoding.codec() == Codec::Gzip {
            10
        } else {
            0
        };
        for (index, (record, raw)) in layer.records.iter().zip(&blocks).enumerate() {
            assert_eq!((record.offset, record.len), (offset, raw.len() as u64));
            assert_eq!(record.stored_offset, stored_offset);
            assert_eq!(record.crc32, crc32fast::hash(raw));
            offset += record.len;
            stored_offset += record.stored_len;
            assert!(record.stored_len <= record.len + record.len / 8 + 4096);
            let stored = layer.block(index);
            let alone = match encoding.codec() {
                _ if raw.is_empty() => stored.to_vec(),
                Codec::None => stored.to_vec(),
                Codec::Gzip => inflate_alone(stored),
                Codec::Zstd => {
                    // The size of the content is told, so that a reader can allocate once.
                    let size = zstd_safe::get_frame_content_size(stored).unwrap();
                    assert_eq!(size, Some(record.len));
                    assert_eq!(stored[4] & 0b100, 0, "no checksum");
                    decode(Codec::Zstd, stored)
                }
            };
            assert!(alone == *raw, "{encoding:?}, block {index}");
        }
        let trailer = if encoding.codec() == Codec::Gzip {
            10
        } else {
            0
        };
        assert_eq!(layer.stored.len() as u64, stored_offset + trailer);
    }
}

#[test]
fn gzip_has_no_time_and_no_level_in_its_header_and_ends_in_an_empty_block() {
    let blocks = corpus::blocks();
    for encoding in every_encoding().filter(|encoding| encoding.codec() == Codec::Gzip) {
        let stored = encode(&blocks[..], &encoding, 2).stored;
        assert_eq!(stored[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        let tar = blocks.concat();
        let mut end = vec![3, 0];
        end.extend_from_slice(&crc32fast::hash(&tar).to_le_bytes());
        end.extend_from_slice(&(tar.len() as u32).to_le_bytes());
        assert!(stored.ends_with(&end));
    }
}
