//! Bazel of the modern root, without a network, on workspaces in directories of the machine.
//!
//! ```no_run
//! use cooperage_testkit::bazel::{Bazel, Options};
//! use std::path::Path;
//!
//! let Some(bazel) = Bazel::start(&Options::default()) else { return };
//! let workspace = bazel.workspace(Path::new("/tmp/workspace"));
//! workspace.run(&["build", "//..."]).expect("it builds");
//! ```

mod caches;
mod log;
mod offline;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::docker::process_of;
use crate::peers::supervised::{Directory, Supervised};
use crate::peers::{self, Failed, Generation, Way, finish, text};
use crate::program::Ran;

pub use caches::{BuildGrid, Farm, HttpCache};
pub use log::Spawn;

/// Seconds after which a command is ended: Bazel waits for ever for a worker that never comes.
const PATIENCE: u32 = 900;

/// What Bazel sees and is told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Directories of the machine that it sees under their own names, beside the temporary ones,
    /// this workspace, and the installation of Rust that the tests themselves were built with.
    pub sees: Vec<PathBuf>,
}

/// A place where Bazel runs. Dropping it ends its servers and removes all that they built.
#[derive(Debug)]
pub struct Bazel {
    place: Supervised,
    /// A process in the namespaces that all commands enter.
    process: u32,
    rust: Rust,
    bases: AtomicUsize,
}

/// The installation of Rust that cargo runs from, where one is known.
#[derive(Clone, Debug)]
struct Rust {
    sysroot: PathBuf,
    /// `CARGO_HOME`, with the registry's crates.
    home: PathBuf,
}

impl Bazel {
    /// Makes the place, or says that Bazel is missing.
    #[must_use]
    pub fn start(options: &Options) -> Option<Self> {
        peers::find(Generation::Modern, "bazel", Way::Inside)?;
        let directory = Directory::new();
        offline::write(directory.path());
        let rust = Rust::found();
        let mut sees = options.sees.clone();
        sees.extend([rust.sysroot.clone(), rust.home.clone()]);
        // Known by a variable that nobody else has.
        let mark = format!("COOPERAGE_BAZEL={}", directory.path().display());
        let mut words = peers::words_inside(Path::new("/usr/bin/env"), &sees)?;
        words.extend([mark.as_str(), "sleep", "infinity"].map(OsString::from));
        let mut process = None;
        let mut is_ready = |_: &str| {
            process = process_of(&mark);
            process.is_some()
        };
        let place = Supervised::start("bazel", directory, &words, &[], &mut is_ready);
        Some(Self {
            place,
            process: process.expect("it was ready, so it had one"),
            rust,
            bases: AtomicUsize::new(0),
        })
    }

    /// A workspace that lies in `path`, with an output base of its own.
    #[must_use]
    pub fn workspace(&self, path: &Path) -> Workspace<'_> {
        let number = self.bases.fetch_add(1, Ordering::Relaxed);
        Workspace {
            bazel: self,
            path: path.to_owned(),
            base: self.directory().join(format!("base{number}")),
            flags: Vec::new(),
            environment: BTreeMap::new(),
        }
    }

    /// A directory that ends with the place, seen by Bazel.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.place.directory()
    }

    /// A command in the namespaces that Bazel runs in, with the modern root as its root.
    #[must_use]
    pub fn command(&self, directory: &Path, environment: &BTreeMap<String, OsString>) -> Command {
        let mut command = Command::new("/usr/bin/nsenter");
        command.args(["--mount", "--pid", "--target"]);
        command.arg(self.process.to_string());
        command.args(["/usr/bin/env", "--ignore-environment", "--chdir"]);
        command.arg(directory);
        for (name, value) in &self.environment() {
            if !environment.contains_key(name) {
                command.arg(pair(name, value));
            }
        }
        for (name, value) in environment {
            command.arg(pair(name, value));
        }
        command.stdin(std::process::Stdio::null());
        command
    }

    /// What commands find in their environment.
    fn environment(&self) -> BTreeMap<String, OsString> {
        let home = self.directory().join("home");
        let path = format!(
            "{}:/usr/sbin:/usr/bin:/sbin:/bin",
            self.rust.sysroot.join("bin").display()
        );
        [
            ("HOME", home.into_os_string()),
            ("PATH", path.into()),
            ("LANG", "C.UTF-8".into()),
            ("USER", "root".into()),
            ("CARGO_HOME", self.rust.home.clone().into_os_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

fn pair(name: &str, value: &OsStr) -> OsString {
    let mut pair = OsString::from(name);
    pair.push("=");
    pair.push(value);
    pair
}

impl Rust {
    fn found() -> Self {
        // What cargo runs tests with lies beside the compiler's own libraries.
        let cargo = Path::new(env!("CARGO"));
        let sysroot = cargo.parent().and_then(Path::parent);
        Self {
            sysroot: sysroot.unwrap_or(Path::new("/usr")).to_owned(),
            home: crate::settings::cargo_home(),
        }
    }
}

/// A workspace with an output base of its own, and so with a server of its own. Dropping it ends
/// the server.
#[derive(Debug)]
pub struct Workspace<'a> {
    bazel: &'a Bazel,
    path: PathBuf,
    base: PathBuf,
    flags: Vec<OsString>,
    environment: BTreeMap<String, OsString>,
}

impl Workspace<'_> {
    /// With `flags` after the command of every run, but those of `shutdown`, `info` and the like.
    #[must_use]
    pub fn with_flags<F: Into<OsString>>(mut self, flags: impl IntoIterator<Item = F>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// With a variable in the environment of Bazel itself.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Where the workspace lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The output base.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// A command of Bazel's, `arguments[0]`, as a process to be started.
    #[must_use]
    pub fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        self.command_with(&[], arguments)
    }

    /// As [`Workspace::command`], with `variables` in its environment.
    #[must_use]
    pub fn command_with<A: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &OsStr)],
        arguments: &[A],
    ) -> Command {
        let mut environment = self.environment.clone();
        for (name, value) in variables {
            environment.insert((*name).to_owned(), (*value).to_owned());
        }
        let mut command = self.bazel.command(&self.path, &environment);
        command.args(["timeout", "--kill-after=10", &PATIENCE.to_string()]);
        command.arg("bazel").args(self.startup());
        let mut arguments = arguments.iter();
        if let Some(verb) = arguments.next() {
            command.arg(verb);
            let takes_flags = ["build", "run", "test", "cquery", "aquery", "coverage"];
            if takes_flags.iter().any(|name| verb.as_ref() == *name) {
                command.args(&self.flags);
            }
        }
        command.args(arguments);
        command
    }

    fn startup(&self) -> Vec<OsString> {
        let rc = offline::rc(self.bazel.directory(), &self.path);
        let mut output_base = OsString::from("--output_base=");
        output_base.push(&self.base);
        let mut user_root = OsString::from("--output_user_root=");
        user_root.push(self.bazel.directory().join("user"));
        let mut bazelrc = OsString::from("--bazelrc=");
        bazelrc.push(rc);
        // A test machine runs several servers beside all else.
        let heap = "--host_jvm_args=-Xmx1500m".into();
        let idle = "--max_idle_secs=600".into();
        vec![user_root, output_base, heap, idle, bazelrc]
    }

    /// Runs a command to its end and gives its standard output.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it ends with anything but success.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<String, Failed> {
        finish(self.command(arguments)).map(|output| text(&output.stdout))
    }

    /// Runs a command to its end, however that is.
    #[must_use]
    pub fn ran<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Ran {
        self.ran_with(&[], arguments)
    }

    /// As [`Workspace::ran`], with `variables` in its environment.
    #[must_use]
    pub fn ran_with<A: AsRef<OsStr>>(&self, variables: &[(&str, &OsStr)], arguments: &[A]) -> Ran {
        crate::program::run(&mut self.command_with(variables, arguments), &[])
    }

    /// As [`Workspace::run`], for a command that builds: gives every action that was executed, or
    /// found in a cache, as the execution log says.
    ///
    /// # Errors
    ///
    /// As [`Workspace::run`].
    pub fn spawns<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<Vec<Spawn>, Failed> {
        let file = self.base.with_extension("spawns.json");
        let mut flag = OsString::from("--execution_log_json_file=");
        flag.push(&file);
        let mut words: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        words.insert(1, &flag);
        self.run(&words)?;
        let log = fs::read(&file).expect("Bazel writes the log that it was asked for");
        Ok(log::read(&log))
    }

    /// Where an output lies: `path` below the link `bazel-bin`, which tests name as Bazel does.
    ///
    /// # Errors
    ///
    /// As [`Workspace::run`].
    pub fn bin(&self, flags: &[&str]) -> Result<PathBuf, Failed> {
        let mut words = vec![OsString::from("info")];
        words.extend(self.flags.iter().cloned());
        words.extend(flags.iter().map(OsString::from));
        words.push("bazel-bin".into());
        Ok(PathBuf::from(self.run(&words)?.trim()))
    }

    /// Ends the server.
    pub fn shutdown(&self) {
        drop(self.run(&["shutdown"]));
    }
}

impl Drop for Workspace<'_> {
    fn drop(&mut self) {
        if self.base.exists() {
            self.shutdown();
        }
    }
}
