//! Directories of the machine.

#![cfg(unix)]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use cooperage_tarball::{AttributesFrom, HardLinks, Kind, ScanOptions, Symlinks, Tree, fold, scan};
use cooperage_testkit::peers;

use crate::common::{pack, path, resolve};

fn put(directory: &Path, name: &str, text: &str, mode: u32) {
    let place = directory.join(name);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, text).unwrap();
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn example() -> tempfile::TempDir {
    let made = tempfile::tempdir().unwrap();
    let directory = made.path();
    put(directory, "bin/app", "app", 0o700);
    put(directory, "share/b.txt", "b", 0o666);
    put(directory, "share/deep/a.txt", "a", 0o600);
    put(directory, "share/deep/a.md", "a", 0o600);
    symlink("bin/app", directory.join("run")).unwrap();
    std::fs::hard_link(directory.join("share/b.txt"), directory.join("twin")).unwrap();
    made
}

fn show(tree: &Tree) -> Vec<String> {
    tree.iter()
        .map(|(path, entry)| match &entry.kind {
            Kind::HardLink { to } => format!("{path} -> {to}"),
            kind => format!("{path} {} {:o}", kind.name(), entry.attributes.mode),
        })
        .collect()
}

#[track_caller]
fn check(options: &ScanOptions, expect: &[&str]) {
    let made = example();
    assert_eq!(show(&scan(made.path(), options).unwrap()), expect);
}

#[test]
fn by_rule() {
    check(
        &ScanOptions::default(),
        &[
            "bin directory 755",
            "bin/app file 755",
            "run symbolic link 777",
            "share directory 755",
            "share/b.txt file 644",
            "share/deep directory 755",
            "share/deep/a.md file 644",
            "share/deep/a.txt file 644",
            "twin -> share/b.txt",
        ],
    );
}

#[test]
fn globs_take_and_leave() {
    let globs = |include: &[&str], exclude: &[&str]| ScanOptions {
        include: include.iter().map(ToString::to_string).collect(),
        exclude: exclude.iter().map(ToString::to_string).collect(),
        hard_links: HardLinks::Break,
        ..ScanOptions::default()
    };
    check(
        &globs(&["share/*.txt", "tw*"], &[]),
        &[
            "share directory 755",
            "share/b.txt file 644",
            "twin file 644",
        ],
    );
    check(
        &globs(&["**/*.txt"], &["share/b*"]),
        &[
            "share directory 755",
            "share/deep directory 755",
            "share/deep/a.txt file 644",
        ],
    );
    check(
        &globs(&[], &["share", "{run,twin}"]),
        &["bin directory 755", "bin/app file 755"],
    );
    let made = example();
    let error = scan(made.path(), &globs(&["a["], &[])).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("a["), "{source}");
}

#[test]
fn links_that_are_followed_or_broken() {
    let made = example();
    let options = ScanOptions {
        symlinks: Symlinks::Follow,
        ..ScanOptions::default()
    };
    let tree = scan(made.path(), &options).unwrap();
    assert!(show(&tree).contains(&"run file 755".to_owned()));
    symlink("nowhere", made.path().join("dangling")).unwrap();
    let error = scan(made.path(), &options).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read `") && error.ends_with("/dangling`"),
        "{error}"
    );
    std::fs::remove_file(made.path().join("dangling")).unwrap();
    symlink("..", made.path().join("share/up")).unwrap();
    let error = scan(made.path(), &options).unwrap_err().to_string();
    assert!(error.contains("/share/up` leads back to `"), "{error}");
}

#[test]
fn broken_hard_links_are_not_folded_again() {
    let made = tempfile::tempdir().unwrap();
    put(made.path(), "a", &"x".repeat(100_000), 0o644);
    std::fs::hard_link(made.path().join("a"), made.path().join("b")).unwrap();
    let len = |hard_links| {
        let options = ScanOptions {
            hard_links,
            ..ScanOptions::default()
        };
        resolve(&scan(made.path(), &options).unwrap()).tar_len()
    };
    assert!(len(HardLinks::Keep) < 110_000);
    assert!(len(HardLinks::Break) > 200_000);
}

#[test]
fn what_the_host_says() {
    let made = example();
    let place = made.path().join("bin/app");
    let with_setuid = std::fs::Permissions::from_mode(0o4711);
    std::fs::set_permissions(&place, with_setuid).unwrap();
    let options = ScanOptions {
        attributes: AttributesFrom::Host,
        root: true,
        ..ScanOptions::default()
    };
    let tree = scan(made.path(), &options).unwrap();
    let metadata = std::fs::metadata(&place).unwrap();
    let attributes = &tree.get(&path("bin/app")).unwrap().attributes;
    assert_eq!(
        (attributes.mode, attributes.uid),
        (0o4711, u64::from(metadata.uid()))
    );
    assert_eq!(
        (attributes.mtime.seconds, attributes.mtime.nanoseconds),
        (metadata.mtime(), 0)
    );
    assert!(tree.iter().next().unwrap().0.is_root());
}

#[test]
fn xattrs_of_files() {
    let made = example();
    let place = made.path().join("bin/app");
    xattr::set(&place, "user.cooperage", b"\0yes").expect("the temporary directory has xattrs");
    let scanned = |xattrs| {
        scan(
            made.path(),
            &ScanOptions {
                xattrs,
                ..ScanOptions::default()
            },
        )
        .unwrap()
    };
    let of = |tree: &Tree| {
        tree.get(&path("bin/app"))
            .unwrap()
            .attributes
            .xattrs
            .clone()
    };
    assert_eq!(
        of(&scanned(true)).get(&b"user.cooperage"[..]),
        Some(&b"\0yes".to_vec())
    );
    assert!(of(&scanned(false)).is_empty());
}

#[test]
fn what_cannot_be_in_a_layer_is_named() {
    let made = example();
    let _socket = std::os::unix::net::UnixListener::bind(made.path().join("socket")).unwrap();
    let error = scan(made.path(), &ScanOptions::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("/socket` is a socket"), "{error}");
    std::fs::remove_file(made.path().join("socket")).unwrap();
    put(made.path(), "share/.wh.x", "", 0o644);
    let error = scan(made.path(), &ScanOptions::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("/share/.wh.x` cannot be put"), "{error}");
    let error = scan(&made.path().join("bin/app"), &ScanOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("is not a directory"), "{error}");
    scan(&made.path().join("none"), &ScanOptions::default()).unwrap_err();
}

/// What GNU tar unpacks of our tar is what we scanned: capabilities and setuid on every name.
#[test]
fn unpacked_again_it_is_the_same() {
    let made = example();
    let long = "x".repeat(100_000);
    put(made.path(), "bin/one", &long, 0o4755);
    put(made.path(), "bin/two", &long, 0o4755);
    xattr::set(made.path().join("bin/one"), "user.mark", b"1").unwrap();
    xattr::set(made.path().join("bin/two"), "user.mark", b"1").unwrap();
    let options = ScanOptions {
        attributes: AttributesFrom::Host,
        xattrs: true,
        ..ScanOptions::default()
    };
    let tree = scan(made.path(), &options).unwrap();
    let folded = fold(&tree, &cooperage_tarball::FoldOptions::default()).unwrap();
    let Some(tar) = peers::tool("tar") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap();
    tar.run_with_input(
        ["--xattrs", "--xattrs-include=*", "-xpf", "-", "-C", place],
        &mut pack(&folded).as_slice(),
    )
    .unwrap();
    let again = scan(out.path(), &options).unwrap();
    let (one, two) = (out.path().join("bin/one"), out.path().join("bin/two"));
    let is_root = std::fs::metadata(made.path().join("bin/one"))
        .unwrap()
        .uid()
        == 0;
    let same_file =
        std::fs::metadata(&one).unwrap().ino() == std::fs::metadata(&two).unwrap().ino();
    assert_eq!(same_file, is_root, "only what is root's is folded");
    for name in ["bin/one", "bin/two"] {
        let place = out.path().join(name);
        assert_eq!(std::fs::metadata(&place).unwrap().mode() & 0o7777, 0o4755);
        assert_eq!(
            xattr::get(&place, "user.mark").unwrap().as_deref(),
            Some(&b"1"[..])
        );
    }
    assert_eq!(again.len(), tree.len());
}
