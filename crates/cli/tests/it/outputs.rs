//! Where outputs go, what is left of those that fail, and what is said meanwhile.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use cooperage_testkit::peers;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{PLAN, Project, names};

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("coreutils are there").success());
}

#[test]
fn links_stay_and_what_they_lead_to_is_written() {
    let project = Project::built();
    fs::create_dir(project.path("far")).expect("a directory");
    project.write(
        "layer.plan",
        "{\"plan\":\"layer\",\"version\":1}\n{\"path\":\"a\",\"text\":\"a\"}\n",
    );
    let outputs = [
        "a.tar", "o.tar", "c.tar", "digest", "meta", "blob", "metadata",
    ];
    for name in outputs {
        project.write(&format!("far/{name}"), "what was there");
        symlink(format!("far/{name}"), project.path(name)).expect("a link");
    }
    for args in [
        &[
            "build",
            "app.plan",
            "-o",
            "docker-archive:a.tar",
            "-o",
            "oci-archive:o.tar",
            "--digest-file",
            "digest",
            "--metadata-file",
            "meta",
        ][..],
        &["copy", "oci:image", "oci-archive:c.tar"],
        &[
            "layer",
            "layer.plan",
            "--blob",
            "blob",
            "--metadata",
            "metadata",
        ],
    ] {
        project.run(args).exits(0);
    }
    for name in outputs {
        assert!(project.path(name).is_symlink(), "{name}");
        assert_ne!(
            project.read(&format!("far/{name}")),
            b"what was there",
            "{name}"
        );
    }
    let mut expected: Vec<_> = outputs.map(String::from).to_vec();
    expected.sort();
    assert_eq!(names(&project.path("far")), expected);
    // A link to nothing makes it.
    symlink("far/new.tar", project.path("new.tar")).expect("a link");
    project
        .run(&["copy", "oci:image", "docker-archive:new.tar"])
        .exits(0);
    assert!(project.path("new.tar").is_symlink() && project.path("far/new.tar").is_file());
}

#[test]
fn devices_and_pipes_are_not_replaced() {
    let project = Project::built();
    fifo(&project.path("pipe"));
    fs::create_dir(project.path("dir")).expect("a directory");
    symlink("/dev/null", project.path("null")).expect("a link");
    let before = project.names();
    for (path, what) in [
        ("pipe", "a pipe"),
        ("null", "a character device"),
        ("/dev/full", "a character device"),
        ("/dev/stdout", "a"),
        ("dir", "a directory"),
    ] {
        for medium in ["docker-archive", "oci-archive"] {
            let location = format!("{medium}:{path}");
            // The plan names what is not there, which would be found when there is work.
            let plan = PLAN.replace("\"file\":\"app\"", "\"file\":\"no-such\"");
            let words = [&*format!("`{path}` is {what}"), "hint: ", "`cooperage copy"];
            let build = ["build", "-", "-o", &location];
            project
                .run_with(&build, plan.as_bytes())
                .exits(1)
                .says(&words);
            let copy = ["copy", "oci:image", &location];
            project.run(&copy).exits(1).says(&words);
        }
    }
    assert_eq!(project.names(), before);
    // Small files are written to them, as a shell would.
    let args = [
        "build",
        "app.plan",
        "-q",
        "-o",
        "oci:x",
        "--digest-file",
        "/dev/stdout",
    ];
    let ran = project.run(&args).exits(0);
    assert_eq!(ran.text(), project.digest("oci:image"));
    let args = [
        "build",
        "app.plan",
        "-q",
        "-o",
        "oci:x",
        "--metadata-file",
        "null",
    ];
    project.run(&args).exits(0);
    assert!(project.path("null").is_symlink());
}

#[test]
fn two_outputs_at_one_place_are_refused_before_work() {
    let project = Project::new();
    symlink("a", project.path("link")).expect("a link");
    let before = project.names();
    let layer = "{\"plan\":\"layer\",\"version\":1}\n{\"path\":\"a\",\"file\":\"no-such\"}\n";
    let built = "{\"plan\":\"image\",\"version\":1}\n{\"layer\":{\"metadata\":\"no-such\"}}\n";
    let image = PLAN.replace("\"file\":\"app\"", "\"file\":\"no-such\"");
    for (plan, args) in [
        (
            layer,
            &["layer", "-", "--blob", "b", "--metadata", "./b"][..],
        ),
        (
            built,
            &["commit", "-", "--config", "a", "--manifest", "link"],
        ),
        (
            built,
            &[
                "commit",
                "-",
                "--config",
                "c",
                "--manifest",
                "m",
                "--descriptor",
                "c",
            ],
        ),
        (
            &image,
            &[
                "build",
                "-",
                "-o",
                "oci:x",
                "--digest-file",
                "a",
                "--metadata-file",
                "a",
            ],
        ),
        (
            &image,
            &[
                "build",
                "-",
                "-o",
                "docker-archive:a",
                "-o",
                "oci-archive:link:n",
            ],
        ),
        (
            &image,
            &["build", "-", "-o", "oci:a", "-o", "docker-archive:a"],
        ),
        (
            &image,
            &["build", "-", "-o", "docker-archive:a", "--digest-file", "a"],
        ),
    ] {
        let words = ["are one place", "give each output its own"];
        project
            .run_with(args, plan.as_bytes())
            .exits(1)
            .says(&words);
        assert_eq!(project.names(), before, "{args:?}");
    }
    // A layout has room for two names.
    project
        .run(&["build", "app.plan", "-o", "oci:l:one", "-o", "oci:l:two"])
        .exits(0);
    assert_eq!(project.digest("oci:l:one"), project.digest("oci:l:two"));
}

/// Whatever fails last, of outputs that were not there nothing stays; of those that were, nothing
/// changes.
#[test]
fn what_fails_leaves_no_output() {
    let project = Project::built();
    project.write("old.tar", "what was there");
    fs::create_dir(project.path("dir")).expect("a directory");
    fs::create_dir(project.path("empty")).expect("a directory");
    project.write("index.plan", crate::build::INDEX);
    let before = project.snapshot();
    for (plan, outputs, words) in [
        ("app", "-o oci:y --digest-file none/d", "none/d"),
        ("app", "-o oci:y --metadata-file dir", "`dir`"),
        ("app", "-o oci:deep/er/y --metadata-file dir", "`dir`"),
        ("app", "-o oci:empty --metadata-file dir", "`dir`"),
        ("app", "-o oci:y -o oci-archive:none/z.tar", "none/z.tar"),
        (
            "app",
            "-o docker-archive:a.tar -o docker-archive:dir",
            "`dir`",
        ),
        (
            "app",
            "-o oci:y -o oci-archive:a.tar --digest-file /dev/full",
            "/dev/full",
        ),
        ("index", "-o oci:mj -o docker-archive:a.tar", "platform"),
        (
            "index",
            "-o oci:y:a -o oci:y:b -o docker-archive:a",
            "platform",
        ),
        (
            "index",
            "-o oci-archive:old.tar -o docker-archive:a",
            "platform",
        ),
    ] {
        let plan = format!("{plan}.plan");
        let mut args = vec!["build", &plan];
        args.extend(outputs.split(' '));
        project.run(&args).exits(1).says(&["error: ", words]);
        assert_eq!(project.snapshot(), before, "{args:?}");
    }
}

#[test]
fn a_copy_that_fails_leaves_no_output() {
    let project = Project::built();
    fs::create_dir(project.path("empty")).expect("a directory");
    // A layer is missing, which is found when all else is there.
    let manifest = project
        .run(&["inspect", "oci:image", "--raw", "manifest"])
        .json();
    let layer = manifest["layers"][1]["digest"].as_str().expect("a digest");
    fs::remove_file(project.path(&crate::support::blob(layer))).expect("it is there");
    let before = project.snapshot();
    for to in ["oci:y", "oci:empty", "oci-archive:a.tar"] {
        project
            .run(&["copy", "oci:image", to])
            .exits(1)
            .says(&[layer]);
        assert_eq!(project.snapshot(), before, "{to}");
    }
}

/// Standard error that nobody reads, or that has no room.
#[test]
fn what_cannot_be_said_changes_nothing() {
    let project = Project::built();
    project.write("bad.plan", "{");
    project.write("index.plan", crate::build::INDEX);
    let image = env!("CARGO_BIN_EXE_cargo-image");
    let cooperage = env!("CARGO_BIN_EXE_cooperage");
    for (program, args, code) in [
        (cooperage, &["build", "app.plan", "-o", "oci:x"][..], 0),
        (
            cooperage,
            &["build", "app.plan", "-o", "docker-archive:a.tar:APP"],
            1,
        ),
        (cooperage, &["build", "bad.plan", "-o", "oci:x"], 1),
        (cooperage, &["copy", "oci:image", "oci:y"], 0),
        (cooperage, &["copy", "oci:image", "docker-archive:-"], 0),
        (cooperage, &["copy", "oci:none", "oci:y"], 1),
        (cooperage, &["verify", "oci:image"], 0),
        (cooperage, &["inspect", "oci:none"], 1),
        (cooperage, &["no-such"], 2),
        (image, &["image", "--manifest-path", "none"], 1),
        (image, &["image", "--output", "none"], 2),
    ] {
        let (reader, closed) = std::io::pipe().expect("a pipe");
        drop(reader);
        let full = File::options().write(true).open("/dev/full");
        let full = full.expect("every Linux has it");
        for stderr in [Stdio::from(closed), Stdio::from(full)] {
            let status = Command::new(program)
                .args(args)
                .current_dir(project.path(""))
                .stdout(Stdio::null())
                .stderr(stderr)
                .status()
                .expect("it starts");
            assert_eq!(status.code(), Some(code), "{args:?}");
        }
    }
}

#[test]
fn progress_is_told_in_lines_in_bars_or_not_at_all() {
    let project = Project::new();
    let build = ["build", "app.plan", "-o", "oci:x"];
    let lines = project.run(&build).exits(0);
    for word in ["lower (", "upper ("] {
        assert!(
            lines.err.lines().any(|line| line.contains(word)),
            "{}",
            lines.err
        );
    }
    assert!(!lines.err.contains('\u{1b}'), "{}", lines.err);
    let quiet = project.run(&[&build[..], &["--quiet"]].concat()).exits(0);
    assert_eq!((quiet.err.as_str(), quiet.out.len()), ("", 0));

    // Whoever looks at a terminal sees bars, that are gone at the end.
    let Some(script) = peers::tool("script") else {
        return;
    };
    let on_terminal = |more: &str| {
        let line = format!(
            "{} build app.plan -o oci:x {more} >out",
            env!("CARGO_BIN_EXE_cooperage")
        );
        let output = Command::new(script.path())
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(project.path(""))
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let bars = on_terminal("");
    for word in ["lower", "upper", "\u{1b}["] {
        assert!(bars.contains(word), "{bars:?}");
    }
    assert!(!bars.contains("lower ("), "{bars:?}");
    assert_eq!(on_terminal("--quiet"), "");
}

/// A layer of zeros, which is small and takes a while to look into; the program is stopped as soon
/// as it has a temporary file.
fn stopped_by(project: &Project, signal: Signal) -> std::process::ExitStatus {
    let tmp = project.path("tmp");
    // Whoever runs the tests may have them ignore signals, as `nohup` does.
    let mut child = Command::new("env")
        .arg("--default-signal=HUP,INT,TERM")
        .arg(env!("CARGO_BIN_EXE_cooperage"))
        .args(["ls", "oci:image", "--quiet"])
        .current_dir(project.path(""))
        .env("TMPDIR", &tmp)
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    while names(&tmp).is_empty() {
        assert!(
            child.try_wait().expect("it is ours").is_none(),
            "it was too fast"
        );
        std::thread::yield_now();
    }
    send(signal, &child);
    child.wait().expect("it ends")
}

/// Sends a signal at once: a program that sends it may begin too late, and is not everywhere.
fn send(signal: Signal, child: &std::process::Child) {
    kill_process(Pid::from_child(child), signal).expect("it is ours");
}

#[test]
fn signals_end_it_without_temporary_files_and_the_next_run_removes_those_of_a_kill() {
    let project = Project::new();
    fs::create_dir(project.path("tmp")).expect("a directory");
    let zeros = File::create_new(project.path("zeros")).expect("a file");
    zeros.set_len(512 << 20).expect("a hole needs no room");
    let head = "{\"plan\":\"image\",\"version\":1}\n{\"layer\":{\"encoder\":\"zstd-1\"}}\n";
    let plan = format!("{head}{{\"path\":\"zeros\",\"file\":\"zeros\"}}\n");
    let build = ["build", "-", "-q", "-o", "oci:image"];
    project.run_with(&build, plan.as_bytes()).exits(0);
    let tmp = project.path("tmp");
    for signal in [Signal::HUP, Signal::INT, Signal::TERM] {
        let status = stopped_by(&project, signal);
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert_eq!(names(&tmp), [""; 0], "{signal:?}");
    }
    let status = stopped_by(&project, Signal::KILL);
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
    assert_eq!(names(&tmp).len(), 1);
    let mut next = project.command();
    let next = next.args(["ls", "oci:image", "-q"]).env("TMPDIR", &tmp);
    assert!(next.output().expect("it runs").status.success());
    assert_eq!(names(&tmp), [""; 0]);
}

/// Whoever has a command ignore a signal, as `nohup` does, has it go on.
#[test]
fn ignored_signals_stay_ignored() {
    let project = Project::new();
    // More than a pipe holds: when most of it is written, the program is at work.
    let mut numbers = cooperage_testkit::ragged::Numbers::new(3);
    project.write("app", numbers.bytes(1 << 20));
    project
        .run(&["build", "app.plan", "-q", "-o", "oci:image"])
        .exits(0);
    let archive = project
        .run(&["copy", "oci:image", "docker-archive:-"])
        .exits(0)
        .out;
    let line = format!(
        "trap '' HUP; exec {} copy docker-archive:- oci:x:y -q",
        env!("CARGO_BIN_EXE_cooperage")
    );
    let mut child = Command::new("sh")
        .args(["-c", &line])
        .current_dir(project.path(""))
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell is there");
    let mut stdin = child.stdin.take().expect("it is piped");
    let (most, rest) = archive.split_at(archive.len() - 100_000);
    stdin.write_all(most).expect("it reads");
    send(Signal::HUP, &child);
    stdin.write_all(rest).expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    assert_eq!(project.digest("oci:x"), project.digest("oci:image"));
}

/// It is not the image's fault that there is no room to look into it.
#[test]
fn an_image_is_not_faulty_for_want_of_temporary_files() {
    let project = Project::built();
    let piped = project
        .run(&["copy", "oci:image", "docker-archive:-"])
        .exits(0);
    for (location, input) in [("oci:image", &b""[..]), ("docker-archive:-", &piped.out)] {
        let ran = project.run_in_tmp("no/such", &["verify", location], input);
        ran.exits(1)
            .says(&["error: ", "temporary file", "`no/such`", "os error 2"]);
    }
}
