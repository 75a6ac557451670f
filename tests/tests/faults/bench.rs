//! Commands that write, what they read, and a small disk to write to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cooperage_testkit::peers::{self, Program};

use crate::support::{Ran, assert_whole, good, noise, run, snapshot};

pub(crate) const PAGE: u64 = 4096;

pub(crate) type Snapshot = BTreeMap<String, Option<Vec<u8>>>;

/// A command that writes below `OUT`.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) args: &'static [&'static str],
    pub(crate) input: Option<&'static str>,
}

impl Case {
    pub(crate) const fn of(name: &'static str, args: &'static [&'static str]) -> Self {
        Self {
            name,
            args,
            input: None,
        }
    }
}

/// What commands read, on a disk that is not full, and a directory that they write to.
pub(crate) struct Bench {
    pub(crate) directory: tempfile::TempDir,
    /// What lies below `OUT` before each run: an earlier image of every kind.
    pub(crate) before: Snapshot,
}

impl Bench {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    /// `OUT` as it was before any run.
    pub(crate) fn reset(&self) {
        let out = self.out();
        // What is in a directory comes before the directory.
        for (name, bytes) in snapshot(&out).into_iter().rev() {
            match bytes {
                Some(_) if self.before.get(&name) != Some(&bytes) => {
                    fs::remove_file(out.join(name)).expect("it is ours");
                }
                None if !self.before.contains_key(&name) => {
                    fs::remove_dir(out.join(name)).expect("it is ours");
                }
                _ => {}
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

    pub(crate) fn command(&self, case: &Case, program: Command) -> Ran {
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
    pub(crate) fn expected(&self, case: &Case, program: Command) -> Snapshot {
        self.command(case, program).exits(0);
        let expected = snapshot(&self.out());
        self.assert_whole(&expected, case.name);
        self.reset();
        expected
    }

    /// Nothing is lost, and nothing there that is not whole.
    #[track_caller]
    pub(crate) fn assert_whole(&self, expected: &Snapshot, what: &str) {
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
    pub(crate) fn assert_failed(&self, ran: Ran, refusal: &str, expected: &Snapshot, what: &str) {
        let text = self.out();
        let ran = ran.fails(&[refusal, text.to_str().expect("text"), "hint: "]);
        assert!(!ran.err.contains("cannot read"), "{what}: {}", ran.err);
        self.assert_whole(expected, what);
    }
}

/// A small disk in memory at a directory, whose size can be changed.
pub(crate) struct Disk {
    mount: Program,
    umount: Program,
    at: PathBuf,
}

impl Disk {
    /// `None` where nobody may mount one.
    pub(crate) fn at(at: &Path) -> Option<Self> {
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

    pub(crate) fn set(&self, options: &str) {
        let options = format!("remount,{options}");
        let at = self.at.to_str().expect("text");
        self.mount
            .run(["-o", &options, at])
            .expect("it can be changed");
    }

    pub(crate) fn roomy(&self) {
        self.set("size=64m,nr_inodes=100000");
    }

    /// Leaves so many pages free.
    pub(crate) fn leave_pages(&self, pages: u64) {
        let disk = rustix::fs::statvfs(&self.at).expect("it is mounted");
        self.set(&format!(
            "size={}",
            (disk.f_blocks - disk.f_bfree + pages) * PAGE
        ));
    }

    pub(crate) fn leave_inodes(&self, inodes: u64) {
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
