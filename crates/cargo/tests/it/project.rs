//! Small projects, and the program that packs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A project in a directory of its own, with a target directory and a `CARGO_HOME` beside it.
pub(crate) struct Project {
    dir: TempDir,
    place: PathBuf,
}

impl Project {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::at("project", files)
    }

    /// A project at a path below a temporary directory.
    pub(crate) fn at(place: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let project = Self {
            dir,
            place: place.into(),
        };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("it lies in the project")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(&self.place).join(path)
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.dir.path().join(&self.place).with_file_name("made")
    }

    /// The program, in the project, without what the test's own cargo has set.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .arg("image")
            .args(arguments)
            .current_dir(self.path(""));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let kept = ["CARGO", "CARGO_HOME"].contains(&name.as_str());
            if (name.starts_with("CARGO") && !kept) || name.ends_with("FLAGS") {
                command.env_remove(name);
            }
        }
        command.env_remove("SOURCE_DATE_EPOCH");
        command
            .env("CARGO_TARGET_DIR", self.target())
            .env("CARGO_NET_OFFLINE", "true");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Value {
        finish(self.command(arguments).arg("--format=json"))
    }

    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str], expect: &str) {
        self.fails(1, arguments, expect);
    }

    /// The arguments themselves are wrong.
    #[track_caller]
    pub(crate) fn misused(&self, arguments: &[&str], expect: &str) {
        self.fails(2, arguments, expect);
    }

    #[track_caller]
    fn fails(&self, code: i32, arguments: &[&str], expect: &str) {
        let output = self.command(arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(
            said.contains(expect),
            "{arguments:?}: expected `{expect}` in:\n{said}"
        );
        assert!(!self.target().join("image").exists(), "an image was begun");
    }

    /// The config of the image in the default layout.
    pub(crate) fn config(&self, summary: &Value) -> Value {
        let digest = summary["images"][0]["config_digest"]
            .as_str()
            .expect("a digest");
        self.blob(digest)
    }

    pub(crate) fn blob(&self, digest: &str) -> Value {
        let path = self
            .target()
            .join("image/blobs")
            .join(digest.replace(':', "/"));
        serde_json::from_slice(&std::fs::read(path).expect("it is in the layout")).expect("JSON")
    }
}

/// Runs a command that is to succeed and prints JSON.
#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Value {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?} failed:\n{said}");
    assert!(!said.contains("warning:"), "{said}");
    serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}:\n{said}"))
}

/// `examples/cargo-image.rs`, which cargo builds beside every test.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("it is known");
    let deps = test
        .parent()
        .and_then(Path::parent)
        .expect("tests lie in `deps`");
    deps.join("examples")
        .join(format!("cargo-image{}", std::env::consts::EXE_SUFFIX))
}

pub(crate) const HELLO: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[package]\nname = 'hello'\nversion = '0.1.0'\nedition = '2024'\n",
    ),
    ("src/main.rs", "fn main() { println!(\"hello\"); }\n"),
];

#[test]
fn what_cannot_be_packed_is_named() {
    let package =
        |name: &str| format!("[package]\nname = '{name}'\nversion = '0.1.0'\nedition = '2024'\n");
    let main = "fn main() {}\n";
    let library = Project::new(&[("Cargo.toml", &package("lib")), ("src/lib.rs", "")]);
    library.refused(&[], "package `lib` has no binary");
    let several = Project::new(&[
        ("Cargo.toml", &package("several")),
        ("src/bin/one.rs", main),
        ("src/bin/two.rs", main),
    ]);
    several.refused(
        &[],
        "package `several` has several binaries (`one`, `two`): choose one with `--bin`",
    );
    several.refused(
        &["--bin=three"],
        "package `several` has no binary `three`; it has `one`, `two`",
    );
    several.refused(
        &["-p", "severl"],
        "there is no package `severl` in this workspace; did you mean `several`?",
    );
    several.refused(
        &["--manifest-path=x/Cargo.toml"],
        "there is no manifest at `x/Cargo.toml`",
    );
    several.misused(
        &["--bin=one", "--target=x86_64-apple-darwin"],
        "target `x86_64-apple-darwin` is not Linux",
    );
    several.misused(
        &["--bin=one", "--platform=linux/arm64"],
        "`linux/arm64` is a platform: expected the cargo target to build for it, such as `aarch64-unknown-linux-musl`",
    );
    several.refused(
        &["--bin=one", "--layer=nothing", "--file=Cargo.toml:/a"],
        "no file goes into layer `nothing`: expected one of `files`",
    );
    several.refused(
        &["--bin=one", "--add-user=root:5"],
        "key `users`: user `root` has the number 5: expected 0, or another name",
    );
    several.refused(
        &["--bin=one", "--base=oci:none"],
        "cannot open the base `oci:none`: no image is found there: cannot open `oci:none`: cannot read `none/oci-layout`: No such file",
    );
    several.refused(
        &["--bin=one", "--target=x86_64-unknown-linux-wrong"],
        "refuses the target `x86_64-unknown-linux-wrong`",
    );
    several.refused(
        &["--bin=one", "--target=powerpc64-unknown-linux-gnu"],
        "target `powerpc64-unknown-linux-gnu` is not installed: run `rustup target add powerpc64-unknown-linux-gnu`",
    );
    several.misused(&["--bin=one", "--output=ftp:x"], "`ftp:x` names no medium");
    several.refused(
        &["--bin=one", "--tag=A B"],
        "`A B` cannot be an image's name",
    );
    several.refused(
        &["--bin=one", "--mtime=source-date-epoch"],
        "needs the variable `SOURCE_DATE_EPOCH`",
    );
    several.refused(
        &["--bin=one", "--file=no*:/x"],
        "`--file no*:/x`: there is nothing at",
    );
    let workspace = Project::new(&[
        (
            "Cargo.toml",
            "[workspace]\nresolver = '3'\nmembers = ['a', 'b', 'c']\n",
        ),
        ("a/Cargo.toml", &package("a")),
        ("a/src/main.rs", main),
        ("b/Cargo.toml", &package("b")),
        ("b/src/main.rs", "fn main() { wrong }"),
        ("c/Cargo.toml", &package("c")),
        ("c/src/lib.rs", ""),
    ]);
    workspace.refused(
        &[],
        "several packages have binaries (`a`, `b`): choose one with `-p`",
    );
    workspace.refused(
        &["-p=b"],
        "`cargo build` of binary `b` failed; its messages are above",
    );
    workspace.refused(&["-p=c"], "package `c` has no binary");
    let slip = Project::new(HELLO);
    slip.write(
        "Cargo.toml",
        &format!(
            "{}[package.metadata.image]\nprots = [80]\n",
            package("hello")
        ),
    );
    slip.refused(&[], "unknown key `prots`; did you mean `ports`?");
}
