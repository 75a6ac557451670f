//! `cargo image` where something is wrong.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ran, assert_whole, cargo_image, noise, run, snapshot};

const MANIFEST: &str = r#"
    [workspace]
    [package]
    name = "app"
    version = "1.2.3"
    edition = "2024"
    [profile.release]
    opt-level = "s"
    panic = "abort"
    strip = true
    [package.metadata.image]
"#;

/// A package whose binary is built once, and then fresh.
pub(crate) struct Front {
    directory: tempfile::TempDir,
}

impl Front {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let front = Self { directory };
        front.write("Cargo.toml", MANIFEST);
        fs::create_dir(front.path("src")).expect("a directory");
        front.write("src/main.rs", "fn main() {}");
        front.run(&["--output", "oci:image"]).exits(0);
        front
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file can be written");
    }

    /// With these keys in the manifest's table.
    fn with(&self, keys: &str) {
        self.write("Cargo.toml", format!("{MANIFEST}{keys}\n"));
    }

    /// `cargo image`, to be run anywhere.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(cargo_image());
        command
            .env("CARGO", env!("CARGO"))
            .env("CARGO_TARGET_DIR", self.path("target"))
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            // It needs nothing of its base then.
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .arg("image")
            .arg("--manifest-path")
            .arg(self.path("Cargo.toml"));
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.command();
        run(command.args(args).current_dir(self.directory.path()), b"")
    }

    /// It fails with these words, and what was there before is there still.
    #[track_caller]
    fn fails(&self, words: &[&str]) {
        let before = snapshot(&self.path("image"));
        self.run(&["--output", "oci:image"]).fails(words);
        assert_eq!(snapshot(&self.path("image")), before);
        assert_whole(&self.path("image"), "app:latest");
    }
}

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("coreutils are there").success());
}

#[test]
fn files_of_the_manifest_that_cannot_be_packed() {
    let front = Front::new();
    fs::create_dir(front.path("assets")).expect("a directory");
    front.write("assets/a", "a");
    let files = |rule: &str| front.with(&format!("files = [{rule}]"));

    files(r#"{ from = "gone", to = "/gone" }"#);
    front.fails(&["files[0]", "there is nothing at", "gone"]);
    std::os::unix::fs::symlink("loop", front.path("loop")).expect("a link");
    files(r#"{ from = "loop", to = "/loop" }"#);
    front.fails(&["files[0]", "loop", "Too many levels of symbolic links"]);
    let socket = UnixListener::bind(front.path("assets/socket")).expect("a socket");
    files(r#"{ from = "assets", to = "/srv" }"#);
    front.fails(&[
        "files[0]",
        "assets/socket` is neither a file, a directory nor a symlink",
    ]);
    fs::remove_file(front.path("assets/socket")).expect("it is there");
    drop(socket);
    fifo(&front.path("assets/pipe"));
    front.fails(&["files[0]", "assets/pipe` is neither a file"]);
    fs::remove_file(front.path("assets/pipe")).expect("it is there");
    files(r#"{ from = "/dev/null", to = "/null" }"#);
    front.fails(&["files[0]", "/dev/null` is neither a file"]);

    front.write("one", "1");
    front.write("two", "2");
    files(r#"{ from = "one", to = "/x" }, { from = "two", to = "/x" }"#);
    front.fails(&["`x`", "given twice", "files[0]", "files[1]"]);
    files(r#"{ from = "one", to = "/x" }, { from = "two", to = "/x/y" }"#);
    front.fails(&["`x/y`", "`x`", "files[0]", "files[1]"]);
    files(r#"{ from = "one", to = "../x" }"#);
    front.fails(&[
        "files[0].to",
        "expected an absolute path in the image",
        "../x",
    ]);
}

/// More layers than Docker runs: it is said, and the image is made.
#[test]
fn more_layers_than_engines_run() {
    let front = Front::new();
    let base = {
        let mut plan = String::from("{\"plan\":\"image\",\"version\":1,\"names\":[\"base:1\"]}\n");
        plan += &"{\"layer\":{}}\n{\"path\":\"a\",\"text\":\"\"}\n".repeat(127);
        front.write("base.plan", plan);
        let directory = front.directory.path();
        crate::support::good(directory, &["build", "base.plan", "-q", "-o", "oci:base"]);
        format!("oci:{}", front.path("base").display())
    };
    front.with(&format!("base = {base:?}"));
    let words = "128 layers, and Docker runs at most 127";
    let ran = front
        .run(&["--output", "oci:image", "--format", "json"])
        .exits(0);
    assert!(
        ran.err
            .contains(&format!("warning: the image for linux/amd64 has {words}")),
        "{}",
        ran.err
    );
    assert!(
        ran.json()["warnings"][0]
            .as_str()
            .expect("text")
            .contains(words)
    );
    front.run(&["--output", "oci:image", "--quiet"]).exits(0);
    assert_whole(&front.path("image"), "app:latest");
}

#[test]
fn outputs_that_cannot_be_written() {
    let front = Front::new();
    front.write("occupied", noise(3, 10));
    for (args, words) in [
        (&["--output", "oci:occupied"][..], "occupied"),
        (
            &["--output", "docker-archive:no/such/a.tar"],
            "no/such/a.tar",
        ),
        (
            &["--output", "oci:image", "--digest-file", "occupied/digest"],
            "occupied/digest",
        ),
        (
            &[
                "--output",
                "oci:new",
                "--output",
                "docker-archive:no/such/a.tar",
            ],
            "no/such/a.tar",
        ),
        (
            &["--output", "oci:new", "--digest-file", "target"],
            "`target`",
        ),
        (
            &["--output", "oci:new", "--metadata-file", "/dev/full"],
            "/dev/full",
        ),
        (
            &["--output", "docker-archive:-"],
            "an image is not built to standard output",
        ),
        (
            &["--digest-file", "new", "--plan-file", "new"],
            "are one place",
        ),
    ] {
        front.run(args).fails(&[words]);
        assert_whole(&front.path("image"), "app:latest");
        assert!(!front.path("new").exists(), "{args:?}");
    }
    for flag in ["--output", "--target"] {
        let ran = front.run(&[flag, "foo"]).exits(2);
        ran.says(&["error: invalid value 'foo'", "`foo`"]);
    }
    assert_eq!(
        fs::read(front.path("occupied")).expect("it stays"),
        noise(3, 10)
    );
}
