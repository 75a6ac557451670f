//! Layers over one another, and the layer between two trees.

use cooperage_tarball::{Attributes, Content, Entry, Kind, Tree, TreePath, diff, overlay};
use proptest::prelude::*;

use crate::common::{file, linkable, path, tar_of, tree};

fn directory(mode: u32) -> Entry {
    Entry::directory(Attributes::with_mode(mode))
}

/// One line an entry.
fn show(tree: &Tree) -> Vec<String> {
    let line = |(path, entry): (TreePath, Entry)| match &entry.kind {
        Kind::File {
            content: Content::Bytes(bytes),
            ..
        } => {
            format!("{path} = {}", String::from_utf8_lossy(bytes))
        }
        Kind::HardLink { to } => format!("{path} -> {to}"),
        Kind::Directory => format!("{path}/ {:o}", entry.attributes.mode),
        kind => format!("{path} ({})", kind.name()),
    };
    let marks = tree.opaque().map(|path| format!("{path} (opaque)"));
    tree.iter().map(line).chain(marks).collect()
}

#[track_caller]
fn check(layers: &[&Tree], expect: &[&str]) {
    assert_eq!(show(&overlay(layers.iter().copied()).unwrap()), expect);
}

#[test]
fn whiteouts_hide_lower_layers_alone() {
    let lower = tree([("d/a", file("1")), ("d/b", file("1")), ("e", file("1"))]);
    let mut upper = tree([
        ("d/a", Entry::whiteout()),
        ("d/c", file("2")),
        ("x", Entry::whiteout()),
    ]);
    check(&[&lower, &upper], &["d/b = 1", "d/c = 2", "e = 1"]);
    upper.set_opaque(path("d")).unwrap();
    check(&[&lower, &upper], &["d/c = 2", "e = 1"]);
    check(
        &[&lower, &upper, &lower],
        &["d/a = 1", "d/b = 1", "d/c = 2", "e = 1"],
    );
    check(&[&lower, &tree([("d", Entry::whiteout())])], &["e = 1"]);
    // The directory is there, whatever was: unpackers make it before they look at the mark.
    let mut empty = Tree::new();
    for at in ["l", "n/n", "tmp"] {
        empty.set_opaque(path(at)).unwrap();
    }
    let lower = tree([("l", Entry::symlink("e")), ("tmp", file("1"))]);
    check(&[&lower, &empty], &["l/ 755", "n/n/ 755", "tmp/ 1777"]);
    let lower = tree([("e", file("1"))]);
    let mut all = Tree::new();
    all.set_opaque(TreePath::root()).unwrap();
    all.insert(path("f"), file("2")).unwrap();
    check(&[&lower, &all], &["f = 2"]);
}

#[test]
fn changes_of_type_hide_what_was_below() {
    let lower = tree([
        ("d", directory(0o700)),
        ("d/a", file("1")),
        ("d-", file("1")),
        ("f", file("1")),
    ]);
    check(
        &[&lower, &tree([("d", file("2"))])],
        &["d = 2", "d- = 1", "f = 1"],
    );
    check(
        &[&lower, &tree([("d", Entry::symlink("f"))])],
        &["d (symbolic link)", "d- = 1", "f = 1"],
    );
    check(
        &[
            &lower,
            &tree([("f", directory(0o711)), ("d", directory(0o755))]),
        ],
        &["d/ 755", "d- = 1", "d/a = 1", "f/ 711"],
    );
    // A directory that is only implied changes nothing of a directory, and replaces a file.
    check(
        &[&lower, &tree([("d/b", file("2")), ("f/g", file("2"))])],
        &["d/ 700", "d- = 1", "d/a = 1", "d/b = 2", "f/g = 2"],
    );
}

#[test]
fn hard_links_lead_to_files_and_not_to_names() {
    let lower = tree([("a", file("1")), ("b", Entry::hard_link(path("a")))]);
    check(&[&lower, &tree([("a", file("2"))])], &["a = 2", "b = 1"]);
    check(&[&lower, &tree([("a", Entry::whiteout())])], &["b = 1"]);
    check(
        &[&lower, &tree([("c", Entry::hard_link(path("b")))])],
        &["a = 1", "b -> a", "c -> a"],
    );
    // The link's target is removed by the same layer: it cannot be found any more.
    let upper = tree([("a", Entry::whiteout()), ("c", Entry::hard_link(path("a")))]);
    let error = overlay([&lower, &upper]).unwrap_err().to_string();
    assert!(
        error.contains("`c`") && error.contains("of layer 1"),
        "{error}"
    );
    // The link is followed before the layer replaces what it leads to.
    let upper = tree([("0", Entry::hard_link(path("d/x"))), ("d", file("2"))]);
    check(&[&tree([("d/x", file("1"))]), &upper], &["0 = 1", "d = 2"]);
    let upper = tree([("a", file("2")), ("c", Entry::hard_link(path("a")))]);
    check(&[&lower, &upper], &["a = 2", "b = 1", "c -> a"]);
    let circle = tree([
        ("a", Entry::hard_link(path("b"))),
        ("b", Entry::hard_link(path("a"))),
    ]);
    overlay([&circle]).unwrap_err();
    let bad = tree([("d/e", file("")), ("a", Entry::hard_link(path("d")))]);
    // A directory that is only implied is not there to be linked to.
    overlay([&bad]).unwrap_err();
    overlay([
        &tree([("d", directory(0o755))]),
        &tree([("a", Entry::hard_link(path("d")))]),
    ])
    .unwrap_err();
}

#[track_caller]
fn check_diff(lower: &Tree, upper: &Tree, expect: &[&str]) {
    let layer = diff(lower, upper).unwrap();
    assert_eq!(show(&layer), expect);
    assert_eq!(tar_of(&overlay([lower, &layer]).unwrap()), tar_of(upper));
}

#[test]
fn differences() {
    let lower = tree([
        ("d", directory(0o700)),
        ("d/a", file("1")),
        ("d/e/b", file("1")),
        ("d/e/c", file("1")),
        ("f", file("1")),
    ]);
    check_diff(&lower, &lower, &[]);
    let mut upper = lower.clone();
    upper.remove_all(&path("d/e"));
    check_diff(&lower, &upper, &["d/ 700", "d/e (whiteout)"]);
    upper.insert(path("d/e"), file("2")).unwrap();
    check_diff(&lower, &upper, &["d/ 700", "d/e = 2"]);
    check_diff(
        &upper,
        &lower,
        &["d/ 700", "d/e/ 755", "d/e/b = 1", "d/e/c = 1"],
    );
    // The same content with other attributes comes whole, and so does one from elsewhere never.
    let mut upper = lower.clone();
    upper.remove(&path("f"));
    upper
        .insert(
            path("f"),
            Entry::file(Content::bytes(*b"1"), Attributes::executable()),
        )
        .unwrap();
    check_diff(&lower, &upper, &["f = 1"]);
    check_diff(&lower, &Tree::new(), &["d (whiteout)", "f (whiteout)"]);
    check_diff(
        &Tree::new(),
        &tree([("d/a", file("1"))]),
        &["d/ 755", "d/a = 1"],
    );
}

#[test]
fn differences_of_hard_links() {
    let link = |to: &str| Entry::hard_link(path(to));
    let single = tree([("a", file("1"))]);
    let double = tree([("a", file("1")), ("b", link("a"))]);
    let apart = tree([("a", file("1")), ("b", file("1"))]);
    // A new link to an unchanged file brings the body along.
    check_diff(&single, &double, &["a = 1", "b -> a"]);
    check_diff(&double, &single, &["b (whiteout)"]);
    check_diff(&double, &apart, &["b = 1"]);
    check_diff(&apart, &double, &["a = 1", "b -> a"]);
    check_diff(&double, &tree([("b", file("1"))]), &["a (whiteout)"]);
    // Told from the other name, it is the same.
    check_diff(&double, &tree([("b", file("1")), ("a", link("b"))]), &[]);
}

fn any_rootfs() -> impl Strategy<Value = Tree> {
    let at = prop::collection::vec("[abc]", 1..4).prop_map(|parts| parts.join("/"));
    let mode = prop_oneof![Just(0o755), Just(0o700)];
    let entry = (0..6, "[12]", mode);
    prop::collection::vec((at, entry, any::<prop::sample::Index>()), 0..12).prop_map(|entries| {
        let mut tree = Tree::new();
        for (at, (kind, text, mode), to) in entries {
            let at = path(&at);
            let attributes = Attributes::with_mode(mode);
            let targets = linkable(&tree);
            let entry = match kind {
                0 => Entry::directory(attributes),
                1 => Entry::symlink(text),
                2 | 3 if !targets.is_empty() => Entry::hard_link(to.get(&targets).clone()),
                _ => Entry::file(Content::bytes(text.as_bytes()), attributes),
            };
            drop(tree.insert(at, entry));
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_lower_tree_and_the_difference_are_the_upper_tree(
        lower in any_rootfs(),
        upper in any_rootfs(),
    ) {
        let layer = diff(&lower, &upper).unwrap();
        let both = overlay([&lower, &layer]).unwrap();
        prop_assert!(
            tar_of(&both) == tar_of(&upper),
            "{:#?} and {:#?} by {:#?}", show(&lower), show(&upper), show(&layer)
        );
        // A layer keeps its meaning over its tar.
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("layer.tar");
        std::fs::write(&place, tar_of(&layer)).unwrap();
        let again = Tree::from_tar(&place, &cooperage_tarball::ReadOptions::default()).unwrap();
        prop_assert!(tar_of(&overlay([&lower, &again]).unwrap()) == tar_of(&upper));
    }
}
