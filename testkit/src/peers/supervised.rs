//! Daemons that end with the test process, however it ends.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::host;

/// The script that runs a daemon until its standard input ends; see its own words.
const SUPERVISE: &str = include_str!("supervise.sh");
const PREFIX: &str = "cooperage-peer.";
const LOG: &str = "log";

/// A directory for a daemon's data and socket: short, since a socket's path is 108 bytes at most.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Held so that no other process takes the directory for a leftover.
    _lock: File,
}

impl Directory {
    /// A new one, after those are removed whose owners are gone.
    pub(crate) fn new() -> Self {
        let mut parent = std::env::temp_dir();
        if parent.as_os_str().len() > 40 {
            parent = PathBuf::from("/tmp");
        }
        sweep(&parent);
        let path = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&parent)
            .unwrap_or_else(|why| panic!("cannot make a directory in {}: {why}", parent.display()))
            .keep();
        // Named `lock` only once it is locked, or a sweep might come between.
        let (young, lock) = (path.join("lock.new"), path.join("lock"));
        let file = File::create(&young).expect("a new directory takes files");
        host::lock_shared(&file).expect("a new file can be locked");
        std::fs::rename(young, lock).expect("a file can be renamed");
        Self { path, _lock: file }
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Removes the directories of daemons whose supervisor was killed before it could.
fn sweep(parent: &Path) {
    for entry in walkdir::WalkDir::new(parent)
        .min_depth(1)
        .max_depth(1)
        .into_iter()
        .flatten()
    {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(file) = File::open(entry.path().join("lock")) else {
            continue;
        };
        if host::try_lock(&file) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// A running daemon. Dropping it ends the daemon and removes its directory.
#[derive(Debug)]
pub(crate) struct Supervised {
    name: String,
    directory: Directory,
    supervisor: Child,
}

impl Supervised {
    /// Starts `words` and waits until `is_ready` says so.
    ///
    /// # Panics
    ///
    /// With the daemon's log, when it ends or two minutes pass before that.
    pub(crate) fn start(
        name: &str,
        directory: Directory,
        words: &[OsString],
        environment: &[(&str, &OsStr)],
        is_ready: &mut dyn FnMut(&str) -> bool,
    ) -> Self {
        let log = File::create(directory.path.join(LOG)).expect("a new directory takes files");
        let errors = log.try_clone().expect("a file can be opened twice");
        let mut supervisor = Command::new("/bin/bash");
        supervisor
            .args(["-c", SUPERVISE, "supervise"])
            .arg(&directory.path)
            .args(words)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors);
        // Ctrl-C ends the test process alone; the supervisor notices and clears up.
        host::set_apart(&mut supervisor);
        let supervisor = supervisor
            .spawn()
            .unwrap_or_else(|why| panic!("cannot start {name}: {why}"));
        let this = Self {
            name: name.to_owned(),
            directory,
            supervisor,
        };
        let deadline = Instant::now() + Duration::from_secs(120);
        while !is_ready(&this.log()) {
            let ended = this.directory().join("ended").exists();
            assert!(!ended, "{name} ended at once:\n{}", this.log());
            assert!(
                Instant::now() < deadline,
                "{name} does not get ready:\n{}",
                this.log()
            );
            sleep(Duration::from_millis(25));
        }
        this
    }

    /// Where the daemon keeps everything.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What the daemon has written so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read(self.directory().join(LOG))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        if let Err(why) = self.supervisor.wait() {
            // A panic in `drop` while another unwinds would hide the first.
            drop(std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("{} does not end: {why}\n", self.name).as_bytes(),
            ));
        }
    }
}
