//! Where outputs go, what is left of those that are not finished, and who clears it away.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use cooperage_staging::{
    Place, StagedFile, TemporaryDirectory, TemporaryFile, check_distinct, show_all,
};

#[expect(clippy::disallowed_methods, reason = "sorted")]
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn places_are_files_at_the_end_of_links_or_streams() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("dir")).unwrap();
    fs::write(at("dir/file"), "").unwrap();
    symlink("dir/file", at("link")).unwrap();
    symlink("../link", at("dir/twice")).unwrap();
    symlink("dir/none", at("dangling")).unwrap();
    symlink("round", at("round")).unwrap();
    for (path, expected) in [
        ("dir/file", "dir/file"),
        ("new", "new"),
        ("link", "dir/file"),
        ("dir/twice", "dir/../dir/file"),
        ("dangling", "dir/none"),
    ] {
        assert_eq!(
            Place::of(&at(path)).unwrap(),
            Place::File(at(expected)),
            "{path}"
        );
    }
    for (path, words) in [("dir", "directory"), ("round", "symbolic links")] {
        let error = Place::of(&at(path)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    for (path, expected) in [
        ("/dev/null", "a character device"),
        ("/dev/stdin", "a"),
        ("/proc/self/fd/0", "a"),
    ] {
        let place = Place::of(Path::new(path)).unwrap();
        assert!(
            matches!(place, Place::Stream { what, .. } if what.starts_with(expected)),
            "{path}: {place:?}"
        );
    }
}

#[test]
fn files_appear_behind_links_and_go_away_unless_they_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("dir")).unwrap();
    fs::write(at("dir/old"), "old").unwrap();
    symlink("dir/old", at("link")).unwrap();
    symlink("dir/new", at("dangling")).unwrap();
    let put = |name: &str| {
        let mut file = StagedFile::new(&at(name)).unwrap();
        file.put(b"written").unwrap();
        file
    };
    drop(put("dangling"));
    assert_eq!(names(&at("dir")), ["old"]);
    put("link").show().unwrap().keep();
    drop(put("dangling").show().unwrap());
    assert_eq!(names(&at("dir")), ["old"]);
    put("dangling").show().unwrap().keep();
    for name in ["dir/old", "dir/new"] {
        assert_eq!(fs::read(at(name)).unwrap(), b"written");
    }
    assert!(at("link").is_symlink() && at("dangling").is_symlink());
    assert_eq!(names(directory.path()), ["dangling", "dir", "link"]);

    // The second cannot replace a directory that has come since, so the first does not stay.
    let files = vec![put("first"), put("second")];
    fs::create_dir_all(at("second/full")).unwrap();
    let error = show_all(files).unwrap_err().to_string();
    assert_eq!(error, format!("cannot write `{}`", at("second").display()));
    assert_eq!(
        names(directory.path()),
        ["dangling", "dir", "link", "second"]
    );
    // Nothing is said of names that nobody gave.
    let error = StagedFile::new(&at("no/such")).unwrap_err();
    assert_eq!(error.source.raw_os_error(), Some(2), "{error:?}");
    StagedFile::new(Path::new("/dev/null"))
        .unwrap()
        .show()
        .unwrap()
        .keep();
}

#[test]
fn one_place_has_one_output() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("dir")).unwrap();
    symlink("dir/x", at("link")).unwrap();
    for (first, second) in [
        ("new", "new"),
        ("new", "dir/../new"),
        ("dir/x", "link"),
        ("dir", "./dir"),
    ] {
        let (first, second) = (at(first), at(second));
        let other = at("other");
        check_distinct([&*first, &*other]).unwrap();
        let found = check_distinct([&*first, &*other, &*second]).unwrap_err();
        assert_eq!((found.first, found.second), (first, second));
    }
    check_distinct([Path::new("/dev/null"), Path::new("/dev/null")]).unwrap();
}

/// What a killed process left goes with the next; what another is at stays.
#[test]
fn what_was_left_behind_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at(".cooperage-dead.tmp/below")).unwrap();
    fs::write(at(".cooperage-file.tmp"), "half").unwrap();
    symlink("mine", at(".cooperage-link.tmp")).unwrap();
    fs::write(at("mine"), "").unwrap();
    fs::write(at(".cooperage-mine"), "").unwrap();
    let kept = [".cooperage-link.tmp", ".cooperage-mine", "mine"];

    let first = TemporaryDirectory::new_in(directory.path()).unwrap();
    fs::write(first.path().join("x"), "").unwrap();
    let second = TemporaryFile::beside(&at("out")).unwrap();
    assert_eq!(names(directory.path()).len(), kept.len() + 2);
    assert!(first.path().join("x").exists());
    drop(first);
    second.rename(&at("out")).unwrap();
    assert_eq!(names(directory.path()), [&kept[..], &["out"]].concat());
}

#[test]
fn files_have_the_permissions_of_their_kind() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::write(directory.path().join("theirs"), "").unwrap();
    let ordinary = TemporaryFile::beside(&directory.path().join("ours")).unwrap();
    assert_eq!(
        mode(ordinary.path()),
        mode(&directory.path().join("theirs"))
    );
    assert_eq!(mode(TemporaryFile::private().unwrap().path()), 0o600);
    let inner = TemporaryDirectory::new_in(directory.path()).unwrap();
    assert_eq!(mode(inner.path()), 0o700);
}
