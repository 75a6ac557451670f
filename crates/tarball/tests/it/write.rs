//! What the headers say, and that other programs read it so.

use cooperage_tarball::{
    Attributes, BlockRules, Content, Entry, Kind, Mtime, Tree, TreePath, plan_blocks,
};

use crate::common::{ask, file, pack, path, resolve, tar_of, tree};

#[test]
fn a_header_byte_by_byte() {
    let mut attributes = Attributes::with_mode(0o4755);
    attributes.uid = 1000;
    attributes.gid = 0o7_777_777;
    attributes.user = b"user".to_vec();
    attributes.mtime = Mtime::from_seconds(0o17);
    let tar = tar_of(&tree([(
        "bin/app",
        Entry::file(Content::bytes(*b"body"), attributes),
    )]));
    let header = &tar[512..1024];
    let mut expect = vec![0; 512];
    let mut put = |at: usize, text: &[u8]| expect[at..at + text.len()].copy_from_slice(text);
    put(0, b"bin/app");
    put(
        100,
        b"0004755\x000001750\x007777777\x0000000000004\x0000000000017\0",
    );
    put(148, b"011466\0 0");
    put(257, b"ustar\x0000user");
    put(329, b"0000000\x000000000\0");
    assert_eq!(
        String::from_utf8_lossy(header),
        String::from_utf8_lossy(&expect)
    );
    assert_eq!(&tar[1024..1028], b"body");
    assert_eq!(tar.len(), 1536 + 1024);
    assert!(tar[1028..].iter().all(|byte| *byte == 0));
}

/// One of everything.
pub(crate) fn everything() -> Tree {
    let long = "long/".repeat(30);
    let mut rich = Attributes::with_mode(0o6711);
    rich.uid = 3_000_000;
    rich.gid = 4_000_000_000;
    rich.user = "j\u{f6}rg".into();
    rich.group = vec![b'g'; 40];
    rich.mtime = Mtime {
        seconds: -2,
        nanoseconds: 500_000_000,
    };
    rich.xattrs.insert(
        b"security.capability".to_vec(),
        b"\x01\0\0\x02\n=\xff".to_vec(),
    );
    rich.xattrs.insert(b"user.empty".to_vec(), Vec::new());
    let mut tree = tree([
        (
            "bin/app",
            Entry::file(Content::bytes(*b"app"), Attributes::executable()),
        ),
        ("dev/fifo", Entry::new(Kind::Fifo, Attributes::file())),
        (
            "dev/null",
            Entry::new(
                Kind::CharDevice { major: 1, minor: 3 },
                Attributes::with_mode(0o666),
            ),
        ),
        (
            "dev/sda",
            Entry::new(
                Kind::BlockDevice { major: 8, minor: 0 },
                Attributes::with_mode(0o660),
            ),
        ),
        ("etc", Entry::directory(Attributes::with_mode(0o2750))),
        ("lib", Entry::symlink("usr/lib")),
        ("rich", Entry::file(Content::bytes(vec![b'r'; 600]), rich)),
        ("tmp", Entry::directory(Attributes::with_mode(0o1777))),
        ("usr/bin/app", Entry::hard_link(path("bin/app"))),
        ("\u{fc}ber", Entry::symlink("\u{e4}")),
    ]);
    tree.insert(path(&format!("{long}file")), file("deep"))
        .unwrap();
    tree.insert(
        path(&format!("{long}dir")),
        Entry::directory(Attributes::directory()),
    )
    .unwrap();
    tree.insert(path("far"), Entry::symlink("x".repeat(300)))
        .unwrap();
    tree.insert(
        path("other"),
        Entry::hard_link(path(&format!("{long}file"))),
    )
    .unwrap();
    tree
}

const LISTING: &str = "
import sys, tarfile
for m in tarfile.open(fileobj=sys.stdin.buffer, mode='r|'):
    print(m.name, m.type.decode(), oct(m.mode), m.uid, m.gid, m.uname, m.gname, m.mtime, m.size,
          m.linkname, m.devmajor, m.devminor, sep='|')
";

#[test]
fn python_reads_what_was_meant() {
    let Some(listing) = ask("python3", &["-c", LISTING], &tar_of(&everything())) else {
        return;
    };
    let long = "long/".repeat(30);
    let mut expect = vec![
        "bin|5|0o755|0|0|||0|0||0|0".to_owned(),
        "bin/app|0|0o755|0|0|||0|3||0|0".into(),
        "dev|5|0o755|0|0|||0|0||0|0".into(),
        "dev/fifo|6|0o644|0|0|||0|0||0|0".into(),
        "dev/null|3|0o666|0|0|||0|0||1|3".into(),
        "dev/sda|4|0o660|0|0|||0|0||8|0".into(),
        "etc|5|0o2750|0|0|||0|0||0|0".into(),
        format!("far|2|0o777|0|0|||0|0|{}|0|0", "x".repeat(300)),
        "lib|2|0o777|0|0|||0|0|usr/lib|0|0".into(),
    ];
    for depth in 1..=30 {
        expect.push(format!("{}|5|0o755|0|0|||0|0||0|0", &long[..depth * 5 - 1]));
    }
    expect.extend([
        format!("{long}dir|5|0o755|0|0|||0|0||0|0"),
        format!("{long}file|0|0o644|0|0|||0|4||0|0"),
        format!("other|1|0o644|0|0|||0|0|{long}file|0|0"),
        format!(
            "rich|0|0o6711|3000000|4000000000|j\u{f6}rg|{}|-1.5|600||0|0",
            "g".repeat(40)
        ),
        "tmp|5|0o1777|0|0|||0|0||0|0".into(),
        "usr|5|0o755|0|0|||0|0||0|0".into(),
        "usr/bin|5|0o755|0|0|||0|0||0|0".into(),
        "usr/bin/app|1|0o755|0|0|||0|0|bin/app|0|0".into(),
        "\u{fc}ber|2|0o777|0|0|||0|0|\u{e4}|0|0".into(),
    ]);
    assert_eq!(listing.lines().collect::<Vec<_>>(), expect);
}

#[test]
fn gnu_tar_and_bsdtar_list_the_same_names() {
    let tree = everything();
    let tar = tar_of(&tree);
    let expect: Vec<_> = resolve(&tree)
        .members()
        .map(|member| match member.kind {
            cooperage_tarball::MemberKind::Directory => format!("{}/", member.path),
            _ => member.path.to_string(),
        })
        .collect();
    for (program, arguments) in [
        ("tar", &["--quoting-style=literal", "-tf", "-"][..]),
        ("bsdtar", &["-tf", "-"]),
    ] {
        let Some(listing) = ask(program, arguments, &tar) else {
            continue;
        };
        assert_eq!(listing.lines().collect::<Vec<_>>(), expect, "{program}");
    }
}

#[test]
fn names_that_are_not_utf8() {
    let mut tree = Tree::new();
    tree.insert(TreePath::new(b"caf\xe9").unwrap(), Entry::symlink(*b"\xff"))
        .unwrap();
    let tar = tar_of(&tree);
    let records = b"21 hdrcharset=BINARY\n14 linkpath=\xff\n13 path=caf\xe9\n";
    assert_eq!(&tar[..13], b"././@PaxHeade");
    assert_eq!(tar[156], b'x');
    assert_eq!(&tar[512..512 + records.len()], records);
    assert_eq!(&tar[1024..1029], b"caf\xe9\0");
    let script = "
import sys, tarfile
for m in tarfile.open(fileobj=sys.stdin.buffer, mode='r|'):
    print(ascii(m.name), ascii(m.linkname))
";
    let Some(listing) = ask("python3", &["-c", script], &tar) else {
        return;
    };
    assert_eq!(listing, "'caf\\udce9' '\\udcff'\n");
}

#[test]
fn the_name_field_holds_the_first_hundred_bytes() {
    let name = "n".repeat(100);
    assert_eq!(tar_of(&tree([(name.as_str(), file(""))])).len(), 512 + 1024);
    let name = "n".repeat(101);
    let tar = tar_of(&tree([(name.as_str(), file(""))]));
    assert_eq!(tar.len(), 3 * 512 + 1024);
    assert_eq!(&tar[1024..1124], &name.as_bytes()[..100]);
    assert_eq!(&tar[512..521], b"111 path=");
}

/// A tar of more than 8 GiB that takes no room: its file is a hole.
#[test]
fn more_than_eight_gibibytes() {
    const LEN: u64 = 9 << 30;
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("sparse");
    std::fs::File::create(&place).unwrap().set_len(LEN).unwrap();
    let mut tree = tree([("z", file("behind"))]);
    let content = Content::file(&place).unwrap();
    tree.insert(path("large"), Entry::file(content, Attributes::file()))
        .unwrap();
    let resolved = resolve(&tree);
    assert_eq!(resolved.tar_len(), 1536 + LEN + 1024 + 1024);

    let blocks = plan_blocks(
        &resolved,
        BlockRules {
            block_size: 4 << 20,
        },
    );
    assert_eq!(blocks.len() as u64, 1 + LEN / (4 << 20) + 1);
    let mut head = Vec::new();
    resolved.read_block(&blocks[0], &mut head).unwrap();
    assert_eq!(head.len(), 1536);
    assert_eq!(&head[512..528], b"19 size=96636764");
    assert_eq!(&head[1024 + 124..1024 + 136], b"00000000000\0");
    let mut middle = Vec::new();
    resolved.read_block(&blocks[2000], &mut middle).unwrap();
    assert_eq!(middle.len(), 4 << 20);

    // As a file, with a hole where the body is.
    let mut last = Vec::new();
    resolved
        .read_block(&blocks[blocks.len() - 1], &mut last)
        .unwrap();
    let tar = directory.path().join("large.tar");
    let file = std::fs::File::create(&tar).unwrap();
    file.set_len(resolved.tar_len()).unwrap();
    let write_at = |bytes: &[u8], at: u64| {
        use std::io::{Seek as _, SeekFrom, Write as _};
        let mut file = &file;
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(bytes).unwrap();
    };
    write_at(&head, 0);
    write_at(&last, blocks[blocks.len() - 1].offset);
    let place = tar.to_str().unwrap();
    if let Some(listing) = ask("tar", &["-tvf", place], b"") {
        assert!(
            listing.contains(" 9663676416 ") && listing.ends_with(" z\n"),
            "{listing}"
        );
    }
    if let Some(listing) = ask("bsdtar", &["-tvf", place], b"") {
        assert!(
            listing.contains(" 9663676416 ") && listing.ends_with(" z\n"),
            "{listing}"
        );
    }
    let script = "
import sys, tarfile
print([(m.name, m.size) for m in tarfile.open(sys.argv[1])])
";
    if let Some(listing) = ask("python3", &["-c", script, place], b"") {
        assert_eq!(listing, "[('large', 9663676416), ('z', 6)]\n");
    }
}

#[test]
fn a_hundred_thousand_entries() {
    let mut tree = Tree::new();
    for n in 0..100_000 {
        tree.insert(path(&format!("usr/share/{:02}/{n}", n % 100)), file("x"))
            .unwrap();
    }
    let resolved = resolve(&tree);
    assert_eq!(resolved.members().count(), 100_102);
    let tar = pack(&resolved);
    let Some(listing) = ask("tar", &["-tf", "-"], &tar) else {
        return;
    };
    assert_eq!(listing.lines().count(), 100_102);
}

#[test]
fn records_longer_than_readers_take_are_refused() {
    let mut attributes = Attributes::file();
    for n in 0..17 {
        attributes
            .xattrs
            .insert(format!("user.{n}").into_bytes(), vec![0; 65_536]);
    }
    let tree = tree([("a", Entry::file(Content::bytes(*b""), attributes))]);
    let error = cooperage_tarball::fold(&tree, &cooperage_tarball::FoldOptions::default());
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("`a` needs 1114"), "{error}");
}
