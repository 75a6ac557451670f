//! Running the machine's own programs, with their last words when they fail.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

/// How much of a failed command's output is worth showing.
const LAST_LINES: usize = 20;

/// A command of the machine that asks nothing and speaks English.
pub(crate) fn command<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.envs([("LC_ALL", "C.UTF-8"), ("DEBIAN_FRONTEND", "noninteractive")]);
    // Debian's own tools do not find these for users whose `PATH` leaves them out.
    command.env(
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    );
    command
}

/// Runs `command` to its end; what it prints is kept to itself unless it fails.
pub(crate) fn run(command: Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    run_as(&program, command)
}

/// As [`run`], for a `program` that others start.
pub(crate) fn run_as(program: &str, mut command: Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start `{program}`"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(said.into_owned());
    }
    let all = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<_> = all.lines().collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
    bail!("`{program}` ended with {}:\n  {last}", output.status)
}

/// Fails for anyone but root.
pub(super) fn require_root() -> anyhow::Result<()> {
    let id = run(command("id", ["-u"]))?;
    ensure!(
        id.trim() == "0",
        "installing packages and running engines needs root"
    );
    Ok(())
}

/// `apt-get` that waits for another one to end, and tries a download more than once.
pub(super) fn apt_get(arguments: &[&str]) -> Vec<String> {
    [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Acquire::Retries=3",
    ]
    .iter()
    .chain(arguments)
    .map(ToString::to_string)
    .collect()
}
