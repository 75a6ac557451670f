//! Who may: names and passwords at a real registry, tokens of the test kit's token server at a real
//! registry that believes it.

use cooperage_blob::Memory;
use cooperage_registry::{Login, Secret};
use cooperage_testkit::faults::{Fault, On, Proxy, Rule};
use cooperage_testkit::http;
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry::{self, PASSWORD, Registry, RegistryOptions, USER};
use cooperage_testkit::tokens::{TokenOptions, TokenServer};

use crate::images::{Image, image};
use crate::support::{basic, client, options, options_of, pull, push, words};

/// What no error may say.
const SECRET: &str = "not-to-be-told";

fn small() -> Image {
    image(21, &[10_000, 500])
}

fn with_passwords(generation: Generation) -> Option<Registry> {
    let options = RegistryOptions {
        login: registry::Login::Basic,
        ..RegistryOptions::default()
    };
    registry::start_with(generation, &options)
}

#[test]
fn a_name_and_a_password() {
    for generation in Generation::ALL {
        let Some(registry) = with_passwords(generation) else {
            continue;
        };
        let (image, name) = (small(), "team/app:1");
        let cooper = client(options_of(basic(USER, PASSWORD)));
        push(&image, &cooper, registry.address(), name).expect("it is let in");
        let pulled = pull(&cooper, registry.address(), name, &Memory::new()).expect("it is let in");
        assert_eq!(pulled.digest, image.descriptor.digest);
        for (who, words_of_it) in [
            (client(options_of(basic(USER, SECRET))), "401"),
            (client(options()), "log in"),
        ] {
            let address = registry.address();
            let pushed =
                push(&image, &who, address, "team/other:1").expect_err("nobody knows them");
            let pulled = pull(&who, address, name, &Memory::new()).expect_err("nobody knows them");
            for error in [pushed, pulled] {
                let said = format!("{} {error:?}", words(&error));
                for word in ["team/", address, words_of_it] {
                    assert!(said.contains(word), "`{word}` is not in: {said}");
                }
                assert!(!said.contains(SECRET), "{said}");
            }
        }
    }
}

struct Tokens {
    server: TokenServer,
    registry: Registry,
}

fn with_tokens(generation: Generation, options: TokenOptions) -> Option<Tokens> {
    let server = TokenServer::start(options)?;
    let registry = registry::start_with(
        generation,
        &RegistryOptions {
            login: registry::Login::Tokens(&server),
            ..RegistryOptions::default()
        },
    )?;
    Some(Tokens { server, registry })
}

impl Tokens {
    /// The scopes that were asked for, each once.
    fn scopes(&self) -> Vec<String> {
        let asked = self.server.asked();
        let mut scopes: Vec<_> = asked.into_iter().flat_map(|it| it.scopes).collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }
}

#[test]
fn tokens_for_what_is_done_and_no_more() {
    for generation in Generation::ALL {
        let Some(tokens) = with_tokens(generation, TokenOptions::default()) else {
            continue;
        };
        let (image, address) = (small(), tokens.registry.address());
        let cooper = client(options_of(basic(USER, PASSWORD)));
        push(&image, &cooper, address, "team/app:1").expect("it is let in");
        // The registry's own words may stand beside ours.
        let scopes = tokens.scopes();
        assert!(
            scopes
                .iter()
                .any(|it| it == "repository:team/app:pull,push")
        );
        assert!(
            scopes
                .iter()
                .all(|it| it.starts_with("repository:team/app:pull")),
            "{scopes:?}"
        );
        let asked = tokens.server.asked();
        assert_eq!(asked.len(), 1, "one token is good for all of it: {asked:?}");
        assert_eq!(asked[0].service.as_deref(), Some("test kit's registry"));
        let another = client(options_of(basic(USER, PASSWORD)));
        pull(&another, address, "team/app:1", &Memory::new()).expect("it is let in");
        let last = tokens.server.asked().pop().expect("it asked");
        assert_eq!(last.scopes, ["repository:team/app:pull"]);
    }
}

#[test]
fn tokens_that_run_out() {
    let Some(tokens) = with_tokens(Generation::Stable, TokenOptions::default()) else {
        return;
    };
    let (image, address) = (small(), tokens.registry.address());
    tokens.server.set_options(TokenOptions {
        stale: 1,
        ..TokenOptions::default()
    });
    let cooper = client(options_of(basic(USER, PASSWORD)));
    push(&image, &cooper, address, "team/app:1").expect("the next one is fresh");
    assert_eq!(tokens.server.asked().len(), 2);
    tokens.server.set_options(TokenOptions {
        stale: usize::MAX,
        ..TokenOptions::default()
    });
    let cooper = client(options_of(basic(USER, PASSWORD)));
    let error = push(&image, &cooper, address, "team/app:2").expect_err("none is good");
    assert!(words(&error).contains("401"), "{}", words(&error));
    let asked = tokens.server.asked().len();
    assert!(asked < 10, "{asked} tokens");
    assert_eq!(tokens.registry.log().matches("panic").count(), 0);
}

/// What a token says of its own time is not believed beyond what the registry says.
#[test]
fn tokens_of_every_form() {
    for (names, expires_in) in [
        (&["access_token"][..], None),
        (&["token", "access_token"], Some(0)),
        (&["token"], Some(u64::MAX)),
    ] {
        let form = TokenOptions {
            names,
            expires_in,
            ..TokenOptions::default()
        };
        let Some(tokens) = with_tokens(Generation::Stable, form) else {
            return;
        };
        let cooper = client(options_of(basic(USER, PASSWORD)));
        push(&small(), &cooper, tokens.registry.address(), "team/app:1").expect("it is let in");
    }
}

#[test]
fn an_identity_token_is_exchanged() {
    let Some(tokens) = with_tokens(Generation::Stable, TokenOptions::default()) else {
        return;
    };
    let address = tokens.registry.address();
    let identity = client(options_of(Login::IdentityToken(Secret::new("hoops"))));
    push(&small(), &identity, address, "team/app:1").expect("it is let in");
    let asked = tokens.server.asked();
    assert!(
        asked
            .iter()
            .all(|it| it.method == "POST" && !it.authorization),
        "{asked:?}"
    );
    assert_eq!(asked[0].user.as_deref(), Some("identity token"));
    let wrong = client(options_of(Login::IdentityToken(Secret::new(SECRET))));
    let error = push(&small(), &wrong, address, "team/app:2").expect_err("nobody knows it");
    let said = format!("{} {error:?}", words(&error));
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn nobody_may_pull_where_that_is_free() {
    let free = TokenOptions {
        anonymous_pull: true,
        ..TokenOptions::default()
    };
    let Some(tokens) = with_tokens(Generation::Stable, free) else {
        return;
    };
    let (image, address) = (small(), tokens.registry.address());
    let cooper = client(options_of(basic(USER, PASSWORD)));
    push(&image, &cooper, address, "team/app:1").expect("it is let in");
    let nobody = client(options());
    pull(&nobody, address, "team/app:1", &Memory::new()).expect("it is free");
    let error = push(&image, &nobody, address, "team/other:1").expect_err("that is not free");
    assert!(words(&error).contains("log in"), "{}", words(&error));
}

/// A registry that sends its clients to a token server that is not there, or to one that is slow
/// of tongue.
#[test]
fn a_wrong_realm() {
    let Some(server) = TokenServer::start(TokenOptions::default()) else {
        return;
    };
    let nobody = format!("http://127.0.0.1:{}/token", http::free_port());
    let endless = Proxy::start(
        server.address(),
        vec![Rule::always(On::Any, Fault::Endless)],
    );
    let failing = Fault::Status {
        status: 500,
        retry_after: None,
    };
    let failing = Proxy::start(server.address(), vec![Rule::always(On::Any, failing)]);
    let realms = [
        nobody,
        format!("http://{}/token", endless.address()),
        format!("http://{}/token", failing.address()),
        format!("http://{}/elsewhere", server.address()),
    ];
    for realm in &realms {
        let options = RegistryOptions {
            login: registry::Login::TokensAt(&server, realm),
            ..RegistryOptions::default()
        };
        let Some(registry) = registry::start_with(Generation::Stable, &options) else {
            return;
        };
        let cooper = client(options_of(basic(USER, SECRET)));
        let error = push(&small(), &cooper, registry.address(), "team/app:1");
        let said = words(&error.expect_err("there is no token"));
        assert!(said.contains("team/app"), "{realm}: {said}");
        assert!(!said.contains(SECRET), "{realm}: {said}");
    }
    let taken = endless.seen().iter().map(|it| it.sent).max().unwrap_or(0);
    assert!(taken < 32 << 20, "{taken} bytes of a token were taken");
    assert!(
        failing.seen().len() < 20,
        "{} requests",
        failing.seen().len()
    );
}
