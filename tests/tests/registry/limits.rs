//! Servers that say too much, for ever, or something else than they should: one fault each.

use cooperage_blob::Memory;
use cooperage_layout::Layout;
use cooperage_testkit::faults::{Fault, Link, On, Proxy, Rule, Seen};
use cooperage_testkit::peers::Generation;

use crate::images::image;
use crate::support::{
    check_layout, client, options, pull, push, repository, resolve, shared, words,
};

/// Pulls while all requests of a kind meet with a fault; the error says all of `words`, and the
/// layout is as it was.
#[track_caller]
fn refused(name: &str, on: On, fault: Fault, expect: &[&str]) {
    let Some(registry) = shared(Generation::Stable) else {
        return;
    };
    let image = image(7, &[100_000, 1_000]);
    let name = format!("limits/{name}:1");
    push(&image, &client(options()), registry.address(), &name).expect("it takes it");
    let proxy = Proxy::start(registry.address(), vec![Rule::always(on, fault)]);
    let directory = tempfile::tempdir().expect("a directory");
    let layout = Layout::create(&directory.path().join("layout")).expect("a layout");
    let error = pull(&client(options()), proxy.address(), &name, &layout).expect_err("a lie");
    let said = words(&error);
    for word in expect {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
    check_layout(&layout, None);
    let sent: u64 = proxy.seen().iter().map(|seen| seen.sent).sum();
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    assert!(proxy.seen().len() < 60, "{} requests", proxy.seen().len());
}

#[test]
fn a_flipped_bit_in_a_layer() {
    refused(
        "flip-blob",
        On::Blob,
        Fault::FlipAnswer { at: 70_000 },
        &["sha256:"],
    );
}

#[test]
fn a_flipped_bit_in_a_manifest() {
    refused(
        "flip-manifest",
        On::Manifest,
        Fault::FlipAnswer { at: 100 },
        &["sha256:"],
    );
}

#[test]
fn another_digest_in_the_header() {
    // What it names instead is not there.
    refused(
        "header",
        On::ManifestHead,
        Fault::OtherDigest,
        &["sha256:e3b0c44298fc", "limits/header"],
    );
}

#[test]
fn a_length_too_short() {
    refused("short", On::Blob, Fault::Length { by: -100 }, &["sha256:"]);
}

#[test]
fn a_length_too_long() {
    refused("long", On::Blob, Fault::Length { by: 100 }, &["sha256:"]);
}

#[test]
fn a_layer_without_end() {
    refused("endless-blob", On::Blob, Fault::Endless, &["sha256:"]);
}

#[test]
fn a_manifest_without_end() {
    refused(
        "endless-manifest",
        On::Manifest,
        Fault::Endless,
        &["limits/endless-manifest"],
    );
}

#[test]
fn a_manifest_of_100_mb() {
    for is_announced in [true, false] {
        let huge = Fault::Huge {
            size: 100_000_000,
            is_announced,
        };
        refused("huge", On::Manifest, huge, &["limits/huge"]);
    }
}

#[test]
fn a_redirect_in_a_circle() {
    let Some(registry) = shared(Generation::Stable) else {
        return;
    };
    let name = "limits/circle:1";
    push(
        &image(7, &[1_000]),
        &client(options()),
        registry.address(),
        name,
    )
    .expect("it takes it");
    let proxy = Proxy::start(registry.address(), Vec::new());
    let circle = Fault::Redirect(proxy.address().to_owned());
    proxy.set_rules(vec![Rule::always(On::Blob, circle)]);
    let error = pull(&client(options()), proxy.address(), name, &Memory::new());
    let said = words(&error.expect_err("it does not end"));
    assert!(said.contains("redirect"), "{said}");
    assert!(proxy.seen().len() < 200, "{} requests", proxy.seen().len());
}

#[test]
fn tags_without_end_or_elsewhere() {
    let Some(registry) = shared(Generation::Stable) else {
        return;
    };
    push(
        &image(7, &[1_000]),
        &client(options()),
        registry.address(),
        "limits/tags:1",
    )
    .expect("it takes it");
    let other = Proxy::start(registry.address(), Vec::new());
    let links = [
        Link::Same,
        Link::Endless,
        Link::Elsewhere(other.address().to_owned()),
        Link::Words("<>; rel=\"next\"".to_owned()),
        Link::Words("</etc/passwd>".to_owned()),
        Link::Words("<\u{1b}[2J".repeat(500)),
    ];
    for link in links {
        let rule = Rule::always(On::Tags, Fault::Link(link.clone()));
        let proxy = Proxy::start(registry.address(), vec![rule]);
        let client = client(options());
        let tags = repository(&client, proxy.address(), "limits/tags").tags();
        match tags {
            Ok(tags) => assert!(tags.len() < 100_000, "{link:?}: {}", tags.len()),
            Err(error) => assert!(words(&error).contains("limits/tags"), "{error}"),
        }
        let asked = proxy.seen().len();
        assert!(asked < 20_000, "{link:?}: {asked} requests");
    }
    assert!(
        other
            .seen()
            .iter()
            .all(|it| it.head.field("Authorization").is_none())
    );
}

#[test]
fn challenges_that_mean_nothing() {
    let Some(registry) = shared(Generation::Stable) else {
        return;
    };
    for challenge in [
        "Bearer",
        "Bearer realm=\"",
        "Bearer realm=\"\"",
        "Bearer realm=\"file:///etc/passwd\"",
        "Bearer realm=\"not a place\",service=\"x\"",
        "Bearer realm=\"http://127.0.0.1:1/token\"",
        "Negotiate",
        "Basic realm=\"x\"",
        &"Bearer realm=\"x\", ".repeat(2_000),
    ] {
        let rule = Rule::always(On::Any, Fault::Challenge(challenge.to_owned()));
        let proxy = Proxy::start(registry.address(), vec![rule]);
        let error = resolve(&client(options()), proxy.address(), "limits/nobody:1");
        let said = words(&error.expect_err("nobody may"));
        assert!(said.contains("limits/nobody"), "{challenge}: {said}");
        assert!(
            proxy.seen().len() < 20,
            "{challenge}: {} requests",
            proxy.seen().len()
        );
    }
}

#[test]
fn too_many_requests_are_not_made_for_ever() {
    let Some(registry) = shared(Generation::Stable) else {
        return;
    };
    for (status, after) in [(429, "0"), (429, "86400"), (503, "never"), (500, "")] {
        let fault = Fault::Status {
            status,
            retry_after: (!after.is_empty()).then(|| after.to_owned()),
        };
        let proxy = Proxy::start(registry.address(), vec![Rule::always(On::Any, fault)]);
        let error = resolve(&client(options()), proxy.address(), "limits/busy:1");
        let said = words(&error.expect_err("it never answers"));
        let status = status.to_string();
        for word in [
            "limits/busy",
            &status,
            "UNAVAILABLE",
            "made to fail",
            "5 attempts",
        ] {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
        let seen = proxy.seen();
        let methods: Vec<_> = seen.iter().map(Seen::method).collect();
        // The last one asks for the words that an answer to `HEAD` does not have.
        assert_eq!(methods, ["HEAD", "HEAD", "HEAD", "HEAD", "HEAD", "GET"]);
    }
}
