//! Against CNCF distribution, of both generations.

use std::num::NonZeroU64;

use cooperage_blob::{CopyOptions, Memory, Root, Sink as _, Source as _, copy};
use cooperage_image_spec::{Document, Manifest, MediaType, Platform, Reference};
use cooperage_registry::{Client, Options, Repository, Upload};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry;

use crate::{image, in_memory, index, noise, one_job};

fn open(registry: &registry::Registry, path: &str, upload: Upload) -> Repository {
    let mut options = Options::default();
    options.upload = upload;
    let reference: Reference = format!("{}/{path}", registry.address()).parse().unwrap();
    Client::new(options).unwrap().repository(&reference)
}

fn check(generation: Generation) {
    let Some(registry) = registry::start(generation) else {
        return;
    };
    let layers = [noise(1, 5 << 20), noise(2, 100), Vec::new(), noise(3, 1)];
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let (memory, root) = in_memory(&layers);
    let chunked = Upload::Chunked(NonZeroU64::new(1 << 20).unwrap());
    for (path, upload) in [("one", Upload::Monolithic), ("two/deep", chunked)] {
        let to = open(&registry, path, upload);
        let copied = copy(&memory, &root, &to, &CopyOptions::default()).unwrap();
        assert_eq!(copied.blobs, 6, "{path}");
        let back = Memory::new();
        let found = to.resolve("v1").unwrap();
        assert_eq!(found, root.descriptor);
        copy(&to, &Root::named("back", found), &back, &one_job()).unwrap();
        assert_eq!(back.digests(), memory.digests());
        assert_eq!(to.tags().unwrap(), ["v1"]);
        assert_eq!(to.roots().unwrap().len(), 1);
        let again = copy(&memory, &root, &to, &CopyOptions::default()).unwrap();
        assert_eq!((again.blobs, again.skipped), (0, 1));
    }
    // Mounted, not sent.
    let from = open(&registry, "one", Upload::Monolithic);
    let to = open(&registry, "three", Upload::Monolithic);
    let copied = copy(&from, &root, &to, &one_job()).unwrap();
    assert_eq!(
        copied.bytes, root.descriptor.size,
        "the manifest alone went over"
    );
    assert!(
        registry.log().contains("mount="),
        "the registry was asked to mount"
    );
    for digest in memory.digests() {
        let mut blob = root.descriptor.clone();
        blob.digest = digest;
        let other = MediaType::OCI_LAYER;
        let is_root = blob.digest == root.descriptor.digest;
        blob.media_type = if is_root { blob.media_type } else { other };
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut to.fetch(&sized(&memory, blob)).unwrap(), &mut bytes)
            .unwrap();
    }
    index_and_docker(&registry);
    referrers(&registry);
    writer(&registry);
}

/// The same descriptor with the size that the blob has.
fn sized(
    memory: &Memory,
    mut blob: cooperage_image_spec::Descriptor,
) -> cooperage_image_spec::Descriptor {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut memory.fetch(&blob).unwrap(), &mut bytes).unwrap();
    blob.size = bytes.len() as u64;
    blob
}

fn index_and_docker(registry: &registry::Registry) {
    let memory = Memory::new();
    let mut oci = image(&memory, &[b"amd"]);
    oci.platform = Some(Platform::linux_amd64());
    let config = cooperage_blob::put(&memory, MediaType::DOCKER_CONFIG, b"{\"a\":1}").unwrap();
    let layer = cooperage_blob::put(&memory, MediaType::DOCKER_LAYER_GZIP, b"arm").unwrap();
    let mut docker = Manifest::new(config, vec![layer]);
    docker.media_type = Some(MediaType::DOCKER_MANIFEST);
    let docker = Document::new(docker);
    let mut docker =
        cooperage_blob::put(&memory, MediaType::DOCKER_MANIFEST, docker.raw()).unwrap();
    docker.platform = Some(Platform::linux_arm64());
    let root = Root::named("all", index(&memory, vec![oci.clone(), docker.clone()]));
    let to = open(registry, "multi", Upload::Monolithic);
    copy(&memory, &root, &to, &CopyOptions::default()).unwrap();
    let found = to.find("all", Some(&Platform::linux_arm64())).unwrap();
    assert_eq!(found, docker, "its media type stays Docker's");
    assert_eq!(
        to.resolve(docker.digest.as_str()).unwrap().media_type,
        MediaType::DOCKER_MANIFEST
    );
    let back = Memory::new();
    copy(
        &to,
        &Root::named("all", to.resolve("all").unwrap()),
        &back,
        &one_job(),
    )
    .unwrap();
    assert_eq!(back.digests(), memory.digests());
}

/// Distribution 2.8 has no referrers API: the tag stands in for it.
fn referrers(registry: &registry::Registry) {
    let to = open(registry, "referred", Upload::Monolithic);
    let subject = image(&to, &[b"layer"]);
    let config = cooperage_blob::put(&to, MediaType::OCI_EMPTY, b"{}").unwrap();
    let mut note = Manifest::new(config.clone(), vec![config]);
    note.subject = Some(subject.clone());
    note.artifact_type = Some("application/x.note".into());
    let note = Document::new(note);
    let note = cooperage_blob::put(&to, MediaType::OCI_MANIFEST, note.raw()).unwrap();
    let found = to.referrers(&subject.digest, None).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].digest, note.digest);
    assert_eq!(
        found[0].artifact_type.as_deref(),
        Some("application/x.note")
    );
}

fn writer(registry: &registry::Registry) {
    let to = open(registry, "written", Upload::Monolithic);
    let bytes = noise(9, 9 << 20);
    let mut writer = to.create(cooperage_digest::Algorithm::Sha256).unwrap();
    std::io::Write::write_all(&mut writer, &bytes).unwrap();
    let written = writer.finish(None).unwrap();
    let layer =
        cooperage_image_spec::Descriptor::new(MediaType::OCI_LAYER, written.digest, written.size);
    assert!(to.has(&layer).unwrap());
}

#[test]
fn the_elder_distribution() {
    check(Generation::Stable);
}

#[test]
fn the_newer_distribution() {
    check(Generation::Modern);
}
