//! Files of logins.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

use crate::names::Paths;
use crate::{EntryFault, Login, Secret, Warning};

/// How large a file of logins may be, in bytes.
pub const MAX_FILE_SIZE: u64 = 1 << 20;

/// A file that logins are read from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthFile {
    /// Where it lies.
    pub path: PathBuf,
    /// How it is read.
    pub format: Format,
    /// Whether it has to be there.
    pub presence: Presence,
}

/// How a file of logins is read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// An object with `auths`, `credHelpers` and `credsStore`: `config.json` and `auth.json`.
    #[default]
    Config,
    /// Nothing but what `auths` holds, by registry: `.dockercfg`.
    Legacy,
}

/// Whether a file has to be there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Presence {
    /// Where it is not, nothing is said. It must be a regular file.
    #[default]
    Optional,
    /// Somebody (a variable, a flag: that is the text) named it: where it is not, there is a
    /// warning. It may be a pipe; it is read once.
    NamedBy(String),
}

impl AuthFile {
    /// A file in today's form that is read if it is there.
    #[must_use]
    pub fn optional(path: PathBuf) -> Self {
        Self {
            path,
            format: Format::Config,
            presence: Presence::Optional,
        }
    }

    /// A file in today's form that the caller counts on.
    #[must_use]
    pub fn required(path: PathBuf) -> Self {
        Self {
            path,
            format: Format::Config,
            presence: Presence::NamedBy("the caller".into()),
        }
    }

    pub(crate) fn load(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Warning> {
        let path = || self.path.clone();
        match read(&self.path, &self.presence) {
            Ok(bytes) if bytes.len() as u64 > MAX_FILE_SIZE => {
                Err(Warning::TooLarge { path: path() })
            }
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => match (error.kind(), &self.presence) {
                // A part of the path that is a file has no file below it either.
                (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, Presence::Optional) => {
                    Ok(None)
                }
                (io::ErrorKind::NotFound, Presence::NamedBy(by)) => Err(Warning::Missing {
                    path: path(),
                    by: by.clone(),
                }),
                _ => Err(Warning::Unreadable {
                    path: path(),
                    source: Arc::new(error),
                }),
            },
        }
    }

    /// What stands in a file that was loaded.
    pub(crate) fn parse<'a>(&self, bytes: &'a [u8]) -> Result<Document<'a>, Warning> {
        let document = match self.format {
            // An array would do for the library, its items being the members in their order.
            Format::Config if !is_object(bytes) => {
                return Err(Warning::Malformed {
                    path: self.path.clone(),
                    line: 1,
                    column: 1,
                });
            }
            Format::Config => serde_json::from_slice(bytes),
            Format::Legacy => serde_json::from_slice(bytes).map(|auths| Document {
                auths: Some(auths),
                ..Document::default()
            }),
        };
        // The library's own words would quote what it found, and that may be a password.
        document.map_err(|error: serde_json::Error| Warning::Malformed {
            path: self.path.clone(),
            line: error.line(),
            column: error.column(),
        })
    }

    pub(crate) fn paths(&self) -> Paths {
        match self.format {
            Format::Config => Paths::AreRepositories,
            Format::Legacy => Paths::MeanNothing,
        }
    }
}

fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{")
}

fn read(path: &Path, presence: &Presence) -> io::Result<Zeroizing<Vec<u8>>> {
    // A named pipe that nobody writes to would never end, and who did not name it would not know.
    if *presence == Presence::Optional && !std::fs::metadata(path)?.is_file() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
        return Err(error);
    }
    let mut reader = File::open(path)?.take(MAX_FILE_SIZE + 1);
    // A vector that grows leaves copies of its content behind: each is cleared.
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
    let mut buffer = Zeroizing::new(vec![0; 16 << 10]);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(n) => append(&mut bytes, &buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Appends to a vector whose old memory is cleared if it has to move.
pub(crate) fn append(bytes: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    if bytes.capacity() - bytes.len() < more.len() {
        let mut grown = Vec::with_capacity((bytes.len() + more.len()) * 2);
        grown.extend_from_slice(bytes);
        // The old one is cleared when it is dropped here.
        *bytes = Zeroizing::new(grown);
    }
    bytes.extend_from_slice(more);
}

/// A file's content; entries stay as they are written until they are asked for, so that one that
/// is malformed harms no other.
#[derive(Default, Deserialize)]
pub(crate) struct Document<'a> {
    #[serde(borrow, default)]
    pub(crate) auths: Option<BTreeMap<String, &'a RawValue>>,
    #[serde(rename = "credHelpers", default)]
    pub(crate) helpers: Option<BTreeMap<String, Option<String>>>,
    #[serde(rename = "credsStore", default)]
    pub(crate) store: Option<String>,
}

#[derive(Default, Deserialize)]
struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
    registrytoken: Option<Secret>,
}

/// The login in an entry of `auths`; none in an empty one, which is how docker notes that a store
/// has it.
pub(crate) fn login(entry: &RawValue) -> Result<Option<Login>, EntryFault> {
    if !is_object(entry.get().as_bytes()) && entry.get() != "null" {
        return Err(EntryFault::Shape);
    }
    let entry: Option<Entry> = serde_json::from_str(entry.get()).map_err(|_| EntryFault::Shape)?;
    let entry = entry.unwrap_or_default();
    let given = |secret: Option<Secret>| secret.filter(|secret| !secret.is_empty());
    if let Some(token) = given(entry.registrytoken) {
        return Ok(Some(Login::RegistryToken(token)));
    }
    if let Some(token) = given(entry.identitytoken) {
        return Ok(Some(Login::IdentityToken(token)));
    }
    let (username, password) = match given(entry.auth) {
        Some(auth) => decode(auth.expose())?,
        None => (
            entry.username.unwrap_or_default(),
            entry.password.unwrap_or_else(|| Secret::new(String::new())),
        ),
    };
    match (username.is_empty(), password.is_empty()) {
        (false, false) => Ok(Some(Login::Basic { username, password })),
        (true, true) => Ok(None),
        _ => Err(EntryFault::Incomplete),
    }
}

/// `name:password` in base64, padded or not; docker pads old ones with zero bytes as well.
fn decode(auth: &str) -> Result<(String, Secret), EntryFault> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
    let bytes = BASE64.decode(auth).map_err(|_| EntryFault::Encoding)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        error.into_bytes().zeroize();
        EntryFault::Encoding
    })?;
    let text = Zeroizing::new(text);
    let (username, password) = text.split_once(':').ok_or(EntryFault::NoColon)?;
    let password = password.trim_matches('\0').to_owned();
    Ok((username.to_owned(), Secret::new(password)))
}
