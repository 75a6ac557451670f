//! ELF files, and what tells the loader where libraries are.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use cooperage_runtime::{
    Binary, BinaryInfo, Closure, ClosureError, ReadAt, Sysroot, closure, ld_so_cache,
    parse_ld_so_cache,
};

use crate::{memory, scratch};

pub(crate) fn elf(bytes: &[u8]) {
    let name = Path::new("app");
    // A name of the string table may stand in many places: there is a limit on all together.
    let limit = (4 << 20) + 64 * bytes.len();
    let whole = memory::within(limit, || BinaryInfo::read_from(&bytes, name));
    let short = BinaryInfo::read_from(&Short(bytes), name);
    match (whole, short) {
        (Ok(whole), Ok(short)) => {
            assert_eq!(whole, short);
            assert!(whole.rpath.is_empty() || whole.runpath.is_empty());
            let paths = whole.rpath.iter().chain(&whole.runpath);
            assert!(paths.into_iter().all(|path| !path.is_empty()));
            as_program_and_library(bytes, 4 * limit);
        }
        (Err(whole), Err(short)) => assert_eq!(whole.to_string(), short.to_string()),
        (whole, short) => panic!("{whole:?} and {short:?}"),
    }
}

/// The same file is a program and its libraries and loader; and a library that another program needs.
fn as_program_and_library(bytes: &[u8], limit: usize) {
    scratch::directory(|directory| {
        let put = |name: &str, bytes: &[u8]| scratch::put(directory, &format!("elf/{name}"), bytes);
        let (app, other) = (put("app", bytes), put("other", &program()));
        for name in ["lib/libx.so", "lib/libx.so.1", "lib/ld-x.so"] {
            put(name, bytes);
        }
        let sysroot = Sysroot::new(&directory.join("elf")).expect("it was made");
        for (file, image_path) in [(app, "usr/bin/app"), (other, "other")] {
            let image_path = image_path.to_owned();
            let programs = [Binary { file, image_path }];
            let find = || closure(&programs, &sysroot, &[]);
            let found = memory::within(limit, find);
            if let Ok(found) = &found {
                assert_is_usable(found);
            }
            let again = find();
            assert_eq!(found.as_ref().map_err(text), again.as_ref().map_err(text));
        }
    });
}

fn text(error: &ClosureError) -> String {
    error.to_string()
}

/// Each place is a path of the image, given once, and each file can be read.
fn assert_is_usable(found: &Closure) {
    let mut places = BTreeSet::new();
    let files = found.files.iter().map(|file| &file.image_path);
    let links = found.links.iter().map(|link| &link.image_path);
    for place in files.chain(links) {
        let mut parts = place.split('/');
        assert!(
            parts.all(|part| !matches!(part, "" | "." | "..")),
            "{place}"
        );
        assert!(places.insert(place), "{place} twice");
    }
    for file in &found.files {
        assert!(BinaryInfo::read(&file.file).is_ok(), "{file:?}");
    }
}

/// Gives at most seven bytes at a time.
struct Short<'a>(&'a [u8]);

impl ReadAt for Short<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(7);
        self.0.read_at(offset, &mut buffer[..len])
    }
}

/// What begins as a cache does is one; all else is two configurations, parted by a NUL byte.
pub(crate) fn ld(bytes: &[u8]) {
    if bytes.starts_with(b"glibc-ld.so.cache") || bytes.starts_with(b"ld.so-") {
        cache(bytes);
    } else {
        configuration(bytes);
    }
}

fn cache(bytes: &[u8]) {
    let limit = (1 << 20) + 512 * bytes.len() + bytes.len() * bytes.len();
    let Ok(entries) = memory::within(limit, || parse_ld_so_cache(bytes)) else {
        return;
    };
    let Ok(written) = ld_so_cache(&entries) else {
        return;
    };
    let again = parse_ld_so_cache(&written).expect("what is written is read");
    assert!(again.iter().all(|entry| entries.contains(entry)));
    let plain = entries.iter().filter(|entry| !entry.is_variant);
    assert!(plain.into_iter().all(|entry| again.contains(entry)));
    assert_eq!(ld_so_cache(&again).as_deref(), Ok(&*written));
}

fn configuration(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (first, second) = (parts.next().unwrap_or(b""), parts.next().unwrap_or(b""));
    scratch::directory(|directory| {
        scratch::put(directory, "etc/ld.so.conf", first);
        scratch::put(directory, "etc/ld.so.conf.d/second.conf", second);
        let file = scratch::put(directory, "app", &program());
        let program = Binary {
            file,
            image_path: "app".to_owned(),
        };
        let sysroot = Sysroot::new(directory).expect("it was made");
        let limit = (2 << 20) + 512 * bytes.len();
        match memory::within(limit, || closure(&[program], &sysroot, &[])) {
            Err(ClosureError::Missing {
                library, searched, ..
            }) => {
                assert_eq!(library, "libx.so");
                for directory in &searched {
                    let parts = || directory.split('/').skip(1);
                    assert!(directory.starts_with('/'), "{searched:?}");
                    assert!(
                        directory == "/" || parts().all(|part| !part.is_empty() && part != "..")
                    );
                }
            }
            other => panic!("the library is nowhere: {other:?}"),
        }
    });
}

/// An ELF file for x86-64 that needs `libx.so`, of headers and a dynamic section.
fn program() -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // Type, machine, version; entry, program headers, section headers; flags, sizes and counts.
    file.extend([3, 0, 62, 0, 1, 0, 0, 0]);
    file.extend([0_u64, 64, 0].into_iter().flat_map(u64::to_le_bytes));
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 2, 0, 64, 0, 0, 0, 0, 0]);
    let dynamic = 64 + 2 * 56;
    let strings = dynamic + 4 * 16;
    let len = strings + 9;
    for (kind, offset, len) in [(1_u32, 0, len), (2, dynamic, 4 * 16)] {
        file.extend(kind.to_le_bytes());
        file.extend(5_u32.to_le_bytes());
        let numbers = [offset, offset, offset, len, len, 8_u64];
        file.extend(numbers.into_iter().flat_map(u64::to_le_bytes));
    }
    // Needed, string table, its size, end.
    let entries = [1, 1, 5, strings, 10, 9, 0, 0];
    file.extend(entries.into_iter().flat_map(u64::to_le_bytes));
    file.extend(b"\0libx.so\0");
    file
}
