//! Directories that cannot be written to.

use std::fs;
use std::path::Path;
use std::process::Command;

use cooperage_testkit::peers;

use crate::front::Front;
use crate::support::{as_nobody, assert_whole, chmod, cooperage, open_to_all, run, snapshot};

const PLAN: &str = "{\"plan\":\"image\",\"version\":1,\"names\":[\"new:1\"]}\n\
                    {\"layer\":{}}\n{\"path\":\"a\",\"text\":\"a\"}\n";

/// What writes into `out`, and the file or directory that the message is to name.
const WRITERS: &[(&[&str], &str)] = &[
    (&["build", "new.plan", "-o", "oci:out/layout"], "out/layout"),
    (&["build", "new.plan", "-o", "oci:out/fresh"], "out/fresh"),
    (
        &["build", "new.plan", "-o", "docker-archive:out/a.tar"],
        "out/a.tar",
    ),
    (
        &["build", "new.plan", "-o", "oci-archive:out/a.tar"],
        "out/a.tar",
    ),
    (
        &[
            "build",
            "new.plan",
            "-o",
            "oci:own",
            "--digest-file",
            "out/digest",
        ],
        "out/digest",
    ),
    (
        &[
            "build",
            "new.plan",
            "-o",
            "oci:own",
            "--metadata-file",
            "out/metadata",
        ],
        "out/metadata",
    ),
    (&["copy", "oci:out/layout", "oci:out/copy"], "out/copy"),
    (
        &["copy", "oci:out/layout", "oci-archive:out/a.tar"],
        "out/a.tar",
    ),
    (
        &[
            "layer",
            "new.layer",
            "--blob",
            "out/blob",
            "--metadata",
            "metadata",
        ],
        "out/blob",
    ),
    (
        &[
            "commit",
            "old.plan",
            "--config",
            "metadata",
            "--manifest",
            "out/manifest",
        ],
        "out/manifest",
    ),
    (&["unpack", "oci:out/layout", "out/root"], "out/root"),
    (&["layout", "gc", "out/layout"], "out/layout"),
];

/// The same of `cargo image`.
const FRONT: &[(&[&str], &str)] = &[
    (&["--output", "oci:out/layout"], "out/layout"),
    (&["--output", "oci:out/fresh"], "out/fresh"),
    (&["--output", "docker-archive:out/a.tar"], "out/a.tar"),
    (
        &["--output", "oci:own", "--digest-file", "out/digest"],
        "out/digest",
    ),
    (
        &["--output", "oci:own", "--metadata-file", "out/metadata"],
        "out/metadata",
    ),
    (
        &["--output", "oci:own", "--plan-file", "out/plan"],
        "out/plan",
    ),
];

fn prepare(at: &Path) {
    fs::write(at.join("new.plan"), PLAN).expect("a file");
    let layer = "{\"plan\":\"layer\",\"version\":1}\n{\"path\":\"a\",\"text\":\"a\"}\n";
    fs::write(at.join("new.layer"), layer).expect("a file");
    let old = "{\"plan\":\"image\",\"version\":1,\"names\":[\"old:1\"]}\n";
    fs::write(at.join("old.plan"), old).expect("a file");
    let made = crate::support::try_in(at, &["build", "old.plan", "-o", "oci:out/layout"]);
    made.exits(0);
    // Nothing refers to it: a collection would remove it.
    fs::write(at.join("out/layout/blobs/sha256").join("0".repeat(64)), "").expect("a file");
}

#[track_caller]
fn all_fail(at: &Path, writers: &[(&[&str], &str)], program: &dyn Fn() -> Command, refusal: &str) {
    let before = snapshot(&at.join("out"));
    for (args, place) in writers {
        let ran = run(program().args(*args).current_dir(at), b"");
        ran.fails(&[place, refusal, "hint: "]);
        assert_eq!(snapshot(&at.join("out")), before, "{args:?}");
        assert!(!at.join("metadata").exists(), "{args:?}");
    }
}

/// What only reads needs no more.
#[track_caller]
fn readers_work(at: &Path, program: &dyn Fn() -> Command) {
    for args in [
        &["inspect", "oci:out/layout"][..],
        &["verify", "oci:out/layout"],
    ] {
        run(program().args(args).current_dir(at), b"").exits(0);
    }
}

#[test]
fn directories_that_this_user_may_not_write_to() {
    let (directory, program) = open_to_all();
    let at = directory.path();
    chmod(at, 0o777);
    prepare(at);
    let closed = [
        "out",
        "out/layout",
        "out/layout/blobs",
        "out/layout/blobs/sha256",
    ];
    for name in closed {
        chmod(&at.join(name), 0o555);
    }
    if as_nobody(&program).is_some() {
        let program = || as_nobody(&program).expect("as before");
        all_fail(at, WRITERS, &program, "Permission denied");
        readers_work(at, &program);
    }
    for name in closed {
        chmod(&at.join(name), 0o755);
    }
    fs::remove_file(at.join("out/layout/blobs/sha256").join("0".repeat(64))).expect("it is there");
    assert_whole(&at.join("out/layout"), "old:1");
}

#[test]
fn a_file_system_that_is_read_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    prepare(at);
    let out = at.join("out");
    let out = out.to_str().expect("text");
    let (Some(mount), Some(umount)) = (peers::tool_of_root("mount"), peers::tool_of_root("umount"))
    else {
        return;
    };
    mount
        .run(["--bind", "-o", "ro", out, out])
        .expect("root may mount");
    let result = std::panic::catch_unwind(|| {
        let program = || Command::new(cooperage());
        all_fail(at, WRITERS, &program, "Read-only file system");
        readers_work(at, &program);
        let front = Front::new();
        all_fail(at, FRONT, &|| front.command(), "Read-only file system");
    });
    umount.run([out]).expect("it was mounted");
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}
