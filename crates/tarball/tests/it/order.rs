//! The order of a tar, its added parents, and removals before their siblings.

use cooperage_tarball::{Attributes, Entry, Kind, Tree, TreePath};
use proptest::prelude::*;

use crate::common::{file, names, pack, path, resolve, tar_of, tree};

#[track_caller]
fn check(entries: &[(&str, Entry)], opaque: &[&str], expect: &[&str]) {
    let mut forwards = Tree::new();
    for (at, entry) in entries {
        forwards.insert(path(at), entry.clone()).unwrap();
    }
    let mut backwards = Tree::new();
    for (at, entry) in entries.iter().rev() {
        backwards.insert(path(at), entry.clone()).unwrap();
    }
    for at in opaque {
        let at = if at.is_empty() {
            TreePath::root()
        } else {
            path(at)
        };
        forwards.set_opaque(at.clone()).unwrap();
        backwards.set_opaque(at).unwrap();
    }
    let tar = pack(&resolve(&forwards));
    assert_eq!(names(&tar), expect);
    assert_eq!(
        tar,
        pack(&resolve(&backwards)),
        "the order of insertion reached the tar"
    );
}

#[test]
fn paths_are_ordered_by_bytes_without_a_trailing_slash() {
    check(
        &[
            ("a/b", file("")),
            ("a-b", file("")),
            ("a.b", file("")),
            ("a0", file("")),
        ],
        &[],
        &["a/", "a-b", "a.b", "a/b", "a0"],
    );
}

#[test]
fn missing_parents_are_what_every_system_has() {
    let tree = tree([
        ("tmp/x/y", file("")),
        ("var/tmp/x", file("")),
        ("root/.profile", file("")),
        ("srv/tmp/x", file("")),
    ]);
    let resolved = resolve(&tree);
    let parents: Vec<_> = resolved
        .members()
        .filter(|member| member.is_synthesised)
        .map(|member| format!("{:04o} {}", member.attributes.mode, member.path))
        .collect();
    assert_eq!(
        parents,
        [
            "0700 root",
            "0755 srv",
            "0755 srv/tmp",
            "1777 tmp",
            "0755 tmp/x",
            "0755 var",
            "1777 var/tmp"
        ]
    );
}

#[test]
fn removals_come_before_all_their_siblings() {
    check(
        &[
            ("+y", file("")),
            ("+x", Entry::whiteout()),
            ("a", Entry::whiteout()),
            ("!", file("")),
        ],
        &[""],
        &[".wh..wh..opq", ".wh.+x", ".wh.a", "!", "+y"],
    );
    check(
        &[
            ("d/+y", file("")),
            ("d/+x", Entry::whiteout()),
            ("d-", file("")),
            ("d/e/+z", Entry::whiteout()),
        ],
        &["d", "d/e"],
        &[
            "d/",
            "d-",
            "d/.wh..wh..opq",
            "d/.wh.+x",
            "d/+y",
            "d/e/",
            "d/e/.wh..wh..opq",
            "d/e/.wh.+z",
        ],
    );
}

#[test]
fn removals_ask_for_their_parents_too() {
    check(
        &[("usr/share/doc", Entry::whiteout())],
        &["var/cache/apt"],
        &[
            "usr/",
            "usr/share/",
            "usr/share/.wh.doc",
            "var/",
            "var/cache/",
            "var/cache/apt/",
            "var/cache/apt/.wh..wh..opq",
        ],
    );
}

#[test]
fn the_root_is_written_only_when_it_was_put_in() {
    let mut tree = tree([("a", file(""))]);
    assert_eq!(names(&tar_of(&tree)), ["a"]);
    tree.insert(
        TreePath::root(),
        Entry::directory(Attributes::with_mode(0o700)),
    )
    .unwrap();
    assert_eq!(names(&tar_of(&tree)), ["./", "a"]);
}

#[test]
fn a_tree_never_contradicts_itself() {
    #[track_caller]
    fn check(first: (&str, Entry), second: (&str, Entry), expect: &str) {
        let mut tree = tree([(first.0, first.1.with_origin("line 1"))]);
        let before = tree.clone();
        let error = tree
            .insert(path(second.0), second.1.with_origin("line 2"))
            .unwrap_err();
        assert_eq!(error.to_string(), expect);
        assert_eq!(tree, before);
    }
    let directory = || Entry::directory(Attributes::directory());
    check(
        ("a", file("1")),
        ("a", file("2")),
        "`a` is given twice and differs in content: by line 1 and by line 2",
    );
    check(
        ("a", file("1")),
        ("a", Entry::whiteout()),
        "`a` is given twice and differs in kind: by line 1 and by line 2",
    );
    check(
        ("a", directory()),
        ("a", Entry::directory(Attributes::with_mode(0o700))),
        "`a` is given twice and differs in attributes: by line 1 and by line 2",
    );
    check(
        ("a", Entry::symlink("b")),
        ("a", Entry::symlink("c")),
        "`a` is given twice and differs in target: by line 1 and by line 2",
    );
    check(
        ("a", file("")),
        ("a/b/c", file("")),
        "`a/b/c` (from line 2) needs `a` to be a directory, but it is a file (from line 1)",
    );
    check(
        ("a/b/c", file("")),
        ("a", Entry::symlink("x")),
        "`a/b/c` (from line 1) needs `a` to be a directory, but it is a symbolic link (from line 2)",
    );
    check(
        ("a", Entry::whiteout()),
        ("a/b", file("")),
        "`a/b` (from line 2) needs `a` to be a directory, but it is a whiteout (from line 1)",
    );
    check(
        ("x", file("")),
        ("b/.wh.c", file("")),
        "`b/.wh.c` has a name that begins with `.wh.`, which would remove a file when the layer is unpacked; rename it",
    );
    check(
        ("x", file("")),
        ("y", Entry::new(Kind::Fifo, Attributes::with_mode(0o10_000))),
        "`y` has mode 0o10000, at most 0o7777 is possible",
    );
}

#[test]
fn opaque_marks_stand_on_directories_alone() {
    let mut tree = tree([("a", file("")), ("d/e", file(""))]);
    tree.set_opaque(path("a")).unwrap_err();
    tree.set_opaque(path("a/b")).unwrap_err();
    tree.set_opaque(path("d/.wh.x")).unwrap_err();
    tree.set_opaque(path("d")).unwrap();
    tree.set_opaque(path("n/m")).unwrap();
    // `n-` lies between `n` and `n/m` in byte order.
    tree.set_opaque(path("n-")).unwrap();
    tree.insert(path("n"), file("")).unwrap_err();
    tree.insert(path("n/m"), Entry::whiteout()).unwrap_err();
    tree.insert(path("n/m"), Entry::directory(Attributes::directory()))
        .unwrap();
}

#[test]
fn the_same_file_may_come_twice_from_two_places() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("twin");
    std::fs::write(&place, "same").unwrap();
    let mut tree = tree([("a", file("same"))]);
    let twin = cooperage_tarball::Content::file(&place).unwrap();
    tree.insert(path("a"), Entry::file(twin.clone(), Attributes::file()))
        .unwrap();
    let error = tree
        .insert(path("a"), Entry::file(twin, Attributes::executable()))
        .unwrap_err();
    assert!(
        error.to_string().contains("differs in attributes"),
        "{error}"
    );
    std::fs::remove_file(&place).unwrap();
    let gone = cooperage_tarball::Content::File {
        path: place,
        len: 4,
    };
    let error = tree
        .insert(path("a"), Entry::file(gone, Attributes::file()))
        .unwrap_err();
    assert!(error.to_string().contains("cannot be compared"), "{error}");
}

proptest! {
    /// Removals first, then what unpacks over them: however names compare with `.wh.`.
    #[test]
    fn no_entry_stands_before_a_removal_beside_it(
        names_of in prop::collection::btree_set("[!-.0-9A-z]{1,3}", 1..20),
        removed in prop::collection::vec(any::<bool>(), 20),
    ) {
        let mut tree = Tree::new();
        for (name, removed) in names_of.iter().zip(removed) {
            let Ok(at) = TreePath::parse(&format!("d/{name}")) else { continue };
            tree.insert(at, if removed { Entry::whiteout() } else { file("") }).unwrap();
        }
        let names = names(&pack(&resolve(&tree)));
        let removals = names.iter().filter(|name| name.starts_with("d/.wh.")).count();
        let rest = names.iter().skip_while(|name| *name == "d/").skip(removals);
        for name in rest {
            prop_assert!(!name.starts_with("d/.wh."), "{:?}", names);
        }
    }
}
