//! A certificate authority of a test's own, by openssl.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::peers::{self, Program};

/// An authority that nobody trusts who was not told to.
#[derive(Debug)]
pub struct Authority {
    openssl: Program,
    directory: TempDir,
}

/// A certificate and its key, in files of PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A pair of keys that is quickly made.
const KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
];

impl Authority {
    /// A new one, or `None` once the absence of openssl was reported.
    #[must_use]
    pub fn new() -> Option<Self> {
        let openssl = peers::tool("openssl")?;
        let this = Self {
            openssl,
            directory: tempfile::tempdir().expect("there is room"),
        };
        let (certificate, key) = (this.path("ca.pem"), this.path("ca.key"));
        let words = ["req", "-x509", "-days", "3650", "-subj", "/CN=test kit"];
        let out = ["-out", &certificate, "-keyout", &key];
        this.run(&[&words[..], &KEY, &out].concat());
        Some(this)
    }

    /// Its own certificate: what a client is told to trust.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A certificate for servers of this name, or of this address, such as `127.0.0.1`.
    #[must_use]
    pub fn issue(&self, name: &str) -> Certificate {
        let path = |kind: &str| self.path(&format!("{name}.{kind}"));
        let (request, key, certificate) = (path("csr"), path("key"), path("pem"));
        let extensions = path("ext");
        let kind = match name.parse::<std::net::IpAddr>() {
            Ok(_) => "IP",
            Err(_) => "DNS",
        };
        let text = format!("subjectAltName={kind}:{name}\nbasicConstraints=CA:FALSE\n");
        std::fs::write(&extensions, text).expect("a new directory takes files");
        let subject = format!("/CN={name}");
        let words = ["req", "-subj", &subject, "-out", &request, "-keyout", &key];
        self.run(&[&words[..], &KEY].concat());
        let (ca, ca_key) = (self.path("ca.pem"), self.path("ca.key"));
        self.run(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            "3650",
            "-extfile",
            &extensions,
            "-out",
            &certificate,
        ]);
        Certificate {
            certificate: certificate.into(),
            key: key.into(),
        }
    }

    fn path(&self, name: &str) -> String {
        let path: &Path = self.directory.path();
        path.join(name).display().to_string()
    }

    fn run(&self, words: &[&str]) {
        self.openssl.run(words).expect("openssl makes certificates");
    }
}
