//! Files and layers that are not what they must be.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::support::{Ran, as_nobody, assert_whole, chmod, good, open_to_all, run, snapshot};

pub(crate) const HEAD: &str = "{\"plan\":\"image\",\"version\":1,\"names\":[\"app:1\"]}";

/// A directory with an image in each medium.
pub(crate) fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fill(directory.path());
    directory
}

fn fill(at: &Path) {
    fill_by(at, &|args| crate::support::try_in(at, args));
}

/// Fills it with the image that `start` builds there.
fn fill_by(at: &Path, start: &dyn Fn(&[&str]) -> Ran) {
    fs::write(at.join("app"), "app").expect("a file");
    let plan = format!("{HEAD}\n{{\"layer\":{{}}}}\n{{\"path\":\"app\",\"file\":\"app\"}}\n");
    fs::write(at.join("good.plan"), plan.replace("app:1", "old:1")).expect("a file");
    let mut args = vec!["build", "good.plan", "-q"];
    for output in ["oci:layout", "docker-archive:a.tar", "oci-archive:o.tar"] {
        args.extend(["-o", output]);
    }
    start(&args).exits(0);
}

/// Builds the layer of a plan: `a.blob` and `a.json`.
pub(crate) fn layer(at: &Path, plan: &str) {
    fs::write(at.join("a.layer"), plan).expect("a file");
    let args = "layer a.layer --blob a.blob --metadata a.json";
    good(at, &args.split(' ').collect::<Vec<_>>());
}

/// A plan of these lines behind its first one fails, in every output, with these words; what was
/// there before is there still, and nothing else.
#[track_caller]
pub(crate) fn refused(at: &Path, lines: &str, words: &[&str]) {
    refused_by(at, lines, words, &|args| {
        run(&mut crate::support::command(at, args), b"")
    });
}

#[track_caller]
fn refused_by(at: &Path, lines: &str, words: &[&str], start: &dyn Fn(&[&str]) -> Ran) {
    fs::write(at.join("bad.plan"), format!("{HEAD}\n{lines}\n")).expect("a file");
    // Not read, since some of it cannot be: their names tell.
    let names = |at: &Path| crate::support::snapshot(&at.join("layout"));
    let (layout, archives) = (names(at), archives(at));
    for output in [
        "oci:layout",
        "docker-archive:a.tar",
        "oci-archive:o.tar",
        "oci:fresh",
    ] {
        start(&["build", "bad.plan", "-o", output, "--digest-file", "digest"]).fails(words);
    }
    assert_eq!(snapshot(&at.join("layout")), layout);
    assert_eq!(self::archives(at), archives);
    for name in ["fresh", "digest"] {
        assert!(!at.join(name).exists(), "`{name}` was left behind");
    }
    assert_whole(&at.join("layout"), "old:1");
}

/// Both archives, and all hidden files beside them.
#[expect(clippy::disallowed_methods, reason = "sorted")]
fn archives(at: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') || ["a.tar", "o.tar"].contains(&&*name) {
            found.push((name, fs::read(&path).unwrap_or_default()));
        }
    }
    found.sort();
    found
}

pub(crate) fn entry(line: &str) -> String {
    format!("{{\"layer\":{{\"name\":\"upper\"}}}}\n{line}")
}

#[test]
fn files_that_are_missing_or_something_else() {
    let directory = directory();
    let at = directory.path();
    fs::create_dir(at.join("dir")).expect("a directory");
    symlink("loop", at.join("loop")).expect("a link");
    symlink("nowhere", at.join("dangling")).expect("a link");
    let made = Command::new("mkfifo").arg(at.join("pipe")).status();
    assert!(made.expect("coreutils are there").success());
    let _socket = UnixListener::bind(at.join("socket")).expect("a socket");
    let place = "for layer entry `x` (plan line 3)";
    for (file, words) in [
        (
            "gone",
            &[
                "cannot read `gone`",
                "No such file",
                "hint: relative names start",
            ][..],
        ),
        (
            "good.plan/x",
            &["cannot read `good.plan/x`", "Not a directory"],
        ),
        ("dangling", &["cannot read `dangling`", "No such file"]),
        (
            "loop",
            &["cannot read `loop`", "Too many levels of symbolic links"],
        ),
        ("dir", &["`dir`", "expected a file, found a directory"]),
        ("socket", &["`socket`", "expected a file, found a socket"]),
        ("pipe", &["`pipe`", "expected a file, found a pipe"]),
        (
            "/dev/zero",
            &["`/dev/zero`", "expected a file, found a device"],
        ),
    ] {
        let words = [&[place], words].concat();
        refused(
            at,
            &entry(&format!(r#"{{"path":"x","file":"{file}"}}"#)),
            &words,
        );
    }
    for (tree, words) in [
        ("gone", &["cannot read `gone`", "No such file"][..]),
        ("app", &["expected a directory, found a file"]),
        ("loop", &["cannot read `loop`", "Too many levels"]),
        ("/dev/zero", &["expected a directory, found a device"]),
    ] {
        let words = [&[place], words].concat();
        refused(
            at,
            &entry(&format!(r#"{{"path":"x","tree":"{tree}"}}"#)),
            &words,
        );
    }
    // Nothing stands for what a tree holds but cannot be packed.
    fs::create_dir(at.join("tree")).expect("a directory");
    let _other = UnixListener::bind(at.join("tree/socket")).expect("a socket");
    let words = [
        "`tree/socket` for layer entry `x/socket` (plan line 3)",
        "found a socket",
    ];
    refused(at, &entry(r#"{"path":"x","tree":"tree"}"#), &words);
    fs::remove_file(at.join("tree/socket")).expect("it is there");
    symlink("../loop", at.join("tree/out")).expect("a link");
    let words = ["tree/out", "Too many levels of symbolic links"];
    refused(at, &entry(r#"{"path":"x","tree":"tree"}"#), &words);
    // A circle inside of a tree is one in the image, too, and nobody has to follow it.
    fs::remove_file(at.join("tree/out")).expect("it is there");
    symlink("circle", at.join("tree/circle")).expect("a link");
    let plan = format!("{HEAD}\n{}\n", entry(r#"{"path":"x","tree":"tree"}"#));
    fs::write(at.join("circle.plan"), plan).expect("a file");
    good(at, &["build", "circle.plan", "-o", "oci:circle"]);
}

#[test]
fn layers_that_are_no_files() {
    let directory = directory();
    let at = directory.path();
    let _socket = UnixListener::bind(at.join("socket")).expect("a socket");
    fs::write(at.join("no.tar"), vec![b'x'; 2048]).expect("a file");
    fs::write(at.join("not.gz"), b"\x1f\x8b\x08 broken").expect("a file");
    good(at, &["copy", "oci:layout", "oci:other"]);
    for (layer, words) in [
        (
            r#""tar":"gone""#,
            &["cannot read `gone`", "No such file"][..],
        ),
        (
            r#""tar":"layout""#,
            &[
                "cannot read `layout`",
                "expected a file or a pipe, found a directory",
            ],
        ),
        (
            r#""tar":"/dev/zero""#,
            &["`/dev/zero`", "expected a file or a pipe, found a device"],
        ),
        (r#""tar":"socket""#, &["`socket`", "found a socket"]),
        (
            r#""tar":"no.tar","form":"canonical""#,
            &["no.tar", "holds no file tree"],
        ),
        (r#""tar":"not.gz""#, &["cannot read `not.gz`"]),
        (r#""tar":"not.gz","form":"canonical""#, &["not.gz"]),
        (r#""metadata":"gone.json""#, &["cannot read `gone.json`"]),
        (
            r#""metadata":"/dev/zero""#,
            &["`/dev/zero`", "found a device"],
        ),
        (r#""metadata":"app""#, &["`app` is no layer metadata"]),
    ] {
        refused(at, &format!("{{\"layer\":{{{layer}}}}}"), words);
    }
    // Metadata, and another layer's blob, longer, shorter or of the same length.
    let plan = "{\"plan\":\"layer\",\"version\":1}\n{\"path\":\"a\",\"text\":\"a\"}\n";
    layer(at, plan);
    let blob = fs::read(at.join("a.blob")).expect("it is there");
    let mut flipped = blob.clone();
    flipped[20] ^= 4;
    for bytes in [&blob[1..], &[&blob[..], b"more"].concat(), &flipped] {
        fs::write(at.join("a.blob"), bytes).expect("a file");
        let words = [
            "`a.blob` is not the blob that the layer's metadata names",
            "expected",
            "found",
        ];
        refused(
            at,
            r#"{"layer":{"metadata":"a.json","blob":"a.blob"}}"#,
            &words,
        );
    }
    let words = ["needs layer `sha256:", "hint: name the layer's `blob`"];
    refused(at, r#"{"layer":{"metadata":"a.json"}}"#, &words);
}

#[test]
fn files_that_this_user_may_not_read() {
    let (directory, program) = open_to_all();
    let at = directory.path();
    chmod(at, 0o777);
    let start = |args: &[&str]| {
        let mut command = as_nobody(&program).expect("it was there before");
        run(command.args(args).current_dir(at), b"")
    };
    if as_nobody(&program).is_none() {
        return;
    }
    // All of it is that user's own, but for what is not.
    fs::create_dir(at.join("shut")).expect("a directory");
    fs::create_dir(at.join("shut/in")).expect("a directory");
    fs::write(at.join("shut/file"), "secret").expect("a file");
    fs::write(at.join("twin"), vec![7; 100_000]).expect("a file");
    fs::write(at.join("secret"), vec![7; 100_000]).expect("a file");
    fill_by(at, &start);
    chmod(&at.join("shut"), 0o000);
    chmod(&at.join("secret"), 0o000);
    let hint = "hint: let this user in";
    for (lines, words) in [
        (
            entry(r#"{"path":"x","file":"secret"}"#),
            &["cannot read `secret` for layer entry `x`"][..],
        ),
        // Compared with another before it is packed.
        (
            entry("{\"path\":\"a\",\"file\":\"twin\"}\n{\"path\":\"x\",\"file\":\"secret\"}"),
            &["`secret`", "layer entry `x`"],
        ),
        (
            entry(r#"{"path":"x","file":"shut/file"}"#),
            &["cannot read `shut/file` for layer entry `x` (plan line 3)"],
        ),
        (
            entry(r#"{"path":"x","tree":"shut"}"#),
            &["cannot read `shut`", "layer entry `x` (plan line 3)"],
        ),
        (
            "{\"layer\":{\"tar\":\"secret\"}}".into(),
            &["cannot read `secret`"],
        ),
        (
            "{\"layer\":{\"metadata\":\"secret\"}}".into(),
            &["cannot read `secret`"],
        ),
    ] {
        let words = [words, &["Permission denied", hint]].concat();
        refused_by(at, &lines, &words, &start);
    }
    for (args, place) in [
        (&["build", "secret", "-o", "oci:x"][..], "the plan `secret`"),
        (&["inspect", "oci:shut"], "`oci:shut`"),
        (
            &["copy", "oci-archive:secret", "oci:x"],
            "`oci-archive:secret`",
        ),
        (&["layout", "fsck", "shut/in"], "`shut/in`"),
    ] {
        start(args).fails(&[place, "Permission denied", hint]);
    }
    assert!(!at.join("x").exists());
    for name in ["shut", "secret"] {
        chmod(&at.join(name), 0o755);
    }
}

#[test]
fn entries_that_contradict_each_other() {
    let directory = directory();
    let at = directory.path();
    fs::create_dir(at.join("tree")).expect("a directory");
    fs::write(at.join("tree/b"), "b").expect("a file");
    for (lines, words) in [
        (
            "{\"path\":\"x\",\"file\":\"app\"}\n{\"path\":\"x\",\"text\":\"other\"}",
            &["`x`", "given twice", "plan line 3", "plan line 4"][..],
        ),
        (
            "{\"path\":\"a/b\",\"text\":\"other\"}\n{\"path\":\"a\",\"tree\":\"tree\"}",
            &["`a/b`", "given twice", "plan line 3", "plan line 4"],
        ),
        (
            "{\"path\":\"x\",\"text\":\"\"}\n{\"path\":\"x/y\",\"text\":\"\"}",
            &["`x/y`", "`x`", "plan line 3", "plan line 4"],
        ),
        (
            "{\"path\":\"x/y\",\"text\":\"\"}\n{\"path\":\"x\",\"symlink\":\"z\"}",
            &["`x/y`", "`x`", "plan line 3", "plan line 4"],
        ),
        (
            "{\"path\":\"x\",\"text\":\"\"}\n{\"path\":\"x\",\"whiteout\":true}",
            &["`x`", "plan line 3", "plan line 4"],
        ),
        ("{\"path\":\"x\",\"hardlink\":\"gone\"}", &["`x`", "`gone`"]),
        ("{\"path\":\"x\",\"hardlink\":\"x\"}", &["`x`"]),
    ] {
        refused(at, &entry(lines), words);
    }
}
