//! Runs a command and says, in a line of JSON, what it took: wall, CPU and memory.
//!
//! `cargo xtask bench` starts its commands by this program. A process that is started counts its
//! parent's memory as its own until it executes its program, and the kernel keeps the greatest
//! figure it saw; so the parent has to be small, and this one knows nothing else.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program for another program"
)]

use std::ffi::OsString;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

fn main() -> ExitCode {
    let command: Vec<_> = std::env::args_os().skip(1).collect();
    match launch(&command) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
fn launch(command: &[OsString]) -> Result<String, String> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeVal;

    let (program, arguments) = command.split_first().ok_or("no command")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let began = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{}`: {error}", program.display()))?;
    let wall = began.elapsed().as_secs_f64();
    if !status.success() {
        return Err(status.to_string());
    }
    // Of all children that were waited for, and theirs: here, of the one.
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let (user, system) = (usage.user_time(), usage.system_time());
    let seconds = |time: TimeVal| format!("{}.{:06}", time.tv_sec(), time.tv_usec());
    let unit = if cfg!(target_os = "linux") { 1024 } else { 1 };
    Ok(format!(
        "{{\"wall\":{wall},\"cpu\":{},\"system\":{},\"memory\":{}}}",
        seconds(user + system),
        seconds(system),
        usage.max_rss().unsigned_abs() * unit
    ))
}

#[cfg(not(unix))]
fn launch(_: &[OsString]) -> Result<String, String> {
    Err("what a command took can be measured on Unix only".to_owned())
}
