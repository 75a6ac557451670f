//! The one program of all targets, instrumented.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::Place;
use crate::test::cargo;

/// What makes the compiler count edges and compares, for libFuzzer.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];
/// Set where cargo starts this program in place of the compiler.
const WRAPPER: &str = "COOPERAGE_FUZZ_WRAPPER";

/// How much is instrumented.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Depth {
    /// Everything, with the address sanitizer; in a target directory of its own.
    All,
    /// The workspace's own crates, over dependencies as tests have them. Without the sanitizer,
    /// which all code has to be built with.
    Own,
}

/// Builds it and says where it is.
pub(super) fn build(place: &Place, depth: Depth) -> Result<PathBuf> {
    let began = Instant::now();
    let mut command = cargo(&["build", "--quiet", "--package", "cooperage-fuzz"]);
    command.args(["--features", "libfuzzer", "--bin", "fuzz"]);
    let program = match depth {
        Depth::All => {
            let host = host()?;
            let others = ["-Zsanitizer=address", "-Cforce-frame-pointers"];
            let flags = [&COVERAGE[..], &others].concat().join("\u{1f}");
            // The sanitizer is not stable yet.
            command.env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_ENCODED_RUSTFLAGS", flags);
            // Named, the host is a target like any other, and build scripts stay as they are.
            command.args(["--profile", "fuzz", "--target", &host]);
            command.arg("--target-dir").arg(&place.root);
            place.root.join(host).join("fuzz").join("fuzz")
        }
        Depth::Own => {
            command.env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?);
            command.env(WRAPPER, "1");
            place.target.join("debug").join("fuzz")
        }
    };
    let status = command.status().context("cannot start cargo")?;
    ensure!(status.success(), "the fuzz targets do not build: {status}");
    println!("built in {} s", began.elapsed().as_secs());
    Ok(program)
}

/// Is the compiler, instrumenting, where cargo started this program as that; else `None`.
pub(crate) fn wrap() -> Option<ExitCode> {
    #[expect(clippy::disallowed_methods, reason = "xtask may read the environment")]
    std::env::var_os(WRAPPER)?;
    let mut arguments = std::env::args_os().skip(1);
    let mut command = Command::new(arguments.next()?);
    let arguments: Vec<OsString> = arguments.collect();
    command.args(&arguments);
    // Cargo also asks what the compiler is.
    if arguments.iter().any(|argument| argument == "--crate-name") {
        command.args(COVERAGE);
        // Fast enough to be of use, with the checks of a debug build; more would take longer to build
        // than `cargo xtask test` fuzzes.
        command.args(["-Copt-level=1", "-Ccodegen-units=16"]);
    }
    let status = command.status().ok()?;
    Some(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What rustc calls this machine.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.context("cannot start rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not say what its host is")?;
    Ok(host.to_owned())
}
