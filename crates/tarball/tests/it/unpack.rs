//! From trees to directories. All of it is done twice: by whoever runs the tests, who is root where
//! it counts, and by a user (`as_a_user`). What only root can do is in `as_root`.

mod as_a_user;
mod as_root;
mod hostile;
mod places;
mod swaps;

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use cooperage_tarball::{
    Attributes, Content, Entry, Existing, Kind, LeftOut, Mtime, Omission, ReadOptions, Refused,
    ScanOptions, Tree, TreePath, UnpackError, UnpackOptions, Unpacked, overlay, scan, unpack,
};
use proptest::prelude::*;

use crate::common::{file, linkable, path, tar_of, tree};

/// Whoever runs this: owner and group of what they make.
fn me() -> (u64, u64) {
    let made = tempfile::tempdir().unwrap();
    let metadata = std::fs::metadata(made.path()).unwrap();
    (metadata.uid().into(), metadata.gid().into())
}

fn is_root() -> bool {
    me().0 == 0
}

/// The same, owned by whoever runs this.
fn mine(mut tree: Tree) -> Tree {
    let (uid, gid) = me();
    let all: Vec<_> = tree
        .iter()
        .map(|(path, entry)| (path.clone(), entry.clone()))
        .collect();
    for (path, mut entry) in all {
        tree.remove(&path);
        (entry.attributes.uid, entry.attributes.gid) = (uid, gid);
        tree.insert(path, entry).unwrap();
    }
    tree
}

fn with(attributes: Attributes, change: impl FnOnce(&mut Attributes)) -> Attributes {
    let mut attributes = attributes;
    change(&mut attributes);
    attributes
}

fn plainly(tree: &Tree, directory: &Path) -> Result<Unpacked, UnpackError> {
    unpack(tree, directory, &UnpackOptions::default(), &mut |_| {})
}

fn leaving_out(tree: &Tree, directory: &Path) -> Result<Unpacked, UnpackError> {
    let options = UnpackOptions {
        refused: Refused::LeaveOut,
        ..UnpackOptions::default()
    };
    unpack(tree, directory, &options, &mut |_| {})
}

/// An error and its causes.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// All that a directory holds, its own attributes too.
fn scanned(directory: &Path) -> Tree {
    scan(directory, &ScanOptions::as_found()).unwrap()
}

#[test]
fn everything_an_entry_says_is_there() {
    let made = tempfile::tempdir().unwrap();
    let out = made.path().join("out");
    let time = Mtime {
        seconds: -5,
        nanoseconds: 123_456_789,
    };
    let closed = with(Attributes::with_mode(0o555), |it| it.mtime = time);
    let secret = with(Attributes::with_mode(0o400), |it| {
        it.mtime = time;
        it.xattrs.insert(b"user.mark".to_vec(), b"\0value".to_vec());
    });
    let link = with(Attributes::symlink(), |it| it.mtime = time);
    let tree = mine(tree([
        ("closed", Entry::directory(closed.clone())),
        ("closed/below", Entry::directory(closed.clone())),
        (
            "closed/below/file",
            Entry::file(Content::bytes(vec![7; 300_000]), secret),
        ),
        (
            "closed/fifo",
            Entry::new(Kind::Fifo, with(closed, |it| it.mode = 0o622)),
        ),
        (
            "closed/link",
            Entry {
                attributes: link,
                ..Entry::symlink("/no/such")
            },
        ),
        ("name", Entry::hard_link(path("closed/below/file"))),
        ("name-of-link", Entry::hard_link(path("closed/link"))),
        (
            "set",
            Entry::new(file("").kind, Attributes::with_mode(0o6755)),
        ),
        ("sticky", Entry::directory(Attributes::with_mode(0o1777))),
    ]));
    let mut bytes = 0;
    let unpacked = unpack(&tree, &out, &UnpackOptions::default(), &mut |count| {
        bytes += count;
    })
    .unwrap();
    assert_eq!(
        (unpacked.entries, unpacked.bytes, bytes),
        (9, 300_000, 300_000)
    );
    assert_eq!(unpacked.left_out, []);
    let look = |name: &str| std::fs::symlink_metadata(out.join(name)).unwrap();
    for (name, mode) in [
        ("closed", 0o555),
        ("closed/below", 0o555),
        ("closed/below/file", 0o400),
        ("closed/fifo", 0o622),
        ("set", 0o6755),
        ("sticky", 0o1777),
        ("", 0o755),
    ] {
        assert_eq!(look(name).mode() & 0o7777, mode, "{name}");
    }
    for name in [
        "closed",
        "closed/below",
        "closed/below/file",
        "closed/fifo",
        "closed/link",
    ] {
        let found = look(name);
        assert_eq!(
            (found.mtime(), found.mtime_nsec()),
            (-5, 123_456_789),
            "{name}"
        );
    }
    assert!(look("closed/fifo").file_type().is_fifo());
    assert_eq!(look("name").ino(), look("closed/below/file").ino());
    assert_eq!(look("name-of-link").ino(), look("closed/link").ino());
    let mark = xattr::get(out.join("name"), "user.mark").unwrap();
    assert_eq!(mark.as_deref(), Some(&b"\0value"[..]));
    assert_eq!(std::fs::read(out.join("name")).unwrap(), vec![7; 300_000]);
    open_up(&out);
}

/// So that a user can remove it.
fn open_up(directory: &Path) {
    for entry in walkdir::WalkDir::new(directory) {
        let Ok(entry) = entry else { continue };
        if entry.file_type().is_dir() {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(entry.path(), open).unwrap();
        }
    }
}

#[test]
fn removals_have_nothing_to_remove() {
    let made = tempfile::tempdir().unwrap();
    let mut tree = tree([("a", Entry::whiteout()), ("d/b", Entry::whiteout())]);
    tree.set_opaque(path("e")).unwrap();
    leaving_out(&tree, &made.path().join("out")).unwrap();
    let names: Vec<_> = scanned(&made.path().join("out"))
        .iter()
        .map(|(path, _)| path.to_string())
        .collect();
    assert_eq!(names, ["./", "d", "e"]);
}

#[test]
fn of_layers_that_contradict_one_another_the_upper_counts() {
    let made = tempfile::tempdir().unwrap();
    let directory = || Entry::directory(Attributes::directory());
    let lower = tree([
        ("d/old", file("1")),
        ("l", Entry::symlink("d")),
        ("f", file("1")),
        ("f2", Entry::hard_link(path("f"))),
        ("gone/a", file("1")),
    ]);
    let mut upper = tree([
        ("d", file("2")),
        ("l", directory()),
        ("l/x", file("2")),
        ("f", Entry::symlink("f2")),
        ("gone", Entry::whiteout()),
    ]);
    upper.set_opaque(path("l")).unwrap();
    let out = made.path().join("out");
    plainly(&mine(overlay([&lower, &upper]).unwrap()), &out).unwrap();
    assert_eq!(std::fs::read(out.join("d")).unwrap(), b"2");
    assert_eq!(std::fs::read(out.join("l/x")).unwrap(), b"2");
    assert_eq!(
        std::fs::read(out.join("f")).unwrap(),
        b"1",
        "through the link"
    );
    assert_eq!(std::fs::metadata(out.join("f2")).unwrap().nlink(), 1);
    assert!(!out.join("gone").exists());
}

/// Names of few letters, so that many meet; some that are no text, and some that shells fear.
fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::sample::select(&["a", "b", "c", "a-", "b b"][..])
            .prop_map(|name| name.as_bytes().to_vec()),
        1 => Just(b"\xff\xfe".to_vec()),
        1 => Just("\u{e4}\n'\"\\".into()),
        1 => Just(vec![b'n'; 255]),
    ]
}

fn any_attributes(is_directory: bool) -> impl Strategy<Value = Attributes> {
    // Whoever is not root must be able to read again what was unpacked.
    let readable = if is_directory { 0o500 } else { 0o400 };
    let value = prop::collection::vec(any::<u8>(), 0..40);
    let xattrs = prop::collection::btree_map("[a-z]{1,8}", value, 0..3);
    (0..=0o7777_u32, -2_000_000_000..9_000_000_000_i64, xattrs).prop_map(
        move |(mode, seconds, xattrs)| {
            with(Attributes::with_mode(mode | readable), |it| {
                (it.uid, it.gid) = me();
                it.mtime = Mtime::from_seconds(seconds);
                it.xattrs = xattrs
                    .into_iter()
                    .map(|(name, value)| (format!("user.{name}").into_bytes(), value))
                    .collect();
            })
        },
    )
}

/// Any tree with all that both kinds of users can unpack, complete but for its root.
fn any_tree() -> impl Strategy<Value = Tree> {
    let at = prop::collection::vec(any_name(), 1..5).prop_map(|parts| parts.join(&b'/'));
    let entry = (
        0..8,
        prop::collection::vec(any::<u8>(), 0..3000),
        any_attributes(false),
        any_attributes(true),
        any::<prop::sample::Index>(),
    );
    let entries = prop::collection::vec((at, entry), 0..24);
    (entries, any_attributes(true)).prop_map(|(entries, top)| {
        let mut tree = Tree::new();
        tree.insert(TreePath::root(), Entry::directory(top))
            .unwrap();
        for (at, (kind, bytes, plain, of_directory, to)) in entries {
            let at = TreePath::new(&at).unwrap();
            for ancestor in at.ancestors() {
                let ancestor = TreePath::new(ancestor).unwrap();
                if tree.get(&ancestor).is_none() {
                    drop(tree.insert(ancestor, Entry::directory(of_directory.clone())));
                }
            }
            let targets = linkable(&tree);
            let entry = match kind {
                0 => Entry::directory(of_directory),
                1 => Entry {
                    attributes: with(Attributes::symlink(), |it| {
                        (it.uid, it.gid, it.mtime) = (plain.uid, plain.gid, plain.mtime);
                    }),
                    ..Entry::symlink(
                        [b"t".to_vec(), bytes]
                            .concat()
                            .iter()
                            .map(|byte| byte | 1)
                            .take(1000)
                            .collect::<Vec<_>>(),
                    )
                },
                2 | 3 if !targets.is_empty() => Entry::hard_link(to.get(&targets).clone()),
                4 => Entry::new(Kind::Fifo, with(plain, |it| it.xattrs.clear())),
                _ => Entry::file(Content::bytes(bytes), plain),
            };
            drop(tree.insert(at, entry));
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Packed, read again, unpacked and scanned, a tree is what it was.
    #[test]
    fn a_tree_goes_there_and_back(tree in any_tree()) {
        let made = tempfile::tempdir().unwrap();
        let (layer, out) = (made.path().join("layer.tar"), made.path().join("out"));
        std::fs::write(&layer, tar_of(&tree)).unwrap();
        let read = Tree::from_tar(&layer, &ReadOptions::default()).unwrap();
        plainly(&read, &out).unwrap();
        let again = scanned(&out);
        let same = tar_of(&again) == tar_of(&tree);
        open_up(&out);
        prop_assert!(same, "{tree:#?}\nbecame {again:#?}");
    }
}
