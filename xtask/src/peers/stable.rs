//! The peers of the machine's own release.

use std::path::Path;

use anyhow::ensure;

use super::packages::STABLE;
use super::{shell, table};

/// Installs whichever of them is missing.
pub(super) fn install() -> anyhow::Result<()> {
    ensure!(
        Path::new("/usr/bin/apt-get").exists(),
        "peers are installed from Debian's packages, and this machine has no `apt-get`"
    );
    let there = table::installed(Path::new("/"), STABLE)?;
    let missing: Vec<_> = STABLE
        .iter()
        .copied()
        .filter(|package| !there.contains_key(*package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("Installing on this machine: {}", missing.join(" "));
    apt_get(&["update"])?;
    apt_get(
        &[
            &["install", "--yes", "--no-install-recommends"],
            missing.as_slice(),
        ]
        .concat(),
    )
}

/// Runs the machine's own `apt-get`.
pub(super) fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let words = shell::apt_get(arguments);
    shell::run(shell::command(&words[0], &words[1..])).map(drop)
}
