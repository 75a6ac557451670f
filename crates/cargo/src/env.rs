//! The environment, read in one place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cooperage_daemon::{Endpoint, EndpointError};

/// The variables that are text, by name.
#[must_use]
pub fn vars() -> BTreeMap<String, String> {
    // What is not text cannot be extended by flags, and is left to cargo as it is.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// A directory that a variable names.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo is one of the crates that read it"
)]
#[must_use]
pub fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Where cargo keeps what it downloads.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    path("CARGO_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}

/// Variables that `cargo run` sets for a program and that tell a build inside it nothing but
/// where the program came from.
pub(crate) fn is_of_outer_cargo(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PRIMARY_PACKAGE",
        "OUT_DIR",
    ];
    name.starts_with("CARGO_PKG_") || NAMES.contains(&name)
}

/// The text of a variable, unless it is empty.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo is one of the crates that read it"
)]
pub(crate) fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the daemon is: what `DOCKER_HOST`, contexts and sockets say.
pub(crate) fn daemon() -> Result<Endpoint, EndpointError> {
    let home = std::env::home_dir().unwrap_or_default();
    Endpoint::find(|name| path(name).map(PathBuf::into_os_string), &home)
}

/// `$XDG_CONFIG_HOME`, or `~/.config`.
pub(crate) fn config_directory() -> Option<PathBuf> {
    absolute("XDG_CONFIG_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".config")))
}

/// Where what was fetched is kept between runs: `cooperage` below `$XDG_CACHE_HOME`, or below
/// `~/.cache`.
#[must_use]
pub fn cache_directory() -> Option<PathBuf> {
    let all = absolute("XDG_CACHE_HOME")
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(all.join("cooperage"))
}

/// The XDG specification has relative paths passed over.
fn absolute(name: &str) -> Option<PathBuf> {
    path(name).filter(|path| path.is_absolute())
}
