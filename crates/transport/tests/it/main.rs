//! Names of media, and finding and writing images by them.

mod registry;
mod settings;

use cooperage_blob::{CopyOptions, Memory, Root, copy};
use cooperage_commit::{Edit, PackOptions, Recipe, Step, form, pack, write};
use cooperage_image_spec::Descriptor;
use cooperage_transport::{DestinationOptions, Location, Medium};

#[test]
fn names_are_taken_apart_and_put_together() {
    let zeros = "0".repeat(64);
    let by_digest = format!("oci:a/b@sha256:{zeros}");
    for (text, medium, path, name) in [
        ("oci:dir", Medium::Oci, "dir", None),
        ("oci:/a/b:app:1.2", Medium::Oci, "/a/b", Some("app:1.2")),
        ("oci:dir:x@y", Medium::Oci, "dir", Some("x@y")),
        (by_digest.as_str(), Medium::Oci, "a/b", None),
        (
            "oci-archive:f.tar:v",
            Medium::OciArchive,
            "f.tar",
            Some("v"),
        ),
        (
            "docker-archive:f.tar:h:5/a:b",
            Medium::DockerArchive,
            "f.tar",
            Some("h:5/a:b"),
        ),
    ] {
        let location: Location = text.parse().unwrap();
        assert_eq!((location.medium(), location.name()), (medium, name));
        assert_eq!(location.path().to_str(), Some(path));
        assert_eq!(location.digest().is_some(), text == by_digest);
        assert_eq!(location.to_string(), text);
    }
    for (text, reason) in [
        ("", "names no medium"),
        ("dir", "expected `oci:DIR[:NAME]`"),
        (
            "podman:app",
            "`docker://REFERENCE` or `docker-daemon:REFERENCE`",
        ),
        ("docker-daemon:App", "expected a name (`app:v1`) or an ID"),
        (
            "docker:app",
            "lacks two slashes: expected `docker://REFERENCE`",
        ),
        ("docker://", "it has no repository name"),
        ("docker://App", "is upper case"),
        ("docker://app@sha256:12", "64 hex digits, found 2"),
        ("oci:", "has no path: expected `oci:`"),
        ("oci::x", "has no path"),
        ("oci:dir:", "leave the last"),
        ("oci:dir@", "leave the last"),
        ("oci:dir@sha256:12", "64 hex digits, found 2"),
    ] {
        let error = text.parse::<Location>().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_registrys_names_are_references() {
    let zeros = "0".repeat(64);
    let pinned = format!("docker://q.io:5000/team/app:1.2@sha256:{zeros}");
    for (text, shown, one) in [
        ("docker://app", "docker://docker.io/library/app", false),
        ("docker://app:1", "docker://docker.io/library/app:1", true),
        (
            "docker://127.0.0.1:5000/a/b:c",
            "docker://127.0.0.1:5000/a/b:c",
            true,
        ),
        (&pinned, &pinned, true),
    ] {
        let location: Location = text.parse().unwrap();
        assert_eq!(location.medium(), Medium::Docker);
        assert!(!location.medium().is_local());
        assert_eq!(
            (location.name(), location.path().to_str()),
            (None, Some(""))
        );
        assert_eq!(location.to_string(), shown);
        assert_eq!(location.is_one_image(), one, "{text}");
        assert_eq!(location.digest().is_some(), text == pinned);
        assert_eq!(location.reference().unwrap().to_string(), shown[9..]);
        assert_eq!(shown.parse::<Location>().unwrap(), location);
        // Paths and names of files mean nothing to it.
        let same = location.clone().below("/root".as_ref()).with_name("other");
        assert_eq!(same, location);
    }
    let local: Location = "oci:dir:name".parse().unwrap();
    assert_eq!(
        local.below("/root".as_ref()).to_string(),
        "oci:/root/dir:name"
    );
    let stdin: Location = "oci-archive:-".parse().unwrap();
    assert_eq!(stdin.below("/root".as_ref()).to_string(), "oci-archive:-");
}

#[test]
fn a_daemons_names_are_references_or_ids() {
    let id = format!("docker-daemon:sha256:{}", "0".repeat(64));
    for (text, shown, one, output) in [
        ("docker-daemon:", "docker-daemon:", false, true),
        (
            "docker-daemon:app",
            "docker-daemon:docker.io/library/app:latest",
            true,
            true,
        ),
        (
            "docker-daemon:q.io/a:1",
            "docker-daemon:q.io/a:1",
            true,
            true,
        ),
        (&id, &id, true, false),
    ] {
        let location: Location = text.parse().unwrap();
        assert_eq!(location.medium(), Medium::DockerDaemon);
        assert!(!location.medium().is_local());
        assert_eq!(location.to_string(), shown);
        assert_eq!(location.is_one_image(), one, "{text}");
        assert_eq!(location.check_output().is_ok(), output, "{text}");
        assert_eq!(shown.parse::<Location>().unwrap(), location);
        let same = location.clone().below("/root".as_ref()).with_name("other");
        assert_eq!(same, location);
        // Nobody has said where the daemon is.
        assert!(location.open().is_err());
        assert!(location.create(&DestinationOptions::default()).is_err());
    }
    let names = ["app:1".to_owned(), "bare".to_owned(), "q.io/a:2".to_owned()];
    for (text, expected) in [
        ("docker-daemon:", &["app:1", "q.io/a:2"][..]),
        ("docker-daemon:b:3", &["docker.io/library/b:3"]),
        ("docker://q.io/c", &["q.io/c:1", "q.io/c:bare", "q.io/c:2"]),
        ("docker://q.io/c:4", &["q.io/c:4"]),
        ("docker-archive:f", &["app:1", "q.io/a:2"]),
        ("oci:d", &["app:1", "bare", "q.io/a:2"]),
        ("oci:d:own", &["own"]),
    ] {
        let location: Location = text.parse().unwrap();
        assert_eq!(location.names_for(&names), expected, "{text}");
    }
}

fn image(memory: &Memory, author: &str) -> Descriptor {
    let tree = cooperage_tarball::Tree::new();
    let layer = pack(&tree, &PackOptions::default(), memory).unwrap();
    let mut recipe = Recipe {
        author: Edit::Set(author.into()),
        ..Recipe::default()
    };
    recipe.steps.push(Step::layer(layer));
    write(&form(None, &recipe).unwrap(), memory).unwrap()
}

#[test]
fn an_image_goes_round_all_media_and_comes_back_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let at = |text: &str| -> Location {
        let (medium, rest) = text.split_once(':').unwrap();
        format!("{medium}:{}/{rest}", dir.path().display())
            .parse()
            .unwrap()
    };
    let memory = Memory::new();
    let (one, two) = (image(&memory, "one"), image(&memory, "two"));
    let layout = at("oci:layout")
        .create(&DestinationOptions::default())
        .unwrap();
    for (name, descriptor) in [("app:1", &one), ("app:2", &two)] {
        let root = Root::named(name, descriptor.clone());
        copy(&memory, &root, &layout, &CopyOptions::default()).unwrap();
    }
    layout.finish().unwrap();

    let route = [
        "oci:layout:app:1",
        "docker-archive:d.tar:app:1",
        "oci-archive:o.tar:app:1",
    ];
    for pair in route.windows(2) {
        let from = at(pair[0]).open().unwrap();
        let to = at(pair[1]).create(&DestinationOptions::default()).unwrap();
        let root = from.root().unwrap();
        assert_eq!(root.descriptor.digest, one.digest);
        let root = Root {
            name: to.location().name_for(&root),
            descriptor: root.descriptor,
        };
        copy(from.source(), &root, &to, &CopyOptions::default()).unwrap();
        to.finish().unwrap();
    }
    let root = at("oci-archive:o.tar").open().unwrap().root().unwrap();
    assert_eq!(
        (root.name.as_deref(), root.descriptor.digest),
        (Some("app:1"), one.digest)
    );

    let by_digest = at(&format!("oci:layout@{}", two.digest));
    assert_eq!(
        by_digest.open().unwrap().root().unwrap().descriptor.digest,
        two.digest
    );
    let several = at("oci:layout")
        .open()
        .unwrap()
        .root()
        .unwrap_err()
        .to_string();
    assert!(
        several.contains("several images") && several.contains("`app:2`"),
        "{several}"
    );
    let absent = at("oci:layout:app:3")
        .open()
        .unwrap()
        .root()
        .unwrap_err()
        .to_string();
    assert!(absent.contains("it holds `app:1`, `app:2`"), "{absent}");
    assert!(at("oci:nowhere").open().is_err());
    assert!(by_digest.create(&DestinationOptions::default()).is_err());
}

#[test]
fn an_archive_appears_with_finish_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.tar");
    let location: Location = format!("docker-archive:{}", file.display())
        .parse()
        .unwrap();
    let memory = Memory::new();
    let root = Root::named("app:1", image(&memory, "one"));
    let to = location.create(&DestinationOptions::default()).unwrap();
    copy(&memory, &root, &to, &CopyOptions::default()).unwrap();
    drop(to);
    assert!(
        std::fs::remove_dir(dir.path()).is_ok(),
        "something was left behind"
    );
    std::fs::create_dir(dir.path()).unwrap();
    let to = location.create(&DestinationOptions::default()).unwrap();
    copy(&memory, &root, &to, &CopyOptions::default()).unwrap();
    assert!(to.finish().unwrap().report.is_some());
    assert!(file.exists());
}
