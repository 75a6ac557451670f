//! Everything about logins, in one binary.

mod entries;
#[cfg(unix)]
mod helpers;
mod interop;
mod places;
mod secrets;

use std::path::PathBuf;

use cooperage_credentials::{AuthFile, Credentials, Found, Helpers, Login};
use tempfile::TempDir;

/// What stands for a secret in these tests, and is to be seen nowhere.
const SECRET: &str = "hunter2";
/// The same behind a name, as `auth` has it: `u:hunter2`.
const AUTH: &str = "dTpodW50ZXIy";

/// A directory with one file of logins in it.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("auth.json"), config).unwrap();
        Self { directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("auth.json")
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(vec![AuthFile::required(self.file())], Helpers::default())
    }

    fn find(&self, registry: &str, repository: &str) -> Found {
        self.credentials().find(registry, repository)
    }
}

/// A login in a form that tests compare.
fn shown(found: &Found) -> String {
    match &found.login {
        None => "-".to_owned(),
        Some(Login::Basic { username, password }) => format!("{username}:{}", password.expose()),
        Some(Login::IdentityToken(token)) => format!("identity {}", token.expose()),
        Some(Login::RegistryToken(token)) => format!("registry {}", token.expose()),
        Some(other) => format!("{other:?}"),
    }
}

fn warnings(found: &Found) -> Vec<String> {
    found.warnings.iter().map(ToString::to_string).collect()
}
