//! Logins, tokens, and who gets to see them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cooperage_blob::copy;
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, MediaType, Reference};
use cooperage_registry::{Client, Login, Options, Reason, Repository, Secret};

use crate::server::{Act, Answer, Seen, Server, act_if, answer, error, unescape};
use crate::{in_memory, noise, one_job, options, reference};

const PASSWORD: &str = "pass word:&\u{e9}";

fn basic() -> Login {
    Login::Basic {
        username: "me".into(),
        password: Secret::new(PASSWORD),
    }
}

fn with(login: Option<Login>) -> Options {
    let (mut options, _) = options();
    options.authenticate = Some(Arc::new(move |_: &str, _: &str| login.clone()));
    options
}

fn open(server: &Server, path: &str, options: Options) -> Repository {
    let client = Client::new(options).unwrap();
    client.repository(&reference(server, path))
}

fn basic_header() -> String {
    use base64::Engine as _;
    let pair = format!("me:{PASSWORD}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}

/// A registry that takes one header, and says with `challenge` that it wants it.
fn guarded(header: String, challenge: &'static str) -> Server {
    Server::start(move |seen, _| {
        if seen.header("authorization") == header {
            return Act::Standard;
        }
        let denied = error(401, "UNAUTHORIZED", "authentication required");
        Act::Answer(denied.with("WWW-Authenticate", challenge))
    })
}

fn put_image(server: &Server) -> Descriptor {
    let bytes = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let entry = (MediaType::OCI_INDEX.as_str().to_owned(), bytes.to_vec());
    server.held().manifests.insert("app:v1".into(), entry);
    Descriptor::new(MediaType::OCI_INDEX, Digest::of(bytes), bytes.len() as u64)
}

#[test]
fn a_password_is_sent_when_it_is_asked_for() {
    let server = guarded(basic_header(), "Basic realm=\"x\"");
    let image = put_image(&server);
    let from = open(&server, "app", with(Some(basic())));
    assert_eq!(from.resolve("v1").unwrap(), image);
    assert_eq!(from.resolve("v1").unwrap(), image);
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|it| it.headers.contains_key("authorization"))
        .collect();
    assert_eq!(sent, [false, true, true]);

    let error = open(&server, "app", with(None)).resolve("v1").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("status 401, UNAUTHORIZED `authentication required`; no login was found"),
        "{text}"
    );
    let wrong = Login::Basic {
        username: "me".into(),
        password: Secret::new("wrong"),
    };
    let error = open(&server, "app", with(Some(wrong)))
        .resolve("v1")
        .unwrap_err();
    assert!(
        matches!(
            error.reason(),
            Reason::Denied {
                status: 401,
                login: true,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn secrets_are_not_shown() {
    for login in [
        basic(),
        Login::IdentityToken(Secret::new(PASSWORD)),
        Login::RegistryToken(Secret::new(PASSWORD)),
    ] {
        assert!(!format!("{login:?}").contains("pass word"), "{login:?}");
        let mut options = with(Some(login));
        options.proxy = Some(Secret::new("http://me:pass%20word@127.0.0.1:1"));
        let shown = format!("{options:?}");
        assert!(
            !shown.contains("pass word") && !shown.contains("pass%20"),
            "{shown}"
        );
        let client = Client::new(options).unwrap();
        let repository = client.repository(&"127.0.0.1:1/app".parse::<Reference>().unwrap());
        assert!(
            !format!("{repository:?}").contains("pass:"),
            "{repository:?}"
        );
    }
}

/// A token server and a registry that takes its tokens, each of which lasts for five requests.
struct Tokens {
    server: Server,
    registry: Server,
    grants: Arc<Mutex<Vec<Seen>>>,
}

fn tokens(realm_answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Tokens {
    let grants = Arc::new(Mutex::new(Vec::new()));
    let seen_grants = Arc::clone(&grants);
    let server = Server::start(move |seen, at| {
        seen_grants.lock().unwrap().push(seen.clone());
        Act::Answer(realm_answer(seen, at))
    });
    let realm = format!("http://{}/token", server.address);
    let used = AtomicUsize::new(0);
    let registry = Server::start(move |seen, _| {
        let token = seen.header("authorization").strip_prefix("Bearer token-");
        let number: Option<usize> = token.and_then(|it| it.parse().ok());
        let used = used.fetch_add(usize::from(number.is_some()), Ordering::Relaxed);
        if number == Some(used / 5) {
            return Act::Standard;
        }
        let challenge = format!(
            "Bearer realm=\"{realm}\",service=\"the registry\",scope=\"repository:app:pull\""
        );
        Act::Answer(error(401, "UNAUTHORIZED", "token please").with("WWW-Authenticate", challenge))
    });
    Tokens {
        server,
        registry,
        grants,
    }
}

fn token(at: usize) -> Answer {
    answer(200).body(format!(r#"{{"token":"token-{at}","expires_in":300}}"#))
}

#[test]
fn a_token_is_had_used_and_had_again() {
    let used = AtomicUsize::new(0);
    let both = tokens(move |_, _| token(used.fetch_add(1, Ordering::Relaxed)));
    let image = put_image(&both.registry);
    let from = open(&both.registry, "app", with(Some(basic())));
    for _ in 0..5 {
        assert_eq!(from.resolve("v1").unwrap(), image);
    }
    let grants = both.grants.lock().unwrap().clone();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].method, "GET");
    assert_eq!(grants[0].header("authorization"), basic_header());
    assert_eq!(grants[0].query("service").unwrap(), "the registry");
    assert_eq!(grants[0].query("scope").unwrap(), "repository:app:pull");
    assert_eq!(grants[0].query("account").unwrap(), "me");
    // The sixth request meets a registry that does not take the token any more.
    assert_eq!(from.resolve("v1").unwrap(), image);
    assert_eq!(both.grants.lock().unwrap().len(), 2);
    assert_eq!(both.registry.seen().len(), 1 + 5 + 1 + 1);
}

#[test]
fn a_token_that_has_run_out_is_not_sent() {
    let used = AtomicUsize::new(0);
    let both = tokens(move |_, _| token(used.fetch_add(1, Ordering::Relaxed)));
    put_image(&both.registry);
    let (mut options, pace) = options();
    options.authenticate = None;
    let from = open(&both.registry, "app", options);
    for _ in 0..5 {
        from.resolve("v1").unwrap();
    }
    pace.pass(Duration::from_secs(271));
    from.resolve("v1").unwrap();
    assert_eq!(
        both.registry.seen().len(),
        1 + 5 + 1,
        "no request came back"
    );
    let grants = both.grants.lock().unwrap();
    assert!(
        grants
            .iter()
            .all(|it| it.header("authorization").is_empty()),
        "nobody logged in"
    );
    assert_eq!(grants.len(), 2);
}

#[test]
fn many_threads_have_one_token() {
    let both = tokens(|_, _| token(0));
    put_image(&both.registry);
    let from = open(&both.registry, "app", with(None));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| from.resolve("v1").unwrap());
        }
    });
    assert_eq!(both.grants.lock().unwrap().len(), 1);
}

#[test]
fn pushing_and_mounting_ask_for_what_they_need() {
    let server = Server::start(|_, _| Act::Answer(answer(200).body(r#"{"access_token":"token"}"#)));
    let realm = format!("http://{}/token", server.address);
    let registry = Server::start(move |seen, _| {
        act_if(seen.header("authorization") != "Bearer token", || {
            let challenge = format!("Bearer realm=\"{realm}\"");
            Act::Answer(error(401, "UNAUTHORIZED", "").with("WWW-Authenticate", challenge))
        })
    });
    let (memory, root) = in_memory(&[b"layer"]);
    let to = open(&registry, "team/app", with(None));
    to.mount_from(&reference(&registry, "base"));
    copy(&memory, &root, &to, &one_job()).unwrap();
    let scopes: Vec<_> = server.seen().iter().map(|it| unescape(&it.path)).collect();
    let push = "scope=repository:team/app:pull,push";
    assert_eq!(scopes.len(), 2, "{scopes:?}");
    assert!(scopes[0].ends_with(push), "{scopes:?}");
    assert!(
        scopes[1].contains("scope=repository:base:pull&") && scopes[1].ends_with(push),
        "{scopes:?}"
    );
    // A body that is sent is never refused for want of a token.
    let refused = registry
        .seen()
        .iter()
        .filter(|it| it.header("authorization").is_empty())
        .count();
    assert_eq!(refused, 1);
}

#[test]
fn identity_tokens_and_old_passwords_are_posted() {
    for (login, get, expected) in [
        (
            Login::IdentityToken(Secret::new("id&")),
            500,
            &["grant_type=refresh_token", "refresh_token=id%26"][..],
        ),
        (
            basic(),
            405,
            &[
                "grant_type=password",
                "username=me",
                "password=pass%20word%3A%26%C3%A9",
            ],
        ),
    ] {
        let both = tokens(move |seen, _| match &*seen.method {
            "POST" => token(0),
            _ => answer(get),
        });
        put_image(&both.registry);
        open(&both.registry, "app", with(Some(login)))
            .resolve("v1")
            .unwrap();
        let seen = both.server.seen();
        let post = seen.iter().find(|it| it.method == "POST").unwrap();
        let form = String::from_utf8(post.body.clone()).unwrap();
        for part in expected.iter().chain(&[
            "client_id=cooperage",
            "service=the%20registry",
            "scope=repository%3Aapp%3Apull",
        ]) {
            assert!(form.split('&').any(|it| it == *part), "{form}: no {part}");
        }
        assert_eq!(
            post.header("content-type"),
            "application/x-www-form-urlencoded"
        );
    }
}

#[test]
fn a_token_of_the_registry_is_sent_as_it_is() {
    let server = guarded(
        "Bearer ready".into(),
        "Bearer realm=\"http://127.0.0.1:1/\"",
    );
    let image = put_image(&server);
    let login = Login::RegistryToken(Secret::new("ready"));
    assert_eq!(
        open(&server, "app", with(Some(login)))
            .resolve("v1")
            .unwrap(),
        image
    );
    let wrong = Login::RegistryToken(Secret::new("wrong"));
    assert!(
        open(&server, "app", with(Some(wrong)))
            .resolve("v1")
            .is_err()
    );
}

#[test]
fn token_servers_may_be_hostile() {
    for (what, hostile, expected) in [
        ("no token", answer(200).body("{}"), "gives no token"),
        ("not JSON", answer(200).body("<html>"), "gives no token"),
        (
            "a long one",
            answer(200).body(format!(r#"{{"token":"{}"}}"#, "x".repeat(100_000))),
            "longer than 65536 bytes",
        ),
        (
            "a lying length",
            answer(200)
                .with("Content-Length", 1_u64 << 40)
                .body("x")
                .cut(1),
            "longer than 65536 bytes",
        ),
        (
            "a header of its own",
            answer(200).body(r#"{"token":"a\r\nX-Evil: 1"}"#),
            "gives no token",
        ),
        (
            "a refusal",
            answer(401).body(r#"{"details":"incorrect username or password"}"#),
            "`incorrect username or password`",
        ),
        (
            "a circle",
            answer(302).with("Location", "/token"),
            "redirects more than",
        ),
        (
            "nowhere",
            answer(302).with("Location", "ftp://x/"),
            "redirects to nowhere",
        ),
    ] {
        let both = tokens(move |_, _| hostile.clone());
        put_image(&both.registry);
        let error = open(&both.registry, "app", with(Some(basic())))
            .resolve("v1")
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert!(!error.to_string().contains("pass word"), "{error}");
    }
    // A registry that is never content.
    let registry = Server::start(|_, _| {
        let challenge = "Bearer realm=\"/token\",scope=\"repository:app:pull\"";
        Act::Answer(error(401, "UNAUTHORIZED", "more").with("WWW-Authenticate", challenge))
    });
    let error = open(&registry, "app", with(None))
        .resolve("v1")
        .unwrap_err();
    assert!(matches!(error.reason(), Reason::Denied { .. }), "{error}");
    assert!(registry.seen().len() < 8, "{:?}", registry.lines());
}

/// What a registry redirects to sees neither passwords nor tokens, and is asked over TLS if the
/// registry was.
#[test]
fn no_login_goes_to_another_host() {
    let blob = noise(1, 300_000);
    let storage = Server::start(|seen, _| {
        assert!(seen.is("GET", "/blob"), "{}", seen.path);
        Act::Answer(answer(200).body(noise(1, 300_000)))
    });
    let at = format!("http://{}/blob?signature=x", storage.address);
    let header = basic_header();
    let registry = Server::start(
        move |seen, _| match seen.header("authorization") == header {
            true if seen.path.contains("/blobs/") => Act::Answer(answer(307).with("Location", &at)),
            true => Act::Standard,
            false => Act::Answer(answer(401).with("WWW-Authenticate", "Basic realm=x")),
        },
    );
    let from = open(&registry, "app", with(Some(basic())));
    let layer = Descriptor::new(MediaType::OCI_LAYER, Digest::of(&blob), blob.len() as u64);
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(
        &mut cooperage_blob::open(&from, &layer).unwrap(),
        &mut bytes,
    )
    .unwrap();
    assert_eq!(bytes, blob);
    let seen = storage.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("authorization"), "");
    assert_eq!(seen[0].query("signature").as_deref(), Some("x"));

    // And an upload does not go to another host with a body and no login.
    let other = format!("http://{}/elsewhere", storage.address);
    let registry = Server::start(move |seen, _| match &*seen.method {
        "POST" => Act::Answer(answer(307).with("Location", &other)),
        _ => Act::Standard,
    });
    let (memory, root) = in_memory(&[b"x"]);
    let error = copy(
        &memory,
        &root,
        &open(&registry, "app", with(Some(basic()))),
        &one_job(),
    )
    .unwrap_err();
    assert!(
        crate::chain(&error).contains("to another host"),
        "{}",
        crate::chain(&error)
    );
}

#[test]
fn redirects_have_an_end() {
    let server = Server::start(|seen, at| {
        let next = format!("{}?{at}", seen.path.split('?').next().unwrap());
        Act::Answer(answer(302).with("Location", next))
    });
    let (options, _) = options();
    let error = open(&server, "app", options).resolve("v1").unwrap_err();
    let words = "is the last of 8 redirects, and redirects too";
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!((server.count("HEAD"), server.count("GET")), (9, 0));
}
