//! The real programs that images are tested against, in two generations.
//!
//! Every function here gives `None` when its program is missing, and says so: a test is one line
//! longer for each peer it needs.
//!
//! ```no_run
//! use cooperage_testkit::peers::{self, Generation};
//!
//! let Some(skopeo) = peers::skopeo(Generation::Stable) else { return };
//! let text = skopeo.run(["inspect", "oci:layout"]).expect("skopeo reads the layout");
//! ```
//!
//! Whether missing is a failure, the environment decides: see [`Requirement`].

mod place;
mod program;
mod requirement;
pub(crate) mod supervised;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::host;
use place::Absent;

pub use place::Generation;
pub use program::{Failed, Program};
pub(crate) use program::{finish, text};
pub use requirement::Requirement;

/// skopeo, told to trust every signature policy.
#[must_use]
pub fn skopeo(generation: Generation) -> Option<Program> {
    Some(find(generation, "skopeo", Way::Direct)?.with_arguments(["--insecure-policy"]))
}

/// As [`skopeo`], with that generation's root as its own: where it keeps images in a store of
/// containers, it starts itself again.
#[must_use]
pub fn skopeo_with_stores(generation: Generation) -> Option<Program> {
    Some(find(generation, "skopeo", Way::Inside)?.with_arguments(["--insecure-policy"]))
}

/// umoci.
#[must_use]
pub fn umoci(generation: Generation) -> Option<Program> {
    find(generation, "umoci", Way::Direct)
}

/// buildah. It keeps images in the machine's own store unless told `--root` and `--runroot`.
#[must_use]
pub fn buildah(generation: Generation) -> Option<Program> {
    find(generation, "buildah", Way::Inside)
}

/// crane, which exists in the modern generation alone.
#[must_use]
pub fn crane() -> Option<Program> {
    find(Generation::Modern, "crane", Way::Direct)
}

/// oras, which exists in the modern generation alone.
#[must_use]
pub fn oras() -> Option<Program> {
    find(Generation::Modern, "oras", Way::Direct)
}

/// cosign, which exists in the modern generation alone.
#[must_use]
pub fn cosign() -> Option<Program> {
    find(Generation::Modern, "cosign", Way::Direct)
}

/// Any other program of the machine itself, such as `pigz`, `bsdtar` or `setcap`.
#[must_use]
pub fn tool(name: &str) -> Option<Program> {
    tool_of(Generation::Stable, name)
}

/// As [`tool`], of either generation.
#[must_use]
pub fn tool_of(generation: Generation, name: &str) -> Option<Program> {
    find(generation, name, Way::Direct)
}

/// As [`tool`], for what root alone may do with it: to anybody else it is missing.
#[must_use]
pub fn tool_of_root(name: &str) -> Option<Program> {
    find(Generation::Stable, name, Way::Inside)
}

/// A program of the machine's own at the absolute path `program`, with the modern root as its root,
/// where it finds the programs that `needs` names: compilers for two platforms among them.
///
/// It sees the temporary directories and this workspace under their own names.
#[must_use]
pub fn in_modern_root(program: &Path, needs: &[&str]) -> Option<Program> {
    for need in needs {
        find(Generation::Modern, need, Way::Inside)?;
    }
    let name = program.file_name()?.to_string_lossy();
    let root = place::root().ok()?;
    Some(Program::inside(&name, &root, program))
}

/// `BuildGrid`'s program, which the installer takes from `PyPI`.
pub(crate) fn buildgrid() -> Option<PathBuf> {
    beside_root("BuildGrid", "buildgrid", "bin/bgd")
}

/// Bazel's formatter and linter, which the installer takes from npm.
#[must_use]
pub fn buildifier() -> Option<Program> {
    let path = beside_root("buildifier", "buildifier", "node_modules/.bin/buildifier")?;
    Some(Program::of_machine("buildifier", &path))
}

/// A program that lies in a directory beside the modern root, or `None` once its absence was
/// reported.
fn beside_root(name: &str, directory: &str, program: &str) -> Option<PathBuf> {
    let directory = place::home().join(directory);
    if directory.join("stamp").is_file() {
        return Some(directory.join(program));
    }
    let absent = Absent::Missing("is missing".to_owned());
    Requirement::from_environment().report(name, &absent);
    None
}

/// The words that start `program` with the modern root as its root, where it sees `more` of the
/// machine's directories under their own names.
pub(crate) fn words_inside(program: &Path, more: &[PathBuf]) -> Option<Vec<OsString>> {
    let root = place::root().ok()?;
    Some(
        Program::inside_seeing("inside", &root, program, more)
            .words()
            .to_vec(),
    )
}

/// A small Debian in a directory, and packages to change it with.
#[derive(Clone, Debug)]
pub struct Debian {
    /// Its root: what `debootstrap --variant=minbase` made, owned by root.
    pub root: PathBuf,
    /// Files of packages that can be installed into it without a network: `iputils-ping`, which has
    /// a capability; `libcap2-bin`, which sets it; and `hostname`, which is there already.
    pub packages: PathBuf,
}

/// The small Debian, for those who are root and can unpack it again.
#[must_use]
pub fn debian() -> Option<Debian> {
    let found = place::debian().and_then(|directory| {
        if !host::is_root() {
            return Err(Absent::Missing("needs root".to_owned()));
        }
        Ok(Debian {
            root: directory.join("root"),
            packages: directory.join("packages"),
        })
    });
    match found {
        Ok(debian) => Some(debian),
        Err(absent) => {
            Requirement::from_environment().report("the Debian root", &absent);
            None
        }
    }
}

/// How a program of the modern root is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// By the root's own loader: it sees the files of the machine, at no cost.
    Direct,
    /// With the root as its root: for what starts itself again, or reads its own `/etc`.
    Inside,
}

/// The program, or `None` once its absence was reported.
pub(crate) fn find(generation: Generation, name: &str, way: Way) -> Option<Program> {
    let found = place::find(generation, name).and_then(|path| {
        if way == Way::Inside && !host::is_root() {
            return Err(Absent::Missing("needs root".to_owned()));
        }
        Ok(match (generation, way) {
            (Generation::Stable, _) => Program::of_machine(name, &path),
            (Generation::Modern, Way::Direct) => Program::by_loader(name, &place::root()?, &path),
            (Generation::Modern, Way::Inside) => Program::inside(name, &place::root()?, &path),
        })
    });
    match found {
        Ok(program) => Some(program),
        Err(absent) => {
            Requirement::from_environment().report(&format!("{name} ({generation})"), &absent);
            None
        }
    }
}
