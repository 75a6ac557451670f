//! Files that are made to break a reader.

use std::path::Path;
use std::sync::OnceLock;

use cooperage_runtime::{BinaryInfo, parse_group, parse_ld_so_cache, parse_passwd};
use proptest::prelude::*;

use crate::compiled::Workshop;

/// A small program and a library with versions.
fn samples() -> &'static [Vec<u8>] {
    static SAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let Some(workshop) = Workshop::open() else {
            return Vec::new();
        };
        let code = "#include <stdio.h>\nint x(void) { return puts(\"x\"); }";
        let flags = [
            "-shared",
            "-fPIC",
            "-Wl,--default-symver",
            "-Wl,-soname,libx.so",
        ];
        let library = workshop.compile("libx.so", code, &flags);
        let program = workshop.program("app", &["x"], &["@/libx.so", "-Wl,-rpath,$ORIGIN:/a"]);
        [library, program]
            .map(|path| std::fs::read(path).expect("readable"))
            .into()
    })
}

fn read(bytes: &[u8]) {
    // Any answer is right that is one.
    let _ = BinaryInfo::read_from(&bytes, Path::new("hostile"));
}

#[test]
fn every_truncation() {
    for sample in samples() {
        for len in (0..sample.len().min(2048)).chain((2048..sample.len()).step_by(97)) {
            read(&sample[..len]);
        }
    }
}

#[test]
fn the_samples_are_read() {
    for sample in samples() {
        let info = BinaryInfo::read_from(&sample.as_slice(), Path::new("sample"));
        let info = info.expect("a compiler made it");
        assert!(info.needed.contains(&"libc.so.6".to_owned()), "{info:?}");
    }
}

/// A count of program headers, a string table or a chain of versions that is far too long.
#[test]
fn claims_cost_nothing() {
    for sample in samples() {
        for at in 0..sample.len().min(1024) {
            for value in [0xff, 0x7f, 0x80] {
                let mut bytes = sample.clone();
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill(value);
                read(&bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn flipped_bits(flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..8), which in 0_usize..2) {
        if let Some(sample) = samples().get(which) {
            let mut bytes = sample.clone();
            for (at, bit) in flips {
                // Most of a file is code and zeros; the headers and tables are in front.
                let at = at.index(bytes.len().min(4096));
                bytes[at] ^= 1 << bit;
            }
            read(&bytes);
        }
    }

    #[test]
    fn any_bytes(start in prop::sample::select(vec![&b"\x7fELF\x02\x01\x01"[..], b"\x7fELF\x01\x02", b"MZ", b"\xcf\xfa\xed\xfe", b"glibc-ld.so.cache1.1", b"ld.so-1.7.0\0"]), rest in prop::collection::vec(any::<u8>(), 0..600)) {
        let bytes = [start, &rest].concat();
        read(&bytes);
        let _ = parse_ld_so_cache(&bytes);
        let _ = parse_passwd(&bytes);
        let _ = parse_group(&bytes);
    }
}
