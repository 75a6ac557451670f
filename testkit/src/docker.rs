//! Docker Engines: real ones, each with a store of its own, that end with the test process.
//!
//! ```no_run
//! use cooperage_testkit::docker::{self, Store};
//! # let archive = std::path::Path::new("app.tar");
//!
//! let Some(docker) = docker::shared(Store::ModernContainerd) else { return };
//! let names = docker.load(archive).expect("the archive loads");
//! let said = docker.run(&names[0], &["/app", "--version"]).expect("the image runs");
//! ```

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::peers::supervised::{Directory, Supervised};
use crate::peers::{self, Failed, Generation, Program, Way};

/// Which engine, and how it keeps images.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Store {
    /// Docker 20.10 with its graph driver.
    Stable,
    /// Docker 28 with the graph driver.
    ModernGraph,
    /// Docker 28 with containerd's image store.
    ModernContainerd,
}

impl Store {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Stable, Self::ModernGraph, Self::ModernContainerd];

    /// The generation the engine belongs to.
    #[must_use]
    pub fn generation(self) -> Generation {
        match self {
            Self::Stable => Generation::Stable,
            Self::ModernGraph | Self::ModernContainerd => Generation::Modern,
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stable => "Docker 20.10, graph driver",
            Self::ModernGraph => "Docker 28, graph driver",
            Self::ModernContainerd => "Docker 28, containerd store",
        })
    }
}

/// A running engine, and the client of the same release.
#[derive(Debug)]
pub struct Docker {
    store: Store,
    daemon: Supervised,
    client: Program,
}

/// The engine of this process for `store`, started by whoever asks first.
///
/// Tests of one binary share it: they choose names for images that no other test uses, and
/// neither prune nor count.
#[must_use]
pub fn shared(store: Store) -> Option<&'static Docker> {
    static ENGINES: Mutex<BTreeMap<Store, &'static OnceLock<Docker>>> = Mutex::new(BTreeMap::new());
    // Asked every time: each test that goes without is to be listed, not only the first.
    let programs = programs(store)?;
    let engine = *ENGINES
        .lock()
        // A test that failed while starting an engine says nothing about the table.
        .unwrap_or_else(PoisonError::into_inner)
        .entry(store)
        .or_insert_with(|| Box::leak(Box::default()));
    // What is never dropped is ended by its supervisor when this process is gone.
    Some(engine.get_or_init(|| start_with(store, programs)))
}

/// An engine of the caller's own: empty, ended when dropped.
#[must_use]
pub fn start(store: Store) -> Option<Docker> {
    Some(start_with(store, programs(store)?))
}

fn start_with(store: Store, (daemon, client): (Program, Program)) -> Docker {
    let directory = Directory::new();
    let path = directory.path().to_owned();
    let words = daemon_words(store, &daemon, &path);
    let client = client.with_arguments(["-H".to_owned(), format!("unix://{}/s", path.display())]);
    let mut is_ready = |_: &str| path.join("s").exists() && client.run(["version"]).is_ok();
    let daemon = Supervised::start(&store.to_string(), directory, &words, &[], &mut is_ready);
    Docker {
        store,
        daemon,
        client,
    }
}

/// The engine and its client, or `None` once their absence was reported.
fn programs(store: Store) -> Option<(Program, Program)> {
    let generation = store.generation();
    let daemon = peers::find(generation, "dockerd", Way::Inside)?;
    let client = peers::find(generation, "docker", Way::Direct)?;
    Some((daemon, client))
}

/// The engine's whole command line.
fn daemon_words(store: Store, daemon: &Program, path: &Path) -> Vec<OsString> {
    let configuration = match store {
        Store::Stable => r#"{"storage-driver":"overlay2"}"#,
        Store::ModernGraph => {
            r#"{"features":{"containerd-snapshotter":false},"storage-driver":"overlay2"}"#
        }
        Store::ModernContainerd => {
            r#"{"features":{"containerd-snapshotter":true},"storage-driver":"overlayfs"}"#
        }
    };
    let file = path.join("config.json");
    std::fs::write(&file, configuration).expect("a new directory takes files");
    let option = |name: &str, file: &str| {
        let mut word = OsString::from(name);
        word.push(path.join(file));
        word
    };
    let mut words = daemon.words().to_vec();
    words.extend([
        option("--config-file=", "config.json"),
        option("--data-root=", "data"),
        option("--exec-root=", "exec"),
        option("--pidfile=", "pid"),
        option("--host=unix://", "s"),
        "--iptables=false".into(),
        "--bridge=none".into(),
    ]);
    // Docker 20.10 does not know this one.
    if store.generation() == Generation::Modern {
        words.push("--ip6tables=false".into());
    }
    words
}

impl Docker {
    /// Which engine this is.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store
    }

    /// The engine's socket, for a client of one's own.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.daemon.directory().join("s")
    }

    /// The client, already told the socket: for what has no method here.
    #[must_use]
    pub fn client(&self) -> &Program {
        &self.client
    }

    /// What the engine has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// `docker load` of a file; gives the names, or else the IDs, of what was loaded.
    ///
    /// # Errors
    ///
    /// [`Failed`] when the engine refuses, or when its containerd store names the image
    /// but cannot unpack it, which the client takes for success.
    pub fn load(&self, archive: &Path) -> Result<Vec<String>, Failed> {
        let arguments: [&OsStr; 3] = ["load".as_ref(), "-i".as_ref(), archive.as_ref()];
        loaded(
            &self
                .client
                .run_with_input(arguments, &mut std::io::empty())?,
        )
    }

    /// As [`Docker::load`], from a stream.
    ///
    /// # Errors
    ///
    /// As [`Docker::load`].
    pub fn load_stream(&self, archive: &mut dyn Read) -> Result<Vec<String>, Failed> {
        loaded(&self.client.run_with_input(["load"], archive)?)
    }

    /// Runs a container of `image` to its end, with no network, and gives its standard output.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it cannot start or ends with anything but success.
    pub fn run(&self, image: &str, arguments: &[&str]) -> Result<String, Failed> {
        self.run_with(&["--network", "none"], image, arguments)
    }

    /// As [`Docker::run`], with `options` for `docker run` instead of `--network none`.
    ///
    /// # Errors
    ///
    /// As [`Docker::run`].
    pub fn run_with(
        &self,
        options: &[&str],
        image: &str,
        arguments: &[&str],
    ) -> Result<String, Failed> {
        self.client
            .run([&["run", "--rm"], options, &[image], arguments].concat())
    }

    /// Starts a container of `image` on the machine's own network and leaves it running.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it cannot start.
    pub fn run_detached(
        &self,
        options: &[&str],
        image: &str,
        arguments: &[&str],
    ) -> Result<Container<'_>, Failed> {
        let words = [
            &["run", "-d", "--network", "host"],
            options,
            &[image],
            arguments,
        ]
        .concat();
        let id = self.client.run(words)?.trim().to_owned();
        Ok(Container { docker: self, id })
    }

    /// `docker save` of images by name, all into one archive.
    ///
    /// # Errors
    ///
    /// [`Failed`] when one of them is not there.
    pub fn save(&self, images: &[&str], archive: &Path) -> Result<(), Failed> {
        let path = archive.to_str().expect("tests name their files in UTF-8");
        self.client
            .run([&["save", "-o", path], images].concat())
            .map(drop)
    }

    /// `docker image inspect`: the one object it gives for `image`.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it is not there.
    pub fn inspect(&self, image: &str) -> Result<Value, Failed> {
        let said = self.client.run(["image", "inspect", image])?;
        let mut list: Value = serde_json::from_str(&said).expect("docker prints JSON");
        Ok(list[0].take())
    }

    /// Removes an image, whatever still uses it.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it is not there.
    pub fn remove_image(&self, image: &str) -> Result<(), Failed> {
        self.client.run(["image", "rm", "--force", image]).map(drop)
    }

    /// `docker commit` of a container that has ended or still runs, as `name`.
    ///
    /// # Errors
    ///
    /// [`Failed`] when the container is not there.
    pub fn commit(&self, container: &str, name: &str) -> Result<(), Failed> {
        self.client.run(["commit", container, name]).map(drop)
    }

    /// `docker import`: a tar as the only layer of an image that runs nothing by itself.
    ///
    /// # Errors
    ///
    /// [`Failed`] when the engine refuses the tar.
    pub fn import(&self, tar: &mut dyn Read, name: &str) -> Result<(), Failed> {
        self.client
            .run_with_input(["import", "-", name], tar)
            .map(drop)
    }
}

/// The names that `docker load` printed.
fn loaded(output: &Output) -> Result<Vec<String>, Failed> {
    let said = peers::text(&output.stdout);
    if said.contains("Error unpacking") {
        return Err(Failed {
            command: "docker load".to_owned(),
            status: output.status,
            stdout: said,
            stderr: peers::text(&output.stderr),
        });
    }
    let name = |line: &str| {
        line.strip_prefix("Loaded image: ")
            .or_else(|| line.strip_prefix("Loaded image ID: "))
            .map(|name| name.trim().to_owned())
    };
    Ok(said.lines().filter_map(name).collect())
}

/// The process that alone was given the variable `mark`, `NAME=value`: that of a container, say, whose
/// number the engine does not know, since it counts processes in a namespace of its own. It is waited
/// for, twenty seconds at most.
#[must_use]
pub fn process_of(mark: &str) -> Option<u32> {
    let is_marked = |environment: Vec<u8>| {
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| variable == mark.as_bytes())
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        for process in walkdir::WalkDir::new("/proc")
            .max_depth(1)
            .into_iter()
            .flatten()
        {
            let number = process
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let environment = std::fs::read(process.path().join("environ"));
            if number.is_some() && environment.is_ok_and(is_marked) {
                return number;
            }
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    None
}

/// A running container. Dropping it kills and removes it.
#[derive(Debug)]
pub struct Container<'a> {
    docker: &'a Docker,
    id: String,
}

impl Container<'_> {
    /// The container's ID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it has written so far, to standard output and error.
    #[must_use]
    pub fn logs(&self) -> String {
        let output = self.docker.client.command(["logs", &self.id]).output();
        let output = output.expect("the client started before");
        peers::text(&output.stdout) + &peers::text(&output.stderr)
    }

    /// Asks it to end, as `docker stop` does, and gives its exit code.
    ///
    /// # Errors
    ///
    /// [`Failed`] when the container is gone.
    pub fn stop(&self) -> Result<i64, Failed> {
        self.docker.client.run(["stop", "--time", "5", &self.id])?;
        let said = self.docker.client.run(["wait", &self.id])?;
        Ok(said.trim().parse().expect("docker prints the exit code"))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        drop(self.docker.client.run(["rm", "--force", &self.id]));
    }
}
