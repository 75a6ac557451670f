//! Where the programs of both generations lie.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::settings;

/// Which of two releases of a program.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Generation {
    /// The machine's own: Debian 12, with Docker 20.10, skopeo 1.9, umoci 0.4.
    Stable,
    /// That of the modern root: Docker 28, skopeo 1.22, umoci 0.6 or newer.
    Modern,
}

impl Generation {
    /// Both, the elder first.
    pub const ALL: [Self; 2] = [Self::Stable, Self::Modern];
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stable => "stable",
            Self::Modern => "modern",
        })
    }
}

/// Why a program cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Absent {
    /// It is not installed, or what it needs is not; in words that follow the program's name.
    Missing(String),
    /// The modern root could not be made on this day; the installer says why.
    Unavailable(String),
}

// The installer (`xtask/src/peers/place.rs`) has these names too; a test compares them.
const VARIABLE: &str = "COOPERAGE_PEERS";
const DIRECTORY: &str = "/var/lib/cooperage-peers";
const ROOT: &str = "forky";
const UNAVAILABLE: &str = "forky.unavailable";
const STAMP: &str = "cooperage-peers.stamp";
const DEBIAN: &str = "debian";

/// The directory that holds the modern root, and what the installer has to say about it.
pub(crate) fn home() -> PathBuf {
    settings::path(VARIABLE).unwrap_or_else(|| PathBuf::from(DIRECTORY))
}

/// The modern root, if it was made to its end.
pub(crate) fn root() -> Result<PathBuf, Absent> {
    let home = home();
    let root = home.join(ROOT);
    if root.join(STAMP).is_file() {
        return Ok(root);
    }
    match std::fs::read_to_string(home.join(UNAVAILABLE)) {
        Ok(reason) => Err(Absent::Unavailable(reason.trim().to_owned())),
        Err(_) => Err(Absent::Missing(
            "is missing: there is no modern root".to_owned(),
        )),
    }
}

/// The directory of the small Debian, if it was made to its end.
pub(crate) fn debian() -> Result<PathBuf, Absent> {
    let directory = home().join(DEBIAN);
    if directory.join("stamp").is_file() {
        return Ok(directory);
    }
    Err(Absent::Missing("is missing".to_owned()))
}

/// The program's absolute path: seen from the machine if stable, from within the root if modern.
pub(crate) fn find(generation: Generation, name: &str) -> Result<PathBuf, Absent> {
    let base = match generation {
        Generation::Stable => PathBuf::from("/"),
        Generation::Modern => root()?,
    };
    // By explicit path: what `PATH` finds first may be some other release.
    ["usr/bin", "usr/sbin", "bin", "sbin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| base.join(path).is_file())
        .map(|path| Path::new("/").join(path))
        .ok_or_else(|| Absent::Missing("is missing".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installer_has_the_same_names() {
        let installer = include_str!("../../../xtask/src/peers/place.rs");
        let names = [
            ("VARIABLE", VARIABLE),
            ("DIRECTORY", DIRECTORY),
            ("ROOT", ROOT),
            ("UNAVAILABLE", UNAVAILABLE),
            ("STAMP", STAMP),
            ("DEBIAN", DEBIAN),
        ];
        for (name, value) in names {
            let line = format!("const {name}: &str = \"{value}\";");
            assert!(installer.contains(&line), "the installer has no `{line}`");
        }
    }
}
