//! Where logins are kept on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{AuthFile, Format, Presence, host};

/// The files that the environment leads to, in the order in which they are asked.
pub(crate) fn files(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<AuthFile> {
    let path = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let named = |path: PathBuf, by: &str| AuthFile {
        presence: Presence::NamedBy(by.to_owned()),
        ..AuthFile::optional(path)
    };
    let containers = |directory: &Path| directory.join("containers/auth.json");
    let home = path("HOME").or_else(|| path("USERPROFILE"));
    let docker = path("DOCKER_CONFIG");

    let mut files = Vec::new();
    files.extend(path("REGISTRY_AUTH_FILE").map(|path| named(path, "`REGISTRY_AUTH_FILE`")));
    // That directory need not hold logins: docker keeps contexts and plug-ins there too.
    let config = |directory: PathBuf| AuthFile::optional(directory.join("config.json"));
    files.extend(docker.clone().map(config));
    if cfg!(target_os = "linux") {
        let runtime = path("XDG_RUNTIME_DIR").map(|runtime| containers(&runtime));
        let runtime = runtime.or_else(|| Some(host::runtime_directory()?.join("auth.json")));
        files.extend(runtime.map(AuthFile::optional));
    }
    let own = path("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    files.extend(own.map(|own| AuthFile::optional(containers(&own))));
    if let Some(home) = home {
        if docker.is_none() {
            files.push(config(home.join(".docker")));
        }
        files.push(AuthFile {
            format: Format::Legacy,
            ..AuthFile::optional(home.join(".dockercfg"))
        });
    }
    files
}
