//! Other readers, in processes that are asked again and again, and how often they are.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use cooperage_testkit::{go, peers};
use serde_json::Value;

/// A helper that runs other readers.
pub(crate) struct Others {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Others {
    /// Python's readers and those that it loads.
    pub(crate) fn start() -> Option<Self> {
        // libarchive is bsdtar's.
        for needed in ["bsdtar", "zstd", "libdeflate-gzip", "igzip"] {
            peers::tool(needed)?;
        }
        Some(Self::of(
            peers::tool("python3")?.command([source("readers.py")]),
        ))
    }

    /// Go's reader, built in a directory.
    pub(crate) fn start_go(directory: &Path) -> Option<Self> {
        let program = directory.join("reader");
        go::build(
            &source("reader.go"),
            &program,
            Path::new(env!("CARGO_TARGET_TMPDIR")),
        )
        .then(|| Self::of(Command::new(program)))
    }

    fn of(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a reader starts");
        let requests = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            requests,
            answers,
        }
    }

    /// What each reader makes of the bytes, by its name.
    pub(crate) fn ask(&mut self, kind: u8, bytes: &[u8]) -> BTreeMap<String, Value> {
        let len = (bytes.len() as u64).to_le_bytes();
        self.requests
            .write_all(&[&[kind], &len[..], bytes].concat())
            .and_then(|()| self.requests.flush())
            .expect("the helper listens");
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("the helper answers");
        serde_json::from_str(&line).expect("the helper answers in JSON")
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many changed inputs are tried: so many, or as many as there is time for.
pub(crate) struct Effort {
    /// The first one; 0 unless `COOPERAGE_DIFFERENTIAL_FIRST` goes on where another run ended.
    pub(crate) first: u64,
    cases: u64,
    until: Option<Instant>,
}

impl Effort {
    pub(crate) fn new(cases: u64) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "it says how long, not what is right"
        )]
        let number = |name: &str| {
            let text = std::env::var(format!("COOPERAGE_DIFFERENTIAL_{name}")).ok();
            text.map(|text| text.parse().expect("a number"))
        };
        let first = number("FIRST").unwrap_or(0);
        let until = number("SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
        Self {
            first,
            cases,
            until,
        }
    }

    pub(crate) fn is_over(&self, case: u64) -> bool {
        match self.until {
            Some(until) => Instant::now() >= until,
            None => case >= self.first + self.cases,
        }
    }
}

/// A file of its own that outlives the test, which fails.
pub(crate) fn keep(bytes: &[u8]) -> String {
    let file = tempfile::Builder::new()
        .prefix("cooperage-differential-")
        .tempfile();
    let mut file = file.expect("room for an input");
    file.write_all(bytes).expect("room for an input");
    let (_, path) = file.keep().expect("a file that can be kept");
    path.display().to_string()
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it")
        .join(name)
}
