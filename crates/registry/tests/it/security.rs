//! TLS, and when there is none.

use cooperage_registry::{
    Client, HostOptions, Identity, Mirror, Options, Reason, Roots, Secret, Security, Serves,
};

use crate::server::{Act, Server, answer};
use crate::{chain, options, repository_with};

fn tags(server: &Server, host: HostOptions) -> Result<Vec<String>, cooperage_registry::Error> {
    let (mut options, _) = options();
    options.hosts.insert(server.address.clone(), host);
    repository_with(server, "app", options).tags()
}

fn plain() -> Server {
    Server::start(|_, _| Act::Answer(answer(200).body(r#"{"tags":["v1"]}"#)))
}

#[test]
fn plain_http_is_spoken_to_loopback_and_to_whom_it_is_allowed() {
    for (security, expected) in [
        (Security::Default, true),
        (Security::Plain, true),
        // Its first request is not understood, since it is TLS.
        (Security::Insecure, true),
        (Security::Verified, false),
    ] {
        let host = HostOptions {
            security,
            ..HostOptions::default()
        };
        let result = tags(&plain(), host);
        assert_eq!(result.is_ok(), expected, "{security:?}: {result:?}");
    }
}

#[test]
fn a_server_on_loopback_may_ask_for_tls() {
    let server = Server::start(|_, _| {
        Act::Answer(answer(400).body("Client sent an HTTP request to an HTTPS server.\n"))
    });
    // It is asked in TLS then, which this one does not speak after all.
    let error = tags(&server, HostOptions::default()).unwrap_err();
    assert!(
        matches!(error.reason(), Reason::Connection { .. }),
        "{}",
        chain(&error)
    );
    let http = server.seen().iter().filter(|it| it.method == "GET").count();
    assert_eq!(http, 1);
}

#[test]
fn no_other_registry_is_spoken_to_in_plain_http() {
    // Nothing is sent: the names lead nowhere.
    for name in [
        "registry.invalid",
        "127.0.0.1.invalid:80",
        "localhost.invalid",
    ] {
        let (mut options, _) = options();
        options.retry.attempts = std::num::NonZeroU32::MIN;
        let client = Client::new(options).unwrap();
        let from = client.repository(&format!("{name}/app").parse().unwrap());
        let error = from.tags().unwrap_err();
        assert!(
            matches!(error.reason(), Reason::Connection { .. }),
            "{}",
            chain(&error)
        );
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let of_host = |change: fn(&mut HostOptions)| {
        let (mut options, _) = options();
        change(options.hosts.entry("x:1".into()).or_default());
        options
    };
    let of_all = |change: fn(&mut Options)| {
        let (mut options, _) = options();
        change(&mut options);
        options
    };
    for (options, expected) in [
        (
            of_host(|host| host.authorities = b"no PEM".to_vec()),
            "the certificates of authorities for `x:1` cannot be read",
        ),
        (
            of_host(|host| {
                host.identity = Some(Identity {
                    certificates: b"no PEM".to_vec(),
                    key: Secret::new(""),
                });
            }),
            "the client certificate for `x:1` cannot be read",
        ),
        (
            of_host(|host| {
                host.identity = Some(Identity {
                    certificates: Vec::new(),
                    key: Secret::new("hush"),
                });
            }),
            "the client key for `x:1` cannot be read: expected PEM",
        ),
        (
            of_host(|host| {
                host.mirrors = vec![Mirror {
                    location: "https://mirror".into(),
                    serves: Serves::All,
                }];
            }),
            "`https://mirror` is no place of a mirror",
        ),
        (
            of_all(|options| options.roots = Roots::Only(b"no PEM".to_vec())),
            "the certificates of authorities for `all registries` cannot be read",
        ),
        (
            of_all(|options| options.proxy = Some(Secret::new("http://\u{0}"))),
            "the address of the proxy cannot be read",
        ),
    ] {
        let error = Client::new(options).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
