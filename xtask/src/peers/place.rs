//! Where the modern root lives, and what is noted beside it.
//!
//! The test kit (`testkit/src/peers/place.rs`) has the same names; a test of its own compares them.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context as _, ensure};

use super::modern::Root;
use super::shell;

/// The variable that names the directory of the modern root, for machines where another suits.
pub(super) const VARIABLE: &str = "COOPERAGE_PEERS";
/// The directory without it: outside every checkout, so that clean clones share one root.
pub(super) const DIRECTORY: &str = "/var/lib/cooperage-peers";
/// The root itself, named as its suite is: `testing` would be another one some day.
pub(super) const ROOT: &str = "forky";
/// Beside the root, when it could not be made: why.
pub(super) const UNAVAILABLE: &str = "forky.unavailable";
/// Beside it: a small Debian, and packages for it.
pub(super) const DEBIAN: &str = "debian";
/// Beside it: a server of remote execution.
pub(super) const BUILDGRID: &str = "buildgrid";
/// Beside it: Bazel's own formatter.
pub(super) const BUILDIFIER: &str = "buildifier";
/// In either, written last: what was installed.
pub(super) const REGISTRY_STAMP: &str = "stamp";
/// In the root, written last: what was installed, one package a line.
pub(super) const STAMP: &str = "cooperage-peers.stamp";

/// The directory that holds the modern root.
#[derive(Clone, Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    /// As the environment says, or the usual one.
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "xtask reads the environment")]
        let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let path = named.map_or_else(|| PathBuf::from(DIRECTORY), PathBuf::from);
        ensure!(
            path.is_absolute(),
            "{VARIABLE} must be an absolute path: `{}`",
            path.display()
        );
        Ok(Self(path))
    }

    /// The directory itself.
    pub(super) fn directory(&self) -> &Path {
        &self.0
    }

    /// The modern root, made or not.
    pub(super) fn root(&self) -> PathBuf {
        self.0.join(ROOT)
    }

    /// The small Debian, made or not.
    pub(super) fn debian(&self) -> PathBuf {
        self.0.join(DEBIAN)
    }

    /// Where the modern root is made before it gets its name.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.0.join("forky.unfinished")
    }

    /// Why the modern root could not be made, if so.
    pub(super) fn unavailable(&self) -> Option<String> {
        fs::read_to_string(self.0.join(UNAVAILABLE)).ok()
    }

    /// Notes that the root could not be made, or that it could.
    pub(super) fn note(&self, failure: Option<&anyhow::Error>) -> anyhow::Result<Option<Root>> {
        let note = self.0.join(UNAVAILABLE);
        let done = match failure {
            Some(why) => fs::write(&note, in_one_line(&format!("{why:#}")) + "\n"),
            None => match fs::remove_file(&note) {
                Err(why) if why.kind() == ErrorKind::NotFound => Ok(()),
                other => other,
            },
        };
        done.with_context(|| format!("cannot update `{}`", note.display()))?;
        Ok(Root::complete(self))
    }

    /// Makes the directory and keeps all other installers out of it until the value is dropped.
    pub(super) fn lock(&self) -> anyhow::Result<Lock> {
        fs::create_dir_all(&self.0)
            .with_context(|| format!("cannot make `{}`", self.0.display()))?;
        Lock::hold(&self.0.join("lock"))
    }
}

/// What went wrong and the last word on it; what some program said in between is left out.
fn in_one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    lines
        .next_back()
        .map_or_else(|| first.to_owned(), |last| format!("{first} {last}"))
}

/// A lock held by `flock`, which ends, and gives it up, with this process.
#[derive(Debug)]
pub(super) struct Lock(Child);

impl Lock {
    fn hold(file: &Path) -> anyhow::Result<Self> {
        let script = "echo held; read -r _";
        let arguments = [
            "--exclusive".as_ref(),
            file.as_os_str(),
            "sh".as_ref(),
            "-c".as_ref(),
        ];
        let mut child = shell::command("flock", arguments)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start `flock`")?;
        let said = child.stdout.take().expect("its output was asked for");
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        ensure!(
            line == "held\n",
            "`flock` could not lock `{}`",
            file.display()
        );
        Ok(Self(child))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // The lock is free as soon as the input ends; how `flock` ends changes nothing.
        drop(self.0.wait());
    }
}
