//! Registries want the logins and certificates that they are set up with, and lose uploads.

use cooperage_testkit::certificates::Authority;
use cooperage_testkit::faults::{Fault, On, Proxy, Rule};
use cooperage_testkit::http::{self, Answer};
use cooperage_testkit::own_registry::{OwnRegistry, OwnRegistryOptions};
use cooperage_testkit::peers::{self, Generation};
use cooperage_testkit::registry::{self, Login, RegistryOptions};
use cooperage_testkit::tokens::{TokenOptions, TokenServer};
use serde_json::Value;

/// `cooper:staves` as `Authorization` has it.
const BASIC: &str = "Basic Y29vcGVyOnN0YXZlcw==";

fn ask(address: &str, method: &str, path: &str, authorization: &str) -> Answer {
    let fields = [("Authorization", authorization)];
    let fields = &fields[..usize::from(!authorization.is_empty())];
    http::request(address, method, path, fields, &[]).unwrap()
}

#[test]
fn a_name_and_a_password_let_in() {
    for generation in Generation::ALL {
        let options = RegistryOptions {
            login: Login::Basic,
            ..RegistryOptions::default()
        };
        let Some(registry) = registry::start_with(generation, &options) else {
            continue;
        };
        let status = |authorization| ask(registry.address(), "GET", "/v2/", authorization).status;
        assert_eq!(
            (status(""), status(BASIC), status("Basic eDp5")),
            (401, 200, 401)
        );
    }
}

#[test]
fn a_token_lets_in_for_what_it_is_good_for() {
    let Some(tokens) = TokenServer::start(TokenOptions::default()) else {
        return;
    };
    let token = |scope: &str| {
        let path = format!("/token?service=x&scope={scope}");
        let answer = ask(tokens.address(), "GET", &path, BASIC);
        assert_eq!(answer.status, 200);
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        format!("Bearer {}", answer["token"].as_str().unwrap())
    };
    for generation in Generation::ALL {
        let options = RegistryOptions {
            login: Login::Tokens(&tokens),
            ..RegistryOptions::default()
        };
        let Some(registry) = registry::start_with(generation, &options) else {
            continue;
        };
        let begin = |repository: &str, authorization: &str| {
            let path = format!("/v2/{repository}/blobs/uploads/");
            ask(registry.address(), "POST", &path, authorization)
        };
        let refused = begin("a/b", "");
        let challenge = refused.head.field("WWW-Authenticate").unwrap();
        let expect = format!("Bearer realm=\"{}\"", tokens.realm());
        assert!(challenge.starts_with(&expect), "{challenge}");
        assert!(challenge.contains("scope=\"repository:a/b:"), "{challenge}");
        let push = token("repository:a/b:pull,push");
        assert_eq!(begin("a/b", &push).status, 202, "{}", registry.log());
        assert_eq!(begin("a/c", &push).status, 401);
        assert_eq!(begin("a/b", &token("repository:a/b:pull")).status, 401);
        tokens.set_options(TokenOptions {
            stale: 1,
            ..TokenOptions::default()
        });
        let stale = token("repository:a/b:pull,push");
        assert_eq!(begin("a/b", &stale).status, 401);
        let fresh = token("repository:a/b:pull,push");
        assert_eq!(begin("a/b", &fresh).status, 202);
    }
}

#[test]
fn a_token_is_for_those_who_show_who_they_are() {
    let Some(tokens) = TokenServer::start(TokenOptions::default()) else {
        return;
    };
    let post = |form: &str| {
        let address = tokens.address();
        http::request(address, "POST", "/token", &[], form.as_bytes())
            .unwrap()
            .status
    };
    let common = "service=x&scope=repository%3Aa%3Apull&client_id=t";
    let password = |word: &str| {
        post(&format!(
            "grant_type=password&username=cooper&password={word}&{common}"
        ))
    };
    assert_eq!((password("staves"), password("hoops")), (200, 401));
    let refresh = |word: &str| {
        post(&format!(
            "grant_type=refresh_token&refresh_token={word}&{common}"
        ))
    };
    assert_eq!((refresh("hoops"), refresh("staves")), (200, 401));
    let asked = tokens.asked();
    let users: Vec<_> = asked.iter().map(|it| it.user.as_deref()).collect();
    assert_eq!(users, [Some("cooper"), None, Some("identity token"), None]);
    assert!(asked.iter().all(|it| it.scopes == ["repository:a:pull"]));
}

#[test]
fn a_certificate_is_its_authoritys() {
    let Some(authority) = Authority::new() else {
        return;
    };
    let certificate = authority.issue("127.0.0.1");
    for generation in Generation::ALL {
        let options = RegistryOptions {
            certificate: Some(&certificate),
            ..RegistryOptions::default()
        };
        let Some(registry) = registry::start_with(generation, &options) else {
            continue;
        };
        let Some(openssl) = peers::tool("openssl") else {
            return;
        };
        let authority = authority.certificate().display().to_string();
        let words = [
            "s_client",
            "-connect",
            registry.address(),
            "-CAfile",
            &authority,
        ];
        let words = [
            &words[..],
            &["-verify_return_error", "-verify_ip", "127.0.0.1"],
        ]
        .concat();
        openssl.run(words).unwrap();
    }
}

#[test]
fn an_upload_is_lost() {
    let Some(registry) = registry::start(Generation::Stable) else {
        return;
    };
    let lost = Rule::once(On::Chunk, Fault::SessionLost);
    let proxy = Proxy::start(registry.address(), vec![lost]);
    let first = ask(proxy.address(), "POST", "/v2/a/blobs/uploads/", "");
    let location = first.head.field("Location").unwrap();
    let begin = format!("http://{}", proxy.address());
    let path = location.strip_prefix(&begin).unwrap_or(location).to_owned();
    let answer = http::request(proxy.address(), "PATCH", &path, &[], b"bytes").unwrap();
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(proxy.seen().last().unwrap().status, Some(404));
}

/// The registry of the test kit's own, which is no real one.
#[test]
fn the_own_registry_lists_referrers() {
    let own = OwnRegistry::start(OwnRegistryOptions::default());
    let put = |tag: &str, body: &str| {
        let path = format!("/v2/a/manifests/{tag}");
        let fields = [("Content-Type", "application/vnd.oci.image.manifest.v1+json")];
        let answer = http::request(own.address(), "PUT", &path, &fields, body.as_bytes());
        let answer = answer.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
            .head
            .field("Docker-Content-Digest")
            .unwrap()
            .to_owned()
    };
    let subject = put("1", r#"{"schemaVersion":2,"layers":[]}"#);
    for (number, kind) in ["x/a", "x/b", "x/a", "x/a"].into_iter().enumerate() {
        let body = format!(
            r#"{{"subject":{{"digest":"{subject}"}},"artifactType":"{kind}","number":{number}}}"#
        );
        put(&format!("referrer{number}"), &body);
    }
    let list = |query: &str| {
        let mut path = format!("/v2/a/referrers/{subject}{query}");
        let mut kinds = Vec::new();
        loop {
            let answer = ask(own.address(), "GET", &path, "");
            let index: Value = serde_json::from_slice(&answer.body).unwrap();
            for manifest in index["manifests"].as_array().unwrap() {
                kinds.push(manifest["artifactType"].as_str().unwrap().to_owned());
            }
            let Some(link) = answer.head.field("Link") else {
                kinds.sort();
                return kinds;
            };
            path = link[1..].split('>').next().unwrap().to_owned();
        }
    };
    assert_eq!(list(""), ["x/a", "x/a", "x/a", "x/b"]);
    assert_eq!(list("?artifactType=x/b"), ["x/b"]);
}
