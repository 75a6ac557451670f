//! Mirrors and insecure registries, from a file as podman and skopeo have it
//! (containers-registries.conf(5), version 2).
//!
//! Of its `[[registry]]` tables those are understood that are about a registry as a whole;
//! what names a repository, or sends a registry's requests elsewhere, is passed over with a
//! warning. Short names are never looked up: a reference without a registry is Docker's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cooperage_registry::{Mirror, Serves};
use serde::Deserialize;

/// How large the file may be, in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistriesError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("`{}` is no `registries.conf`", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
}

#[derive(Debug, Deserialize)]
struct Document {
    #[serde(default)]
    registry: Vec<Table>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Table {
    prefix: Option<String>,
    location: Option<String>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror: Vec<MirrorTable>,
    #[serde(default)]
    mirror_by_digest_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct MirrorTable {
    location: String,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<String>,
}

/// What the file says of registries.
#[derive(Debug, Default)]
pub(crate) struct Registries {
    file: PathBuf,
    known: BTreeMap<String, Registry>,
    warnings: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
struct Registry {
    insecure: bool,
    blocked: bool,
    mirrors: Vec<Mirror>,
}

impl Registries {
    /// The file that blocks a registry.
    pub(crate) fn blocks(&self, registry: &str) -> Option<&Path> {
        let registry = self.known.get(registry)?;
        registry.blocked.then_some(&*self.file)
    }

    pub(crate) fn is_insecure(&self, host: &str) -> bool {
        self.known.get(host).is_some_and(|it| it.insecure)
    }

    pub(crate) fn mirrors(&self, registry: &str) -> &[Mirror] {
        self.known
            .get(registry)
            .map_or(&[], |registry| &registry.mirrors)
    }

    pub(crate) fn take_warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *warnings)
    }
}

/// What the first of the files that is there says.
pub(crate) fn read_first(paths: &[PathBuf]) -> Result<Registries, RegistriesError> {
    for path in paths {
        match read(path) {
            Ok(text) => return parse(path, &text),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(source) => {
                return Err(RegistriesError::Read {
                    path: path.clone(),
                    source,
                });
            }
        }
    }
    Ok(Registries::default())
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_SIZE + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SIZE {
        let message = format!("more than {MAX_SIZE} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(text)
}

fn parse(path: &Path, text: &str) -> Result<Registries, RegistriesError> {
    let document: Document = toml::from_str(text).map_err(|source| RegistriesError::Malformed {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let mut found = Registries {
        file: path.to_owned(),
        ..Registries::default()
    };
    let mut warnings = Vec::new();
    for table in document.registry {
        let location = table.location.clone();
        let Some(name) = table.prefix.clone().or_else(|| location.clone()) else {
            continue;
        };
        if name.contains(['/', '*', '@']) || location.is_some_and(|location| location != name) {
            let path = path.display();
            warnings.push(format!(
                "`{path}`: what it says of `{name}` is passed over: only whole registries are known, each at its own place"
            ));
            continue;
        }
        found.add(&name, table);
    }
    found.warnings = Mutex::new(warnings);
    Ok(found)
}

impl Registries {
    fn add(&mut self, name: &str, table: Table) {
        let mut mirrors = Vec::new();
        for mirror in table.mirror {
            let serves = match mirror.pull_from_mirror.as_deref() {
                Some("digest-only") => Serves::Digests,
                // Nothing is read by tag alone here that a digest does not follow.
                _ if table.mirror_by_digest_only => Serves::Digests,
                _ => Serves::All,
            };
            if mirror.insecure {
                let host = mirror.location.split('/').next().unwrap_or_default();
                self.known.entry(host.to_owned()).or_default().insecure = true;
            }
            mirrors.push(Mirror {
                location: mirror.location,
                serves,
            });
        }
        let registry = self.known.entry(name.to_owned()).or_default();
        registry.insecure |= table.insecure;
        registry.blocked |= table.blocked;
        registry.mirrors = mirrors;
    }
}
