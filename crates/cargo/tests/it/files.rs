//! Rules for files as lines of a plan.

use std::path::Path;

use cooperage_cargo::files::entries;
use cooperage_cargo::settings::FileRule;
use cooperage_plan::{EntryKind, EntryPlan};

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (path, mode) in [
        ("a/run", 0o700),
        ("a/b/one.txt", 0o600),
        ("a/b/two.md", 0o666),
    ] {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        std::fs::write(&path, "x").expect("written");
        permit(&path, mode);
    }
    std::fs::create_dir(dir.path().join("a/empty")).expect("made");
    #[cfg(unix)]
    std::os::unix::fs::symlink("b/one.txt", dir.path().join("a/link")).expect("linked");
    dir
}

#[cfg(unix)]
fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

fn show(entry: &EntryPlan) -> String {
    let mode = entry.attributes.mode.expect("a mode is always written");
    match &entry.what {
        EntryKind::File { path, .. } => format!("{} {mode:o}", path.display()),
        EntryKind::Directory { path } => format!("{}/ {mode:o}", path.display()),
        EntryKind::Symlink { path, target } => {
            format!("{} -> {}", path.display(), String::from_utf8_lossy(target))
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
#[cfg(unix)]
fn check(from: &str, to: &str, exclude: &[&str], expect: &[&str]) {
    let dir = tree();
    let rule = FileRule {
        from: from.to_owned(),
        to: to.to_owned(),
        exclude: exclude.iter().map(|glob| (*glob).to_owned()).collect(),
        root: dir.path().to_path_buf(),
        ..FileRule::default()
    };
    let found = entries(&rule).unwrap_or_else(|error| panic!("{from}: {error}"));
    assert_eq!(
        found.iter().map(show).collect::<Vec<_>>(),
        expect,
        "{from} {to}"
    );
}

#[test]
#[cfg(unix)]
fn files_directories_and_globs_go_where_they_belong() {
    check("a/run", "/bin/x", &[], &["bin/x 755"]);
    check("a/run", "/bin/", &[], &["bin/run 755"]);
    check("a/b/two.md", "/", &[], &["two.md 644"]);
    check(
        "a/b",
        "/etc/x",
        &[],
        &["etc/x/ 755", "etc/x/one.txt 644", "etc/x/two.md 644"],
    );
    check("a/b/", "/", &["*.md"], &["one.txt 644"]);
    check(
        "a",
        "/o",
        &["b/*.md"],
        &[
            "o/ 755",
            "o/b/ 755",
            "o/b/one.txt 644",
            "o/empty/ 755",
            "o/link -> b/one.txt",
            "o/run 755",
        ],
    );
    check(
        "a",
        "/o",
        &["b"],
        &["o/ 755", "o/empty/ 755", "o/link -> b/one.txt", "o/run 755"],
    );
    check("a/*/*.txt", "/o", &[], &["o/b/one.txt 644"]);
    check(
        "a/**/*.{md,txt}",
        "/o",
        &[],
        &["o/b/one.txt 644", "o/b/two.md 644"],
    );
    check(
        "a/b*",
        "/o/",
        &[],
        &["o/b/ 755", "o/b/one.txt 644", "o/b/two.md 644"],
    );
    check("a/link", "/o", &[], &["o 644"]);
}

#[test]
fn a_mode_and_an_owner_can_be_given() {
    let dir = tree();
    let rule = FileRule {
        from: "a/b".into(),
        to: "/o".into(),
        mode: Some(0o440),
        dir_mode: Some(0o750),
        uid: Some(7),
        root: dir.path().to_path_buf(),
        ..FileRule::default()
    };
    let found = entries(&rule).expect("it is there");
    assert_eq!(
        found.iter().map(show).collect::<Vec<_>>(),
        ["o/ 750", "o/one.txt 440", "o/two.md 440"]
    );
    assert!(found.iter().all(|entry| entry.attributes.uid == Some(7)));
}

#[test]
fn what_is_not_there_is_named() {
    let dir = tree();
    for (from, to, expect) in [
        ("none", "/o", "the rule: there is nothing at `"),
        ("a/*.zip", "/o", "the rule: there is nothing at `"),
        ("a/[", "/o", "the rule: `[` is no glob"),
        (
            "a/run",
            "/o//p",
            "the rule: `/o//p` cannot be a path in the image",
        ),
    ] {
        let rule = FileRule {
            from: from.into(),
            to: to.into(),
            origin: "the rule".into(),
            root: dir.path().to_path_buf(),
            ..FileRule::default()
        };
        let error = entries(&rule).expect_err(from).to_string();
        assert!(error.starts_with(expect), "{error}");
    }
}
