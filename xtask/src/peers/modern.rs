//! The modern root: a newer Debian in a directory, with the peers of its own release.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::packages::{FOREIGN, PEERS, modern};
use super::place::{Place, STAMP};
use super::{shell, stable, table};

/// Gives a command another root; the test kit's own, so that both do the same.
const INSIDE: &str = include_str!("../../../testkit/src/peers/inside.sh");
/// debootstrap knows the suites of its own day; a newer one is made as any other.
const SCRIPT: &str = "/usr/share/debootstrap/scripts/sid";
/// Seconds after which a mirror that does not answer counts as one that fails.
pub(super) const PATIENCE: &str = "900";

/// A root that was made to its end.
#[derive(Clone, Debug)]
pub(super) struct Root(PathBuf);

impl Root {
    /// The one at `place`, if its stamp says that it was finished.
    pub(super) fn complete(place: &Place) -> Option<Self> {
        let root = place.root();
        root.join(STAMP).is_file().then_some(Self(root))
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it holds all packages that are asked for by now.
    fn has_all(&self) -> bool {
        let stamp = fs::read_to_string(self.0.join(STAMP)).unwrap_or_default();
        let there: BTreeSet<_> = stamp
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        modern().iter().all(|package| there.contains(package))
    }

    /// Runs the root's own `apt-get`, with the root as its own.
    fn apt_get(&self, arguments: &[&str]) -> anyhow::Result<()> {
        self.inside("apt-get", &shell::apt_get(arguments))
    }

    /// Runs a command with the root as its own.
    fn inside<W: AsRef<OsStr>>(&self, name: &str, words: &[W]) -> anyhow::Result<()> {
        let mut command = shell::command("timeout", ["--kill-after=10", PATIENCE]);
        command.args([
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "bash",
            "-c",
            INSIDE,
        ]);
        command.arg("inside").arg(&self.0).arg("").args(words);
        shell::run_as(name, command).map(drop)
    }

    /// Installs the packages and writes the stamp, which goes first when it was there before.
    fn fill(&self) -> anyhow::Result<()> {
        let stamp = self.0.join(STAMP);
        if stamp.exists() {
            fs::remove_file(&stamp).context("cannot remove the stamp")?;
        }
        let packages = modern();
        self.inside("dpkg", &["dpkg", "--add-architecture", FOREIGN])?;
        self.apt_get(&["update"])?;
        let install = ["install", "--yes", "--no-install-recommends"];
        self.apt_get(&[install.as_slice(), packages.as_slice()].concat())?;
        self.apt_get(&["clean"])?;
        check(&self.0)?;
        let versions = table::installed(&self.0, &packages)?;
        let lines: String = versions
            .iter()
            .map(|(package, version)| package.to_owned() + " " + version + "\n")
            .collect();
        fs::write(&stamp, lines).context("cannot write the stamp")
    }
}

/// Makes the root, or completes it; does nothing when it is complete.
pub(super) fn install(place: &Place) -> anyhow::Result<()> {
    if let Some(root) = Root::complete(place) {
        if root.has_all() {
            return check(root.path());
        }
        println!(
            "Installing more packages in the modern root at {}",
            root.path().display()
        );
        return root.fill();
    }
    if place.root().exists() {
        println!("The modern root was never finished: trying to finish it");
        let Err(why) = Root(place.root()).fill() else {
            return Ok(());
        };
        println!("It cannot be: {why:#}; making it anew");
        remove(&place.root())?;
    }
    println!(
        "Making the modern root at {}; this takes a minute or two",
        place.root().display()
    );
    let unfinished = place.unfinished();
    remove(&unfinished)?;
    let result = make(&unfinished);
    if result.is_err() {
        remove(&unfinished)?;
        return result;
    }
    fs::rename(&unfinished, place.root()).context("cannot give the modern root its name")
}

/// Makes a root at `path` with everything in it.
fn make(path: &Path) -> anyhow::Result<()> {
    let mirror = mirror()?;
    // In a mount namespace of its own: debootstrap mounts, and if it is killed nobody unmounts.
    let mut command = shell::command("timeout", ["--kill-after=10", PATIENCE]);
    command.args(["unshare", "--mount", "--propagation", "private"]);
    command.args(["debootstrap", "--variant=minbase", super::place::ROOT]);
    command.arg(path).args([mirror.as_str(), SCRIPT]);
    shell::run_as("debootstrap", command).context("no base system")?;
    // A mirror may be a snapshot whose date has passed, or want a proxy: what the machine's own
    // settings allow for holds in the root too.
    for settings in ["apt.conf", "apt.conf.d", "auth.conf.d"] {
        let from = Path::new("/etc/apt").join(settings);
        if from.exists() {
            let to = path.join("etc/apt");
            shell::run(shell::command(
                "cp",
                ["-R".as_ref(), from.as_os_str(), to.as_os_str()],
            ))?;
        }
    }
    // Nothing in there is to be started by being installed.
    let policy = path.join("usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n").context("cannot write `policy-rc.d`")?;
    shell::run(shell::command(
        "chmod",
        ["0755".as_ref(), policy.as_os_str()],
    ))?;
    Root(path.to_owned()).fill()
}

/// The machine's own mirror of Debian, so that nothing else has to be reachable.
pub(super) fn mirror() -> anyhow::Result<String> {
    let ask = || {
        let format = [
            "indextargets",
            "--format",
            "$(REPO_URI)",
            "Created-By: Packages",
        ];
        shell::run(shell::command("apt-get", format))
    };
    let mut list = ask()?;
    if list.is_empty() {
        stable::apt_get(&["update"])?;
        list = ask()?;
    }
    // Security updates come from a repository of their own, other vendors' packages too.
    let found = list
        .lines()
        .find(|uri| uri.trim_end_matches('/').ends_with("/debian"));
    Ok(found.unwrap_or("http://deb.debian.org/debian").to_owned())
}

/// Removes a root; never anything mounted in it.
pub(super) fn remove(root: &Path) -> anyhow::Result<()> {
    let words = [
        "-rf".as_ref(),
        "--one-file-system".as_ref(),
        root.as_os_str(),
    ];
    shell::run(shell::command("rm", words)).map(drop)
}

/// Whether each peer is there, starts, and is new enough to be worth testing against.
fn check(root: &Path) -> anyhow::Result<()> {
    let there = table::installed(root, &modern())?;
    for peer in PEERS {
        let Some(lowest) = peer.modern else { continue };
        let version = there
            .get(peer.package)
            .with_context(|| format!("no {}", peer.title))?;
        let words = ["--compare-versions", version, "ge", lowest];
        let new_enough = shell::run(shell::command("dpkg", words)).is_ok();
        ensure!(
            new_enough,
            "{} is {version}, and {lowest} is the lowest of use",
            peer.title
        );
        table::probe(Some(root), peer)
            .with_context(|| format!("{} {version} does not start", peer.title))?;
    }
    Ok(())
}
