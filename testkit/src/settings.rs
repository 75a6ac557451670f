//! What the environment says to the tests. Nothing here reaches a digest.

#![expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment how strict to be"
)]

use std::path::PathBuf;

/// Whether `name` is set to something other than nothing and `0`.
pub(crate) fn is_on(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The path that `name` holds, if it holds one.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The text that `name` holds, if it holds one.
pub(crate) fn text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where cargo keeps the crates of registries.
pub(crate) fn cargo_home() -> PathBuf {
    path("CARGO_HOME")
        .or_else(|| Some(path("HOME")?.join(".cargo")))
        .unwrap_or_else(|| PathBuf::from("/root/.cargo"))
}
