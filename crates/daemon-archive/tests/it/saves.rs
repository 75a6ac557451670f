//! What real writers write is read here.

use std::path::Path;

use cooperage_blob::{CopyOptions, Memory, Source, copy, read};
use cooperage_compress::Codec;
use cooperage_daemon_archive::{DockerArchive, ManifestForm, ReadOptions, WriteOptions};
use cooperage_digest::Digest;
use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::peers::{self, Generation};
use cooperage_testkit::{containerd, podman, registry};

use crate::common::{Built, Family, archive, compress, entries, named, small};
use crate::docker::{manifest, names};

fn file(directory: &Path, name: &str, built: &Built, tag: &str) -> std::path::PathBuf {
    let images = [named(&built.descriptor, &[tag])];
    let (bytes, _) = archive(&built.memory, &images, &WriteOptions::default());
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The image is the one that was built: config byte for byte, layers by diff ID, all verified.
fn check(what: &str, path: &Path, built: &Built, tag: &str) {
    let archive = DockerArchive::open(path, &ReadOptions::default()).unwrap();
    assert!(
        names(&archive).contains(&Some(tag.to_owned())),
        "{what}: {:?}",
        names(&archive)
    );
    let manifest = manifest(&archive, 0);
    assert_eq!(
        read(&archive, &manifest.config).unwrap(),
        built.config,
        "{what}"
    );
    assert_eq!(manifest.layers.len(), 3, "{what}");
    archive.verify().unwrap();
    for root in archive.roots().unwrap() {
        copy(&archive, &root, &Memory::new(), &CopyOptions::default()).unwrap();
    }
    // The same from a pipe, compressed.
    let stored = compress(Codec::Gzip, &std::fs::read(path).unwrap());
    let piped = DockerArchive::from_reader(&stored[..], &ReadOptions::default()).unwrap();
    assert_eq!(piped.roots().unwrap(), archive.roots().unwrap(), "{what}");
}

#[test]
fn docker_save_of_every_store() {
    for store in Store::ALL {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        let built = small(Family::Oci, Codec::Gzip);
        let directory = tempfile::tempdir().unwrap();
        let ours = file(directory.path(), "ours.tar", &built, "saved:v1");
        docker.load(&ours).unwrap();
        let theirs = directory.path().join("theirs.tar");
        docker.save(&["saved:v1"], &theirs).unwrap();
        check(
            &store.to_string(),
            &theirs,
            &built,
            "docker.io/library/saved:v1",
        );
        let bytes = std::fs::read(&theirs).unwrap();
        let links = entries(&bytes)
            .into_iter()
            .filter(|(_, kind, _)| kind.is_symlink())
            .count();
        match store {
            Store::Stable => assert_eq!(links, 1, "the repeated layer is a symbolic link"),
            _ => assert_eq!(links, 0, "{store}"),
        }
        let archive = DockerArchive::open(&theirs, &ReadOptions::default()).unwrap();
        assert_eq!(
            archive.is_stand_in(&archive.roots().unwrap()[0].descriptor.digest),
            store != Store::ModernContainerd,
            "{store}"
        );
        let digests = manifest(&archive, 0)
            .layers
            .into_iter()
            .map(|layer| layer.digest);
        if store == Store::ModernContainerd {
            // That store keeps blobs, so the very manifest comes back.
            assert_eq!(
                archive.roots().unwrap()[0].descriptor.digest,
                built.descriptor.digest
            );
        } else {
            assert_eq!(digests.collect::<Vec<Digest>>(), built.diff_ids, "{store}");
        }
    }
}

#[test]
fn archives_of_skopeo_and_podman() {
    let built = small(Family::Docker, Codec::Gzip);
    let directory = tempfile::tempdir().unwrap();
    let ours = file(directory.path(), "ours.tar", &built, "foreign:v1");
    let full = "docker.io/library/foreign:v1";
    for generation in Generation::ALL {
        if let Some(skopeo) = peers::skopeo(generation) {
            let theirs = directory.path().join(format!("skopeo-{generation}.tar"));
            let from = format!("docker-archive:{}", ours.display());
            let to = format!("docker-archive:{}:foreign:v1", theirs.display());
            skopeo.run(["copy", &from, &to]).unwrap();
            check(&format!("skopeo {generation}"), &theirs, &built, full);
        }
        if let Some(podman) = podman::start(generation) {
            let theirs = directory.path().join(format!("podman-{generation}.tar"));
            podman.load(&ours).unwrap();
            podman.save(full, "docker-archive", &theirs).unwrap();
            check(&format!("podman {generation}"), &theirs, &built, full);
        }
    }
}

#[test]
fn archives_of_crane() {
    let (Some(crane), Some(skopeo)) = (peers::crane(), peers::skopeo(Generation::Modern)) else {
        return;
    };
    let Some(registry) = registry::start(Generation::Modern) else {
        return;
    };
    let built = small(Family::Docker, Codec::Gzip);
    let directory = tempfile::tempdir().unwrap();
    let ours = file(directory.path(), "ours.tar", &built, "foreign:v1");
    let from = format!("oci-archive:{}", ours.display());
    let name = format!("{}/foreign:v1", registry.address());
    skopeo
        .run([
            "copy",
            "--dest-tls-verify=false",
            &from,
            &format!("docker://{name}"),
        ])
        .unwrap();
    let theirs = directory.path().join("crane.tar");
    crane
        .run(["pull", "--insecure", &name, theirs.to_str().unwrap()])
        .unwrap();
    check("crane", &theirs, &built, &name);
    let mut options = ReadOptions::default();
    options.manifests = ManifestForm::Docker;
    let archive = DockerArchive::open(&theirs, &options).unwrap();
    // crane keeps layers as they are in the registry, so the manifest that is formed is the same.
    assert_eq!(
        archive.roots().unwrap()[0].descriptor.digest,
        built.descriptor.digest
    );
}

#[test]
fn archives_of_containerd() {
    for generation in Generation::ALL {
        let Some(containerd) = containerd::start(generation) else {
            continue;
        };
        let built = small(Family::Oci, Codec::Gzip);
        let directory = tempfile::tempdir().unwrap();
        let ours = file(directory.path(), "ours.tar", &built, "foreign:v1");
        containerd.import(&ours).unwrap();
        let theirs = directory.path().join("containerd.tar");
        let name = "docker.io/library/foreign:v1";
        containerd
            .client()
            .run(["images", "export", theirs.to_str().unwrap(), name])
            .unwrap();
        check(&format!("containerd {generation}"), &theirs, &built, name);
        let archive = DockerArchive::open(&theirs, &ReadOptions::default()).unwrap();
        assert_eq!(
            archive.roots().unwrap()[0].descriptor.digest,
            built.descriptor.digest
        );
    }
}
