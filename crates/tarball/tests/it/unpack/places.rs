//! Where a tree is unpacked to, and that nothing lies there until it is whole.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn some() -> Tree {
    mine(tree([("d/f", file("new"))]))
}

/// The names in a directory.
pub(super) fn names(directory: &Path) -> Vec<String> {
    walkdir::WalkDir::new(directory)
        .min_depth(1)
        .max_depth(1)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_new_or_an_empty_directory_is_taken() {
    let made = tempfile::tempdir().unwrap();
    for name in ["new", "empty", "link"] {
        let out = made.path().join(name);
        match name {
            "empty" => fs::create_dir(&out).unwrap(),
            "link" => {
                fs::create_dir(made.path().join("led-to")).unwrap();
                symlink("led-to", &out).unwrap();
            }
            _ => {}
        }
        UnpackOptions::default().check(&out).unwrap();
        plainly(&some(), &out).unwrap();
        assert_eq!(fs::read(out.join("d/f")).unwrap(), b"new");
    }
    assert_eq!(names(made.path()), ["empty", "led-to", "link", "new"]);
    assert!(made.path().join("link").is_symlink());
}

#[test]
fn what_is_there_stays_unless_it_is_to_go() {
    let made = tempfile::tempdir().unwrap();
    let out = made.path().join("out");
    fs::create_dir_all(out.join("closed/below")).unwrap();
    fs::write(out.join("closed/below/old"), "old").unwrap();
    fs::write(out.join("file"), "old").unwrap();
    symlink(made.path(), out.join("closed/link")).unwrap();
    for directory in ["closed/below", "closed"] {
        fs::set_permissions(out.join(directory), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let occupied = UnpackOptions::default().check(&out).unwrap_err();
    assert!(
        matches!(occupied, UnpackError::Occupied { .. }),
        "{occupied}"
    );
    plainly(&some(), &out).unwrap_err();
    assert_eq!(names(&out), ["closed", "file"]);

    let replace = UnpackOptions {
        existing: Existing::Replace,
        ..UnpackOptions::default()
    };
    unpack(&some(), &out, &replace, &mut |_| {}).unwrap();
    assert_eq!(names(&out), ["d"]);
    // It need not be there.
    unpack(&some(), &made.path().join("other"), &replace, &mut |_| {}).unwrap();
    assert_eq!(names(made.path()), ["other", "out"]);
}

#[test]
fn what_cannot_be_a_place_is_said() {
    let made = tempfile::tempdir().unwrap();
    let at = |name: &str| made.path().join(name);
    fs::write(at("file"), "kept").unwrap();
    symlink("none", at("dangling")).unwrap();
    symlink("file", at("to-file")).unwrap();
    for (place, expected) in [
        (at("file"), "is there already, and is not a directory"),
        (at("dangling"), "is there already, and is not a directory"),
        (at("to-file"), "is there already, and is not a directory"),
        (at("none/out"), "cannot make `"),
        (at("file/out"), "cannot look at `"),
        (Path::new(".").to_owned(), "`.` does not end in a name"),
        (at(".."), "does not end in a name"),
        (Path::new("/").to_owned(), "`/` does not end in a name"),
    ] {
        for existing in [Existing::Keep, Existing::Replace] {
            let options = UnpackOptions {
                existing,
                ..UnpackOptions::default()
            };
            let error = unpack(&some(), &place, &options, &mut |_| {}).unwrap_err();
            assert!(
                error.to_string().contains(expected),
                "{}: {error}",
                place.display()
            );
        }
    }
    assert_eq!(names(made.path()), ["dangling", "file", "to-file"]);
    assert_eq!(fs::read(at("file")).unwrap(), b"kept");
}

#[test]
fn a_failure_leaves_what_was_there_and_nothing_else() {
    let made = tempfile::tempdir().unwrap();
    let out = made.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("old"), "old").unwrap();
    let source = tempfile::NamedTempFile::new().unwrap();
    fs::write(source.path(), "12345").unwrap();
    let slice = |len| Content::Slice {
        path: source.path().into(),
        offset: 1,
        len,
    };
    let gone = Content::File {
        path: made.path().join("gone"),
        len: 3,
    };
    let grown = Content::File {
        path: source.path().to_owned(),
        len: 3,
    };
    let plain = |content| Entry::file(content, Attributes::file());
    let long = "n".repeat(256);
    let closed = || Entry::directory(Attributes::with_mode(0));
    for (path, entry, expected) in [
        (
            "z/f",
            plain(slice(5)),
            "entry `z/f` has 4 bytes, expected 5",
        ),
        ("z/f", plain(gone), "gone` for entry `z/f`"),
        (
            "z/f",
            plain(grown),
            "for entry `z/f`: it is 5 bytes long, expected 3",
        ),
        (
            "z/f",
            Entry::symlink("t".repeat(5000)),
            "cannot make `z/f`: File name too long",
        ),
        (long.as_str(), plain(slice(1)), "nnn…`: File name too long"),
        (
            "z/f",
            Entry::hard_link(crate::common::path("none")),
            "hard link to `none`",
        ),
    ] {
        let tree = mine(tree([
            ("closed/below/f", file("x")),
            ("closed/below", closed()),
            ("closed", closed()),
            (path, entry),
        ]));
        let options = UnpackOptions {
            existing: Existing::Replace,
            ..UnpackOptions::default()
        };
        let error = said(&unpack(&tree, &out, &options, &mut |_| {}).unwrap_err());
        let lower = error.to_lowercase();
        assert!(lower.contains(&expected.to_lowercase()), "{error}");
        assert_eq!(names(made.path()), ["out"]);
        assert_eq!(names(&out), ["old"]);
    }
}

/// As long as a name, a path and a depth can be.
#[test]
fn the_longest_names_and_the_deepest_directories() {
    let made = tempfile::tempdir().unwrap();
    let out = made.path().join("out");
    let deep = vec!["d"; 2047].join("/");
    let wide = (0..15)
        .map(|_| "w".repeat(255))
        .collect::<Vec<_>>()
        .join("/");
    let tree = mine(tree([(&*deep, file("deep")), (&*wide, file("wide"))]));
    let unpacked = plainly(&tree, &out).unwrap();
    assert_eq!(unpacked.entries, 2047 + 15);
    let replace = UnpackOptions {
        existing: Existing::Replace,
        ..UnpackOptions::default()
    };
    // What a program finds that enters one directory after the other, and what is replaced whole.
    unpack(&some(), &out, &replace, &mut |_| {}).unwrap();
    assert_eq!(names(made.path()), ["out"]);
}
