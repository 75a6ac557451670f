//! A registry on the loopback interface: CNCF distribution, kept in a directory of its own.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::certificates::Certificate;
use crate::http::{self, Answer};
use crate::peers::supervised::{Directory, Supervised};
use crate::peers::{self, Generation, Way};
use crate::tokens::{ISSUER, SERVICE, TokenServer};

/// A running registry. Dropping it ends it and removes its content.
#[derive(Debug)]
pub struct Registry {
    daemon: Supervised,
    address: String,
}

/// How clients show who they are.
#[derive(Clone, Copy, Debug, Default)]
pub enum Login<'a> {
    /// They need not.
    #[default]
    Nobody,
    /// By name and password, which are [`USER`] and [`PASSWORD`].
    Basic,
    /// By a token of this server.
    Tokens(&'a TokenServer),
    /// By a token of this server, which clients are told to be found at this URL.
    TokensAt(&'a TokenServer, &'a str),
}

/// What [`Login::Basic`] lets in.
pub const USER: &str = "cooper";
/// What [`Login::Basic`] lets in.
pub const PASSWORD: &str = "staves";
/// By bcrypt, of the least cost.
const HTPASSWD: &str = "cooper:$2b$04$jnjPMjGu7y9oLj4a9n8Gwe63IwRLlZLCws3T0R12caF/gLoQIT/Vi\n";

/// What media types of manifests a client of today takes.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// How a registry is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct RegistryOptions<'a> {
    /// Who may come in.
    pub login: Login<'a>,
    /// It speaks TLS, with this certificate.
    pub certificate: Option<&'a Certificate>,
}

/// Starts a registry of `generation` on a free port, or says that it is missing.
#[must_use]
pub fn start(generation: Generation) -> Option<Registry> {
    start_with(generation, &RegistryOptions::default())
}

/// As [`start`].
#[must_use]
pub fn start_with(generation: Generation, options: &RegistryOptions<'_>) -> Option<Registry> {
    let program = peers::find(generation, "docker-registry", Way::Inside)?;
    let directory = Directory::new();
    let file = directory.path().join("config.yml");
    let configuration = configuration(&directory, options);
    std::fs::write(&file, configuration).expect("a new directory takes files");
    let mut words = program.words().to_vec();
    words.extend(["serve".into(), file.into_os_string()]);
    let name = format!("docker-registry ({generation})");
    let mut address = None;
    let mut is_ready = |log: &str| {
        address = listening(log);
        address.as_ref().is_some_and(|at| {
            // One that wants a login, or TLS, says so.
            http::get(at, "/v2/", Duration::from_secs(1))
                .is_ok_and(|it| matches!(it.status, 200 | 400 | 401))
        })
    };
    let environment = [("OTEL_TRACES_EXPORTER", OsStr::new("none"))];
    let daemon = Supervised::start(&name, directory, &words, &environment, &mut is_ready);
    Some(Registry {
        daemon,
        address: address.expect("it was ready, so it had an address"),
    })
}

fn configuration(directory: &Directory, options: &RegistryOptions<'_>) -> String {
    let at = directory.path().display();
    let mut text = format!(
        "version: 0.1\nlog: {{level: info}}\n\
         storage: {{filesystem: {{rootdirectory: '{at}/data'}}, delete: {{enabled: true}}}}\n\
         http:\n  addr: '127.0.0.1:0'\n"
    );
    if let Some(Certificate { certificate, key }) = options.certificate {
        let (certificate, key) = (certificate.display(), key.display());
        let _ = writeln!(
            text,
            "  tls: {{certificate: '{certificate}', key: '{key}'}}"
        );
    }
    let mut tokens = |server: &TokenServer, realm: &str| {
        let (issuer, service) = (quoted(ISSUER), quoted(SERVICE));
        let _ = writeln!(
            text,
            "auth: {{token: {{realm: {}, service: {service}, issuer: {issuer}, rootcertbundle: '{}'}}}}",
            quoted(realm),
            server.certificate().display()
        );
    };
    match options.login {
        Login::Nobody => {}
        Login::Basic => {
            let file = directory.path().join("htpasswd");
            std::fs::write(file, HTPASSWD).expect("a new directory takes files");
            let _ = writeln!(
                text,
                "auth: {{htpasswd: {{realm: test, path: '{at}/htpasswd'}}}}"
            );
        }
        Login::Tokens(server) => tokens(server, &server.realm()),
        Login::TokensAt(server, realm) => tokens(server, realm),
    }
    text
}

/// As YAML has it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
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
    /// `127.0.0.1:PORT`, as it stands in an image's name; it speaks plain HTTP, unless it was told
    /// otherwise.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What the registry has logged so far, each request among it.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// What a repository has under a tag or a digest, and what its header says its digest is; for a
    /// registry that wants neither login nor TLS.
    #[must_use]
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Vec<u8>)> {
        let answer = self.ask("GET", &format!("/v2/{repository}/manifests/{reference}"));
        let answer = answer.expect("the registry answers");
        let digest = answer.head.field("Docker-Content-Digest")?.to_owned();
        (answer.status == 200).then_some((digest, answer.body))
    }

    /// What a tag or digest lacks: each manifest, configuration and layer that it refers to and that
    /// the registry does not have, or has in another length.
    #[must_use]
    pub fn missing(&self, repository: &str, reference: &str) -> Vec<String> {
        let Some((_, bytes)) = self.manifest(repository, reference) else {
            return vec![format!("{repository} has no {reference}")];
        };
        let document: Value = serde_json::from_slice(&bytes).expect("a manifest is JSON");
        let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
        let mut missing = Vec::new();
        for child in list("manifests") {
            let digest = child["digest"].as_str().expect("a digest is text");
            missing.extend(self.missing(repository, digest));
        }
        let config = document.get("config").cloned();
        for blob in config.into_iter().chain(list("layers")) {
            let digest = blob["digest"].as_str().expect("a digest is text");
            let path = format!("/v2/{repository}/blobs/{digest}");
            let answer = self.ask("HEAD", &path).expect("the registry answers");
            let length = answer.head.field("Content-Length");
            if answer.status != 200 || length != Some(&blob["size"].to_string()) {
                missing.push(format!("{path}: {}, {length:?} bytes", answer.status));
            }
        }
        missing
    }

    /// A repository's tags, sorted.
    #[must_use]
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let answer = self.ask("GET", &format!("/v2/{repository}/tags/list"));
        let answer = answer.expect("the registry answers");
        let list: Value = serde_json::from_slice(&answer.body).expect("it answers in JSON");
        let tags = list["tags"].as_array().cloned().unwrap_or_default();
        let text = tags.iter().filter_map(Value::as_str);
        let mut tags: Vec<_> = text.map(str::to_owned).collect();
        tags.sort();
        tags
    }

    /// Where the registry keeps what it was given.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.daemon.directory().join("data")
    }

    fn ask(&self, method: &str, path: &str) -> io::Result<Answer> {
        http::request(&self.address, method, path, &[("Accept", ACCEPT)], &[])
    }
}
