//! A registry on the loopback interface: CNCF distribution, kept in a directory of its own.

use std::ffi::OsStr;
use std::time::Duration;

use crate::peers::supervised::{Directory, Supervised};
use crate::peers::{self, Generation, Way};

/// A running registry. Dropping it ends it and removes its content.
#[derive(Debug)]
pub struct Registry {
    daemon: Supervised,
    address: String,
}

/// Starts a registry of `generation` on a free port, or says that it is missing.
#[must_use]
pub fn start(generation: Generation) -> Option<Registry> {
    let program = peers::find(generation, "docker-registry", Way::Inside)?;
    let directory = Directory::new();
    let file = directory.path().join("config.yml");
    let configuration = format!(
        "version: 0.1\nlog: {{level: info}}\nhttp: {{addr: '127.0.0.1:0'}}\n\
         storage: {{filesystem: {{rootdirectory: '{}/data'}}, delete: {{enabled: true}}}}\n",
        directory.path().display()
    );
    std::fs::write(&file, configuration).expect("a new directory takes files");
    let mut words = program.words().to_vec();
    words.extend(["serve".into(), file.into_os_string()]);
    let name = format!("docker-registry ({generation})");
    let mut address = None;
    let mut is_ready = |log: &str| {
        address = listening(log);
        address.as_ref().is_some_and(|at| {
            crate::http::get(at, "/v2/", Duration::from_secs(1)).is_ok_and(|it| it.status == 200)
        })
    };
    let environment = [("OTEL_TRACES_EXPORTER", OsStr::new("none"))];
    let daemon = Supervised::start(&name, directory, &words, &environment, &mut is_ready);
    Some(Registry {
        daemon,
        address: address.expect("it was ready, so it had an address"),
    })
}

/// The address that the registry took, from its log.
fn listening(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on ")?;
    let address: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || ".:".contains(*c))
        .collect();
    Some(address)
}

impl Registry {
    /// `127.0.0.1:PORT`, as it stands in an image's name; it speaks plain HTTP.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What the registry has logged so far, each request among it.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }
}
