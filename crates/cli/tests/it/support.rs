//! A directory with a small project, and the program run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cooperage_testkit::program;
pub(crate) use cooperage_testkit::program::Ran;
use serde_json::Value;
use tempfile::TempDir;

/// A plan of two layers, of which the upper one replaces a file of the lower.
pub(crate) const PLAN: &str = r#"
{"plan":"image","version":1,"names":["app:1.0"],"config":{"user":"65532","entrypoint":["/app"],"env":{"A":"b"}}}
{"layer":{"name":"lower"}}
{"path":"etc/motd","text":"old\n","mode":"0600"}
{"path":"etc/keep","text":"kept\n","mode":"0644","uid":5,"gid":6}
{"layer":{"name":"upper"}}
{"path":"app","file":"app","mode":"4755"}
{"path":"etc/motd","text":"new!\n","mode":"0644"}
{"path":"bin/app","symlink":"../app"}
"#;

pub(crate) struct Project(TempDir);

impl Project {
    /// The plan and the file it names.
    pub(crate) fn new() -> Self {
        let project = Self(tempfile::tempdir().expect("a directory can be made"));
        project.write("app.plan", PLAN);
        project.write("app", "the program\n".repeat(1000));
        project
    }

    /// The same with its image in the layout `image`.
    pub(crate) fn built() -> Self {
        let project = Self::new();
        project
            .run(&["build", "app.plan", "-q", "-o", "oci:image"])
            .exits(0);
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file is there")
    }

    pub(crate) fn read_json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).expect("the file is JSON")
    }

    /// The names in the project's directory, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.0.path())
    }

    /// What lies in the project's directory, links not followed: files with their bytes.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.0.path().to_owned()];
        while let Some(at) = open.pop() {
            for name in names(&at) {
                let path = at.join(name);
                let bytes = path.is_file().then(|| fs::read(&path).expect("a file"));
                if bytes.is_none() {
                    open.push(path.clone());
                }
                found.insert(path, bytes);
            }
        }
        found
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cooperage"));
        command.current_dir(self.0.path());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, b"")
    }

    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Ran {
        program::run(self.command().args(args), input)
    }

    /// The same with temporary files in another directory.
    pub(crate) fn run_in_tmp(&self, tmp: &str, args: &[&str], input: &[u8]) -> Ran {
        program::run(self.command().args(args).env("TMPDIR", tmp), input)
    }

    /// The digest of the image at a location.
    #[track_caller]
    pub(crate) fn digest(&self, location: &str) -> String {
        let inspected = self
            .run(&["inspect", location, "--format", "json"])
            .exits(0);
        inspected.json()["digest"]
            .as_str()
            .expect("it has a digest")
            .to_owned()
    }
}

/// The blob's file in the layout `image`.
pub(crate) fn blob(digest: &str) -> String {
    format!("image/blobs/{}", digest.replace(':', "/"))
}

#[expect(clippy::disallowed_methods, reason = "sorted before it is compared")]
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("it can be read")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}
