//! `image.lock`: which images the names of bases mean.
//!
//! ```toml
//! version = 1
//!
//! [[base]]
//! name = "docker.io/library/debian:bookworm-slim"
//! digest = "sha256:…"
//! ```
//!
//! A tag may mean another image tomorrow; a digest never does. `--update` looks tags up and writes
//! what it found, and from then on the same image is built on until the next `--update`. The file
//! is to be checked in beside `Cargo.lock`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cooperage_image_spec::Reference;
use serde::{Deserialize, Serialize};

/// What the file is called, in the workspace's root.
pub const FILE_NAME: &str = "image.lock";

const VERSION: u64 = 1;
/// How large the file may be, in bytes.
const MAX_SIZE: u64 = 16 << 20;

const HEAD: &str = "\
# Which images the names of bases mean. Written by `--update`, and to be checked in.
";

/// Why a lockfile cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no lockfile.
    #[error("`{}` is no lockfile of images; remove it, and `--update` writes it again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// It was written by a later release.
    #[error("`{}` has version {found}, and {VERSION} is the latest that is known here", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// What it pins is no image.
    #[error("`{}` pins `{text}`: {reason}", path.display())]
    Pin {
        /// The file.
        path: PathBuf,
        /// The name, or the digest.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    base: Vec<Pin>,
}

#[derive(Debug, Deserialize)]
struct Head {
    version: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    name: String,
    digest: String,
}

/// The pins of a lockfile.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lock {
    pins: BTreeMap<String, Reference>,
}

impl Lock {
    /// Reads a lockfile; one that is not there has no pins.
    ///
    /// # Errors
    ///
    /// See [`LockError`].
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => {
                return Err(LockError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, LockError> {
        let malformed = |source| LockError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        };
        // A later version may hold anything else: it is looked at first.
        let head: Head = toml::from_str(text).map_err(malformed)?;
        if head.version != VERSION {
            return Err(LockError::Version {
                path: path.to_owned(),
                found: head.version,
            });
        }
        let document: Document = toml::from_str(text).map_err(malformed)?;
        let mut lock = Self::default();
        for pin in document.base {
            let fault = |text: &str, reason: String| LockError::Pin {
                path: path.to_owned(),
                text: text.to_owned(),
                reason,
            };
            let name: Reference = pin
                .name
                .parse()
                .map_err(|error| fault(&pin.name, format!("{error}")))?;
            let digest = pin
                .digest
                .parse()
                .map_err(|error| fault(&pin.digest, format!("{error}")))?;
            if key(&name) != pin.name {
                let whole = key(&name);
                return Err(fault(&pin.name, format!("expected it in full: `{whole}`")));
            }
            if lock.pins.contains_key(&pin.name) {
                return Err(fault(&pin.name, "it is pinned twice".into()));
            }
            lock.pins.insert(pin.name, name.with_digest(digest));
        }
        Ok(lock)
    }

    /// The image that a name means: the same reference, with a digest. `None` without a pin.
    #[must_use]
    pub fn pinned(&self, name: &Reference) -> Option<&Reference> {
        self.pins.get(&key(name))
    }

    /// Pins a name to what it means now: the reference with its digest. Whether that is new.
    ///
    /// A reference without a digest pins nothing.
    pub fn pin(&mut self, name: &Reference) -> bool {
        let key = key(name);
        let (Some(digest), Ok(whole)) = (name.digest(), key.parse::<Reference>()) else {
            return false;
        };
        let pin = whole.with_digest(digest.clone());
        self.pins.insert(key, pin.clone()) != Some(pin)
    }

    /// The file's text; the same pins give the same text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEAD}version = {VERSION}\n");
        for (name, reference) in &self.pins {
            let digest = reference.digest().map(ToString::to_string);
            let digest = digest.unwrap_or_default();
            // Neither references nor digests hold anything that TOML would have escaped.
            let _ = write!(
                text,
                "\n[[base]]\nname = \"{name}\"\ndigest = \"{digest}\"\n"
            );
        }
        text
    }
}

/// The name that is pinned: in full, with a tag, without a digest.
fn key(name: &Reference) -> String {
    let tag = name.tag().unwrap_or("latest");
    format!("{}:{tag}", name.repository())
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(MAX_SIZE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SIZE {
        let message = format!("more than {MAX_SIZE} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(text)
}
