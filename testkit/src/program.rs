//! Programs as their users run them: built by cargo, started, fed and seen to their end.

#![expect(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "what a run gave is mostly asked for what it asserts"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run of a program gave.
#[derive(Debug)]
pub struct Ran {
    /// The exit status, if no signal ended the program.
    pub code: Option<i32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error, where what is not UTF-8 is replaced.
    pub err: String,
}

/// Runs a program to its end, with `input` as its standard input.
pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("cannot start {command:?}: {why}"));
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
    /// It ended with this status.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let out = String::from_utf8_lossy(&self.out);
        assert_eq!(self.code, Some(code), "{out}\n{}", self.err);
        self
    }

    /// Standard output or error holds each of the words.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        let all = format!("{}{}", String::from_utf8_lossy(&self.out), self.err);
        for word in words {
            assert!(all.contains(word), "`{word}` is not in:\n{all}");
        }
        self
    }

    /// It says so, and ends as a failure does, not as a crash.
    #[track_caller]
    pub fn fails(self, words: &[&str]) -> Self {
        let ran = self.exits(1).says(&["error: "]).says(words);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    /// Standard output, which is text.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.out.clone()).expect("the output is text")
    }

    /// Standard output, which is one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.out).expect("the output is one JSON document")
    }
}

/// The programs of this workspace that `cargo build` with these arguments builds, by their names.
///
/// They are built below `target`, which is best the one that the tests themselves were built in:
/// then it is done already.
pub fn built(target: &Path, arguments: &[&str]) -> BTreeMap<String, PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let output = Command::new(env!("CARGO"))
        .arg("build")
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .arg("--target-dir")
        .arg(target)
        .current_dir(workspace.expect("it lies in a workspace"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo cannot build {arguments:?}");
    serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter::<Value>()
        .map(|message| message.expect("cargo writes messages"))
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?;
            let executable = message["executable"].as_str()?;
            Some((name.to_owned(), PathBuf::from(executable)))
        })
        .collect()
}

/// Cargo's target directory, of what is `CARGO_TARGET_TMPDIR` for an integration test.
pub fn target_of(temporary: &'static str) -> &'static Path {
    let parent = Path::new(temporary).parent();
    parent.expect("cargo makes it below its own")
}
