//! A real engine behind TLS, with certificates for both sides.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cooperage_blob::Memory;
use cooperage_compress::Codec;
use cooperage_daemon::{Endpoint, Engine, Error, LoadOptions, Options, Tls, Verification};
use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::peers;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::common::{causes, connect, image, motd, name, noise};

/// Two authorities, a server and a client that the first has signed, and a client of the second.
struct Pki(tempfile::TempDir);

impl Pki {
    fn new() -> Option<Self> {
        let openssl = peers::tool("openssl")?;
        let directory = tempfile::tempdir().unwrap();
        let at = |file: &str| directory.path().join(file).display().to_string();
        let run = |words: &[&str]| openssl.run(words).map(drop).unwrap();
        for authority in ["ca", "other"] {
            let (key, cert) = (
                at(&format!("{authority}.key")),
                at(&format!("{authority}.pem")),
            );
            run(&[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                &format!("/CN={authority}"),
                "-keyout",
                &key,
                "-out",
                &cert,
            ]);
        }
        for (file, authority, usage) in [
            ("server", "ca", "serverAuth"),
            ("client", "ca", "clientAuth"),
            ("stranger", "other", "clientAuth"),
        ] {
            let (key, request) = (at(&format!("{file}.key")), at(&format!("{file}.csr")));
            run(&[
                "req",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-subj",
                &format!("/CN={file}"),
                "-keyout",
                &key,
                "-out",
                &request,
            ]);
            let extensions = at("extensions");
            let text = format!(
                "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n"
            );
            std::fs::write(&extensions, text).unwrap();
            run(&[
                "x509",
                "-req",
                "-in",
                &request,
                "-days",
                "2",
                "-CAcreateserial",
                "-CA",
                &at(&format!("{authority}.pem")),
                "-CAkey",
                &at(&format!("{authority}.key")),
                "-extfile",
                &extensions,
                "-out",
                &at(&format!("{file}.pem")),
            ]);
        }
        Some(Self(directory))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn tls(&self, ca: &str, client: Option<(&str, &str)>) -> Tls {
        Tls {
            ca: Some(self.path(ca)),
            client: client.map(|(cert, key)| (self.path(cert), self.path(key))),
            verification: Verification::Certificate,
        }
    }

    /// A server in front of a Unix socket, which wants a certificate of the first authority.
    fn serve(&self, socket: &Path) -> u16 {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(self.path("ca.pem")).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let cert = CertificateDer::from_pem_file(self.path("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(vec![cert], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = socket.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, socket) = (Arc::clone(&config), socket.clone());
                thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    let tls = StreamOwned::new(connection, stream.unwrap());
                    // Who is refused is told so by TLS itself.
                    let _ = relay(tls, &socket);
                });
            }
        });
        port
    }
}

/// Both directions in one thread, one after the other in turns.
fn relay(mut tls: StreamOwned<ServerConnection, TcpStream>, socket: &Path) -> io::Result<()> {
    tls.conn.complete_io(&mut tls.sock)?;
    let mut real = UnixStream::connect(socket)?;
    let turn = Some(Duration::from_millis(2));
    tls.sock.set_read_timeout(turn)?;
    real.set_read_timeout(turn)?;
    let mut buffer = vec![0; 256 << 10];
    let is_pause = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
    loop {
        match tls.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                real.write_all(&buffer[..n])?;
                continue;
            }
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error),
        }
        match real.read(&mut buffer) {
            Ok(0) => {
                tls.conn.send_close_notify();
                return tls.flush();
            }
            Ok(n) => tls.write_all(&buffer[..n])?,
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn endpoint(port: u16, tls: Tls) -> Endpoint {
    Endpoint::Tcp {
        authority: format!("127.0.0.1:{port}"),
        base: String::new(),
        tls: Some(tls),
    }
}

#[test]
fn images_go_through_tls_both_ways() {
    let Some(pki) = Pki::new() else { return };
    let Some(docker) = docker::shared(Store::Stable) else {
        return;
    };
    let port = pki.serve(&docker.socket());
    let tls = pki.tls("ca.pem", Some(("client.pem", "client.key")));
    let engine = Engine::connect(&endpoint(port, tls), &Options::default()).unwrap();
    let memory = Memory::new();
    let (below, words) = (noise(110, 3 << 20), motd("tls"));
    let built = image(&memory, &[(Codec::None, &below), (Codec::Gzip, &words)]);
    let loaded = engine
        .load(&memory, &[built.named(&["tls:1"])], &LoadOptions::default())
        .unwrap();
    assert!(loaded.bytes_sent > built.size());
    assert!(connect(&docker.socket()).contains(&name("tls:1")).unwrap());
    engine
        .save(
            &[name("tls:1")],
            &cooperage_daemon_archive::ReadOptions::default(),
        )
        .unwrap();

    // Without TLS through the same port, nothing.
    let plain: Endpoint = format!("tcp://127.0.0.1:{port}").parse().unwrap();
    assert!(Engine::connect(&plain, &Options::default()).is_err());
}

#[test]
fn strangers_are_refused_on_both_sides() {
    let Some(pki) = Pki::new() else { return };
    let Some(docker) = docker::shared(Store::Stable) else {
        return;
    };
    let port = pki.serve(&docker.socket());
    let ours = Some(("client.pem", "client.key"));
    let text = |tls: Tls| {
        let error = Engine::connect(&endpoint(port, tls), &Options::default());
        let error = error.unwrap_err();
        let text = causes(&error);
        assert!(!text.contains("PRIVATE"), "{text}");
        (error, text)
    };
    let (error, said) = text(pki.tls("other.pem", ours));
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(said.contains("UnknownIssuer"), "{said}");
    for client in [None, Some(("stranger.pem", "stranger.key"))] {
        let (_, said) = text(pki.tls("ca.pem", client));
        assert!(said.contains("lert"), "{client:?}: {said}");
    }
    for (tls, expected) in [
        (
            pki.tls("ca.pem", Some(("client.pem", "server.key"))),
            "do not go together",
        ),
        (
            pki.tls("ca.pem", Some(("client.pem", "client.pem"))),
            "there is no private key in PEM in",
        ),
        (
            pki.tls("client.key", ours),
            "there is no certificate in PEM in",
        ),
        (pki.tls("absent.pem", ours), "cannot read"),
        (
            Tls {
                ca: None,
                ..pki.tls("ca.pem", ours)
            },
            "no file of certificates",
        ),
    ] {
        let (error, said) = text(tls);
        assert!(matches!(error, Error::Tls { .. }), "{error:?}");
        assert!(said.contains(expected), "{said}");
    }
    // Nothing is verified where that is asked for; the client's certificate counts all the same.
    let mut blind = pki.tls("other.pem", ours);
    blind.verification = Verification::Nothing;
    Engine::connect(&endpoint(port, blind), &Options::default()).unwrap();
}
