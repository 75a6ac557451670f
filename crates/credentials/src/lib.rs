//! Finds the login for a registry: Docker's and containers' files, helpers and stores.
//!
//! [`Credentials::from_env`] knows where docker, podman, skopeo, buildah and crane keep logins, and
//! [`Credentials::find`] asks each place in turn. Files and helpers are read, the environment too;
//! nothing is written, and no socket is opened.
//!
//! # Where
//!
//! In this order; the first usable login is taken.
//!
//! | file | read as |
//! |---|---|
//! | what [`Credentials::with_file`] names | `auth.json` |
//! | what `REGISTRY_AUTH_FILE` names | `auth.json` |
//! | `config.json` in the directory that `DOCKER_CONFIG` names | `config.json` |
//! | `$XDG_RUNTIME_DIR/containers/auth.json`, or `/run/containers/UID/auth.json` (Linux) | `auth.json` |
//! | `$XDG_CONFIG_HOME/containers/auth.json`, or `~/.config/containers/auth.json` | `auth.json` |
//! | `~/.docker/config.json`, unless `DOCKER_CONFIG` is set | `config.json` |
//! | `~/.dockercfg` | [`Format::Legacy`] |
//!
//! In a file, as docker has it, the registry's helper (`credHelpers`) comes before the store of all
//! registries (`credsStore`), and both before what the file itself says (`auths`).
//!
//! # Which entry
//!
//! For `quay.io/team/app`, as containers/image has it, the entry of that name in `auths`, else of
//! `quay.io/team`, else of `quay.io`, else of any URL whose host that is. Helpers are chosen, and
//! asked, by the registry alone. `docker.io` is also known as `https://index.docker.io/v1/`,
//! `index.docker.io` and `registry-1.docker.io`.
//!
//! # What can go wrong
//!
//! Nothing that is an error: see [`Warning`]. Files and helpers' answers have limits in size, and
//! helpers in time ([`Helpers`]).
//!
//! # Examples
//!
//! ```
//! use cooperage_credentials::{AuthFile, Credentials, Helpers, Login};
//!
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("auth.json");
//! // `dTpw` is `u:p` in base64.
//! std::fs::write(&path, r#"{"auths": {"quay.io/team": {"auth": "dTpw"}}}"#)?;
//!
//! let credentials = Credentials::new(vec![AuthFile::required(path)], Helpers::default());
//! let found = credentials.find("quay.io", "team/app");
//! assert!(matches!(&found.login, Some(Login::Basic { username, .. }) if username == "u"));
//! assert!(!format!("{found:?}").contains("\"p\""));
//!
//! assert!(credentials.find("quay.io", "others/app").login.is_none());
//! # Ok::<(), std::io::Error>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod credentials;
mod file;
mod helper;
mod host;
mod login;
mod names;
mod places;
mod warning;

pub use credentials::{Credentials, Found, Origin};
pub use file::{AuthFile, Format, MAX_FILE_SIZE, Presence};
pub use helper::{HelperFault, Helpers};
pub use login::{Login, Secret};
pub use warning::{EntryFault, Warning};
