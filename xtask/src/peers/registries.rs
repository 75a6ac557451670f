//! Counterparts that Debian does not have: a remote execution server from `PyPI`, and Bazel's own
//! formatter from npm, each in a directory of its own beside the modern root.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::place::{BUILDGRID, BUILDIFIER, Place, REGISTRY_STAMP};
use super::{modern, shell, stable};

/// The peer's title and directory, and what it is: changed, it is installed anew.
struct Peer {
    title: &'static str,
    directory: &'static str,
    packages: &'static [&'static str],
    install: fn(&Path, &[&str]) -> anyhow::Result<()>,
}

const PEERS: &[Peer] = &[
    Peer {
        title: "BuildGrid",
        directory: BUILDGRID,
        // With any other driver of its database the server never hands work out.
        packages: &["buildgrid==0.4.4", "psycopg2-binary==2.9.13"],
        install: from_pypi,
    },
    Peer {
        title: "buildifier",
        directory: BUILDIFIER,
        // Its one package holds the programs of all platforms.
        packages: &["@bazel/buildifier@8.2.1"],
        install: from_npm,
    },
];

impl Peer {
    fn at(&self, place: &Place) -> PathBuf {
        place.directory().join(self.directory)
    }

    /// What was installed, if it was to its end.
    fn found(&self, place: &Place) -> Option<String> {
        fs::read_to_string(self.at(place).join(REGISTRY_STAMP)).ok()
    }

    fn wanted(&self) -> String {
        self.packages.join(" ")
    }
}

/// Installs whichever is missing, or there in another version.
pub(super) fn install(place: &Place) -> anyhow::Result<()> {
    for peer in PEERS {
        if peer.found(place) == Some(peer.wanted()) {
            continue;
        }
        let directory = peer.at(place);
        println!("Installing {} at {}", peer.title, directory.display());
        modern::remove(&directory)?;
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make `{}`", directory.display()))?;
        (peer.install)(&directory, peer.packages).with_context(|| format!("no {}", peer.title))?;
        // Last: a directory without it is one that was never finished.
        fs::write(directory.join(REGISTRY_STAMP), peer.wanted())
            .context("cannot write the stamp")?;
    }
    Ok(())
}

/// Each with its title and what is installed of it.
pub(super) fn list(place: &Place) -> impl Iterator<Item = (&'static str, String)> {
    PEERS.iter().map(move |peer| {
        let found = peer.found(place);
        (peer.title, found.unwrap_or_else(|| "missing".to_owned()))
    })
}

fn from_pypi(directory: &Path, packages: &[&str]) -> anyhow::Result<()> {
    let mut venv = shell::command("python3", ["-m", "venv"]);
    venv.arg(directory);
    shell::run(venv)?;
    let mut pip = patiently(&directory.join("bin/pip"));
    pip.args(["install", "--quiet", "--no-input"])
        .args(packages);
    shell::run_as("pip", pip)?;
    let mut probe = Command::new(directory.join("bin/bgd"));
    probe.arg("--help");
    shell::run_as("bgd", probe).map(drop)
}

fn from_npm(directory: &Path, packages: &[&str]) -> anyhow::Result<()> {
    if shell::run(shell::command("npm", ["--version"])).is_err() {
        stable::apt_get(&["update"])?;
        stable::apt_get(&["install", "--yes", "--no-install-recommends", "npm"])?;
    }
    let mut npm = patiently(Path::new("npm"));
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
    ]);
    npm.arg(directory).args(packages);
    shell::run_as("npm", npm)?;
    let mut probe = Command::new(directory.join("node_modules/.bin/buildifier"));
    probe.arg("--version");
    shell::run_as("buildifier", probe).map(drop)
}

/// A command that is ended when a registry does not answer.
fn patiently(program: &Path) -> Command {
    let words: [OsString; 3] = [
        "--kill-after=10".into(),
        modern::PATIENCE.into(),
        program.into(),
    ];
    shell::command("timeout", words)
}
