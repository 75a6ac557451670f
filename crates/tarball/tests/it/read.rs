//! Tars of the field, good and bad, and other programs as a second opinion.

mod trees;

use std::io::Read as _;

use cooperage_tarball::{
    Attributes, Content, Entry, Kind, Mtime, ReadOptions, TarEntry, TarError, TarKind, TarReader,
    Tree, TreePath,
};
use cooperage_testkit::ragged::RaggedReader;
use proptest::prelude::*;

use crate::common::{ask, file, path, tar_of, tree};
use crate::write::everything;

fn read_with(tar: &[u8], options: ReadOptions) -> Result<Vec<(TarEntry, Vec<u8>)>, TarError> {
    let mut reader = TarReader::new(RaggedReader::new(tar, 7), options);
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut body = Vec::new();
        if let Err(error) = reader.read_to_end(&mut body) {
            return Err(*error.into_inner().unwrap().downcast::<TarError>().unwrap());
        }
        entries.push((entry, body));
    }
    assert!(reader.next_entry().unwrap().is_none());
    Ok(entries)
}

fn read(tar: &[u8]) -> Result<Vec<(TarEntry, Vec<u8>)>, TarError> {
    read_with(tar, ReadOptions::default())
}

/// A header that is right but for what `change` does, and its body.
fn raw(change: impl Fn(&mut [u8; 512]), body: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..4].copy_from_slice(b"name");
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", body.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    change(&mut header);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn special(typeflag: u8, body: &[u8]) -> Vec<u8> {
    raw(|header| header[156] = typeflag, body)
}

fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let len = (1..10_000)
        .find(|len: &usize| len.to_string().len() + rest == *len)
        .unwrap();
    format!("{len} {key}={value}\n")
}

/// `text` at the start of a field.
fn set(header: &mut [u8; 512], at: usize, text: &[u8]) {
    header[at..at + text.len()].copy_from_slice(text);
}

fn ended(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), vec![0; 1024]].concat()
}

#[track_caller]
fn one(parts: &[Vec<u8>]) -> (TarEntry, Vec<u8>) {
    let mut entries = read(&ended(parts)).unwrap();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

#[track_caller]
fn refused(parts: &[Vec<u8>], expect: &str) {
    let error = read(&ended(parts)).unwrap_err();
    let text = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    assert!(text.contains(expect), "{text}");
}

#[test]
fn what_is_written_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("layer.tar");
    let tree = everything();
    let tar = tar_of(&tree);
    std::fs::write(&place, &tar).unwrap();
    let again = Tree::from_tar(&place, &ReadOptions::default()).unwrap();
    assert_eq!(tar_of(&again), tar);
    assert_eq!(
        again.get(&path("rich")).unwrap().attributes,
        tree.get(&path("rich")).unwrap().attributes
    );
}

#[test]
fn names_lose_their_dots_and_slashes() {
    for (name, expect) in [
        ("./a", "a"),
        ("/a", "a"),
        ("//a//b", "a/b"),
        ("././a/./b", "a/b"),
        (".hidden", ".hidden"),
        ("a/..b", "a/..b"),
    ] {
        let (entry, _) = one(&[raw(
            |header| set(header, 0, &[name.as_bytes(), b"\0\0\0\0"].concat()),
            b"",
        )]);
        assert_eq!(entry.path, path(expect), "{name}");
        assert_eq!(entry.name, name.as_bytes());
    }
    for name in ["..", "../a", "a/..", "a/../b", "/.."] {
        refused(
            &[raw(
                |header| set(header, 0, &[name.as_bytes(), b"\0\0\0"].concat()),
                b"",
            )],
            "`..`",
        );
    }
    let root = |typeflag: u8| {
        move |header: &mut [u8; 512]| {
            set(header, 0, b"./\0\0");
            header[156] = typeflag;
        }
    };
    assert!(one(&[raw(root(b'5'), b"")]).0.path.is_root());
    refused(&[raw(root(b'2'), b"")], "a symbolic link to nothing");
    refused(&[raw(root(b'6'), b"")], "the tree's root, but no directory");
    refused(
        &[raw(|header| set(header, 0, b"\0\0\0\0"), b"")],
        "it is empty",
    );
}

#[test]
fn every_way_to_say_a_name() {
    // ustar's prefix.
    let (entry, _) = one(&[raw(|header| set(header, 345, b"usr/lib"), b"")]);
    assert_eq!(entry.path, path("usr/lib/name"));
    // GNU's times stand where the prefix is.
    let (entry, _) = one(&[raw(
        |header| {
            set(header, 257, b"ustar  \0");
            set(header, 345, b"12345670123");
        },
        b"",
    )]);
    assert_eq!(entry.path, path("name"));
    // v7 has neither prefix nor owner.
    let (entry, _) = one(&[raw(
        |header| {
            header[257..].fill(b'x');
            // Nor has it devices, but what is no number there is no header to anybody.
            header[329..345].fill(0);
            header[156] = 0;
        },
        b"",
    )]);
    assert_eq!((entry.path, entry.attributes.user), (path("name"), vec![]));
    // star's prefix is shorter.
    let (entry, _) = one(&[raw(
        |header| {
            header[345..476].fill(b'p');
            header[476..500].fill(b'7');
            set(header, 508, b"tar\0");
        },
        b"",
    )]);
    assert_eq!(entry.path, path(&format!("{}/name", "p".repeat(131))));
    // GNU long names, and PAX ones.
    let long = "x/".repeat(300) + "end";
    let gnu = special(b'L', format!("{long}\0").as_bytes());
    let pax = special(b'x', record("path", &long).as_bytes());
    for before in [
        vec![gnu.clone()],
        vec![pax.clone()],
        vec![gnu.clone(), pax.clone()],
    ] {
        let (entry, body) = one(&[before.concat(), raw(|_| {}, b"body")]);
        assert_eq!(
            (entry.path, entry.offset, body),
            (path(&long), 0, b"body".to_vec())
        );
    }
    let other = special(b'x', record("path", "other").as_bytes());
    refused(
        &[gnu.clone(), other.clone(), raw(|_| {}, b"")],
        "say one thing twice",
    );
    refused(&[pax, other, raw(|_| {}, b"")], "say one thing twice");
    refused(
        &[gnu.clone(), gnu.clone(), raw(|_| {}, b"")],
        "say one thing twice",
    );
    refused(&[gnu], "without an entry");
    let (entry, _) = one(&[
        special(b'K', &[long.as_bytes(), b"\0"].concat()),
        raw(|header| header[156] = b'2', b""),
    ]);
    assert_eq!(
        entry.kind,
        TarKind::Symlink {
            target: long.into_bytes()
        }
    );
}

/// GHSA-3pv8-6f4r-ffg2, RUSTSEC-2026-0068 and CVE-2025-62518: whose size counts for whom.
#[test]
fn a_size_applies_to_the_entry_itself() {
    let size = special(b'x', record("size", "4").as_bytes());
    // The record wins over the header, zero or not.
    for header in ["00000000000", "00000001000"] {
        let entry = raw(|raw| set(raw, 124, header.as_bytes()), b"body");
        let (entry, body) = one(&[size.clone(), entry]);
        assert_eq!((entry.len, body), (4, b"body".to_vec()));
    }
    // It is not the size of the long name between them.
    let long = special(b'L', b"a-long-name\0");
    let entry = raw(|raw| set(raw, 124, b"00000000000"), b"body");
    let (entry, body) = one(&[size, long, entry]);
    assert_eq!((entry.path, body), (path("a-long-name"), b"body".to_vec()));
    // Nor can one hide entries in the body of something else.
    let link = |raw: &mut [u8; 512]| {
        raw[156] = b'2';
        raw[157] = b'a';
    };
    let entry = raw(link, b"");
    let smuggled = raw(|_| {}, b"");
    let size = special(b'x', record("size", "512").as_bytes());
    refused(
        &[size, entry, smuggled],
        "a link, fifo or device with a body",
    );
}

#[test]
fn numbers_in_every_form() {
    let (entry, _) = one(&[raw(
        |header| {
            set(header, 108, b"\x80\0\0\0\0\x98\x96\x80");
            set(header, 116, b"     17 ");
            set(
                header,
                136,
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            );
            set(header, 100, b"100644 \0");
        },
        b"",
    )]);
    let attributes = entry.attributes;
    assert_eq!((attributes.uid, attributes.gid), (10_000_000, 0o17));
    assert_eq!(
        (attributes.mode, attributes.mtime),
        (0o644, Mtime::from_seconds(-1))
    );
    refused(
        &[raw(
            |header| set(header, 108, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
            b"",
        )],
        "uid",
    );
    refused(
        &[raw(|header| set(header, 100, b"0000888\0"), b"")],
        "`0000888\\x00` for its mode",
    );
    refused(
        &[raw(
            |header| set(header, 124, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"),
            b"",
        )],
        "2^62",
    );
    refused(
        &[raw(
            |header| {
                set(
                    header,
                    124,
                    b"\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                );
            },
            b"",
        )],
        "size",
    );
}

/// Found by comparing with Python's tarfile and libarchive, who refuse these, or read them as
/// something else than one another.
#[test]
fn headers_that_readers_understand_differently() {
    // What is no number, in a field that the entry has no use for.
    for at in [329, 337] {
        refused(&[raw(|header| set(header, at, b"9999999\0"), b"")], "dev");
    }
    let long = |header: &mut [u8; 512]| {
        header[156] = b'L';
        set(header, 100, b"000064x\0");
    };
    refused(&[raw(long, b"a-long-name\0"), raw(|_| {}, b"")], "mode");
    // Base 256 begins with 0x80 or 0xff.
    refused(
        &[raw(|header| set(header, 108, b"\x9d000000\0"), b"")],
        "uid",
    );
    // Neither POSIX's magic nor GNU's, and a prefix.
    refused(
        &[raw(
            |header| {
                set(header, 257, b"ustar\x86 \0");
                set(header, 345, b"prefix");
            },
            b"",
        )],
        "a header of an unknown form",
    );
    // The map of a sparse file, and its size with the holes.
    for at in [386, 483] {
        refused(
            &[raw(
                |header| {
                    set(header, 257, b"ustar  \0");
                    set(header, at, b"00000000007\0");
                },
                b"body",
            )],
            "the map of a sparse file",
        );
    }
    // To POSIX what the header says is deleted, to Go it counts, to others it is 0 or empty.
    for key in ["path", "linkpath", "size", "uid", "gid", "mtime"] {
        refused(
            &[special(b'x', record(key, "").as_bytes()), raw(|_| {}, b"")],
            &format!("`{key}=`"),
        );
    }
    let (entry, _) = one(&[
        special(b'x', record("uname", "").as_bytes()),
        raw(|header| set(header, 265, b"user\0"), b""),
    ]);
    assert_eq!(entry.attributes.user, b"");
}

#[test]
fn checksums_of_signed_bytes() {
    let mut tar = raw(|header| set(header, 0, b"caf\xe9"), b"");
    let unsigned: u32 = tar
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    tar[148..154].copy_from_slice(format!("{:06o}", unsigned - 256).as_bytes());
    assert_eq!(one(&[tar.clone()]).0.path.as_bytes(), b"caf\xe9");
    tar[153] ^= 1;
    refused(&[tar], "is this a tar?");
    refused(
        &[b"{\"schemaVersion\": 2}".repeat(30)[..512].to_vec()],
        "checksum",
    );
}

#[test]
fn records_about_one_entry_and_about_all() {
    let all = [
        record("uid", "7"),
        record("mtime", "1.5"),
        record("comment", "0123"),
    ]
    .concat();
    let own = [
        record("uid", "8"),
        record("uname", "\u{e4}"),
        record("LIBARCHIVE.creationtime", "1"),
    ];
    let tar = ended(&[
        special(b'g', all.as_bytes()),
        raw(|_| {}, b""),
        special(b'x', own.concat().as_bytes()),
        raw(|header| set(header, 0, b"next"), b""),
    ]);
    let entries = read(&tar).unwrap();
    let (first, second) = (&entries[0].0, &entries[1].0);
    assert_eq!((first.attributes.uid, second.attributes.uid), (7, 8));
    assert_eq!(
        second.attributes.mtime,
        Mtime {
            seconds: 1,
            nanoseconds: 500_000_000
        }
    );
    assert_eq!(second.attributes.user, "\u{e4}".as_bytes());
    assert_eq!(second.other[&b"LIBARCHIVE.creationtime"[..]], b"1");
    for key in ["path", "size", "linkpath", "SCHILY.xattr.user.a"] {
        refused(
            &[special(b'g', record(key, "1").as_bytes()), raw(|_| {}, b"")],
            key,
        );
    }
    refused(
        &[special(b'x', b"99 path=a\n"), raw(|_| {}, b"")],
        "not well-formed",
    );
    refused(
        &[
            special(b'x', record("size", "-1").as_bytes()),
            raw(|_| {}, b""),
        ],
        "`size=-1`",
    );
    refused(
        &[
            special(b'x', record("hdrcharset", "KOI8-R").as_bytes()),
            raw(|_| {}, b""),
        ],
        "KOI8-R",
    );
}

#[test]
fn extended_attributes_of_both_schools() {
    let records = [
        record("LIBARCHIVE.xattr.user.a%25", "AAE"),
        record("LIBARCHIVE.xattr.user.b", "AAE"),
        record("SCHILY.xattr.user.b", "schily"),
        record("SCHILY.xattr.user.c", ""),
    ];
    let (entry, _) = one(&[special(b'x', records.concat().as_bytes()), raw(|_| {}, b"")]);
    let xattrs = entry.attributes.xattrs;
    assert_eq!(xattrs[&b"user.a%"[..]], [0, 1]);
    assert_eq!(xattrs[&b"user.b"[..]], b"schily");
    assert_eq!(xattrs[&b"user.c"[..]], b"");
}

#[test]
fn what_no_layer_holds_is_refused_by_name() {
    for (typeflag, expect) in [
        (b'S', "`name` at byte 0 is a sparse file (GNU)"),
        (b'M', "the continuation of another volume"),
        (b'V', "the label of a volume"),
        (b'D', "a directory of an incremental dump"),
        (b'Z', "the unknown type `Z`"),
    ] {
        refused(&[special(typeflag, b"")], expect);
    }
    let sparse = record("GNU.sparse.major", "1") + &record("GNU.sparse.name", "holes");
    refused(
        &[special(b'x', sparse.as_bytes()), raw(|_| {}, b"")],
        "`holes` at byte 0 is a sparse file (PAX)",
    );
    refused(
        &[raw(|header| set(header, 0, b"dir/"), b"")],
        "a directory to some readers",
    );
    let (entry, _) = one(&[raw(
        |header| {
            set(header, 0, b"dir/");
            header[156] = 0;
        },
        b"",
    )]);
    assert_eq!(entry.kind, TarKind::Directory);
}

#[test]
fn ends_and_what_is_behind_them() {
    let body = raw(|_| {}, b"body");
    let strict = ReadOptions {
        require_end: true,
        ..ReadOptions::default()
    };
    let padding = 512 - b"body".len();
    let bare = &body[..body.len() - padding];
    // Not even padded, as umoci 0.4 writes it; without an end, as rules_img does; with one block
    // only; with both.
    for (zeros, is_whole) in [
        (0, false),
        (padding, false),
        (padding + 512, false),
        (padding + 1024, true),
        (padding + 10_240, true),
    ] {
        let tar = [bare, &vec![0; zeros]].concat();
        assert_eq!(read(&tar).unwrap().len(), 1);
        assert_eq!(read_with(&tar, strict).is_ok(), is_whole, "{zeros}");
    }
    refused(
        &[body.clone(), vec![0; 512], body.clone()],
        "one block of zeros at byte 1024",
    );
    for len in (1..body.len()).filter(|len| *len != bare.len()) {
        let error = read(&body[..len]).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("the tar is cut short at byte {len}")),
            "{error}"
        );
    }
    let finish = |tail: &[u8]| {
        let tar = [body.clone(), vec![0; 1024], tail.to_vec()].concat();
        let trailing = TarReader::new(tar.as_slice(), ReadOptions::default())
            .finish()
            .unwrap();
        (trailing.zeros, trailing.other)
    };
    assert_eq!(finish(b""), (0, 0));
    assert_eq!(finish(&[0; 9216]), (9216, 0));
    assert_eq!(finish(&[vec![0; 512], vec![1; 700]].concat()), (512, 700));
}

#[test]
fn claimed_sizes_are_not_believed() {
    let huge = |typeflag: u8| {
        raw(
            move |header| {
                set(header, 124, b"77777777777\0");
                header[156] = typeflag;
            },
            b"",
        )
    };
    refused(&[huge(b'x')], "records or a long name of 8589934591 bytes");
    refused(&[huge(b'L')], "at most 1048576 are read");
    refused(&[huge(b'0')], "cut short at byte 1536, inside of `name`");
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("short.tar");
    std::fs::write(&place, huge(b'0')).unwrap();
    let error = Tree::from_tar(&place, &ReadOptions::default()).unwrap_err();
    let error = std::error::Error::source(&error).unwrap().to_string();
    assert!(error.contains("cut short"), "{error}");
}

#[test]
fn whiteouts() {
    let named = |name: &str| {
        raw(
            |header| set(header, 0, &[name.as_bytes(), b"\0\0\0\0"].concat()),
            b"",
        )
    };
    let read = |name: &str| {
        let (entry, _) = one(&[named(name)]);
        (entry.path.to_string(), entry.kind)
    };
    assert_eq!(read("a/.wh.b"), ("a/b".into(), TarKind::Whiteout));
    assert_eq!(read("./.wh.b"), ("b".into(), TarKind::Whiteout));
    assert_eq!(read("a/.wh..wh..opq"), ("a".into(), TarKind::Opaque));
    assert_eq!(read(".wh..wh..opq"), ("./".into(), TarKind::Opaque));
    for (name, expect) in [
        (".wh.", "removes nothing that has a name"),
        (".wh..", "removes nothing that has a name"),
        (".wh...", "removes nothing that has a name"),
        ("a/.wh..wh.x", "is no whiteout that layers know"),
        (".wh.a/b", "lies below a name that begins with `.wh.`"),
    ] {
        refused(&[named(name)], expect);
    }
    // What AUFS keeps for itself.
    let tar = ended(&[named(".wh..wh.aufs"), named(".wh..wh.plnk/1.2"), named("a")]);
    assert_eq!(crate::read::read(&tar).unwrap().len(), 1);
    refused(
        &[raw(|header| set(header, 0, b".wh.a"), b"body")],
        "is not an empty file",
    );
    // Archives that are no layers have names of any kind.
    let plain = ReadOptions {
        whiteouts: false,
        ..ReadOptions::default()
    };
    let entries = read_with(&ended(&[named("a/.wh.b")]), plain).unwrap();
    assert_eq!(entries[0].0.path, path("a/.wh.b"));
}
