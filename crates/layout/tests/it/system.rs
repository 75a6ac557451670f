//! What the system is asked for, and what becomes of what it refuses.

use std::fs;
use std::path::Path;

use cooperage_blob::{Root, Sink, Source};
use cooperage_layout::Layout;
use cooperage_testkit::again::this_program;
use cooperage_testkit::peers;

use crate::processes::{command, command_under};
use crate::{amd64, errors, faults, layout, temporary};

fn run(command: &mut std::process::Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The calls of a process that does this work on a layout, one per line, without numbers.
fn calls(layout: &Path, work: &str) -> Option<Vec<String>> {
    let strace = peers::tool("strace")?;
    let trace = layout.with_extension("trace");
    let arguments = [
        "-f",
        "-y",
        "-e",
        "trace=fsync,fdatasync,rename,renameat,renameat2,flock,unlink,unlinkat",
        "-o",
        trace.to_str().unwrap(),
        &this_program(),
    ];
    let program = strace.path().to_str().unwrap().to_string();
    run(&mut command_under(&program, &arguments, work, layout));
    let text = fs::read_to_string(trace).unwrap();
    let inside = layout.display().to_string();
    Some(
        text.lines()
            .filter(|line| line.contains(&inside))
            .map(str::to_string)
            .collect(),
    )
}

type Expected = (&'static str, &'static str, &'static str);

const BEGIN: [Expected; 1] = [("flock", "/blobs>", "LOCK_SH")];
/// A blob gets its name.
const BLOB: [Expected; 2] = [
    ("fsync", "/.cooperage-", ""),
    ("rename", "/.cooperage-", "/blobs/sha256/"),
];
/// The index names what is there, and the layout is let go of.
const INDEX: [Expected; 9] = [
    ("flock", "/blobs>", "LOCK_SH"),
    ("fsync", "/blobs/sha256>", ""),
    ("flock", "/oci-layout>", "LOCK_EX"),
    ("fsync", "/.cooperage-", ""),
    ("rename", "/.cooperage-", "/index.json"),
    ("fsync", "/layout>", ""),
    ("flock", "/oci-layout>", "LOCK_UN"),
    ("flock", "/blobs>", "LOCK_UN"),
    ("flock", "/blobs>", "LOCK_UN"),
];

#[test]
fn bytes_are_on_disk_before_their_name_and_the_name_before_it_is_told() {
    let (_directory, layout) = layout();
    let Some(calls) = calls(layout.path(), "one 100000") else {
        return;
    };
    assert_calls(&calls, &[&BEGIN[..], &BLOB, &INDEX].concat());
}

/// The names of all blobs, before one of them is in the index.
#[test]
fn all_names_of_an_image_are_on_disk_at_once_and_before_it_is_told() {
    let (_directory, layout) = layout();
    let Some(calls) = calls(layout.path(), "image") else {
        return;
    };
    assert_calls(&calls, &[&BEGIN[..], &BLOB, &BLOB, &BLOB, &INDEX].concat());
}

/// The file that makes a directory a layout comes last.
#[test]
fn a_layout_is_one_when_all_of_it_is_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let Some(calls) = calls(&directory.path().join("layout"), "create") else {
        return;
    };
    let expected = [
        ("fsync", "/layout>", ""),
        ("fsync", "/blobs>", ""),
        ("flock", "/blobs>", "LOCK_SH"),
        ("fsync", "/.cooperage-", ""),
        ("rename", "/.cooperage-", "/index.json"),
        ("fsync", "/layout>", ""),
        ("fsync", "/.cooperage-", ""),
        ("rename", "/.cooperage-", "/oci-layout"),
        ("fsync", "/layout>", ""),
        ("flock", "/blobs>", "LOCK_UN"),
    ];
    assert_calls(&calls, &expected);
}

/// Each call has its name and both of these texts in it.
#[track_caller]
fn assert_calls(calls: &[String], expected: &[Expected]) {
    let is = |(call, (name, path, other)): (&String, &Expected)| {
        call.contains(name) && call.contains(path) && call.contains(other)
    };
    let matches = calls.len() == expected.len() && calls.iter().zip(expected).all(is);
    assert!(matches, "{calls:#?}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_what_was_there() {
    let (_directory, layout) = layout();
    layout
        .publish(&Root::named("before", amd64(&layout, "before")))
        .unwrap();
    let index = fs::read(layout.path().join("index.json")).unwrap();
    // A limit on the size of files refuses writes as a full disk does.
    let limited = |length: usize| {
        let script = format!("trap '' XFSZ; ulimit -f 8; exec {} \"$@\"", this_program());
        let work = format!("one {length}");
        run(&mut command_under(
            "/bin/bash",
            &["-c", &script, "bash"],
            &work,
            layout.path(),
        ))
    };
    for length in [5_000_000, 40_000] {
        let output = limited(length);
        assert!(
            output.contains("refused: ") && output.contains("File too large"),
            "{output}"
        );
        assert!(temporary(layout.path()).is_empty());
        assert_eq!(fs::read(layout.path().join("index.json")).unwrap(), index);
        assert!(faults(layout.path()).is_empty());
    }
    assert!(limited(100).contains("published"));
}

#[cfg(unix)]
#[test]
fn modes_do_not_depend_on_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    for umask in ["000", "077"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("layout");
        let script = format!("umask {umask}; exec {} \"$@\"", this_program());
        run(&mut command_under(
            "/bin/bash",
            &["-c", &script, "bash"],
            "publish x",
            &path,
        ));
        let layout = Layout::open(&path).unwrap();
        let blob = layout.blob_path(&layout.roots().unwrap()[0].descriptor.digest);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        for name in ["", "blobs", "blobs/sha256"] {
            assert_eq!(mode(&path.join(name)), 0o755, "{name} under {umask}");
        }
        for path in [&path.join("oci-layout"), &path.join("index.json"), &blob] {
            assert_eq!(mode(path), 0o644, "{} under {umask}", path.display());
        }
    }
}

#[cfg(unix)]
#[test]
fn a_layout_that_cannot_be_written_says_so_and_is_read() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let (directory, layout) = layout();
    layout
        .publish(&Root::named("x", amd64(&layout, "x")))
        .unwrap();
    let path = layout.path();
    for name in ["blobs/sha256", "blobs", ""] {
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o555)).unwrap();
    }
    let mut writer;
    if fs::metadata(path).unwrap().uid() == 0 {
        // No permission binds root: somebody else must try.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let Some(setpriv) = peers::tool("setpriv") else {
            return;
        };
        let copy = directory.path().join("binary");
        fs::copy(this_program(), &copy).unwrap();
        let arguments = [
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            copy.to_str().unwrap(),
        ];
        writer = command_under(setpriv.path().to_str().unwrap(), &arguments, "one 10", path);
    } else {
        writer = command("one 10", path);
    }
    let output = writer.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{text}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("PermissionDenied"),
        "{output:?}"
    );
    assert!(errors(path).is_empty());
    for name in ["", "blobs", "blobs/sha256"] {
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}
