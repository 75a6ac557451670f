//! What is packed: trees of files that are the same bytes wherever they are made.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use cooperage_digest::{Algorithm, Digest, Hasher};

use super::packages::{self, Package};

/// A tree of files, and what it is made from.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    /// What it stands for, in one line.
    pub(super) about: &'static str,
    parts: &'static [Part],
    /// The SHA-256 of its listing; see [`Made`].
    sha256: &'static str,
}

/// Files of one package.
#[derive(Debug)]
struct Part {
    package: &'static Package,
    take: Take,
    /// Where they go.
    into: &'static str,
}

/// Which files.
#[derive(Debug)]
enum Take {
    /// All, in their own directories.
    All,
    /// One file, under the name that `into` is.
    One(&'static str),
    /// The first so many YAML files of at most 8 KiB, in the order of their names.
    Configs(usize),
    /// So many pieces of a file, all of one length and no two the same.
    Pieces {
        of: &'static str,
        len: usize,
        count: usize,
    },
}

const fn all(package: &'static Package, into: &'static str) -> Part {
    Part {
        package,
        take: Take::All,
        into,
    }
}

pub(super) static WORKLOADS: [Workload; 4] = [
    Workload {
        name: "binary",
        about: "one binary of 41 MB and 20 configuration files",
        parts: &[
            Part {
                package: &packages::UV,
                take: Take::One("uv-0.6.14.data/scripts/uv"),
                into: "usr/bin/uv",
            },
            Part {
                package: &packages::ANSIBLE,
                take: Take::Configs(20),
                into: "etc/app",
            },
        ],
        sha256: "c754c16413cc9aeece44c26324e610d610c49295b2244e636a496160e0f7fe7b",
    },
    Workload {
        name: "small",
        about: "a Python application with its libraries: many small files",
        parts: &[
            all(&packages::ANSIBLE, "usr/lib/python3/dist-packages"),
            all(&packages::OCI, "usr/lib/python3/dist-packages"),
            all(&packages::GOOGLE_API, "usr/lib/python3/dist-packages"),
        ],
        sha256: "bbc8b97ac41fe1e9da1651211164dc4ca1ef0da018bddc9b504d369c64632024",
    },
    Workload {
        name: "mix",
        about: "three toolchains, a browser engine and numerical libraries for three Pythons",
        parts: &[
            all(&packages::ZIG, "opt/zig"),
            all(&packages::NODE, "opt/node"),
            all(&packages::CMAKE, "opt/cmake"),
            all(&packages::PYSIDE, "opt/qt"),
            all(&packages::NUMPY_311, "opt/python3.11/site-packages"),
            all(&packages::PANDAS_311, "opt/python3.11/site-packages"),
            all(&packages::PYARROW_311, "opt/python3.11/site-packages"),
            all(&packages::SCIPY_311, "opt/python3.11/site-packages"),
            all(&packages::NUMPY_312, "opt/python3.12/site-packages"),
            all(&packages::PANDAS_312, "opt/python3.12/site-packages"),
            all(&packages::PYARROW_312, "opt/python3.12/site-packages"),
            all(&packages::SCIPY_312, "opt/python3.12/site-packages"),
            all(&packages::NUMPY_313, "opt/python3.13/site-packages"),
            all(&packages::PANDAS_313, "opt/python3.13/site-packages"),
            all(&packages::PYARROW_313, "opt/python3.13/site-packages"),
            all(&packages::SCIPY_313, "opt/python3.13/site-packages"),
        ],
        sha256: "170b11aec56e4b6d7ac22449a0e48783df7fc373a227766c9d540b64c6ccd0a1",
    },
    Workload {
        name: "equal",
        about: "a thousand different files of 128 KiB, which folding has to tell apart",
        parts: &[Part {
            package: &packages::PYSIDE,
            take: Take::Pieces {
                of: "PySide6/Qt/lib/libQt6WebEngineCore.so.6",
                len: 128 << 10,
                count: 1000,
            },
            into: "srv/pieces",
        }],
        sha256: "b88c75708a70621e705c9b273dcf89d3f8db52fc5781e1b5afd29e2582a411bc",
    },
];

/// A workload on disk.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) workload: &'static Workload,
    pub(super) path: PathBuf,
    pub(super) files: u64,
    /// The lengths of all files together.
    pub(super) bytes: u64,
}

impl Workload {
    /// Makes the workload below `home`, unless it is there, and reads it, so that what comes next
    /// finds it in memory.
    ///
    /// # Errors
    ///
    /// When a package cannot be fetched, or the tree is not the one that is pinned.
    pub(super) fn make(&'static self, home: &Path) -> anyhow::Result<Made> {
        let path = home.join("workloads").join(self.name);
        if !path.exists() {
            println!("making the workload `{}`", self.name);
            let unfinished = home.join("workloads").join(format!("{}.new", self.name));
            remove_all(&unfinished)?;
            fs::create_dir_all(&unfinished)?;
            for part in self.parts {
                let stage = home.join("stage");
                remove_all(&stage)?;
                part.package.unpack(&home.join("packages"), &stage)?;
                part.take_from(&stage, &unfinished)?;
                remove_all(&stage)?;
            }
            normalise(&unfinished)?;
            fs::rename(&unfinished, &path)?;
        }
        let (files, bytes, sha256) = read(&path)?;
        ensure!(
            sha256.encoded() == self.sha256,
            "`{}` is not the tree that is pinned: expected {}, found {}; remove it to make it again",
            path.display(),
            self.sha256,
            sha256.encoded()
        );
        Ok(Made {
            workload: self,
            path,
            files,
            bytes,
        })
    }
}

impl Part {
    fn take_from(&self, stage: &Path, tree: &Path) -> anyhow::Result<()> {
        let into = tree.join(self.into);
        match self.take {
            Take::All => {
                for (below, file) in files(stage)? {
                    place(&file, &into.join(below))?;
                }
            }
            Take::One(name) => place(&stage.join(name), &into)?,
            Take::Configs(count) => {
                let is_config = |file: &PathBuf| {
                    file.extension().is_some_and(|extension| extension == "yml")
                        && file
                            .metadata()
                            .is_ok_and(|metadata| (1..=8192).contains(&metadata.len()))
                };
                let configs = files(stage)?
                    .into_iter()
                    .filter(|(_, file)| is_config(file));
                for (number, (_, file)) in configs.take(count).enumerate() {
                    place(&file, &into.join(format!("{number:02}.yml")))?;
                }
            }
            Take::Pieces { of, len, count } => {
                pieces(&stage.join(of), len, count, &into)?;
            }
        }
        Ok(())
    }
}

fn pieces(of: &Path, len: usize, count: usize, into: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(into)?;
    let mut file = File::open(of)?;
    let mut seen = BTreeSet::new();
    let mut piece = vec![0; len];
    while seen.len() < count {
        file.read_exact(&mut piece)
            .with_context(|| format!("`{}` is too short", of.display()))?;
        let number = seen.len();
        if seen.insert(Digest::of(&piece)) {
            fs::write(into.join(format!("{number:04}.bin")), &piece)?;
        }
    }
    Ok(())
}

/// Moves a file to where no other is.
fn place(file: &Path, to: &Path) -> anyhow::Result<()> {
    ensure!(!to.exists(), "`{}` comes from two packages", to.display());
    let parent = to.parent().context("no file is a root")?;
    fs::create_dir_all(parent)?;
    fs::rename(file, to).with_context(|| format!("cannot move `{}`", file.display()))
}

/// All files below a directory with their names from there, sorted by these.
fn files(directory: &Path) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(directory).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_dir() {
            continue;
        }
        ensure!(
            entry.file_type().is_file(),
            "`{}` is no file",
            entry.path().display()
        );
        let below = entry.path().strip_prefix(directory)?.to_owned();
        files.push((below, entry.into_path()));
    }
    files.sort();
    Ok(files)
}

/// Files 0644, directories 0755, all of them root's if root makes them, and of 1970.
fn normalise(tree: &Path) -> anyhow::Result<()> {
    for entry in walkdir::WalkDir::new(tree).contents_first(true) {
        let entry = entry?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = if entry.file_type().is_dir() {
                0o755
            } else {
                0o644
            };
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode))?;
            // Who is not root has made all of it anyway.
            let _ = std::os::unix::fs::chown(entry.path(), Some(0), Some(0));
        }
        let times = fs::FileTimes::new()
            .set_accessed(SystemTime::UNIX_EPOCH)
            .set_modified(SystemTime::UNIX_EPOCH);
        File::open(entry.path())?.set_times(times)?;
    }
    Ok(())
}

/// Number of files, their bytes, and the SHA-256 of a listing: for each file in order its path,
/// its length and the SHA-256 of its content, in a line.
fn read(tree: &Path) -> anyhow::Result<(u64, u64, Digest)> {
    let mut listing = Hasher::new(Algorithm::Sha256);
    let (mut count, mut bytes) = (0, 0);
    for (below, path) in files(tree)? {
        let content = fs::read(&path)?;
        let line = format!(
            "{}\t{}\t{}\n",
            below.display(),
            content.len(),
            Digest::of(&content).encoded()
        );
        listing.update(line.as_bytes());
        count += 1;
        bytes += content.len() as u64;
    }
    Ok((count, bytes, listing.finish()))
}

/// Removes a directory, if it is there.
pub(super) fn remove_all(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.with_context(|| format!("cannot remove `{}`", path.display())),
    }
}
