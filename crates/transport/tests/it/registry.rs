//! Images in registries, with and without a cache.

use std::path::Path;

use cooperage_blob::{CopyOptions, Memory, Root, copy, read};
use cooperage_cache::Cache;
use cooperage_credentials::{AuthFile, Credentials, Helpers};
use cooperage_image_spec::{Descriptor, Document, Manifest, Reference};
use cooperage_testkit::certificates::Authority;
use cooperage_testkit::own_registry::{OwnRegistry, OwnRegistryOptions};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry::{self, Login, PASSWORD, RegistryOptions, USER};
use cooperage_transport::{
    DestinationOptions, Layers, Location, Network, NetworkOptions, Opened, Reach, Verification,
};

fn network(cache: Option<&Path>, reach: Reach) -> Network {
    let cache = cache.map(|directory| Cache::open(directory, 1 << 30).unwrap());
    Network::new(NetworkOptions {
        cache,
        reach,
        ..NetworkOptions::default()
    })
    .unwrap()
}

/// To be written by that way.
fn by(network: &Network) -> DestinationOptions {
    DestinationOptions {
        network: network.clone(),
        ..DestinationOptions::default()
    }
}

fn at(address: &str, rest: &str) -> Location {
    format!("docker://{address}/{rest}").parse().unwrap()
}

/// Puts an image there under a name of its own; its layer is a tar of no file.
fn push(to: &Location, network: &Network, author: &str) -> Descriptor {
    let memory = Memory::new();
    let root = Root::unnamed(crate::image(&memory, author));
    let sink = to.create(&by(network)).unwrap();
    let root = Root {
        name: to.name_for(&root),
        ..root
    };
    copy(&memory, &root, &sink, &CopyOptions::default()).unwrap();
    assert!(sink.finish().unwrap().report.is_none());
    root.descriptor
}

fn pull(opened: &Opened) -> Result<Memory, Box<dyn std::error::Error>> {
    let memory = Memory::new();
    let root = opened.root()?;
    copy(opened.source(), &root, &memory, &CopyOptions::default())?;
    Ok(memory)
}

/// What was asked for since the last call, but for `GET /v2/`.
fn asked(registry: &OwnRegistry, since: &mut usize) -> Vec<String> {
    let all = registry.asked();
    let new = all[*since..].to_vec();
    *since = all.len();
    new
}

#[test]
fn an_image_goes_to_a_registry_and_comes_back() {
    for generation in Generation::ALL {
        let Some(registry) = registry::start(generation) else {
            continue;
        };
        let network = network(None, Reach::Online);
        let to = at(registry.address(), "team/app:1.2");
        let descriptor = push(&to, &network, "one");
        assert_eq!(registry.tags("team/app"), ["1.2"]);
        assert!(registry.missing("team/app", "1.2").is_empty());

        let opened = to.open_with(&network, Layers::Kept).unwrap();
        let root = opened.root().unwrap();
        assert_eq!(root.descriptor.digest, descriptor.digest);
        let name = format!("{}/team/app:1.2", registry.address());
        assert_eq!(root.name, Some(name));
        assert_eq!(opened.roots().unwrap(), [root]);
        assert_eq!(pull(&opened).unwrap().digests().len(), 3);

        // By digest, which nobody can move; and as anybody, without any settings.
        let digest = format!("team/app@{}", descriptor.digest);
        let opened = at(registry.address(), &digest).open().unwrap();
        assert_eq!(opened.root().unwrap().descriptor.digest, descriptor.digest);
        for absent in ["team/app:2", "team/none:1", "team/app"] {
            let opened = at(registry.address(), absent).open().unwrap();
            let error = opened.root().unwrap_err().to_string();
            assert!(
                error.contains(absent) && error.contains("cannot be had"),
                "{error}"
            );
        }
    }
}

/// A destination's name: its own tag, else the tag of what comes, else `latest`.
#[test]
fn what_a_tag_is() {
    for (to, from, expected) in [
        ("docker://q.io/app:1", Some("other:2"), "q.io/app:1"),
        ("docker://q.io/app", Some("other:2"), "q.io/app:2"),
        ("docker://q.io/app", Some("q.io/a/b:2"), "q.io/app:2"),
        ("docker://q.io/app", Some("v2"), "q.io/app:v2"),
        ("docker://q.io/app", Some("no tag"), "q.io/app:latest"),
        ("docker://q.io/app", Some("q.io/other"), "q.io/app:latest"),
        ("docker://q.io/app", None, "q.io/app:latest"),
    ] {
        let to: Location = to.parse().unwrap();
        let root = Root {
            name: from.map(str::to_owned),
            descriptor: Descriptor::empty(),
        };
        let name = to.name_for(&root);
        assert_eq!(name.as_deref(), Some(expected), "{from:?} to {to}");
    }
    let zeros = "0".repeat(64);
    let by_digest: Location = format!("docker://q.io/app@sha256:{zeros}").parse().unwrap();
    let error = by_digest.create(&DestinationOptions::default());
    assert!(error.unwrap_err().to_string().contains("names a digest"));
}

/// Layers are fetched once, and then no more; a pin and the cache are enough to work offline.
#[test]
fn the_cache_spares_requests() {
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let directory = tempfile::tempdir().unwrap();
    let cached = network(Some(directory.path()), Reach::Online);
    let location = at(registry.address(), "team/app:1.2");
    let descriptor = push(&location, &cached, "one");
    let mut since = registry.asked().len();

    let opened = location.open_with(&cached, Layers::Kept).unwrap();
    let first = pull(&opened).unwrap();
    let requests = asked(&registry, &mut since);
    assert_eq!(
        requests.iter().filter(|it| it.contains("/blobs/")).count(),
        2,
        "{requests:?}"
    );

    // Another process: only what the tag means is asked.
    let again = network(Some(directory.path()), Reach::Online);
    let opened = location.open_with(&again, Layers::Kept).unwrap();
    assert_eq!(pull(&opened).unwrap().digests(), first.digests());
    let requests = asked(&registry, &mut since);
    assert!(
        requests
            .iter()
            .all(|it| it.ends_with("/v2/") || it.ends_with("/manifests/1.2")),
        "{requests:?}"
    );

    // With a pin nothing is asked, online or not.
    let pinned = format!("team/app:1.2@{}", descriptor.digest);
    let pinned = at(registry.address(), &pinned);
    for reach in [Reach::Online, Reach::Offline] {
        let network = network(Some(directory.path()), reach);
        let opened = pinned.open_with(&network, Layers::Kept).unwrap();
        assert_eq!(pull(&opened).unwrap().digests(), first.digests());
        assert_eq!(asked(&registry, &mut since), [""; 0]);
    }
    // Offline, a tag alone means nothing, and what was never fetched is not there.
    let offline = network(Some(directory.path()), Reach::Offline);
    let opened = location.open_with(&offline, Layers::Kept).unwrap();
    let error = opened.root().unwrap_err().to_string();
    assert!(error.contains("is not in the cache"), "{error}");
    assert!(opened.roots().is_err());
    let error = location.create(&by(&offline));
    let error = format!("{:?}", error.unwrap_err());
    assert!(error.contains("Offline"), "{error}");
    // What looks only, straight from the registry, takes nothing from the cache.
    let opened = pinned.open_with(&cached, Layers::Fresh).unwrap();
    opened.root().unwrap();
    assert!(!asked(&registry, &mut since).is_empty());
}

/// A layer that only passes by is not kept, and a document is.
#[test]
fn streamed_layers_are_not_kept() {
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let directory = tempfile::tempdir().unwrap();
    let cached = network(Some(directory.path()), Reach::Online);
    let location = at(registry.address(), "team/app:1");
    push(&location, &cached, "one");
    let opened = location.open_with(&cached, Layers::Streamed).unwrap();
    pull(&opened).unwrap();
    assert_eq!(cached.cache().unwrap().usage().unwrap().blobs, 2);
    // Once it is there, it is taken from there.
    let kept = location.open_with(&cached, Layers::Kept).unwrap();
    pull(&kept).unwrap();
    assert_eq!(cached.cache().unwrap().usage().unwrap().blobs, 3);
    let mut since = registry.asked().len();
    let again = network(Some(directory.path()), Reach::Online);
    pull(&location.open_with(&again, Layers::Streamed).unwrap()).unwrap();
    let requests = asked(&registry, &mut since);
    assert!(
        !requests.iter().any(|it| it.contains("/blobs/")),
        "{requests:?}"
    );
}

/// Who gave wrong bytes is told, whichever way they came.
#[test]
fn wrong_bytes_are_blamed_on_the_repository() {
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let location = at(registry.address(), "team/app:1");
    push(&location, &Network::default(), "one");
    let manifest = registry.content("team/app", "1").unwrap();
    let manifest = Document::<Manifest>::parse(manifest).unwrap();
    let layer = &manifest.value().layers[0];
    let wrong = vec![7; usize::try_from(layer.size).unwrap()];
    registry.insert_unverified("team/app", layer.digest.as_str(), &wrong);
    let directory = tempfile::tempdir().unwrap();
    for (network, layers) in [
        (Network::default(), Layers::Kept),
        (network(Some(directory.path()), Reach::Online), Layers::Kept),
        (
            network(Some(directory.path()), Reach::Online),
            Layers::Streamed,
        ),
    ] {
        let opened = location.open_with(&network, layers).unwrap();
        let error = pull(&opened).unwrap_err();
        let blamed = format!(", from `{}/team/app`", registry.address());
        assert!(error.to_string().contains(&blamed), "{layers:?}: {error}");
    }
}

/// A cache that cannot be used costs nothing but itself, and it is said.
#[test]
fn a_broken_cache_is_done_without() {
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let directory = tempfile::tempdir().unwrap();
    let cached = network(Some(directory.path()), Reach::Online);
    let location = at(registry.address(), "team/app:1");
    push(&location, &cached, "one");
    for name in ["partial", "blobs"] {
        std::fs::remove_dir_all(directory.path().join(name)).unwrap();
        std::fs::write(directory.path().join(name), "").unwrap();
    }
    let opened = location.open_with(&cached, Layers::Kept).unwrap();
    assert_eq!(pull(&opened).unwrap().digests().len(), 3);
    let warnings = cached.take_warnings();
    assert!(
        !warnings.is_empty() && warnings[0].contains("cannot"),
        "{warnings:?}"
    );
    assert!(cached.take_warnings().is_empty());
}

/// What a source's layers say of where they lie is what a registry may take them from.
#[test]
fn layers_know_where_they_lie() {
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let network = network(None, Reach::Online);
    let from = at(registry.address(), "team/base:1");
    push(&from, &network, "one");
    let opened = from.open_with(&network, Layers::Streamed).unwrap();
    let root = opened.root().unwrap();
    let origin = opened.source().origin(&root.descriptor).unwrap();
    let base: Reference = format!("{}/team/base", registry.address()).parse().unwrap();
    assert_eq!(origin, base);

    let mut since = registry.asked().len();
    let to = at(registry.address(), "team/app:1");
    let sink = to.create(&by(&network)).unwrap();
    let root = Root {
        name: to.name_for(&root),
        ..root
    };
    copy(opened.source(), &root, &sink, &CopyOptions::default()).unwrap();
    let requests = asked(&registry, &mut since);
    assert!(
        requests
            .iter()
            .any(|it| it.contains("mount=") && it.contains("from=team")),
        "{requests:?}"
    );
    let sent = |it: &&String| it.starts_with("PUT") && it.contains("/blobs/");
    assert_eq!(requests.iter().filter(sent).count(), 0, "{requests:?}");
    // The name comes with the end, and not without it.
    assert!(registry.content("team/app", "1").is_none());
    let sent = sink.finish().unwrap().sent.unwrap();
    assert_eq!((sent.blobs, sent.skipped), (1, 2));
    assert!(registry.content("team/app", "1").is_some());
}

fn with_login(directory: &Path, config: &str, options: NetworkOptions) -> Network {
    let file = directory.join("auth.json");
    std::fs::write(&file, config).unwrap();
    let helpers = Helpers {
        path: Some(directory.as_os_str().to_owned()),
        ..Helpers::default()
    };
    Network::new(NetworkOptions {
        credentials: Some(Credentials::new(vec![AuthFile::required(file)], helpers)),
        ..options
    })
    .unwrap()
}

#[test]
fn logins_are_found_and_never_shown() {
    let options = RegistryOptions {
        login: Login::Basic,
        certificate: None,
    };
    let Some(registry) = registry::start_with(Generation::Stable, &options) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let address = registry.address();
    let entry = |password: &str| {
        format!(
            r#"{{"auths": {{"{address}": {{"username": "{USER}", "password": "{password}"}}}}}}"#
        )
    };
    let right = with_login(
        directory.path(),
        &entry(PASSWORD),
        NetworkOptions::default(),
    );
    let location = at(address, "team/app:1");
    push(&location, &right, "one");
    let opened = location.open_with(&right, Layers::Kept).unwrap();
    pull(&opened).unwrap();
    assert!(!format!("{right:?}").contains(PASSWORD));

    for config in [entry("hunter2"), "{}".to_owned()] {
        let wrong = with_login(directory.path(), &config, NetworkOptions::default());
        let opened = location.open_with(&wrong, Layers::Kept).unwrap();
        let error = opened.root().unwrap_err();
        let shown = format!("{error} {error:?} {wrong:?}");
        assert!(
            shown.contains("401") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}

/// A helper that fails is told of, once, and the pull goes on as anybody's.
#[test]
fn a_failing_helper_fails_no_anonymous_pull() {
    let Some(registry) = registry::start(Generation::Stable) else {
        return;
    };
    let location = at(registry.address(), "team/app:1");
    push(&location, &Network::default(), "one");
    let directory = tempfile::tempdir().unwrap();
    let config = r#"{"credsStore": "missing"}"#;
    let network = with_login(directory.path(), config, NetworkOptions::default());
    let opened = location.open_with(&network, Layers::Kept).unwrap();
    pull(&opened).unwrap();
    // This registry asks for no login, so nobody had to be asked for one.
    let asked_for = network.take_warnings();
    assert!(asked_for.len() <= 1, "{asked_for:?}");
}

/// Verified by an authority that is named, and refused without.
#[test]
fn tls_is_verified() {
    let Some(authority) = Authority::new() else {
        return;
    };
    let certificate = authority.issue("127.0.0.1");
    let options = RegistryOptions {
        login: Login::Nobody,
        certificate: Some(&certificate),
    };
    let Some(registry) = registry::start_with(Generation::Stable, &options) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let copy_to = |path: &Path| {
        std::fs::create_dir_all(path).unwrap();
        std::fs::copy(authority.certificate(), path.join("ca.crt")).unwrap();
    };
    let (one, all) = (
        directory.path().join("one"),
        directory.path().join("certs.d"),
    );
    copy_to(&one);
    copy_to(&all.join(registry.address()));
    let new = |options| Network::new(options).unwrap();
    let by_flag = new(NetworkOptions {
        cert_dir: Some(one),
        ..NetworkOptions::default()
    });
    let by_name = new(NetworkOptions {
        certs_d: vec![directory.path().join("none"), all],
        ..NetworkOptions::default()
    });
    let insecure = new(NetworkOptions {
        insecure: [registry.address().to_owned()].into(),
        ..NetworkOptions::default()
    });
    let unverified = new(NetworkOptions {
        verification: Verification::None,
        ..NetworkOptions::default()
    });
    let location = at(registry.address(), "team/app:1");
    push(&location, &by_flag, "one");
    for network in [by_flag, by_name, insecure, unverified] {
        let opened = location.open_with(&network, Layers::Kept).unwrap();
        pull(&opened).unwrap();
    }
    let elsewhere = new(NetworkOptions {
        insecure: ["q.io".to_owned()].into(),
        ..NetworkOptions::default()
    });
    for network in [Network::default(), elsewhere] {
        let opened = location.open_with(&network, Layers::Kept).unwrap();
        assert!(opened.root().is_err(), "nobody knows that authority");
    }
}

/// A document is read from the mirror; what it does not have, from the registry itself.
#[test]
fn mirrors_are_asked_first() {
    let mirror = OwnRegistry::start(OwnRegistryOptions::default());
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let plain = Network::default();
    let descriptor = push(&at(mirror.address(), "hub/team/app:1"), &plain, "mirrored");
    push(&at(registry.address(), "team/other:1"), &plain, "other");
    let directory = tempfile::tempdir().unwrap();
    let conf = directory.path().join("registries.conf");
    let text = format!(
        "[[registry]]\nlocation = \"{}\"\n[[registry.mirror]]\nlocation = \"{}/hub\"\n",
        registry.address(),
        mirror.address()
    );
    std::fs::write(&conf, text).unwrap();
    let network = Network::new(NetworkOptions {
        registries_conf: vec![directory.path().join("none"), conf],
        ..NetworkOptions::default()
    })
    .unwrap();
    let opened = at(registry.address(), "team/app:1").open_with(&network, Layers::Kept);
    let opened = opened.unwrap();
    assert_eq!(opened.root().unwrap().descriptor.digest, descriptor.digest);
    read(opened.source(), &descriptor).unwrap();
    let opened = at(registry.address(), "team/other:1").open_with(&network, Layers::Kept);
    pull(&opened.unwrap()).unwrap();
}
