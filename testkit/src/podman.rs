//! podman with a store of its own. It loads, lists and saves; containers are run by Docker,
//! since podman wants resource limits that machines for tests do not grant.

use std::ffi::OsString;
use std::path::Path;

use tempfile::TempDir;

use crate::peers::{self, Failed, Generation, Program, Way};

/// podman and its images. Dropping it removes them.
#[derive(Debug)]
pub struct Podman {
    program: Program,
    _store: TempDir,
}

/// podman of `generation` with an empty store, or a word that it is missing.
#[must_use]
pub fn start(generation: Generation) -> Option<Podman> {
    let program = peers::find(generation, "podman", Way::Inside)?;
    let store = tempfile::Builder::new()
        .prefix("podman.")
        .tempdir()
        .expect("there is room");
    let option = |name: &str, directory: &str| {
        let mut word = OsString::from(name);
        word.push(store.path().join(directory));
        word
    };
    let program = program.with_arguments([
        option("--root=", "root"),
        option("--runroot=", "run"),
        option("--tmpdir=", "tmp"),
        // The one driver that mounts nothing, so that the store can simply be removed.
        "--storage-driver=vfs".into(),
        "--cgroup-manager=cgroupfs".into(),
        "--events-backend=none".into(),
    ]);
    Some(Podman {
        program,
        _store: store,
    })
}

impl Podman {
    /// podman, already told its store.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// `podman load` of a file; gives the names, or else the IDs, of what was loaded.
    ///
    /// # Errors
    ///
    /// [`Failed`] when podman refuses the archive.
    pub fn load(&self, archive: &Path) -> Result<Vec<String>, Failed> {
        let path = archive.to_str().expect("tests name their files in UTF-8");
        let said = self.program.run(["load", "--input", path])?;
        let names = said
            .lines()
            .filter_map(|line| line.split_once(": ").map(|(_, names)| names));
        Ok(names
            .flat_map(|names| names.split(','))
            .map(str::to_owned)
            .collect())
    }

    /// `podman save` of one image in `format`, such as `docker-archive` or `oci-archive`.
    ///
    /// # Errors
    ///
    /// [`Failed`] when the image is not there.
    pub fn save(&self, image: &str, format: &str, archive: &Path) -> Result<(), Failed> {
        let path = archive.to_str().expect("tests name their files in UTF-8");
        self.program
            .run(["save", "--format", format, "--output", path, image])
            .map(drop)
    }
}
