//! A small Debian in a directory, for tests that want an image of real size, and packages to change
//! it with.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::place::{DEBIAN, Place};
use super::{modern, shell, stable};

/// What is installed into a container of it: with a capability, from a package that is there
/// already, and with libraries that may be. They go without a network, so with all they depend on.
const PACKAGES: &[&str] = &["hostname", "iputils-ping", "libcap2", "libcap2-bin"];
/// The machine's own release, whose packages fit.
const SUITE: &str = "bookworm";

/// Makes the root and fetches the packages, unless both are there.
pub(super) fn install(place: &Place) -> anyhow::Result<()> {
    let debian = place.debian();
    let wanted = format!("{SUITE} {}\n", PACKAGES.join(" "));
    let stamp = debian.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    println!("Making a Debian root at {}", debian.display());
    let unfinished = debian.with_file_name(format!("{DEBIAN}.unfinished"));
    for old in [&unfinished, &debian] {
        modern::remove(old)?;
    }
    let packages = unfinished.join("packages");
    fs::create_dir_all(&packages)
        .with_context(|| format!("cannot make `{}`", packages.display()))?;
    let result = make(&unfinished.join("root")).and_then(|()| fetch(&packages));
    if result.is_err() {
        modern::remove(&unfinished)?;
        return result;
    }
    fs::write(unfinished.join("stamp"), wanted).context("cannot write the stamp")?;
    fs::rename(&unfinished, &debian).context("cannot give the Debian root its name")
}

fn make(root: &Path) -> anyhow::Result<()> {
    let mirror = modern::mirror()?;
    // In a mount namespace of its own: debootstrap mounts, and if it is killed nobody unmounts.
    let mut command = shell::command("timeout", ["--kill-after=10", modern::PATIENCE]);
    command.args(["unshare", "--mount", "--propagation", "private"]);
    command.args(["debootstrap", "--variant=minbase", SUITE]);
    command.arg(root).arg(&mirror);
    shell::run_as("debootstrap", command).context("no Debian root")?;
    // What was downloaded is in no image either.
    for left in ["var/cache/apt/archives", "var/lib/apt/lists"] {
        let mut command = shell::command("find", [root.join(left)]);
        command.args(["-type", "f", "-delete"]);
        shell::run(command)?;
    }
    Ok(())
}

fn fetch(packages: &Path) -> anyhow::Result<()> {
    let download = || {
        let words = shell::apt_get(&[&["download"], PACKAGES].concat());
        let mut command = shell::command(&words[0], &words[1..]);
        command.current_dir(packages);
        shell::run(command)
    };
    if download().is_err() {
        stable::apt_get(&["update"])?;
        download()?;
    }
    Ok(())
}
