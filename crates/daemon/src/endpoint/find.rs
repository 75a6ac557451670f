//! The search for a daemon.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Endpoint, EndpointError, Tls, Verification, context};

impl Endpoint {
    /// Finds the daemon that the docker command would speak to, or else podman's service.
    ///
    /// `env` hands out variables of the environment, `home` is the user's directory. In this order:
    ///
    /// 1. `DOCKER_HOST`, with `DOCKER_TLS_VERIFY`, `DOCKER_TLS` and `DOCKER_CERT_PATH`;
    /// 2. the context that `DOCKER_CONTEXT` names;
    /// 3. `currentContext` in `config.json`, in the directory that `DOCKER_CONFIG` names or in
    ///    `.docker`;
    /// 4. the first socket that is there: `/var/run/docker.sock`, `docker.sock` in
    ///    `XDG_RUNTIME_DIR`, `.docker/run/docker.sock`;
    /// 5. `CONTAINER_HOST`, then podman's sockets: `podman/podman.sock` in `XDG_RUNTIME_DIR` and in
    ///    `/run`.
    ///
    /// If none of all this is there, it is `/var/run/docker.sock` all the same. An empty variable
    /// counts as one that is not set. Nothing is connected to.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] for a setting that names no endpoint, a context that is not there, or a
    /// file of Docker's that cannot be read.
    pub fn find(
        env: impl Fn(&str) -> Option<OsString>,
        home: &Path,
    ) -> Result<Self, EndpointError> {
        Search {
            env: &env,
            home,
            root: Path::new("/"),
        }
        .run()
    }
}

/// What a search looks at.
struct Search<'a> {
    env: &'a dyn Fn(&str) -> Option<OsString>,
    home: &'a Path,
    /// What `/var/run` and `/run` are below of.
    root: &'a Path,
}

impl Search<'_> {
    fn run(&self) -> Result<Endpoint, EndpointError> {
        if let Some(endpoint) = self.host("DOCKER_HOST", self.tls())? {
            return Ok(endpoint);
        }
        let config = self
            .path("DOCKER_CONFIG")
            .unwrap_or_else(|| self.home.join(".docker"));
        let named = self.value("DOCKER_CONTEXT");
        let named = match named {
            Some(name) => Some(name.to_string_lossy().into_owned()),
            None => context::current(&config)?,
        };
        match named {
            Some(name) if name != "default" => context::endpoint(&config, &name),
            _ => self.socket(),
        }
    }

    fn value(&self, name: &str) -> Option<OsString> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from)
    }

    fn host(&self, name: &str, tls: Option<Tls>) -> Result<Option<Endpoint>, EndpointError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match Endpoint::parse(&value.to_string_lossy(), tls) {
            Ok(endpoint) => Ok(Some(endpoint)),
            Err(source) => Err(EndpointError::Setting {
                setting: format!("`{name}`"),
                source: Box::new(source),
            }),
        }
    }

    fn tls(&self) -> Option<Tls> {
        let verification = if self.value("DOCKER_TLS_VERIFY").is_some() {
            Verification::Certificate
        } else if self.value("DOCKER_TLS").is_some() {
            Verification::Nothing
        } else {
            return None;
        };
        let directory = self
            .path("DOCKER_CERT_PATH")
            .or_else(|| self.path("DOCKER_CONFIG"))
            .unwrap_or_else(|| self.home.join(".docker"));
        Some(Tls::in_directory(&directory, verification))
    }

    fn socket(&self) -> Result<Endpoint, EndpointError> {
        let runtime = self.path("XDG_RUNTIME_DIR");
        let in_runtime = |name: &str| runtime.as_ref().map(|runtime| runtime.join(name));
        let usual = self.root.join("var/run/docker.sock");
        let docker = [
            Some(usual.clone()),
            in_runtime("docker.sock"),
            Some(self.home.join(".docker/run/docker.sock")),
        ];
        if let Some(path) = first(docker) {
            return Ok(Endpoint::Unix { path });
        }
        if let Some(endpoint) = self.host("CONTAINER_HOST", None)? {
            return Ok(endpoint);
        }
        let podman = [
            in_runtime("podman/podman.sock"),
            Some(self.root.join("run/podman/podman.sock")),
        ];
        Ok(Endpoint::Unix {
            path: first(podman).unwrap_or(usual),
        })
    }
}

/// The first that is there.
fn first(paths: impl IntoIterator<Item = Option<PathBuf>>) -> Option<PathBuf> {
    paths.into_iter().flatten().find(|path| path.exists())
}

impl Tls {
    /// `ca.pem`, `cert.pem` and `key.pem` of a directory, those of them that are there. What is
    /// verified must have `ca.pem`.
    pub(super) fn in_directory(directory: &Path, verification: Verification) -> Self {
        let file = |name: &str| directory.join(name);
        let client = (file("cert.pem"), file("key.pem"));
        let ca = file("ca.pem");
        Self {
            ca: (ca.exists() || verification == Verification::Certificate).then_some(ca),
            client: (client.0.exists() || client.1.exists()).then_some(client),
            verification,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is found with these variables and files, all below one directory that is printed as
    /// `/`.
    fn found(variables: &[(&str, &str)], files: &[(&str, &str)]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let real = |value: &str| value.replace("ROOT", root.to_str().unwrap());
        let env = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(real(value)))
        };
        let search = Search {
            env: &env,
            home: &root.join("home"),
            root,
        };
        let text = match search.run() {
            Ok(Endpoint::Tcp {
                authority,
                base,
                tls,
            }) => format!("{authority} {base} {tls:?}"),
            Ok(endpoint) => endpoint.to_string(),
            Err(error) => {
                let mut text = error.to_string();
                let mut next = std::error::Error::source(&error);
                while let Some(cause) = next {
                    text = format!("{text}: {cause}");
                    next = cause.source();
                }
                text
            }
        };
        text.replace(root.to_str().unwrap(), "ROOT")
    }

    const SOCKET: (&str, &str) = ("var/run/docker.sock", "");
    /// Where the context `build` keeps its things, below `meta` or `tls`.
    fn of_build(kind: &str, file: &str) -> &'static str {
        let id = cooperage_digest::Digest::of(b"build");
        let path = format!("home/.docker/contexts/{kind}/{}/{file}", id.encoded());
        path.leak()
    }

    fn meta() -> &'static str {
        of_build("meta", "meta.json")
    }

    #[test]
    fn sockets_are_tried_in_order() {
        let podman = ("run/podman/podman.sock", "");
        let rootless = ("xdg/docker.sock", "");
        let rootless_podman = ("xdg/podman/podman.sock", "");
        let desktop = ("home/.docker/run/docker.sock", "");
        let xdg = ("XDG_RUNTIME_DIR", "ROOT/xdg");
        let host = ("CONTAINER_HOST", "unix:///podman.sock");
        for (variables, files, expected) in [
            (&[][..], &[][..], "unix://ROOT/var/run/docker.sock"),
            (&[], &[podman], "unix://ROOT/run/podman/podman.sock"),
            (
                &[],
                &[podman, rootless],
                "unix://ROOT/run/podman/podman.sock",
            ),
            (
                &[xdg],
                &[podman, rootless_podman],
                "unix://ROOT/xdg/podman/podman.sock",
            ),
            (
                &[xdg, host],
                &[podman, rootless_podman],
                "unix:///podman.sock",
            ),
            (
                &[xdg, host],
                &[podman, desktop],
                "unix://ROOT/home/.docker/run/docker.sock",
            ),
            (
                &[xdg],
                &[podman, desktop, rootless],
                "unix://ROOT/xdg/docker.sock",
            ),
            (
                &[xdg],
                &[podman, rootless, SOCKET],
                "unix://ROOT/var/run/docker.sock",
            ),
        ] {
            assert_eq!(found(variables, files), expected, "{variables:?} {files:?}");
        }
    }

    #[test]
    fn docker_host_comes_first() {
        let other = ("DOCKER_CONTEXT", "missing");
        let plain = [("DOCKER_HOST", "tcp://[::1]/api/"), other];
        assert_eq!(found(&plain, &[SOCKET]), "[::1]:2375 /api None");
        assert_eq!(
            found(&[("DOCKER_HOST", "unix:///a b"), other], &[]),
            "unix:///a b"
        );
        assert_eq!(
            found(&[("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "")], &[SOCKET]),
            "unix://ROOT/var/run/docker.sock"
        );
        assert_eq!(
            found(&[("DOCKER_HOST", "build:2375")], &[SOCKET]),
            "`DOCKER_HOST` names no endpoint: `build:2375` is not an endpoint: \
             expected `unix:///PATH` or `tcp://HOST[:PORT]`"
        );
    }

    #[test]
    fn tls_is_what_the_variables_say() {
        let host = ("DOCKER_HOST", "tcp://build");
        let verify = ("DOCKER_TLS_VERIFY", "1");
        let here = ("DOCKER_CERT_PATH", "ROOT/pki");
        let files = [("pki/cert.pem", ""), ("pki/key.pem", "")];
        assert_eq!(
            found(&[host, verify, here], &files),
            "build:2376  Some(Tls { ca: Some(\"ROOT/pki/ca.pem\"), \
             client: Some((\"ROOT/pki/cert.pem\", \"ROOT/pki/key.pem\")), \
             verification: Certificate })"
        );
        assert_eq!(
            found(&[host, ("DOCKER_TLS", "1")], &files),
            "build:2376  Some(Tls { ca: None, client: None, verification: Nothing })"
        );
        assert_eq!(
            found(&[host, verify], &[]),
            "build:2376  Some(Tls { ca: Some(\"ROOT/home/.docker/ca.pem\"), client: None, \
             verification: Certificate })"
        );
    }

    #[test]
    fn contexts_are_found() {
        let host = r#"{"Endpoints":{"docker":{"Host":"tcp://build","SkipTLSVerify":true}}}"#;
        let mut files = vec![(meta(), host), SOCKET];
        let skipped = "build:2376  Some(Tls { ca: None, client: None, verification: Nothing })";
        assert_eq!(found(&[("DOCKER_CONTEXT", "build")], &files), skipped);
        assert_eq!(
            found(&[("DOCKER_CONTEXT", "default")], &files),
            "unix://ROOT/var/run/docker.sock"
        );
        files.push(("home/.docker/config.json", r#"{"currentContext":"build"}"#));
        assert_eq!(found(&[], &files), skipped);
        assert_eq!(
            found(&[("DOCKER_CONTEXT", "default")], &files),
            "unix://ROOT/var/run/docker.sock"
        );
        // A directory of one's own has no such context.
        let elsewhere = ("DOCKER_CONFIG", "ROOT/elsewhere");
        assert_eq!(
            found(&[elsewhere], &files),
            "unix://ROOT/var/run/docker.sock"
        );
    }

    #[test]
    fn contexts_have_certificates_beside_them() {
        let host = r#"{"Endpoints":{"docker":{"Host":"tcp://build:1"}}}"#;
        let ca = of_build("tls", "docker/ca.pem");
        assert_eq!(
            found(&[("DOCKER_CONTEXT", "build")], &[(meta(), host), (ca, "")]),
            format!(
                "build:1  Some(Tls {{ ca: Some(\"ROOT/{ca}\"), client: None, \
                 verification: Certificate }})"
            )
        );
    }

    #[test]
    fn what_is_wrong_with_a_context_is_said() {
        let path = format!("ROOT/{}", meta());
        let build = [("DOCKER_CONTEXT", "build")];
        assert_eq!(
            found(&build, &[SOCKET]),
            format!("there is no Docker context `build`: `{path}` is missing")
        );
        for (text, expected) in [
            (
                "{}",
                format!("Docker context `build` has no endpoint of a daemon in `{path}`"),
            ),
            (
                "{",
                format!("`{path}` is not valid JSON: line 1, column 2: "),
            ),
            (
                r#"{"Endpoints":{"docker":{"Host":"ssh://build"}}}"#,
                "Docker context `build` names no endpoint: `ssh://build` is not supported: ".into(),
            ),
        ] {
            let text = found(&build, &[(meta(), text)]);
            assert!(text.starts_with(&expected), "{text}");
        }
        let config = [
            ("home/.docker/config.json", r#"{"currentContext":7}"#),
            SOCKET,
        ];
        assert_eq!(found(&[], &config), "unix://ROOT/var/run/docker.sock");
        let broken = [("home/.docker/config.json", "no"), SOCKET];
        assert!(found(&[], &broken).contains("is not valid JSON"));
        let long = " ".repeat((1 << 20) + 1);
        assert_eq!(
            found(&[], &[("home/.docker/config.json", &long)]),
            "`ROOT/home/.docker/config.json` has more than 1048576 bytes"
        );
    }
}
