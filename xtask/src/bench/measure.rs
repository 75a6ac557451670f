//! What a command took: wall, CPU of all its processes, memory of the largest.
//!
//! Commands are started by `src/bin/launch.rs`, which says why. What that one counts itself is the
//! least that can be told of a command's memory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::test::{Step, cargo};

/// What one run took.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Sample {
    /// Seconds from its start to its end.
    pub(super) wall: f64,
    /// Seconds of all its processes, in the program and in the kernel.
    pub(super) cpu: f64,
    /// Of these, in the kernel.
    pub(super) system: f64,
    /// Peak resident memory of its largest process, in bytes.
    pub(super) memory: u64,
    /// Length in bytes of what it stored.
    #[serde(default)]
    pub(super) size: u64,
}

/// Starts commands and says what they took.
#[derive(Clone, Debug)]
pub(super) struct Launcher(PathBuf);

impl Launcher {
    /// Builds the program that starts commands.
    pub(super) fn build(target: &Path) -> anyhow::Result<Self> {
        let build = ["build", "--quiet", "--package", "xtask", "--bin", "launch"];
        let minutes = Duration::from_secs(30 * 60);
        Step::new("the launcher", cargo(&build)).run(minutes)?;
        Ok(Self(target.join("debug/launch")))
    }

    /// Runs `command`.
    ///
    /// # Errors
    ///
    /// When it cannot be started or fails, with what it said.
    pub(super) fn run(&self, command: &Command) -> anyhow::Result<Sample> {
        let mut launcher = Command::new(&self.0);
        launcher.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => launcher.env(name, value),
                None => launcher.env_remove(name),
            };
        }
        let output = launcher
            .stdin(Stdio::null())
            .output()
            .context("cannot start the launcher")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{command:?} failed: {}",
            said.trim()
        );
        serde_json::from_slice(&output.stdout).context("the launcher said something else")
    }

    /// The least memory that it can tell of a command, in bytes.
    pub(super) fn floor(&self) -> anyhow::Result<u64> {
        Ok(self.run(&Command::new("/bin/true"))?.memory)
    }
}
