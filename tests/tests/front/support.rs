//! `cargo xtask image` as these tests start it: in an environment of which every variable is known.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cooperage_testkit::program::{built, target_of};
use serde_json::Value;

/// This workspace.
pub(crate) fn workspace() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests lie in a workspace")
}

/// Cargo's target directory for this workspace: the one that this very test was built in.
pub(crate) fn target() -> &'static Path {
    target_of(env!("CARGO_TARGET_TMPDIR"))
}

/// What `cargo xtask` runs, built as `cargo xtask` builds it; `cargo xtask test` did so already.
pub(crate) fn xtask() -> &'static Path {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let arguments = ["--package", "xtask", "--bin", "xtask"];
    &BUILT.get_or_init(|| built(target(), &arguments))["xtask"]
}

/// `CARGO_HOME` of whoever runs the tests.
pub(crate) fn cargo_home() -> PathBuf {
    let named = std::env::vars_os().find(|(name, value)| name == "CARGO_HOME" && !value.is_empty());
    let usual = || std::env::home_dir().map(|home| home.join(".cargo"));
    named
        .map(|(_, home)| PathBuf::from(home))
        .or_else(usual)
        .expect("there is a home directory")
}

/// Runs a command to its end, which must be a good one.
pub(crate) fn succeed(command: &mut Command) -> std::process::Output {
    let output = command
        .output()
        .unwrap_or_else(|why| panic!("cannot start {command:?}: {why}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// An image, as `--metadata-file` describes it.
#[derive(Debug)]
pub(crate) struct Made {
    /// The whole of that file.
    pub(crate) summary: Value,
    /// What went to standard error: cargo's messages and our warnings.
    pub(crate) said: String,
}

/// Runs `command`, which is to end in `image` with its flags, and takes what it made.
pub(crate) fn make<A: AsRef<OsStr>>(mut command: Command, metadata: &Path, flags: &[A]) -> Made {
    command.args(flags).arg("--metadata-file").arg(metadata);
    let output = succeed(&mut command);
    let text = fs::read(metadata).expect("the metadata was written");
    let summary: Value = serde_json::from_slice(&text).expect("the metadata is JSON");
    Made {
        summary,
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Where programs of real size are built, kept from run to run.
pub(crate) fn programs() -> PathBuf {
    target().join("programs")
}

/// The front over a program of real size, built once and kept, with a profile that is quick to
/// build: not optimised. The network and its settings are the machine's.
pub(crate) fn program() -> Command {
    let mut command = Command::new(xtask());
    for flags in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(flags);
    }
    command
        .env("CARGO_TARGET_DIR", programs().join("build"))
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .arg("image");
    command
}
