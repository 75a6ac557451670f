//! `image.lock`: which images the names of bases mean.
//!
//! ```toml
//! version = 1
//!
//! [[base]]
//! name = "docker.io/library/debian:bookworm-slim"
//! digest = "sha256:…"
//!
//! [[facts]]
//! base = "docker.io/library/debian:bookworm-slim"
//! manifest = "sha256:…"
//! document = '{"libraries":…}'
//! ```
//!
//! A tag may mean another image tomorrow; a digest never does. `--update` looks tags up and writes
//! what it found, and from then on the same image is built on until the next `--update`. The file
//! is to be checked in beside `Cargo.lock`.
//!
//! Facts are what a base offers to programs, of one platform: they spare the next build, on whatever
//! machine, the base's layers when it checks that a program runs on it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cooperage_digest::Digest;
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    facts: Vec<Facts>,
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

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    base: String,
    manifest: String,
    document: String,
}

/// The pins of a lockfile, and what is known of bases.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lock {
    pins: BTreeMap<String, Reference>,
    facts: BTreeMap<String, Facts>,
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
        for facts in document.facts {
            let manifest = facts.manifest.parse::<Digest>();
            manifest.map_err(|error| LockError::Pin {
                path: path.to_owned(),
                text: facts.manifest.clone(),
                reason: error.to_string(),
            })?;
            lock.facts.insert(facts.manifest.clone(), facts);
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
        let is_new = self.pins.get(&key) != Some(&pin);
        if is_new {
            // They are about what the name meant until now.
            self.facts.retain(|_, facts| facts.base != key);
            self.pins.insert(key, pin);
        }
        is_new
    }

    /// What is known of the image with this manifest, as it was put there.
    #[must_use]
    pub fn facts(&self, manifest: &Digest) -> Option<&[u8]> {
        let facts = self.facts.get(manifest.as_str())?;
        Some(facts.document.as_bytes())
    }

    /// Keeps what is known of the image with this manifest, one of those that the base's name means:
    /// a JSON document in one line. Whether that is new; anything else is not kept.
    pub fn put_facts(&mut self, base: &Reference, manifest: &Digest, document: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(document) else {
            return false;
        };
        if text.contains(char::is_control) {
            return false;
        }
        let facts = Facts {
            base: key(base),
            manifest: manifest.to_string(),
            // What ends a literal string of TOML stands in JSON's strings alone.
            document: text.replace('\'', "\\u0027"),
        };
        let known = self.facts.insert(manifest.to_string(), facts.clone());
        known != Some(facts)
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
        for facts in self.facts.values() {
            let Facts {
                base,
                manifest,
                document,
            } = facts;
            let _ = write!(
                text,
                "\n[[facts]]\nbase = \"{base}\"\nmanifest = \"{manifest}\"\ndocument = '{document}'\n"
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
