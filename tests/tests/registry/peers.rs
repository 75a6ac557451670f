//! skopeo, crane, oras, podman and buildah pull what we push, and we pull what they push.

use std::path::Path;

use cooperage_blob::{CopyOptions, Memory, copy};
use cooperage_commit::MediaTypes;
use cooperage_digest::Digest;
use cooperage_layout::{Fault, Layout, Severity};
use cooperage_testkit::peers::{self, Generation, Program};
use cooperage_testkit::podman;
use cooperage_testkit::registry::Registry;

use crate::images::{Image, compressed, index};
use crate::support::{blobs, check_layout, client, options, pull, push, shared, words};

/// Each kind of image that is pushed, under a name of its own.
fn images() -> [(&'static str, Image); 4] {
    [
        ("oci", compressed(51, MediaTypes::Oci)),
        ("docker", compressed(52, MediaTypes::Docker)),
        ("oci-index", index(53, MediaTypes::Oci)),
        ("docker-list", index(54, MediaTypes::Docker)),
    ]
}

/// Pushes all kinds as `ADDRESS/ours-WHO/KIND:1` to the registries, and calls `check` with the
/// whole name.
fn each_of_ours(who: &str, registries: &[Generation], check: &dyn Fn(&str, &Image)) {
    for generation in registries {
        let Some(registry) = shared(*generation) else {
            continue;
        };
        for (kind, image) in images() {
            let name = format!("ours-{who}/{kind}:1");
            push(&image, &client(options()), registry.address(), &name).expect("it takes it");
            check(&format!("{}/{name}", registry.address()), &image);
        }
    }
}

fn text(path: &Path) -> String {
    path.to_str()
        .expect("tests name their files in UTF-8")
        .to_owned()
}

/// A layout that somebody else wrote has no fault, and the image in it.
#[track_caller]
fn has(layout: &Path, image: &Image) {
    let layout = Layout::open(layout).expect("a layout");
    let faults = layout.fsck();
    let is_bad = |fault: &Fault| fault.severity() == Severity::Error;
    assert!(!faults.iter().any(is_bad), "{faults:?}");
    let expect = blobs(&image.memory, &image.descriptor);
    assert_eq!(blobs(&layout, &image.descriptor), expect);
}

#[test]
fn skopeo_pulls_what_we_push() {
    for generation in Generation::ALL {
        let Some(skopeo) = peers::skopeo(generation) else {
            continue;
        };
        each_of_ours(
            &format!("skopeo-{generation}"),
            &[generation],
            &|name, image| {
                let directory = tempfile::tempdir().expect("a directory");
                let to = text(&directory.path().join("dir"));
                let words = [
                    "copy",
                    "--quiet",
                    "--all",
                    "--preserve-digests",
                    "--src-tls-verify=false",
                ];
                let places = [format!("docker://{name}"), format!("dir:{to}")];
                let words = words.map(str::to_owned).into_iter().chain(places);
                skopeo.run(words).expect("skopeo pulls it");
                let manifest =
                    std::fs::read(Path::new(&to).join("manifest.json")).expect("a manifest");
                assert_eq!(Digest::of(&manifest).to_string(), image.digest());
            },
        );
    }
}

#[test]
fn crane_pulls_and_validates_what_we_push() {
    let Some(crane) = peers::crane() else {
        return;
    };
    each_of_ours("crane", &Generation::ALL, &|name, image| {
        let said = crane
            .run(["digest", "--insecure", name])
            .expect("crane finds it");
        assert_eq!(said.trim(), image.digest());
        let said = crane.run(["validate", "--insecure", "--remote", name]);
        let said = said.expect("crane finds no fault");
        assert!(said.starts_with("PASS"), "{said}");
        let directory = tempfile::tempdir().expect("a directory");
        let to = directory.path().join("layout");
        crane
            .run(["pull", "--insecure", "--format=oci", name, &text(&to)])
            .expect("crane pulls it");
        has(&to, image);
    });
}

#[test]
fn oras_pulls_what_we_push() {
    let Some(oras) = peers::oras() else {
        return;
    };
    each_of_ours("oras", &[Generation::Modern], &|name, image| {
        let directory = tempfile::tempdir().expect("a directory");
        let layout = directory.path().join("layout");
        let to = format!("{}:1", layout.display());
        oras.run(["copy", "--from-plain-http", name, "--to-oci-layout", &to])
            .expect("oras pulls it");
        has(&layout, image);
    });
}

/// podman and buildah keep of an index the image for this machine, under the index's name.
fn stores(program: &Program, generation: Generation, who: &str) {
    each_of_ours(
        &format!("{who}-{generation}"),
        &[generation],
        &|name, image| {
            program
                .run(["pull", "--quiet", "--tls-verify=false", name])
                .expect("it pulls");
            let said = program.run(["images", "--digests", "--format", "{{.Digest}}", name]);
            let said = said.expect("it lists what it has");
            assert!(
                said.lines().any(|line| line.trim() == image.digest()),
                "{name}: {said}"
            );
            program
                .run(["rmi", "--force", name])
                .expect("it removes what it has");
        },
    );
}

#[test]
fn podman_pulls_what_we_push() {
    for generation in Generation::ALL {
        let Some(podman) = podman::start(generation) else {
            continue;
        };
        stores(podman.program(), generation, "podman");
    }
}

#[test]
fn buildah_pulls_what_we_push() {
    for generation in Generation::ALL {
        let Some((buildah, _store)) = buildah(generation) else {
            continue;
        };
        stores(&buildah, generation, "buildah");
    }
}

fn buildah(generation: Generation) -> Option<(Program, tempfile::TempDir)> {
    let buildah = peers::buildah(generation)?;
    let store = tempfile::tempdir().expect("a directory");
    let option = |name: &str| format!("--{name}={}", store.path().join(name).display());
    let buildah = buildah.with_arguments([
        option("root"),
        option("runroot"),
        "--storage-driver=vfs".to_owned(),
    ]);
    Some((buildah, store))
}

/// A layout that holds the image under the name `1`.
fn layout_of(image: &Image) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("layout");
    let layout = Layout::create(&path).expect("a layout");
    let copied = copy(
        &image.memory,
        &image.root("1"),
        &layout,
        &CopyOptions::default(),
    );
    copied.expect("a layout takes it");
    let path = text(&path);
    (directory, path)
}

/// Lets somebody push all kinds that `takes` names from layouts, and pulls them.
fn each_of_theirs(who: &str, takes: &[&str], push: &dyn Fn(&str, &str)) {
    for generation in Generation::ALL {
        let Some(registry) = shared(generation) else {
            continue;
        };
        for (kind, image) in images() {
            if !takes.contains(&kind) {
                continue;
            }
            let (_directory, layout) = layout_of(&image);
            let name = format!("theirs-{who}/{kind}");
            push(&layout, &format!("{}/{name}:1", registry.address()));
            same(registry, &name, Some(&image));
        }
    }
}

/// What we pull is what the registry has, which is `image` where that is known.
#[track_caller]
fn same(registry: &Registry, name: &str, image: Option<&Image>) {
    let (digest, _) = registry.manifest(name, "1").expect("it was pushed");
    let directory = tempfile::tempdir().expect("a directory");
    let layout = Layout::create(&directory.path().join("layout")).expect("a layout");
    let name = format!("{name}:1");
    let pulled = pull(&client(options()), registry.address(), &name, &layout);
    let pulled = pulled.unwrap_or_else(|error| panic!("{}", words(&error)));
    assert_eq!(pulled.digest.to_string(), digest);
    if let Some(image) = image {
        assert_eq!(digest, image.digest());
        check_layout(&layout, Some(image));
    }
    blobs(&layout, &pulled);
}

#[test]
fn we_pull_what_skopeo_pushes() {
    for generation in Generation::ALL {
        let Some(skopeo) = peers::skopeo(generation) else {
            continue;
        };
        // By name it finds nothing of Docker's in a layout.
        let kinds = ["oci", "oci-index"];
        each_of_theirs(&format!("skopeo-{generation}"), &kinds, &|layout, name| {
            let words = [
                "copy",
                "--quiet",
                "--all",
                "--preserve-digests",
                "--dest-tls-verify=false",
            ];
            let places = [format!("oci:{layout}:1"), format!("docker://{name}")];
            let words = words.map(str::to_owned).into_iter().chain(places);
            skopeo.run(words).expect("skopeo pushes it");
        });
    }
}

#[test]
fn we_pull_what_crane_pushes() {
    let Some(crane) = peers::crane() else {
        return;
    };
    let kinds = ["oci", "docker", "oci-index", "docker-list"];
    each_of_theirs("crane", &kinds, &|layout, name| {
        // The layout's index has one entry, which is what it pushes.
        crane
            .run(["push", "--insecure", layout, name])
            .expect("crane pushes it");
    });
}

#[test]
fn we_pull_what_oras_pushes() {
    let Some(oras) = peers::oras() else {
        return;
    };
    let kinds = ["oci", "docker", "oci-index", "docker-list"];
    each_of_theirs("oras", &kinds, &|layout, name| {
        let from = format!("{layout}:1");
        oras.run(["copy", "--from-oci-layout", &from, "--to-plain-http", name])
            .expect("oras pushes it");
    });
}

/// They compress anew what they push, so that it is another image: the registry's word counts.
fn from_store(program: &Program, who: &str) {
    let Some(registry) = shared(Generation::Stable) else {
        return;
    };
    let image = compressed(55, MediaTypes::Oci);
    let from = format!("from-{who}:1");
    push(&image, &client(options()), registry.address(), &from).expect("it takes it");
    let from = format!("{}/{from}", registry.address());
    program
        .run(["pull", "--quiet", "--tls-verify=false", &from])
        .expect("it pulls");
    let name = format!("theirs-{who}/stored");
    let to = format!("docker://{}/{name}:1", registry.address());
    program
        .run(["push", "--quiet", "--tls-verify=false", &from, &to])
        .expect("it pushes");
    same(registry, &name, None);
}

#[test]
fn we_pull_what_podman_pushes() {
    for generation in Generation::ALL {
        let Some(podman) = podman::start(generation) else {
            continue;
        };
        from_store(podman.program(), &format!("podman-{generation}"));
    }
}

#[test]
fn we_pull_what_buildah_pushes() {
    for generation in Generation::ALL {
        let Some((buildah, _store)) = buildah(generation) else {
            continue;
        };
        from_store(&buildah, &format!("buildah-{generation}"));
    }
}

/// From registry to registry, by way of memory alone.
#[test]
fn from_one_registry_to_another() {
    let (Some(from), Some(to)) = (shared(Generation::Stable), shared(Generation::Modern)) else {
        return;
    };
    for (kind, image) in images() {
        let name = format!("across/{kind}:1");
        let client = client(options());
        push(&image, &client, from.address(), &name).expect("it takes it");
        let source = crate::support::repository(&client, from.address(), &name);
        let sink = crate::support::repository(&client, to.address(), &name);
        let goal = crate::support::reference(to.address(), &name).to_string();
        let copied = copy(&source, &image.root(&goal), &sink, &CopyOptions::default());
        copied.unwrap_or_else(|error| panic!("{}", words(&error)));
        let pulled = pull(&client, to.address(), &name, &Memory::new()).expect("it is there");
        assert_eq!(pulled.digest.to_string(), image.digest());
        assert_eq!(
            to.missing(&format!("across/{kind}"), "1"),
            Vec::<String>::new()
        );
    }
}
