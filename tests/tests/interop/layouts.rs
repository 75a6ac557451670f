//! Layouts and archives of real images, read and copied by others.

use std::fs;
use std::path::Path;

use cooperage_blob::Source;
use cooperage_daemon_archive::{DockerArchive, OciArchive, ReadOptions};
use cooperage_layout::{Layout, Selector, fsck};
use cooperage_testkit::peers::{self, Generation, Program};
use cooperage_testkit::{containerd, podman, registry, tree_listing};
use serde_json::Value;

use crate::images::{Image, busybox};
use crate::unpackers::umoci_unpack;

const MEDIA_TYPES: [&str; 2] = ["oci", "docker"];
const ENCODERS: [&str; 3] = ["none-1", "gzip-1", "zstd-1"];

/// All that the run time gives, a program that is there twice, and a removal.
fn image(name: &str, media_types: &str, encoder: &str) -> Option<Image> {
    let busybox = busybox()?;
    let program = peers::tool("busybox")?;
    let program = program.path().to_str().unwrap();
    let layer = format!(r#"{{"layer":{{"encoder":"{encoder}"}}}}"#);
    let plan = format!(
        r#"{layer}
        {{"runtime":"users"}}
        {{"runtime":"nsswitch"}}
        {{"runtime":"tmp"}}
        {{"runtime":"ca-certificates"}}
        {{"runtime":"zoneinfo"}}
        {{"path":"srv/old","text":"old"}}
        {layer}
        {{"path":"bin/again","file":{program:?},"mode":"0755"}}
        {{"path":"srv/old","whiteout":true}}
        {{"path":"srv/new","text":"new","uid":65532}}
        {busybox}"#
    );
    let head = format!(
        r#","media_types":"{media_types}","config":{{"cmd":["/bin/busybox","echo","it runs"],"env":{{"A":"b"}},"user":"65532"}}"#
    );
    Some(Image::build(name, &head, &plan, Path::new("")))
}

/// Every family of media types with every codec that it has a media type for.
fn all(name: &str) -> Vec<Image> {
    let mut images = Vec::new();
    for media_types in MEDIA_TYPES {
        for encoder in ENCODERS {
            // Docker has no media type for zstd.
            if (media_types, encoder) != ("docker", "zstd-1") {
                images.extend(image(
                    &format!("{name}-{media_types}-{encoder}"),
                    media_types,
                    encoder,
                ));
            }
        }
    }
    images
}

fn is_docker(image: &Image) -> bool {
    image.name.contains("-docker-")
}

/// The layout as skopeo names it. In a layout it finds documents of Docker's by their place alone,
/// not by their name.
fn oci(image: &Image) -> String {
    if is_docker(image) {
        format!("oci:{}", image.layout.path().display())
    } else {
        format!("oci:{}", image.tag())
    }
}

fn is_zstd(image: &Image) -> bool {
    image.name.ends_with("zstd-1")
}

/// Each generation of skopeo with each image.
fn with_skopeo(name: &str, see: impl Fn(&Program, &Image, &str)) {
    let skopeos = Generation::ALL.map(|generation| (generation, peers::skopeo(generation)));
    let images = all(name);
    for (generation, skopeo) in &skopeos {
        let Some(skopeo) = skopeo else { continue };
        for image in &images {
            see(
                skopeo,
                image,
                &format!("{} by skopeo ({generation})", image.name),
            );
        }
    }
}

fn copy(skopeo: &Program, from: &str, to: &str) {
    skopeo
        .run(["copy", "--preserve-digests", from, to])
        .unwrap();
}

fn digest(skopeo: &Program, image: &str) -> String {
    let said = skopeo
        .run(["inspect", "--format", "{{.Digest}}", image])
        .unwrap();
    said.trim().to_owned()
}

fn config(skopeo: &Program, image: &str) -> Value {
    let said = skopeo.run(["inspect", "--config", "--raw", image]).unwrap();
    serde_json::from_str(&said).unwrap()
}

/// A name for a new medium, where nothing is.
fn fresh(image: &Image, name: &str) -> String {
    let path = image.beside(name);
    if path.is_dir() {
        fs::remove_dir_all(&path).unwrap();
    } else if path.exists() {
        fs::remove_file(&path).unwrap();
    }
    path.display().to_string()
}

#[test]
fn skopeo_inspects_our_layouts() {
    with_skopeo("inspected", |skopeo, image, what| {
        let said = skopeo.run(["inspect", &oci(image)]).unwrap();
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["Digest"], image.digest(), "{what}");
        assert_eq!(said["Os"], "linux", "{what}");
        assert_eq!(said["Env"], serde_json::json!(["A=b"]), "{what}");
        let layers: Vec<_> = image
            .manifest()
            .layers
            .iter()
            .map(|it| it.digest.as_str())
            .collect();
        assert_eq!(said["Layers"], serde_json::json!(layers), "{what}");
        let raw = skopeo.run(["inspect", "--raw", &oci(image)]).unwrap();
        assert_eq!(
            raw.as_bytes(),
            image.built.images[0].formed.manifest.raw(),
            "{what}"
        );
    });
}

#[test]
fn skopeo_copies_our_layout_to_every_medium_and_back_with_one_digest() {
    with_skopeo("copied", |skopeo, image, what| {
        let mut media = vec![format!("dir:{}", fresh(image, "dir"))];
        // Its layouts and OCI archives take OCI's documents only.
        if !is_docker(image) {
            media.push(format!("oci:{}:name", fresh(image, "oci")));
            media.push(format!(
                "oci-archive:{}:name",
                fresh(image, "oci-archive.tar")
            ));
        }
        let mut last = oci(image);
        for medium in &media {
            copy(skopeo, &last, medium);
            assert_eq!(
                digest(skopeo, medium),
                image.digest(),
                "{what}: {last} to {medium}"
            );
            last.clone_from(medium);
        }
        if is_docker(image) {
            return;
        }
        // Back from the last, over two others, into a layout, and so into ours.
        let back = fresh(image, "back");
        copy(skopeo, &last, &format!("oci:{back}:back"));
        let back = Layout::open(Path::new(&back)).unwrap();
        assert!(
            fsck(back.path()).is_empty(),
            "{what}: {:?}",
            fsck(back.path())
        );
        let found = back.find(&Selector::name("back")).unwrap();
        assert_eq!(found.digest, image.built.descriptor.digest, "{what}");
        let archive = image.beside("oci-archive.tar");
        let archive = OciArchive::open(&archive, &ReadOptions::default()).unwrap();
        assert_eq!(
            archive.roots().unwrap()[0].descriptor.digest,
            found.digest,
            "{what}"
        );
    });
}

#[test]
fn skopeo_makes_docker_archives_of_our_layouts_and_we_read_them() {
    with_skopeo("archived", |skopeo, image, what| {
        // Docker archives of skopeo's hold no zstd, and it recompresses nothing for them.
        if is_zstd(image) {
            return;
        }
        let path = fresh(image, "theirs.tar");
        let to = format!("docker-archive:{path}:archived:v1");
        skopeo.run(["copy", &oci(image), &to]).unwrap();
        let archive = DockerArchive::open(Path::new(&path), &ReadOptions::default()).unwrap();
        archive.verify().unwrap();
        let theirs = config(skopeo, &to);
        let ours: Value =
            serde_json::from_slice(image.built.images[0].formed.config.raw()).unwrap();
        assert_eq!(theirs["rootfs"], ours["rootfs"], "{what}");
        assert_eq!(theirs["config"], ours["config"], "{what}");
    });
}

#[test]
fn skopeo_reads_our_archives_and_finds_the_same_image() {
    with_skopeo("written", |skopeo, image, what| {
        let (docker, _) = image.docker_archive();
        let docker = format!("docker-archive:{}", docker.display());
        let raw = image.built.images[0].formed.config.raw();
        assert_eq!(
            config(skopeo, &docker),
            serde_json::from_slice::<Value>(raw).unwrap(),
            "{what}"
        );
        let oci = format!("oci-archive:{}", image.oci_archive().display());
        assert_eq!(digest(skopeo, &oci), image.digest(), "{what}");
        let to = format!("dir:{}", fresh(image, "of-archive"));
        copy(skopeo, &oci, &to);
        assert_eq!(digest(skopeo, &to), image.digest(), "{what}");
    });
}

#[test]
fn umoci_unpacks_our_layouts_to_what_they_hold() {
    for generation in Generation::ALL {
        let Some(umoci) = peers::umoci(generation) else {
            continue;
        };
        for image in all("unpacked") {
            let what = format!("{} by umoci ({generation})", image.name);
            let bundle = image.beside("bundle");
            let result = umoci_unpack(&umoci, &image, &bundle);
            // umoci reads documents of OCI's only, and zstd since 0.5.
            if is_docker(&image) || is_zstd(&image) && generation == Generation::Stable {
                result.expect_err(&what);
                continue;
            }
            result.expect(&what);
            let directories = |listing: cooperage_testkit::listing::Listing| {
                // umoci sets the times of some directories only.
                let mut listing = listing;
                for entry in &mut listing.0 {
                    if entry.kind == cooperage_testkit::listing::Kind::Directory {
                        entry.mtime = 0;
                    }
                }
                listing
            };
            directories(tree_listing(&bundle.join("rootfs"))).assert_same(
                &directories(image.listing()),
                &format!("{what} (-) and we (+)"),
            );
        }
    }
}

#[test]
fn crane_finds_no_fault_with_our_archives_and_layouts() {
    let Some(crane) = peers::crane() else { return };
    let Some(registry) = registry::start(Generation::Stable) else {
        return;
    };
    for image in all("validated") {
        let what = &image.name;
        let (archive, _) = image.docker_archive();
        let archive = archive.to_str().unwrap();
        let said = crane.run(["validate", "--tarball", archive]).expect(what);
        assert!(said.starts_with("PASS"), "{what}: {said}");
        let layout = image.layout.path().to_str().unwrap();
        let name = format!("{}/{what}:v1", registry.address());
        crane
            .run(["push", "--insecure", layout, &name])
            .expect(what);
        // It looks into layers that are compressed by gzip only.
        if what.ends_with("gzip-1") {
            let said = crane
                .run(["validate", "--insecure", "--remote", &name])
                .expect(what);
            assert!(said.starts_with("PASS"), "{what}: {said}");
        }
        let said = crane.run(["digest", "--insecure", &name]).expect(what);
        assert_eq!(said.trim(), image.digest(), "{what}");
    }
}

#[test]
fn podman_loads_both_kinds_of_archive_under_one_id() {
    for generation in Generation::ALL {
        let Some(podman) = podman::start(generation) else {
            continue;
        };
        for image in all("podman") {
            let what = format!("{} by podman ({generation})", image.name);
            let id = || {
                let words = ["image", "inspect", "--format", "{{.Id}}", &image.name];
                podman.program().run(words)
            };
            let config = image.manifest().config.digest.encoded();
            podman.load(&image.docker_archive().0).expect(&what);
            assert_eq!(id().expect(&what).trim(), config, "{what}, docker archive");
            podman
                .program()
                .run(["image", "rm", "--force", &image.name])
                .expect(&what);
            podman.load(&image.oci_archive()).expect(&what);
            assert_eq!(id().expect(&what).trim(), config, "{what}, OCI archive");
        }
    }
}

#[test]
fn containerd_imports_both_kinds_of_archive_and_runs_them() {
    for generation in Generation::ALL {
        let Some(containerd) = containerd::start(generation) else {
            continue;
        };
        for image in all("containerd") {
            let what = format!("{} by containerd ({generation})", image.name);
            let before = containerd.import(&image.docker_archive().0).expect(&what);
            let docker = format!("docker.io/library/{}:latest", image.name);
            assert!(before.contains(&docker), "{what}: {before:?}");
            let after = containerd.import(&image.oci_archive()).expect(&what);
            let oci: Vec<_> = after.iter().filter(|it| !before.contains(it)).collect();
            assert_eq!(oci.len(), 1, "{what}: {after:?}");
            for name in [&docker, oci[0]] {
                assert_eq!(
                    containerd.run(name, &[]).expect(&what),
                    "it runs\n",
                    "{what}: {name}"
                );
            }
        }
    }
}
