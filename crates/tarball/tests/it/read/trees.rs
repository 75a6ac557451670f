//! Trees of tars: our own, those of other programs, and any.

use super::*;

fn load(parts: &[Vec<u8>], options: ReadOptions) -> Result<(Tree, tempfile::TempDir), String> {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("layer.tar");
    std::fs::write(&place, ended(parts)).unwrap();
    let tree = Tree::from_tar(&place, &options);
    let tree = tree.map_err(|error| match std::error::Error::source(&error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    })?;
    Ok((tree, directory))
}

#[test]
fn of_a_path_that_comes_twice_the_last_counts() {
    let named = |name: &'static str, typeflag: u8, link: &'static str, body: &[u8]| {
        raw(
            move |header| {
                set(header, 0, &[name.as_bytes(), b"\0\0\0\0"].concat());
                set(header, 157, link.as_bytes());
                header[156] = typeflag;
            },
            body,
        )
    };
    let parts = [
        named("a", b'0', "", b"old"),
        named("b", b'1', "a", b""),
        named("c", b'1', "b", b""),
        named("a", b'0', "", b"new"),
        named("d/x/y", b'0', "", b""),
        named("d/x", b'0', "", b"file"),
    ];
    let (tree, _kept) = load(&parts, ReadOptions::default()).unwrap();
    let expect = crate::common::tree([
        ("a", file("new")),
        ("b", file("old")),
        ("c", Entry::hard_link(path("b"))),
        ("d/x", file("file")),
    ]);
    assert_eq!(tar_of(&tree), tar_of(&expect));
    let strict = ReadOptions {
        refuse_duplicates: true,
        ..ReadOptions::default()
    };
    assert!(load(&parts, strict).unwrap_err().ends_with("has `a` twice"));
    let parts = [named("l", b'2', "d", b""), named("l/x", b'0', "", b"")];
    let error = load(&parts, ReadOptions::default()).unwrap_err();
    assert!(
        error.contains("needs `l` to be a directory, but it is a symbolic link"),
        "{error}"
    );
}

#[test]
fn a_path_and_its_own_whiteout() {
    let named = |name: &'static str, typeflag: u8| {
        raw(
            move |header| {
                set(header, 0, &[name.as_bytes(), b"\0\0\0\0"].concat());
                header[156] = typeflag;
            },
            b"",
        )
    };
    let parts = [
        named("d/x", b'0'),
        named(".wh.d", b'0'),
        named("f", b'0'),
        named(".wh.f", b'0'),
        named(".wh.g", b'0'),
        named("g/.wh.h", b'0'),
        named(".wh.o", b'0'),
        named("o/p/.wh..wh..opq", b'0'),
    ];
    let (tree, _kept) = load(&parts, ReadOptions::default()).unwrap();
    let whiteouts: Vec<_> = tree
        .iter()
        .filter(|(_, entry)| entry.kind == Kind::Whiteout)
        .map(|(path, _)| path.to_string())
        .collect();
    assert_eq!(whiteouts, ["g"]);
    assert_eq!(
        tree.opaque()
            .map(|path| path.to_string())
            .collect::<Vec<_>>(),
        ["d", "o", "o/p"]
    );
}

/// Tars that other programs write, of the same directory.
#[test]
fn tars_of_other_programs() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join("in").join(name);
    let long = "long-name-of-a-directory/".repeat(6);
    std::fs::create_dir_all(place(&long)).unwrap();
    std::fs::write(place(&format!("{long}file")), "deep").unwrap();
    std::fs::write(place("\u{fc}ber"), vec![b'u'; 1500]).unwrap();
    std::fs::hard_link(place("\u{fc}ber"), place("linked")).unwrap();
    std::os::unix::fs::symlink("x".repeat(150), place("far")).unwrap();
    let source = directory.path().join("in");
    let source = source.to_str().unwrap();
    let mut trees = Vec::new();
    for (program, arguments) in [
        ("tar", &["--format=gnu"][..]),
        ("tar", &["--format=posix"]),
        ("tar", &["--format=posix", "--pax-option=comment=all"]),
        ("bsdtar", &["--format=pax"]),
        ("bsdtar", &["--format=gnutar"]),
        ("python3", &["GNU_FORMAT"]),
        ("python3", &["PAX_FORMAT"]),
    ] {
        let out = directory.path().join("out.tar");
        let out = out.to_str().unwrap();
        let script = "
import os, sys, tarfile
with tarfile.open(sys.argv[2], 'w', format=getattr(tarfile, sys.argv[1])) as t:
    t.add(sys.argv[3], arcname='.')
";
        let all: Vec<&str> = if program == "python3" {
            ["-c", script, arguments[0], out, source].to_vec()
        } else {
            [arguments, &["-cf", out, "-C", source, "."]].concat()
        };
        if ask(program, &all, b"").is_none() {
            continue;
        }
        let tree = Tree::from_tar(out.as_ref(), &ReadOptions::default()).unwrap();
        // What the formats round differently is made equal.
        let mut plain = Tree::new();
        for (path, mut entry) in tree.iter() {
            entry.attributes = Attributes::with_mode(entry.attributes.mode & 0o700);
            if let Kind::File { content, .. } = &mut entry.kind {
                let mut body = Vec::new();
                content.open().unwrap().read_to_end(&mut body).unwrap();
                *content = Content::bytes(body);
            }
            if matches!(entry.kind, Kind::Symlink { .. }) {
                entry.attributes.mode = 0o777;
            }
            plain.insert(path.clone(), entry).unwrap();
        }
        trees.push((format!("{program} {arguments:?}"), tar_of(&plain)));
    }
    for (name, tar) in &trees {
        assert!(*tar == trees[0].1, "{name} against {}", trees[0].0);
    }
    // An unpacker sees the tree that was packed.
    let scanned =
        cooperage_tarball::scan(source.as_ref(), &cooperage_tarball::ScanOptions::default())
            .unwrap();
    assert_eq!(scanned.len(), 10);
    if let Some((_, tar)) = trees.first() {
        let names: Vec<_> = read(tar)
            .unwrap()
            .into_iter()
            .map(|(entry, _)| entry.path)
            .collect();
        let paths: Vec<_> = scanned.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(names[1..], paths);
        assert!(names[0].is_root());
    }
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let number = prop_oneof![
        0..10_u64,
        2_097_150..2_097_155_u64,
        Just(u64::from(u32::MAX))
    ];
    let name = prop::collection::vec(1..=255_u8, 0..40);
    let xattr = (
        prop::collection::vec(b'a'..=b'z', 1..5),
        prop::collection::vec(any::<u8>(), 0..20),
    );
    let seconds = prop_oneof![
        Just(0),
        -3..3_i64,
        8_589_934_590..8_589_934_594_i64,
        any::<i64>().prop_map(|n| n / 4)
    ];
    let nanoseconds = prop_oneof![3 => Just(0), 1 => 0..1_000_000_000_u32];
    (
        (0..=0o7777_u32, number.clone(), number, name.clone(), name),
        (seconds, nanoseconds),
        prop::collection::btree_map(xattr.0, xattr.1, 0..3),
    )
        .prop_map(
            |((mode, uid, gid, user, group), (seconds, nanoseconds), xattrs)| Attributes {
                mode,
                uid,
                gid,
                user,
                group,
                mtime: Mtime {
                    seconds,
                    nanoseconds,
                },
                xattrs,
            },
        )
}

fn kind() -> impl Strategy<Value = Kind> {
    let bytes = prop::collection::vec(any::<u8>(), 0..1200);
    let target = prop::collection::vec(1..=255_u8, 1..130);
    prop_oneof![
        4 => bytes.prop_map(|bytes| Kind::File { content: Content::bytes(bytes), fold: true }),
        2 => Just(Kind::Directory),
        2 => target.prop_map(|target| Kind::Symlink { target }),
        1 => Just(Kind::Fifo),
        1 => (0..300_u32, 0..2_097_152_u32).prop_map(|(major, minor)| Kind::CharDevice { major, minor }),
        1 => (0..300_u32, 0..2_097_152_u32).prop_map(|(major, minor)| Kind::BlockDevice { major, minor }),
        1 => Just(Kind::Whiteout),
    ]
}

/// Any tree: what contradicts it on the way is left out.
fn any_tree() -> impl Strategy<Value = Tree> {
    let part = prop_oneof![
        3 => prop::collection::vec(b'a'..=b'c', 1..2),
        1 => prop::collection::vec(1..=255_u8, 1..60),
    ];
    let at = prop::collection::vec(part, 1..5).prop_map(|parts| parts.join(&b'/'));
    let links = prop::collection::vec((at.clone(), any::<prop::sample::Index>()), 0..4);
    let opaque = prop::collection::vec(at.clone(), 0..3);
    (
        prop::collection::vec((at, kind(), attributes()), 0..12),
        links,
        opaque,
    )
        .prop_map(|(entries, links, opaque)| {
            let mut tree = Tree::new();
            for (at, kind, attributes) in entries {
                let Ok(at) = TreePath::new(&at) else { continue };
                let attributes = if kind == Kind::Whiteout {
                    Attributes::file()
                } else {
                    attributes
                };
                drop(tree.insert(at, Entry::new(kind, attributes)));
            }
            for (at, to) in links {
                let is_linkable = |kind: &Kind| !matches!(kind, Kind::Directory | Kind::Whiteout);
                let targets: Vec<_> = tree
                    .iter()
                    .filter(|(_, entry)| is_linkable(&entry.kind))
                    .map(|(path, _)| path.clone())
                    .collect();
                let Ok(at) = TreePath::new(&at) else { continue };
                if !targets.is_empty() {
                    drop(tree.insert(at, Entry::hard_link(to.get(&targets).clone())));
                }
            }
            for at in opaque {
                let Ok(at) = TreePath::new(&at) else { continue };
                drop(tree.set_opaque(at));
            }
            tree
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn tree_to_tar_to_tree(tree in any_tree()) {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("layer.tar");
        let tar = tar_of(&tree);
        std::fs::write(&place, &tar).unwrap();
        let again = Tree::from_tar(&place, &ReadOptions::default()).unwrap();
        prop_assert!(tar_of(&again) == tar);
        prop_assert!(again.opaque().eq(tree.opaque()));
        // Nothing depends on the order of insertion.
        let mut backwards = Tree::new();
        let entries: Vec<_> = tree.iter().collect();
        for (path, entry) in entries.into_iter().rev() {
            backwards.insert(path, entry).unwrap();
        }
        for path in tree.opaque() {
            backwards.set_opaque(path).unwrap();
        }
        prop_assert!(tar_of(&backwards) == tar);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        tar in any_tree(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut tar = tar_of(&tar);
        for (at, byte) in changes {
            let at = at.index(tar.len());
            tar[at] = byte;
        }
        drop(read(&tar));
        // With checksums that are right, so that what is behind them is reached.
        for block in tar.chunks_mut(512) {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        drop(read(&tar));
    }
}

#[test]
fn the_crate_tar_reads_the_same() {
    let tar = tar_of(&everything());
    let ours = read(&tar).unwrap();
    let mut archive = tar::Archive::new(tar.as_slice());
    let theirs: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut body = Vec::new();
            entry.read_to_end(&mut body).unwrap();
            (entry.path_bytes().into_owned(), body)
        })
        .collect();
    let ours: Vec<_> = ours
        .into_iter()
        .map(|(entry, body)| (entry.name, body))
        .collect();
    assert_eq!(ours, theirs);
    assert_eq!(tree([("a", file(""))]).len(), 1);
}
