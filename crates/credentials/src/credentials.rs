//! All places together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::file::{self, Document};
use crate::helper::program;
use crate::names::{from_long_to_short, helper_keys, means, servers};
use crate::{AuthFile, HelperFault, Helpers, Login, Presence, Warning, places};

/// The places where logins are kept, in the order in which they are asked.
///
/// Each file is read once, and each helper asked once for each registry, when first needed;
/// [`Credentials`] that live for long do not notice a later login. They may be shared between
/// threads.
pub struct Credentials {
    files: Vec<Loaded>,
    helpers: Helpers,
    answers: Mutex<BTreeMap<(String, String), Answer>>,
}

struct Loaded {
    file: AuthFile,
    content: OnceLock<Result<Option<Zeroizing<Vec<u8>>>, Warning>>,
}

type Answer = Result<Option<Login>, Arc<HelperFault>>;

/// What [`Credentials::find`] found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The login; without one, the registry is talked to as anybody may.
    pub login: Option<Login>,
    /// Where that login came from.
    pub origin: Option<Origin>,
    /// What was passed over on the way, in the order of the places.
    pub warnings: Vec<Warning>,
}

/// Where a login came from, for messages about one that is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Origin {
    /// An entry of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The entry's name in it.
        key: String,
    },
    /// A helper's answer.
    Helper {
        /// The program.
        helper: String,
        /// What it was asked for.
        server: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, key } => write!(f, "`{key}` in `{}`", path.display()),
            Self::Helper { helper, server } => write!(f, "`{helper}`, asked for `{server}`"),
        }
    }
}

impl Credentials {
    /// These files, in this order.
    #[must_use]
    pub fn new(files: Vec<AuthFile>, helpers: Helpers) -> Self {
        let loaded = |file| Loaded {
            file,
            content: OnceLock::new(),
        };
        Self {
            files: files.into_iter().map(loaded).collect(),
            helpers,
            answers: Mutex::default(),
        }
    }

    /// No login for anybody.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Vec::new(), Helpers::default())
    }

    /// The places that this process's environment leads to; the crate's documentation lists them.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is one of the crates that read it"
    )]
    pub fn from_env() -> Self {
        Self::from_variables(&|name| match (std::env::var_os(name), name) {
            (None, "HOME") => std::env::home_dir().map(OsString::from),
            (value, _) => value,
        })
    }

    /// The places that these variables lead to: for a process that acts in another's name.
    ///
    /// Helpers are looked for in the `PATH` among them; run, they have this process's environment
    /// otherwise.
    #[must_use]
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let helpers = Helpers {
            path: variable("PATH"),
            ..Helpers::default()
        };
        Self::new(places::files(variable), helpers)
    }

    /// The same places, and a file that is asked before them; `by` says who named it, for the
    /// warning where it is missing.
    #[must_use]
    pub fn with_file(mut self, path: PathBuf, by: &str) -> Self {
        let file = AuthFile {
            presence: Presence::NamedBy(by.to_owned()),
            ..AuthFile::optional(path)
        };
        let content = OnceLock::new();
        self.files.insert(0, Loaded { file, content });
        self
    }

    /// The files that are asked, in order.
    pub fn files(&self) -> impl Iterator<Item = &AuthFile> {
        self.files.iter().map(|loaded| &loaded.file)
    }

    /// The login for a repository of a registry: `docker.io` and `library/debian`,
    /// `localhost:5000` and `app`. An empty repository stands for the registry itself.
    #[must_use]
    pub fn find(&self, registry: &str, repository: &str) -> Found {
        let mut search = Search {
            registry,
            repository,
            found: Found::default(),
        };
        for Loaded { file, content } in &self.files {
            let document = match content.get_or_init(|| file.load()) {
                Ok(Some(bytes)) => file.parse(bytes),
                Ok(None) => continue,
                Err(warning) => Err(warning.clone()),
            };
            let ended = match document {
                Ok(document) => {
                    search.ask_helpers(self, &document, &file.path)
                        || search.ask_entries(&document, file)
                }
                Err(warning) => search.warn(warning),
            };
            if ended {
                break;
            }
        }
        search.found
    }

    fn answer(&self, helper: &str, server: &str) -> Answer {
        // Held while it runs: a helper that asks a person asks once.
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers
            .entry((helper.to_owned(), server.to_owned()))
            .or_insert_with(|| self.helpers.get(helper, server).map_err(Arc::new))
            .clone()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("files", &self.files().collect::<Vec<_>>())
            .field("helpers", &self.helpers)
            .finish_non_exhaustive()
    }
}

struct Search<'a> {
    registry: &'a str,
    repository: &'a str,
    found: Found,
}

/// Each `ask…` says whether the search has ended.
impl Search<'_> {
    fn warn(&mut self, warning: Warning) -> bool {
        self.found.warnings.push(warning);
        false
    }

    fn take(&mut self, login: Login, origin: Origin) -> bool {
        self.found.login = Some(login);
        self.found.origin = Some(origin);
        true
    }

    fn ask_helpers(&mut self, all: &Credentials, document: &Document<'_>, path: &Path) -> bool {
        let of_key = |key: &str| document.helpers.as_ref()?.get(key)?.as_deref();
        let own = helper_keys(self.registry).into_iter().find_map(of_key);
        let helper = own.or(document.store.as_deref());
        let Some(helper) = helper.filter(|helper| !helper.is_empty()) else {
            return false;
        };
        for server in servers(self.registry) {
            match all.answer(helper, server) {
                Ok(Some(login)) => {
                    let origin = Origin::Helper {
                        helper: program(helper),
                        server: server.to_owned(),
                    };
                    return self.take(login, origin);
                }
                Ok(None) => {}
                // It would not do better under another name.
                Err(fault) => {
                    return self.warn(Warning::Helper {
                        helper: program(helper),
                        server: server.to_owned(),
                        path: path.to_owned(),
                        fault,
                    });
                }
            }
        }
        false
    }

    fn ask_entries(&mut self, document: &Document<'_>, file: &AuthFile) -> bool {
        let Some(auths) = &document.auths else {
            return false;
        };
        let names = match file.format {
            crate::Format::Config => from_long_to_short(self.registry, self.repository),
            crate::Format::Legacy => vec![self.registry.to_owned()],
        };
        let exact = names.iter().filter_map(|name| auths.get_key_value(name));
        let others = auths
            .iter()
            .filter(|(key, _)| means(key, self.registry, file.paths()) && !names.contains(key));
        let candidates: Vec<(&String, &&RawValue)> = exact.chain(others).collect();
        for (key, entry) in candidates {
            match file::login(entry) {
                Ok(Some(login)) => {
                    let (path, key) = (file.path.clone(), key.clone());
                    return self.take(login, Origin::File { path, key });
                }
                Ok(None) => {}
                Err(fault) => {
                    self.warn(Warning::Entry {
                        path: file.path.clone(),
                        key: key.clone(),
                        fault,
                    });
                }
            }
        }
        false
    }
}
