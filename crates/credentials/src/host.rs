//! What differs between systems: where those who have no session keep what lasts as long as one.

use std::path::PathBuf;

/// `/run/containers/UID`, where podman keeps its logins without `XDG_RUNTIME_DIR`.
#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "other systems have no such directory"
)]
pub(crate) fn runtime_directory() -> Option<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    Some(format!("/run/containers/{user}").into())
}

/// There is none here.
#[cfg(not(unix))]
pub(crate) fn runtime_directory() -> Option<PathBuf> {
    None
}
