//! Identical files become hard links, and links lead to the first of their names.

use std::num::NonZeroUsize;

use cooperage_tarball::{
    Attributes, Content, Entry, FoldOptions, Kind, MemberKind, Resolved, Tree, fold,
};

use crate::common::{file, pack, path, resolve, tree, unfolded};

const LONG: usize = 64 * 1024;

/// Where each file that is no file of its own leads.
fn links(resolved: &Resolved) -> Vec<String> {
    let link = |member: cooperage_tarball::Member<'_>| match member.kind {
        MemberKind::HardLink { to } => Some(format!("{} -> {to}", member.path)),
        _ => None,
    };
    resolved.members().filter_map(link).collect()
}

fn long(attributes: Attributes) -> Entry {
    Entry::file(Content::bytes(vec![7; LONG]), attributes)
}

#[test]
fn identical_files_fold_into_the_first_of_them() {
    let tree = tree([
        ("b/2", file(vec![7; LONG])),
        ("a/3", file(vec![8; LONG])),
        ("a/1", file(vec![7; LONG])),
        ("c/1", file(vec![7; LONG])),
    ]);
    assert_eq!(links(&resolve(&tree)), ["b/2 -> a/1", "c/1 -> a/1"]);
    assert_eq!(links(&fold(&tree, &unfolded()).unwrap()), [""; 0]);
}

#[test]
fn what_differs_or_is_writable_by_others_does_not_fold() {
    #[track_caller]
    fn check(first: Entry, second: Entry) {
        assert_eq!(
            links(&resolve(&tree([("a", first), ("b", second)]))),
            [""; 0]
        );
    }
    let with = |change: fn(&mut Attributes)| {
        let mut attributes = Attributes::file();
        change(&mut attributes);
        long(attributes)
    };
    // Different attributes.
    check(with(|_| {}), with(|all| all.mode = 0o755));
    check(with(|_| {}), with(|all| all.mtime.seconds = 1));
    check(with(|_| {}), with(|all| all.user = b"root".to_vec()));
    check(
        with(|_| {}),
        with(|all| drop(all.xattrs.insert(b"user.a".to_vec(), vec![]))),
    );
    // The same, but somebody else than root could write to both through one.
    for change in [
        |all: &mut Attributes| all.uid = 1,
        |all: &mut Attributes| all.gid = 1,
        |all: &mut Attributes| all.mode = 0o664,
        |all: &mut Attributes| all.mode = 0o646,
    ] {
        check(with(change), with(change));
    }
    // Too short, and unwilling.
    check(file(vec![7; LONG - 1]), file(vec![7; LONG - 1]));
    let unwilling = || {
        let content = Content::bytes(vec![7; LONG]);
        Entry::new(
            Kind::File {
                content,
                fold: false,
            },
            Attributes::file(),
        )
    };
    check(unwilling(), with(|_| {}));
    check(unwilling(), unwilling());
    // Equal in the samples of head and tail.
    let mut middle = vec![7; LONG];
    middle[LONG / 2] = 8;
    check(with(|_| {}), file(middle));
}

#[test]
fn setuid_and_capabilities_are_repeated_on_every_name() {
    let mut attributes = Attributes::with_mode(0o4755);
    attributes
        .xattrs
        .insert(b"security.capability".to_vec(), vec![1, 0, 0, 2]);
    let tree = tree([
        ("a", long(attributes.clone())),
        ("b", long(attributes.clone())),
    ]);
    let resolved = resolve(&tree);
    assert_eq!(links(&resolved), ["b -> a"]);
    for member in resolved.members() {
        assert_eq!(member.attributes, attributes);
    }
    let tar = pack(&resolved);
    let count = tar
        .windows(19)
        .filter(|run| *run == b"security.capability")
        .count();
    assert_eq!(count, 2);
}

#[test]
fn links_lead_to_the_first_name_however_they_were_given() {
    let link = |to: &str| Entry::hard_link(path(to));
    let given = tree([
        ("m", file("x")),
        ("z", link("m")),
        ("a", link("z")),
        ("s", Entry::symlink("m")),
        ("r", link("s")),
    ]);
    let resolved = resolve(&given);
    assert_eq!(links(&resolved), ["m -> a", "s -> r", "z -> a"]);
    // A chain of links, told from its other end, is the same tree.
    let other = tree([
        ("z", file("x")),
        ("a", link("z")),
        ("m", link("a")),
        ("r", Entry::symlink("m")),
        ("s", link("r")),
    ]);
    assert_eq!(pack(&resolved), pack(&resolve(&other)));
}

#[test]
fn linked_files_fold_together_with_their_links() {
    let mut tree = tree([
        ("b", file(vec![7; LONG])),
        ("d", Entry::hard_link(path("b"))),
    ]);
    tree.insert(path("a"), Entry::hard_link(path("c"))).unwrap();
    tree.insert(path("c"), file(vec![7; LONG])).unwrap();
    assert_eq!(links(&resolve(&tree)), ["b -> a", "c -> a", "d -> a"]);
}

#[test]
fn links_that_lead_nowhere_are_refused() {
    #[track_caller]
    fn check(tree: &Tree, expect: &str) {
        assert_eq!(
            fold(tree, &FoldOptions::default()).unwrap_err().to_string(),
            expect
        );
    }
    let link = |to: &str| Entry::hard_link(path(to)).with_origin("line 1");
    check(
        &tree([("a", link("b"))]),
        "`a` (from line 1) is a hard link to `b`, which is not in the same layer",
    );
    check(
        &tree([("a", link("b")), ("b", Entry::whiteout())]),
        "`a` (from line 1) is a hard link to `b`, which is not in the same layer",
    );
    check(
        &tree([("a", link("b")), ("b/c", file(""))]),
        "`a` (from line 1) is a hard link to `b`, which is a directory",
    );
    check(
        &tree([("a", link("b")), ("b", link("c")), ("c", link("a"))]),
        "`a` (from line 1) is a hard link that leads in a circle",
    );
}

#[test]
fn a_chain_of_a_hundred_thousand_links() {
    let mut tree = Tree::new();
    for n in 0..100_000 {
        tree.insert(
            path(&format!("{n:06}")),
            Entry::hard_link(path(&format!("{:06}", n + 1))),
        )
        .unwrap();
    }
    tree.insert(path("100000"), file("x")).unwrap();
    let resolved = resolve(&tree);
    assert_eq!(links(&resolved).len(), 100_000);
    assert_eq!(links(&resolved)[99_999], "100000 -> 000000");
}

#[test]
fn the_number_of_threads_does_not_reach_the_tar() {
    let mut tree = Tree::new();
    for n in 0..60_usize {
        tree.insert(
            path(&format!("f{n}")),
            file(vec![(n % 7) as u8; LONG + n % 3]),
        )
        .unwrap();
    }
    let with = |threads| {
        let options = FoldOptions {
            threads: NonZeroUsize::new(threads),
            ..FoldOptions::default()
        };
        pack(&fold(&tree, &options).unwrap())
    };
    assert!(
        [0, 2, 5, 16]
            .iter()
            .all(|threads| with(*threads) == with(1))
    );
}

#[test]
fn a_tree_without_equal_lengths_reads_nothing() {
    let mut tree = Tree::new();
    for n in 0..10 {
        let content = Content::File {
            path: format!("/nonexistent/{n}").into(),
            len: 1 << (20 + n),
        };
        tree.insert(
            path(&format!("{n}")),
            Entry::file(content, Attributes::file()),
        )
        .unwrap();
    }
    resolve(&tree);
    let twin = Content::File {
        path: "/nonexistent/twin".into(),
        len: 1 << 20,
    };
    tree.insert(path("twin"), Entry::file(twin, Attributes::file()))
        .unwrap();
    let error = fold(&tree, &FoldOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read `/nonexistent/0` for layer entry `0`"
    );
}

#[test]
fn files_that_change_are_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let fresh = || {
        let mut tree = Tree::new();
        for name in ["a", "b"] {
            std::fs::write(place(name), vec![7; LONG]).unwrap();
            let content = Content::file(&place(name)).unwrap();
            tree.insert(path(name), Entry::file(content, Attributes::file()))
                .unwrap();
        }
        let resolved = resolve(&tree);
        assert_eq!(links(&resolved), ["b -> a"]);
        pack(&resolved);
        resolved
    };
    let fails = |resolved: &Resolved, expect: &str| {
        let error = resolved
            .write_to(&mut std::io::sink())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expect), "{error}");
    };
    // The twin that is only a link, and the one with the body.
    for name in ["b", "a"] {
        let resolved = fresh();
        std::fs::remove_file(place(name)).unwrap();
        fails(&resolved, "cannot read");
        std::fs::write(place(name), vec![8; LONG]).unwrap();
        fails(&resolved, &format!("layer entry `{name}` was touched"));
    }
    let resolved = fresh();
    std::fs::write(place("a"), vec![7; LONG + 1]).unwrap();
    fails(
        &resolved,
        "layer entry `a` is 65537 bytes long, planned as 65536",
    );
}
