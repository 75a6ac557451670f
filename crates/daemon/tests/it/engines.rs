//! Names, IDs and versions, with real engines.

use cooperage_blob::Memory;
use cooperage_compress::Codec;
use cooperage_daemon::{LoadOptions, RemoveOptions, Store as DaemonStore};
use cooperage_testkit::docker::{self, Store};

use crate::common::{causes, connect, image, motd, name};
use crate::fake::{Fake, response};

#[test]
fn versions_are_negotiated_and_stores_told_apart() {
    for store in Store::ALL {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        let fake = Fake::in_front_of(&docker.socket(), |_| None);
        let engine = connect(&fake.socket());
        let expected = match store {
            Store::ModernContainerd => DaemonStore::Containerd,
            Store::Stable | Store::ModernGraph => DaemonStore::Graph,
        };
        assert_eq!(engine.store().unwrap(), expected, "{store}");
        let version = engine.api_version();
        assert_eq!(version.major, 1);
        let modern = store != Store::Stable;
        assert_eq!(version.minor >= 48, modern, "{store}: {version}");
        engine.store().unwrap();
        let info = format!("GET /v{version}/info");
        assert_eq!(fake.seen(), ["GET /_ping", &info], "{store}");
    }
}

#[test]
fn names_are_given_found_and_taken_away() {
    for store in Store::ALL {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        let engine = connect(&docker.socket());
        let memory = Memory::new();
        let built = image(&memory, &[(Codec::Gzip, &motd(&format!("names {store}")))]);
        let absent = name("names-absent:v1");
        assert!(!engine.contains(&absent).unwrap(), "{store}");
        assert_eq!(engine.inspect(&absent).unwrap(), None, "{store}");

        let images = [built.named(&["names"])];
        let loaded = engine
            .load(&memory, &images, &LoadOptions::default())
            .unwrap();
        let id = loaded.images[0].id.to_string();
        for known in [
            "names",
            "names:latest",
            "docker.io/library/names:latest",
            &id,
        ] {
            let found = engine.inspect(&name(known)).unwrap();
            let found = found.unwrap_or_else(|| panic!("{store}: no {known}"));
            assert_eq!(found.id.as_str(), id, "{store}");
            assert_eq!(found.diff_ids, built.diff_ids, "{store}");
            assert_eq!(found.names, ["names:latest"], "{store}");
        }

        let more = "localhost:5000/names_more:x".parse().unwrap();
        engine.tag(&name(&id), &more).unwrap();
        assert!(engine.contains(&more.clone().into()).unwrap(), "{store}");
        let error = engine.tag(&absent, &more).unwrap_err();
        assert!(error.is_not_found(), "{store}: {error:?}");
        let digest = built.manifest.digest.clone();
        let error = engine.tag(&name(&id), &more.clone().with_digest(digest));
        let error = causes(&error.unwrap_err());
        assert!(error.ends_with("take the digest off"), "{store}: {error}");

        let gentle = RemoveOptions::default();
        let removed = engine.remove(&more.clone().into(), &gentle).unwrap();
        assert_eq!(removed.untagged.len(), 1, "{store}: {removed:?}");
        assert!(removed.deleted.is_empty(), "{store}: {removed:?}");
        assert!(engine.contains(&name("names")).unwrap(), "{store}");
        engine.tag(&name(&id), &more).unwrap();
        // By its ID, with two names: only by force.
        let error = engine.remove(&name(&id), &gentle).unwrap_err();
        assert!(
            causes(&error).contains("with status 409"),
            "{store}: {error:?}"
        );
        let mut force = RemoveOptions::default();
        force.force = true;
        let removed = engine.remove(&name(&id), &force).unwrap();
        assert!(!removed.deleted.is_empty(), "{store}: {removed:?}");
        assert!(!engine.contains(&name("names")).unwrap(), "{store}");
        assert!(!engine.contains(&name(&id)).unwrap(), "{store}");
        let error = engine.remove(&name("names"), &gentle).unwrap_err();
        assert!(error.is_not_found(), "{store}: {error:?}");
    }
}

/// Images that were built on one another: without `prune` the parents stay.
#[test]
fn parents_without_a_name_go_with_the_last_child() {
    // containerd's store has no parents.
    for store in [Store::Stable, Store::ModernGraph] {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        let Some(busybox) = cooperage_testkit::peers::tool("busybox") else {
            return;
        };
        for prune in [false, true] {
            let engine = connect(&docker.socket());
            let memory = Memory::new();
            let program = crate::common::busybox(busybox.path());
            let words = motd(&format!("parent {prune}"));
            let built = image(&memory, &[(Codec::Gzip, &program), (Codec::Gzip, &words)]);
            let names = ["prune-parent:v1"];
            let loaded = engine
                .load(&memory, &[built.named(&names)], &LoadOptions::default())
                .unwrap();
            let parent = name(loaded.images[0].id.as_str());
            docker
                .client()
                .run(["create", "--name", "prune-me", names[0]])
                .unwrap();
            docker.commit("prune-me", "prune-child:v1").unwrap();
            docker.client().run(["rm", "prune-me"]).unwrap();
            let gentle = RemoveOptions::default();
            engine.remove(&name(names[0]), &gentle).unwrap();
            assert!(engine.contains(&parent).unwrap(), "a child is of it");
            let mut options = RemoveOptions::default();
            options.prune = prune;
            engine.remove(&name("prune-child:v1"), &options).unwrap();
            assert_eq!(engine.contains(&parent).unwrap(), !prune, "{store}");
            if !prune {
                engine.remove(&parent, &gentle).unwrap();
            }
        }
    }
}

#[test]
fn a_name_that_is_refused_does_not_cost_the_others() {
    for store in Store::ALL {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        let fake = Fake::in_front_of(&docker.socket(), |line| {
            line.contains("tag=second")
                .then(|| response(500, r#"{"message":"not today"}"#))
        });
        let engine = connect(&fake.socket());
        let memory = Memory::new();
        let built = image(
            &memory,
            &[(Codec::None, &motd(&format!("refused {store}")))],
        );
        let images = [built.named(&["refused:first", "refused:second", "refused:third"])];
        let loaded = engine
            .load(&memory, &images, &LoadOptions::default())
            .unwrap();
        let names: Vec<_> = loaded.images[0]
            .names
            .iter()
            .map(|name| name.tag())
            .collect();
        assert_eq!(names, [Some("first"), Some("third")], "{store}");
        let [failure] = &loaded.images[0].failures[..] else {
            panic!("{store}: {loaded:?}");
        };
        assert_eq!(failure.name.tag(), Some("second"));
        assert!(causes(&failure.error).ends_with("with status 500: not today"));
        for (tag, there) in [("first", true), ("second", false), ("third", true)] {
            let found = engine.contains(&name(&format!("refused:{tag}"))).unwrap();
            assert_eq!(found, there, "{store} {tag}");
        }
    }
}
