//! Who is spoken to: other hosts get no logins, and a host that shows no good certificate nothing.

use std::collections::BTreeMap;

use cooperage_blob::Memory;
use cooperage_registry::{HostOptions, Options, Security};
use cooperage_testkit::certificates::Authority;
use cooperage_testkit::faults::{Fault, On, Proxy, ProxyOptions, Rule};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry::{self, PASSWORD, Registry, RegistryOptions, USER};

use crate::images::image;
use crate::support::{basic, client, options, options_of, pull, push, words};

/// `cooper:staves` as `Authorization` has it.
const BASIC: &str = "Basic Y29vcGVyOnN0YXZlcw==";

/// A registry that wants a login, the way to it, and a way by another host that needs none.
fn ways() -> Option<(Registry, Proxy, Proxy)> {
    let options = RegistryOptions {
        login: registry::Login::Basic,
        ..RegistryOptions::default()
    };
    let registry = registry::start_with(Generation::Stable, &options)?;
    let way = Proxy::start(registry.address(), Vec::new());
    let free = ProxyOptions {
        authorization: Some(BASIC.to_owned()),
    };
    let other = Proxy::start_with(registry.address(), Vec::new(), free);
    Some((registry, way, other))
}

/// It was asked, and none of what it was asked had a login.
#[track_caller]
fn got_no_login(other: &Proxy) {
    let seen = other.seen();
    assert!(!seen.is_empty(), "nothing came there");
    for seen in seen {
        let authorization = seen.head.field("Authorization");
        assert_eq!(authorization, None, "{seen}");
        assert_eq!(seen.head.field("Cookie"), None, "{seen}");
        assert!(!seen.target().contains(PASSWORD), "{seen}");
    }
}

#[test]
fn a_login_is_not_sent_where_a_registry_redirects_to() {
    let Some((_registry, way, other)) = ways() else {
        return;
    };
    let image = image(31, &[50_000, 500]);
    let cooper = || client(options_of(basic(USER, PASSWORD)));
    push(&image, &cooper(), way.address(), "team/app:1").expect("it is let in");
    for on in [On::Blob, On::BlobHead, On::Manifest, On::ManifestHead] {
        let to = Fault::Redirect(other.address().to_owned());
        way.set_rules(vec![Rule::always(on, to)]);
        let pulled = pull(&cooper(), way.address(), "team/app:1", &Memory::new());
        let pulled = pulled.unwrap_or_else(|error| panic!("{on:?}: {}", words(&error)));
        assert_eq!(pulled.digest, image.descriptor.digest);
    }
    got_no_login(&other);
    let logins = way.seen();
    let mut logins = logins
        .iter()
        .filter_map(|it| it.head.field("Authorization"));
    assert!(logins.any(|it| it == BASIC), "the registry itself got none");
}

#[test]
fn a_login_is_not_sent_where_an_upload_goes_on() {
    let Some((registry, way, other)) = ways() else {
        return;
    };
    let to = Fault::Elsewhere(other.address().to_owned());
    way.set_rules(vec![Rule::always(On::Begin, to)]);
    let cooper = client(options_of(basic(USER, PASSWORD)));
    let image = image(32, &[50_000, 500]);
    push(&image, &cooper, way.address(), "team/app:1").expect("it is let in");
    got_no_login(&other);
    let received: u64 = other.seen().iter().map(|it| it.received).sum();
    assert!(received > 50_000, "{received} bytes came there");
    assert!(registry.log().contains("PUT /v2/team/app/manifests/1"));
}

fn hosts(address: &str, host: HostOptions) -> Options {
    let mut options = options();
    options.hosts = BTreeMap::from([(address.to_owned(), host)]);
    options
}

#[test]
fn a_certificate_of_an_authority_that_one_was_told_of() {
    let (Some(authority), Some(other)) = (Authority::new(), Authority::new()) else {
        return;
    };
    let certificate = authority.issue("127.0.0.1");
    let wrong = authority.issue("registry.example");
    for generation in Generation::ALL {
        let set_up = |certificate| RegistryOptions {
            certificate: Some(certificate),
            ..RegistryOptions::default()
        };
        let (Some(registry), Some(wrong)) = (
            registry::start_with(generation, &set_up(&certificate)),
            registry::start_with(generation, &set_up(&wrong)),
        ) else {
            continue;
        };
        let image = image(33, &[10_000]);
        let read = |authority: &Authority| std::fs::read(authority.certificate()).expect("PEM");
        let told = |authority| HostOptions {
            authorities: read(authority),
            ..HostOptions::default()
        };
        let try_with = |registry: &Registry, host| {
            let client = client(hosts(registry.address(), host));
            push(&image, &client, registry.address(), "team/app:1")?;
            pull(&client, registry.address(), "team/app:1", &Memory::new())
        };
        let refused = |registry: &Registry, host| {
            let said = words(&try_with(registry, host).expect_err("nobody vouches for it"));
            assert!(said.contains("certificate"), "{said}");
            assert!(said.contains(registry.address()), "{said}");
            assert_eq!(registry.log().matches(" /v2/team/").count(), 0);
        };
        refused(&registry, told(&other));
        let verified = HostOptions {
            security: Security::Verified,
            ..HostOptions::default()
        };
        refused(&registry, verified);
        refused(&wrong, told(&authority));
        try_with(&registry, told(&authority)).expect("its authority is known");
        let insecure = HostOptions {
            security: Security::Insecure,
            ..HostOptions::default()
        };
        try_with(&wrong, insecure).expect("whatever it is");
    }
}
