//! The `cooperage` command, as users have it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cooperage_testkit::peers::Failed;
use cooperage_testkit::program::{built, target_of};
use serde_json::Value;

/// The program, built as `cargo xtask test` has built it already.
fn program() -> &'static Path {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let target = target_of(env!("CARGO_TARGET_TMPDIR"));
    let arguments = ["--package", "cooperage-cli", "--bin", "cooperage"];
    &BUILT.get_or_init(|| built(target, &arguments))["cooperage"]
}

/// Runs it and gives what it wrote to standard output.
pub(crate) fn run<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, Failed> {
    run_with(Stdio::null(), arguments)
}

/// The same with a file as its standard input.
pub(crate) fn run_with_input<A: AsRef<OsStr>>(
    input: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, Failed> {
    let file = File::open(input).expect("it can be opened");
    run_with(Stdio::from(file), arguments)
}

fn run_with<A: AsRef<OsStr>>(
    input: Stdio,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, Failed> {
    let mut command = Command::new(program());
    command.arg("--quiet").args(arguments).stdin(input);
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    if output.status.success() {
        return Ok(stdout);
    }
    Err(Failed {
        command: format!("{command:?}"),
        status: output.status,
        stdout,
        stderr,
    })
}

/// The one JSON document that it prints.
pub(crate) fn json<const N: usize>(arguments: [&str; N]) -> Result<Value, Failed> {
    let words = ["--format", "json"].into_iter().chain(arguments);
    let said = run(words)?;
    Ok(serde_json::from_str(&said).expect("it prints one JSON document"))
}
