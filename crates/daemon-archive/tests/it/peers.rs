//! Real readers of what is written here.

use std::path::{Path, PathBuf};

use cooperage_compress::Codec;
use cooperage_daemon_archive::{LayerForm, WriteOptions};
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

fn written(built: &Built, names: &[&str], layers: LayerForm) -> (TempDir, PathBuf) {
    let mut options = WriteOptions::default();
    options.layers = layers;
    let (bytes, _) = archive(&built.memory, &[named(&built.descriptor, names)], &options);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("images.tar");
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

fn lower(text: impl std::fmt::Debug) -> String {
    format!("{text:?}").to_lowercase()
}

/// Every family of media types and every codec, on every store.
fn loads_and_runs(store: Store) {
    let Some(docker) = docker::shared(store) else {
        return;
    };
    let Some(busybox) = peers::tool("busybox") else {
        return;
    };
    let mut failures = Vec::new();
    for family in [Family::Oci, Family::Docker] {
        for codec in Codec::ALL {
            let what = lower((family, codec))
                .replace(['(', ')', ' '], "")
                .replace(',', "-");
            let words = format!("hello from {what} on {store}\n");
            let built = runnable(&busybox, family, codec, &words);
            let names = [format!("load-{what}:v1"), format!("load-{what}:v2")];
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let (_directory, path) = written(&built, &names, LayerForm::Gzip);
            let loaded = match docker.load(&path) {
                Ok(loaded) => loaded,
                Err(error) => {
                    failures.push(format!("{what}: {error}"));
                    continue;
                }
            };
            assert_eq!(loaded, names, "{what} on {store}");
            assert_eq!(docker.run(names[1], &[]).expect(&what), words);
            let id = docker.inspect(names[0]).unwrap()["Id"]
                .as_str()
                .unwrap()
                .to_owned();
            if store != Store::ModernContainerd {
                assert_eq!(id, built.manifest.config.digest.as_str());
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn docker_20_loads_and_runs() {
    loads_and_runs(Store::Stable);
}

#[test]
fn docker_28_graph_driver_loads_and_runs() {
    loads_and_runs(Store::ModernGraph);
}

#[test]
fn docker_28_containerd_store_loads_and_runs() {
    loads_and_runs(Store::ModernContainerd);
}

/// Docker 20.10 cannot unpack zstd, and that is why it is recompressed unless told otherwise.
#[test]
fn zstd_layers_that_are_kept_load_in_docker_28_alone() {
    let Some(busybox) = peers::tool("busybox") else {
        return;
    };
    for store in Store::ALL {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        let built = runnable(&busybox, Family::Oci, Codec::Zstd, "kept\n");
        let (_directory, path) = written(&built, &["kept-zstd:v1"], LayerForm::Keep);
        match (store, docker.load(&path)) {
            (Store::Stable, Err(_)) => {}
            (Store::Stable, Ok(names)) => panic!("{store} loads zstd now: {names:?}"),
            (_, loaded) => {
                loaded.unwrap();
                assert_eq!(
                    docker.run("kept-zstd:v1", &[]).unwrap(),
                    "kept\n",
                    "{store}"
                );
            }
        }
    }
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
fn skopeo_reads_both_of_its_views() {
    for generation in Generation::ALL {
        let Some(skopeo) = peers::skopeo(generation) else {
            continue;
        };
        for family in [Family::Oci, Family::Docker] {
            for codec in Codec::ALL {
                let built = crate::common::small(family, codec);
                let (directory, path) = written(&built, &["skopeo-app:v1"], LayerForm::Gzip);
                let path = path.display();
                for from in [
                    format!("docker-archive:{path}"),
                    format!("docker-archive:{path}:skopeo-app:v1"),
                    format!("docker-archive:{path}:docker.io/library/skopeo-app:v1"),
                    format!("oci-archive:{path}"),
                    format!("oci-archive:{path}:v1"),
                ] {
                    let to = tempfile::tempdir_in(directory.path()).unwrap();
                    let what = format!("{generation} {family:?} {codec} {from}");
                    let result = skopeo_copy(&skopeo, &from, to.path());
                    // In a layout c/image finds manifests of Docker's by position, not by name.
                    if family == Family::Docker && from.ends_with("images.tar:v1") {
                        continue;
                    }
                    result.expect(&what);
                }
            }
        }
    }
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
fn podman_loads() {
    for generation in Generation::ALL {
        let Some(podman) = podman::start(generation) else {
            continue;
        };
        let built = crate::common::small(Family::Oci, Codec::Gzip);
        for names in [&["podman-one:v1"][..], &["podman-two:v1", "podman-two:v2"]] {
            let (_directory, path) = written(&built, names, LayerForm::Gzip);
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
fn containerd_imports() {
    for generation in Generation::ALL {
        let Some(containerd) = containerd::start(generation) else {
            continue;
        };
        let mut expected = Vec::new();
        for family in [Family::Docker, Family::Oci] {
            for codec in Codec::ALL {
                let built = crate::common::small(family, codec);
                let name = format!("ctr-{}-{codec}", lower(family));
                let names = [format!("{name}:v1"), format!("{name}:v2")];
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                let (_directory, path) = written(&built, &names, LayerForm::Gzip);
                expected.extend(names.iter().map(|name| format!("docker.io/library/{name}")));
                expected.sort();
                assert_eq!(containerd.import(&path).unwrap(), expected, "{generation}");
            }
        }
    }
}
