//! The command as its users run it, and what lies in directories afterwards.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cargo_metadata::Message;
use cooperage_blob::{CopyOptions, Memory, Source, copy};
use cooperage_testkit::peers::{self, Program};
use cooperage_testkit::ragged::Numbers;

/// The programs that this workspace gives, built as `cargo build` builds them; the tests of the
/// command itself did so already.
fn program(name: &str) -> &'static Path {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
        let output = Command::new(env!("CARGO"))
            .args(["build", "--package", "cooperage-cli", "--bins"])
            .arg("--message-format=json-render-diagnostics")
            .arg("--target-dir")
            .arg(target.expect("cargo makes it below its own"))
            .current_dir(tests.parent().expect("the tests lie in a workspace"))
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "cargo cannot build the programs");
        Message::parse_stream(output.stdout.as_slice())
            .filter_map(|message| match message.expect("cargo writes messages") {
                Message::CompilerArtifact(artifact) => Some((
                    artifact.target.name,
                    artifact.executable?.into_std_path_buf(),
                )),
                _ => None,
            })
            .collect()
    });
    &built[name]
}

pub(crate) fn cooperage() -> &'static Path {
    program("cooperage")
}

pub(crate) fn cargo_image() -> &'static Path {
    program("cargo-image")
}

/// What a run of a program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

pub(crate) fn run(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    // Beside reading, so that neither side waits for the other; a program that does not read is no
    // fault.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("writing does not panic");
    Ran {
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        let out = String::from_utf8_lossy(&self.out);
        assert_eq!(self.code, Some(code), "{out}\n{}", self.err);
        self
    }

    /// Standard output or error holds each of the words.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        let all = format!("{}{}", String::from_utf8_lossy(&self.out), self.err);
        for word in words {
            assert!(all.contains(word), "`{word}` is not in:\n{all}");
        }
        self
    }

    /// It says so, and ends as a failure does, not as a crash.
    #[track_caller]
    pub(crate) fn fails(self, words: &[&str]) -> Self {
        let ran = self.exits(1).says(&["error: "]).says(words);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).expect("the output is one JSON document")
    }
}

/// The command, to be run in `directory`.
pub(crate) fn command(directory: &Path, args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(cooperage());
    command.current_dir(directory).args(args);
    command
}

/// The command run in `directory`, with nothing on standard input.
pub(crate) fn try_in(directory: &Path, args: &[impl AsRef<OsStr>]) -> Ran {
    run(&mut command(directory, args), b"")
}

/// The same, which must end well.
#[track_caller]
pub(crate) fn good(directory: &Path, args: &[impl AsRef<OsStr>]) -> Ran {
    try_in(directory, args).exits(0)
}

/// Bytes that no codec makes smaller.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    Numbers::new(seed).bytes(length)
}

/// Every file below a directory with its bytes, and every directory with none.
#[expect(clippy::disallowed_methods, reason = "sorted by the map")]
pub(crate) fn snapshot(directory: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).expect("a directory") {
            let path = entry.expect("an entry").path();
            let below = path.strip_prefix(directory).expect("below");
            let name = below.to_str().expect("text").to_owned();
            if path.is_dir() {
                open.push(path);
                found.insert(name, None);
            } else {
                found.insert(name, Some(fs::read(&path).expect("a file")));
            }
        }
    }
    found
}

/// All that an image is can be read from the layout under its name, and nothing in the layout is
/// wrong or odd.
#[track_caller]
pub(crate) fn assert_whole(layout: &Path, name: &str) {
    let faults: Vec<_> = cooperage_layout::fsck(layout)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
    let layout = cooperage_layout::Layout::open(layout).expect("a layout");
    let roots = layout.roots().expect("an index");
    let root = roots.iter().find(|root| root.name.as_deref() == Some(name));
    let root = root.unwrap_or_else(|| panic!("`{name}` is gone: {roots:?}"));
    copy(&layout, root, &Memory::new(), &CopyOptions::default()).expect("it is whole");
}

/// Starts a program as somebody whom permissions bind: nobody, if these tests run as root.
pub(crate) fn as_nobody(program: &Path) -> Option<Command> {
    use std::os::unix::fs::MetadataExt as _;
    let own = tempfile::tempfile().expect("a temporary file").metadata();
    if own.expect("its metadata").uid() != 0 {
        return Some(Command::new(program));
    }
    let setpriv: Program = peers::tool("setpriv")?;
    let mut command = Command::new(setpriv.path());
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program);
    Some(command)
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// A directory that everyone may look into, with the command in it: where this workspace lies,
/// others may have no business.
pub(crate) fn open_to_all() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    chmod(directory.path(), 0o755);
    let program = directory.path().join("cooperage");
    fs::copy(cooperage(), &program).expect("it is there");
    chmod(&program, 0o755);
    (directory, program)
}
