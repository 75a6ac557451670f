//! Full disks and limits on the size of files, at every stage of everything that writes.
//!
//! Each command runs again and again, with a page, an inode or a limit more each time, until it
//! succeeds: so it fails once wherever it can fail.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use cooperage_testkit::peers;

use crate::bench::{Bench, Case, Disk, PAGE, Snapshot};
use crate::front::Front;
use crate::support::{assert_whole, cooperage, snapshot};

const CASES: &[Case] = &[
    Case::of("a layout", &["build", "app.plan", "-o", "oci:OUT/layout"]),
    Case::of(
        "a docker archive",
        &["build", "app.plan", "-o", "docker-archive:OUT/a.tar"],
    ),
    Case::of(
        "an OCI archive",
        &["build", "app.plan", "-o", "oci-archive:OUT/o.tar"],
    ),
    Case::of(
        "a layout, an archive and files that tell of them",
        &[
            "build",
            "app.plan",
            "-o",
            "oci:OUT/layout",
            "-o",
            "docker-archive:OUT/a.tar",
            "--digest-file",
            "OUT/digest",
            "--metadata-file",
            "OUT/metadata",
        ],
    ),
    Case::of(
        "two archives, and a layout in between",
        &[
            "build",
            "app.plan",
            "-o",
            "docker-archive:OUT/a.tar",
            "-o",
            "oci-archive:OUT/o.tar",
        ],
    ),
    Case::of(
        "a layer",
        &[
            "layer",
            "app.layer",
            "--blob",
            "OUT/blob",
            "--metadata",
            "OUT/metadata",
        ],
    ),
    Case::of(
        "documents",
        &[
            "commit",
            "app.commit",
            "--config",
            "OUT/config",
            "--manifest",
            "OUT/manifest",
            "--descriptor",
            "OUT/digest",
        ],
    ),
    Case::of(
        "tars as layers",
        &["build", "tars.plan", "-o", "oci:OUT/layout"],
    ),
    Case::of(
        "a layer built before",
        &["build", "app.commit", "-o", "oci:OUT/layout"],
    ),
    Case::of(
        "a copy to a layout",
        &["copy", "oci:from", "oci:OUT/layout"],
    ),
    Case::of(
        "a copy to a docker archive, with layers recompressed",
        &["copy", "oci:from", "docker-archive:OUT/a.tar"],
    ),
    Case {
        name: "a copy from a pipe",
        args: &["copy", "docker-archive:-", "oci:OUT/layout"],
        input: Some("from.tar"),
    },
    Case::of("a list of files", &["ls", "oci:from"]),
    Case::of("an unpacked image", &["unpack", "oci:from", "OUT/root"]),
];

/// Runs a case with ever more of something, until it has enough; gives the number of failures.
fn until_it_succeeds(
    bench: &Bench,
    case: &Case,
    disk: &Disk,
    leave: impl Fn(u64),
    program: &dyn Fn() -> Command,
) -> u64 {
    disk.roomy();
    bench.reset();
    let expected = bench.expected(case, program());
    for amount in 0..500 {
        leave(amount);
        let ran = bench.command(case, program());
        let is_done = ran.code == Some(0);
        disk.roomy();
        if !is_done {
            bench.assert_failed(
                ran,
                "No space left on device",
                &expected,
                &format!("{} with {amount}", case.name),
            );
            // The next run clears up, and does what this one could not.
            if amount % 4 == 0 {
                bench.command(case, program()).exits(0);
                assert_eq!(snapshot(&bench.out()), expected, "{}", case.name);
            }
            bench.reset();
            continue;
        }
        assert_eq!(snapshot(&bench.out()), expected, "{}", case.name);
        return amount;
    }
    panic!("{}: 500 are not enough", case.name);
}

#[test]
fn disk_full_at_every_stage() {
    let bench = Bench::new();
    let Some(disk) = Disk::at(&bench.out()) else {
        return;
    };
    let (mut pages, mut inodes) = (0, 0);
    for case in CASES {
        let program = || Command::new(cooperage());
        let few = until_it_succeeds(&bench, case, &disk, |n| disk.leave_pages(n), &program);
        assert!(few > 0, "{} needs no room", case.name);
        pages += few;
        let few = until_it_succeeds(&bench, case, &disk, |n| disk.leave_inodes(n), &program);
        assert!(few > 0, "{} makes no file", case.name);
        inodes += few;
    }
    println!("failed with {pages} numbers of free pages and {inodes} of free inodes");
}

/// What `cargo image` writes.
const FRONT: Case = Case::of(
    "cargo image",
    &[
        "--output",
        "oci:OUT/layout",
        "--output",
        "docker-archive:OUT/a.tar",
        "--digest-file",
        "OUT/digest",
        "--metadata-file",
        "OUT/metadata",
        "--plan-file",
        "OUT/config",
    ],
);

#[test]
fn disk_full_at_every_stage_of_cargo_image() {
    let front = Front::new();
    let bench = Bench::new();
    let Some(disk) = Disk::at(&bench.out()) else {
        return;
    };
    let program = || front.command();
    let pages = until_it_succeeds(
        &bench,
        &FRONT,
        &disk,
        |n| disk.leave_pages(20 * n),
        &program,
    );
    let inodes = until_it_succeeds(&bench, &FRONT, &disk, |n| disk.leave_inodes(n), &program);
    println!("failed with {pages} numbers of free pages and {inodes} of free inodes");
    assert!(pages > 5 && inodes > 5);
}

/// What only reads an image needs room to unpack its layers: without it, it says so, which is no
/// fault of the image's, and leaves nothing.
#[test]
fn disk_full_while_an_image_is_verified() {
    let bench = Bench::new();
    let Some(disk) = Disk::at(&bench.out()) else {
        return;
    };
    let case = Case::of("verify", &["verify", "oci:from"]);
    disk.roomy();
    bench.reset();
    let leave: [&dyn Fn(u64); 2] = [&|n| disk.leave_pages(n), &|n| disk.leave_inodes(n)];
    for leave in leave {
        let failures = (0..500).find(|amount| {
            leave(*amount);
            let ran = bench.command(&case, Command::new(cooperage()));
            disk.roomy();
            assert_eq!(snapshot(&bench.out()), bench.before);
            if ran.code == Some(0) {
                return true;
            }
            let words = ["error: cannot keep the tar", "No space left on device"];
            ran.exits(1).says(&words);
            false
        });
        assert!(failures.is_some_and(|failures| failures > 0));
    }
}

/// Who collects wants room: it is not needed to make some.
#[test]
fn a_collection_on_a_full_disk() {
    let bench = Bench::new();
    let Some(disk) = Disk::at(&bench.out()) else {
        return;
    };
    disk.roomy();
    bench.reset();
    let garbage = bench.out().join("layout/blobs/sha256").join("0".repeat(64));
    let leave: [&dyn Fn(); 2] = [&|| disk.leave_pages(0), &|| disk.leave_inodes(0)];
    for leave in leave {
        fs::write(&garbage, "garbage").expect("there is room");
        leave();
        let case = Case::of("gc", &["layout", "gc", "OUT/layout"]);
        bench.command(&case, Command::new(cooperage())).exits(0);
        assert_eq!(snapshot(&bench.out()), bench.before);
        disk.roomy();
    }
}

/// Each limit that a file which the case writes would just break, and some in between.
fn limits(expected: &Snapshot) -> BTreeSet<u64> {
    let sizes = expected.values().flatten().map(|bytes| bytes.len() as u64);
    let mut limits: BTreeSet<u64> = sizes.map(|size| size.saturating_sub(1)).collect();
    limits.extend([0, 1, 100, PAGE, 3 * PAGE, 10 * PAGE]);
    limits
}

/// The limit is kept by a signal that ends who does not handle it.
#[test]
fn file_size_limit_at_every_stage() {
    let bench = Bench::new();
    let failures: Option<usize> = CASES
        .iter()
        .map(|case| until_no_limit_is_too_low(&bench, case, &Command::new(cooperage())))
        .sum();
    let Some(failures) = failures else { return };
    println!("{failures} limits were too low");
    assert!(failures > 3 * CASES.len());
}

#[test]
fn file_size_limit_at_every_stage_of_cargo_image() {
    let front = Front::new();
    let failures = until_no_limit_is_too_low(&Bench::new(), &FRONT, &front.command());
    assert!(failures.is_none_or(|failures| failures > 5), "{failures:?}");
}

/// Runs a case under each limit; gives the number of failures, unless limits cannot be set here.
fn until_no_limit_is_too_low(bench: &Bench, case: &Case, program: &Command) -> Option<usize> {
    let prlimit = peers::tool("prlimit")?;
    let limited = |limit: &str| {
        let mut command = Command::new(prlimit.path());
        command
            .arg(format!("--fsize={limit}"))
            .arg(program.get_program())
            .args(program.get_args());
        for (key, value) in program.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command
    };
    let expected = bench.expected(case, limited("unlimited"));
    let mut failures = 0;
    for limit in limits(&expected) {
        let ran = bench.command(case, limited(&limit.to_string()));
        if ran.code == Some(0) {
            assert_eq!(snapshot(&bench.out()), expected, "{}", case.name);
        } else {
            let what = format!("{} with a limit of {limit}", case.name);
            bench.assert_failed(ran, "File too large", &expected, &what);
            failures += 1;
            bench.command(case, limited("unlimited")).exits(0);
            assert_eq!(snapshot(&bench.out()), expected, "{what}");
        }
        bench.reset();
    }
    Some(failures)
}

#[test]
fn standard_output_that_takes_no_more() {
    let bench = Bench::new();
    for args in [
        &["copy", "oci:from", "docker-archive:-"][..],
        &["copy", "oci:from", "oci-archive:-"],
        &["inspect", "oci:from"],
        &["ls", "oci:from", "--format", "json"],
        &[
            "build",
            "app.plan",
            "-o",
            "oci:out/layout",
            "--format",
            "json",
        ],
    ] {
        let full = fs::File::options().write(true).open("/dev/full");
        let output = Command::new(cooperage())
            .args(args)
            .current_dir(bench.directory.path())
            .stdout(full.expect("every Linux has it"))
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        for word in ["error: ", "No space left on device", "hint: "] {
            assert!(said.contains(word), "{args:?}: {said}");
        }
        assert_whole(&bench.out().join("layout"), "old:1");
    }
}
