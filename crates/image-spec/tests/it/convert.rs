//! Whole documents from OCI's media types to Docker's and back.

use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Index, Json, Manifest, MediaType, Platform};

fn descriptor(media_type: MediaType) -> Descriptor {
    Descriptor::new(media_type, Digest::of(b"x"), 1)
}

fn annotate(descriptor: &mut Descriptor) {
    descriptor.annotations.insert("a".into(), "b".into());
}

fn manifest() -> Manifest {
    let layers = vec![
        descriptor(MediaType::OCI_LAYER_GZIP),
        descriptor(MediaType::OCI_LAYER_ZSTD),
        descriptor(MediaType::OCI_LAYER_NONDISTRIBUTABLE)
            .with(|layer| layer.urls = vec!["https://example.com".into()]),
    ];
    let mut manifest = Manifest::new(descriptor(MediaType::OCI_CONFIG), layers);
    manifest.extra.insert("x".into(), Json::from(1));
    manifest
}

#[test]
fn a_plain_manifest_goes_both_ways() {
    let oci = manifest();
    let docker = oci.to_docker().unwrap();
    assert_eq!(docker.lost, [""; 0]);
    let docker = docker.value;
    assert_eq!(docker.media_type, Some(MediaType::DOCKER_MANIFEST));
    let types: Vec<_> = docker
        .children()
        .map(|child| child.media_type.clone())
        .collect();
    assert_eq!(
        types,
        [
            MediaType::DOCKER_CONFIG,
            MediaType::DOCKER_LAYER_GZIP,
            MediaType::DOCKER_LAYER_ZSTD,
            MediaType::DOCKER_LAYER_FOREIGN,
        ]
    );
    assert_eq!(docker.layers[2].urls, ["https://example.com"]);
    assert_eq!(docker.to_oci(), oci);
    assert_eq!(docker.to_docker().unwrap().value, docker);
}

#[test]
fn what_is_lost_is_named() {
    let mut manifest = manifest();
    annotate(&mut manifest.config);
    annotate(&mut manifest.layers[1]);
    manifest.layers[1].data = Some("eA==".into());
    manifest.subject = Some(descriptor(MediaType::OCI_MANIFEST));
    manifest.artifact_type = Some("t".into());
    manifest.annotations.insert("a".into(), "b".into());
    let docker = manifest.to_docker().unwrap();
    assert_eq!(
        docker.lost,
        [
            "manifest.artifactType",
            "manifest.config.annotations",
            "manifest.layers[1].annotations",
            "manifest.layers[1].data",
            "manifest.subject",
            "manifest.annotations",
        ]
    );
    assert_eq!(docker.value, self::manifest().to_docker().unwrap().value);
}

#[test]
fn what_docker_has_no_name_for_is_refused() {
    let artifact = Manifest::new(Descriptor::empty(), vec![]);
    assert_eq!(
        artifact.to_docker().unwrap_err().to_string(),
        "manifest.config.mediaType: Docker has no media type for \
         `application/vnd.oci.empty.v1+json`; keep the image in OCI's"
    );
    let mut odd = manifest();
    odd.layers[2].media_type = MediaType::OCI_LAYER_NONDISTRIBUTABLE_ZSTD;
    assert_eq!(
        odd.to_docker().unwrap_err().place,
        "manifest.layers[2].mediaType"
    );
}

#[test]
fn an_index_goes_both_ways() {
    let entry = descriptor(MediaType::OCI_MANIFEST)
        .with(|entry| entry.platform = Some(Platform::linux_amd64()));
    let oci = Index::new(vec![entry]);
    let docker = oci.to_docker().unwrap();
    assert_eq!(
        (docker.value.to_oci(), &docker.lost[..]),
        (oci.clone(), &[][..])
    );
    assert_eq!(docker.value.media_type, Some(MediaType::DOCKER_LIST));
    assert_eq!(
        docker.value.manifests[0].media_type,
        MediaType::DOCKER_MANIFEST
    );
    assert_eq!(
        docker.value.manifests[0].platform,
        Some(Platform::linux_amd64())
    );

    let mut annotated = oci;
    annotate(&mut annotated.manifests[0]);
    annotated.annotations.insert("a".into(), "b".into());
    assert_eq!(
        annotated.to_docker().unwrap().lost,
        ["index.manifests[0].annotations", "index.annotations"]
    );
    annotated.manifests[0].media_type = MediaType::new("text/plain");
    assert_eq!(
        annotated.to_docker().unwrap_err().place,
        "index.manifests[0].mediaType"
    );
}
