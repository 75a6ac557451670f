//! Full disks and limits on the size of files, at every stage of everything that writes.
//!
//! Each command runs again and again, with a page, an inode or a limit more each time, until it
//! succeeds: so it fails once wherever it can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cooperage_testkit::peers::{self, Program};

use crate::front::Front;
use crate::support::{Ran, assert_whole, cooperage, good, noise, run, snapshot};

const PAGE: u64 = 4096;

type Snapshot = BTreeMap<String, Option<Vec<u8>>>;

/// A command that writes below `OUT`.
struct Case {
    name: &'static str,
    args: &'static [&'static str],
    input: Option<&'static str>,
}

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
];

impl Case {
    const fn of(name: &'static str, args: &'static [&'static str]) -> Self {
        Self {
            name,
            args,
            input: None,
        }
    }
}

/// What commands read, on a disk that is not full, and a directory that they write to.
struct Bench {
    directory: tempfile::TempDir,
    /// What lies below `OUT` before each run: an earlier image of every kind.
    before: Snapshot,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let at = directory.path();
        let head = r#"{"plan":"image","version":1,"names":["app:1.0"]}"#;
        let entries = "{\"path\":\"app\",\"file\":\"app\",\"mode\":\"0755\"}\n\
                       {\"path\":\"etc/motd\",\"text\":\"new\",\"mode\":\"0644\"}";
        let zstd = r#"{"layer":{"name":"app","encoder":"zstd-1"}}"#;
        let metadata = r#"{"layer":{"metadata":"app.json","blob":"app.blob"}}"#;
        for (name, text) in [
            ("app.plan", format!("{head}\n{zstd}\n{entries}\n")),
            (
                "app.layer",
                format!("{{\"plan\":\"layer\",\"version\":1}}\n{entries}\n"),
            ),
            ("app.commit", format!("{head}\n{metadata}\n")),
            (
                "tars.plan",
                format!(
                    "{head}\n{{\"layer\":{{\"tar\":\"app.tar\",\"form\":\"canonical\"}}}}\n\
                     {{\"layer\":{{\"tar\":\"app.tar\"}}}}\n\
                     {{\"layer\":{{\"tar\":\"app.tar\",\"form\":\"recompress\"}}}}\n"
                ),
            ),
            (
                "old.plan",
                format!("{}\n", head.replace("app:1.0", "old:1")),
            ),
        ] {
            fs::write(at.join(name), text).expect("a file");
        }
        fs::write(at.join("app"), noise(1, 9 * PAGE as usize)).expect("a file");
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(3 * PAGE);
        let body = noise(2, 3 * PAGE as usize);
        tar.append_data(&mut header, "in-tar", &body[..])
            .expect("a tar");
        fs::write(at.join("app.tar"), tar.into_inner().expect("a tar")).expect("a file");
        good(
            at,
            &[
                "layer",
                "app.layer",
                "--blob",
                "app.blob",
                "--metadata",
                "app.json",
            ],
        );
        good(
            at,
            &[
                "build",
                "app.plan",
                "-o",
                "oci:from",
                "-o",
                "docker-archive:from.tar",
            ],
        );

        let out = at.join("out");
        fs::create_dir(&out).expect("a directory");
        fs::create_dir(out.join("tmp")).expect("a directory");
        good(at, &["build", "old.plan", "-o", "oci:out/layout"]);
        for file in [
            "a.tar", "o.tar", "digest", "metadata", "blob", "config", "manifest",
        ] {
            fs::write(out.join(file), "what was there").expect("a file");
        }
        let before = snapshot(&out);
        Self { directory, before }
    }

    fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    /// `OUT` as it was before any run.
    fn reset(&self) {
        let out = self.out();
        for (name, bytes) in snapshot(&out) {
            if bytes.is_some() && self.before.get(&name) != Some(&bytes) {
                fs::remove_file(out.join(name)).expect("it is ours");
            }
        }
        for (name, bytes) in &self.before {
            match bytes {
                Some(bytes) if !out.join(name).exists() => {
                    fs::write(out.join(name), bytes).expect("there is room");
                }
                None => fs::create_dir_all(out.join(name)).expect("there is room"),
                _ => {}
            }
        }
        assert_eq!(snapshot(&out), self.before, "what is left is no file");
    }

    fn command(&self, case: &Case, program: Command) -> Ran {
        let mut program = program;
        let out = self.out();
        let text = out.to_str().expect("text");
        program
            .args(case.args.iter().map(|arg| arg.replace("OUT", text)))
            .current_dir(self.directory.path())
            .env("TMPDIR", out.join("tmp"));
        let input = case.input.map(|name| self.directory.path().join(name));
        run(
            &mut program,
            &input.map_or_else(Vec::new, |path| fs::read(path).expect("it is there")),
        )
    }

    /// What the case leaves when nothing is in its way.
    fn expected(&self, case: &Case, program: Command) -> Snapshot {
        self.command(case, program).exits(0);
        let expected = snapshot(&self.out());
        self.assert_whole(&expected, case.name);
        self.reset();
        expected
    }

    /// Nothing is lost, and nothing there that is not whole.
    #[track_caller]
    fn assert_whole(&self, expected: &Snapshot, what: &str) {
        let out = self.out();
        assert_whole(&out.join("layout"), "old:1");
        for (name, bytes) in snapshot(&out) {
            // Whether an index is whole, reading it tells; when it changes, the image is complete.
            if name.ends_with("index.json") {
                continue;
            }
            let is_old = self.before.get(&name) == Some(&bytes);
            let is_new = expected.get(&name) == Some(&bytes);
            assert!(
                is_old || is_new,
                "{what}: `{name}` is neither as before nor whole"
            );
        }
    }

    #[track_caller]
    fn assert_failed(&self, ran: Ran, refusal: &str, expected: &Snapshot, what: &str) {
        let text = self.out();
        let ran = ran.fails(&[refusal, text.to_str().expect("text"), "hint: "]);
        assert!(!ran.err.contains("cannot read"), "{what}: {}", ran.err);
        self.assert_whole(expected, what);
    }
}

/// A small disk in memory at a directory, whose size can be changed.
struct Disk {
    mount: Program,
    umount: Program,
    at: PathBuf,
}

impl Disk {
    /// `None` where nobody may mount one.
    fn at(at: &Path) -> Option<Self> {
        let disk = Self {
            mount: peers::tool_of_root("mount")?,
            umount: peers::tool_of_root("umount")?,
            at: at.to_owned(),
        };
        let at = disk.at.to_str().expect("text");
        let args = [
            "-t",
            "tmpfs",
            "-o",
            "size=64m,mode=755",
            "cooperage-test",
            at,
        ];
        disk.mount.run(args).expect("root may mount one");
        Some(disk)
    }

    fn set(&self, options: &str) {
        let options = format!("remount,{options}");
        let at = self.at.to_str().expect("text");
        self.mount
            .run(["-o", &options, at])
            .expect("it can be changed");
    }

    fn roomy(&self) {
        self.set("size=64m,nr_inodes=100000");
    }

    /// Leaves so many pages free.
    fn leave_pages(&self, pages: u64) {
        let disk = rustix::fs::statvfs(&self.at).expect("it is mounted");
        self.set(&format!(
            "size={}",
            (disk.f_blocks - disk.f_bfree + pages) * PAGE
        ));
    }

    fn leave_inodes(&self, inodes: u64) {
        let disk = rustix::fs::statvfs(&self.at).expect("it is mounted");
        self.set(&format!(
            "nr_inodes={}",
            disk.f_files - disk.f_ffree + inodes
        ));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.umount.run([self.at.to_str().expect("text")]));
    }
}

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

#[test]
fn disk_full_at_every_stage_of_cargo_image() {
    let front = Front::new();
    let bench = Bench::new();
    let Some(disk) = Disk::at(&bench.out()) else {
        return;
    };
    let case = Case::of(
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
    let program = || front.command();
    let pages = until_it_succeeds(&bench, &case, &disk, |n| disk.leave_pages(20 * n), &program);
    let inodes = until_it_succeeds(&bench, &case, &disk, |n| disk.leave_inodes(n), &program);
    println!("failed with {pages} numbers of free pages and {inodes} of free inodes");
    assert!(pages > 5 && inodes > 5);
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
    let Some(prlimit) = peers::tool("prlimit") else {
        return;
    };
    let mut failures = 0;
    for case in CASES {
        let expected = bench.expected(case, Command::new(cooperage()));
        for limit in limits(&expected) {
            let mut program = Command::new(prlimit.path());
            program.arg(format!("--fsize={limit}")).arg(cooperage());
            let ran = bench.command(case, program);
            if ran.code == Some(0) {
                assert_eq!(snapshot(&bench.out()), expected, "{}", case.name);
            } else {
                let what = format!("{} with a limit of {limit}", case.name);
                bench.assert_failed(ran, "File too large", &expected, &what);
                failures += 1;
                let again = bench.command(case, Command::new(cooperage()));
                again.exits(0);
                assert_eq!(snapshot(&bench.out()), expected, "{what}");
            }
            bench.reset();
        }
    }
    println!("{failures} limits were too low");
    assert!(failures > 3 * CASES.len());
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
