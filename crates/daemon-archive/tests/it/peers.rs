//! Real readers of archives of several images and names; one image in every form is in
//! `docs/interop.md`.

use std::path::{Path, PathBuf};

use cooperage_compress::Codec;
use cooperage_daemon_archive::WriteOptions;
use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::peers::{self, Generation, Program};
use cooperage_testkit::{containerd, podman};
use tempfile::TempDir;

use crate::common::{Built, Family, archive, image, named, tar};

/// An image that prints `words`, and has one layer twice.
fn runnable(busybox: &Program, family: Family, codec: Codec, words: &str) -> Built {
    let program = std::fs::read(busybox.path()).unwrap();
    let system = tar(&[("bin/busybox", 0o755, &program)]);
    let twice = tar(&[("etc/twice", 0o644, b"twice")]);
    let motd = tar(&[("etc/motd", 0o644, words.as_bytes())]);
    image(
        family,
        &[
            (codec, twice.clone()),
            (codec, system),
            (codec, motd),
            (codec, twice),
        ],
    )
}

fn written(built: &Built, names: &[&str]) -> (TempDir, PathBuf) {
    let images = [named(&built.descriptor, names)];
    let (bytes, _) = archive(&built.memory, &images, &WriteOptions::default());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("images.tar");
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

#[test]
fn docker_loads_several_images_one_without_a_name_from_a_pipe() {
    let Some(busybox) = peers::tool("busybox") else {
        return;
    };
    for store in Store::ALL {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        let one = runnable(&busybox, Family::Oci, Codec::Gzip, "one\n");
        let system = tar(&[(
            "bin/busybox",
            0o755,
            &std::fs::read(busybox.path()).unwrap(),
        )]);
        let motd = tar(&[("etc/motd", 0o644, b"two\n")]);
        let layers = [(Codec::Gzip, system), (Codec::None, motd)];
        let (two, ..) = crate::common::add_image(&one.memory, Family::Docker, &layers, "amd64");
        let images = [
            named(&two, &[]),
            named(&one.descriptor, &["several-one:v1", "several-one:v2"]),
        ];
        let (bytes, report) = archive(&one.memory, &images, &WriteOptions::default());
        let loaded = docker.load_stream(&mut &bytes[..]).unwrap();
        assert_eq!(
            docker.run("several-one:v2", &[]).unwrap(),
            "one\n",
            "{store}"
        );
        assert_eq!(loaded[..2], ["several-one:v1", "several-one:v2"], "{store}");
        let id = match store {
            // There an image is known by its manifest.
            Store::ModernContainerd => report.images[1].manifest.digest.to_string(),
            _ => report.images[1].config_digest.to_string(),
        };
        assert_eq!(
            docker.run(&id, &[]).unwrap(),
            "two\n",
            "{store}: {loaded:?}"
        );
    }
}

fn skopeo_copy(skopeo: &Program, from: &str, to: &Path) -> Result<String, peers::Failed> {
    skopeo.run(["copy", from, &format!("oci:{}:x", to.display())])
}

#[test]
fn skopeo_finds_one_of_several_images() {
    for generation in Generation::ALL {
        let Some(skopeo) = peers::skopeo(generation) else {
            continue;
        };
        let one = crate::common::small(Family::Oci, Codec::Gzip);
        let layers = [(Codec::Gzip, tar(&[("etc/motd", 0o644, b"two\n")]))];
        let (two, ..) = crate::common::add_image(&one.memory, Family::Oci, &layers, "amd64");
        let images = [
            named(&two, &["b:2"]),
            named(&one.descriptor, &["a:1", "a:2"]),
        ];
        let (bytes, _) = archive(&one.memory, &images, &WriteOptions::default());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.tar");
        std::fs::write(&path, bytes).unwrap();
        for (from, layers) in [("a:1", 3), ("a:2", 3), ("b:2", 1)] {
            let to = tempfile::tempdir().unwrap();
            skopeo_copy(
                &skopeo,
                &format!("docker-archive:{}:{from}", path.display()),
                to.path(),
            )
            .unwrap();
            let raw = skopeo
                .run([
                    "inspect",
                    "--raw",
                    &format!("oci:{}:x", to.path().display()),
                ])
                .unwrap();
            let raw: serde_json::Value = serde_json::from_str(&raw).unwrap();
            assert_eq!(
                raw["layers"].as_array().unwrap().len(),
                layers,
                "{generation} {from}"
            );
        }
    }
}

#[test]
fn podman_loads_every_name() {
    for generation in Generation::ALL {
        let Some(podman) = podman::start(generation) else {
            continue;
        };
        let built = crate::common::small(Family::Oci, Codec::Gzip);
        for names in [&["podman-one:v1"][..], &["podman-two:v1", "podman-two:v2"]] {
            let (_directory, path) = written(&built, names);
            let mut loaded = podman.load(&path).unwrap();
            loaded.sort();
            let expected: Vec<_> = names
                .iter()
                .map(|name| format!("docker.io/library/{name}"))
                .collect();
            assert_eq!(loaded, expected, "{generation}");
            for name in names {
                let id = podman
                    .program()
                    .run(["image", "inspect", "--format", "{{.Id}}", name])
                    .unwrap();
                assert_eq!(
                    id.trim(),
                    built.manifest.config.digest.encoded(),
                    "{generation}"
                );
            }
        }
    }
}

#[test]
fn containerd_imports_every_name() {
    for generation in Generation::ALL {
        let Some(containerd) = containerd::start(generation) else {
            continue;
        };
        let built = crate::common::small(Family::Docker, Codec::Gzip);
        let (_directory, path) = written(&built, &["ctr:v1", "ctr:v2"]);
        let expected = ["ctr:v1", "ctr:v2"].map(|name| format!("docker.io/library/{name}"));
        assert_eq!(containerd.import(&path).unwrap(), expected, "{generation}");
    }
}
