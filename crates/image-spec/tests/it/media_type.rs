//! Media types of both worlds.

use cooperage_image_spec::MediaType;

#[test]
fn each_has_its_counterpart() {
    for (oci, docker) in [
        (MediaType::OCI_MANIFEST, Some(MediaType::DOCKER_MANIFEST)),
        (MediaType::OCI_INDEX, Some(MediaType::DOCKER_LIST)),
        (MediaType::OCI_CONFIG, Some(MediaType::DOCKER_CONFIG)),
        (MediaType::OCI_LAYER, Some(MediaType::DOCKER_LAYER)),
        (
            MediaType::OCI_LAYER_GZIP,
            Some(MediaType::DOCKER_LAYER_GZIP),
        ),
        (
            MediaType::OCI_LAYER_ZSTD,
            Some(MediaType::DOCKER_LAYER_ZSTD),
        ),
        (
            MediaType::OCI_LAYER_NONDISTRIBUTABLE,
            Some(MediaType::DOCKER_LAYER_FOREIGN),
        ),
        (
            MediaType::OCI_LAYER_NONDISTRIBUTABLE_GZIP,
            Some(MediaType::DOCKER_LAYER_FOREIGN_GZIP),
        ),
        (MediaType::OCI_LAYER_NONDISTRIBUTABLE_ZSTD, None),
        (MediaType::OCI_EMPTY, None),
        (
            MediaType::new("application/vnd.cncf.helm.config.v1+json"),
            None,
        ),
    ] {
        assert_eq!(oci.to_docker(), docker, "{oci}");
        assert_eq!(oci.to_oci(), oci);
        if let Some(docker) = docker {
            assert_eq!(docker.to_oci(), oci);
            assert_eq!(docker.to_docker().as_ref(), Some(&docker));
        }
    }
    let plugin = MediaType::new("application/vnd.docker.plugin.v1+json");
    assert_eq!(
        (plugin.to_oci(), plugin.to_docker()),
        (plugin.clone(), Some(plugin))
    );
}

#[test]
fn kinds() {
    let kinds = |media_type: &MediaType| {
        [
            media_type.is_manifest(),
            media_type.is_index(),
            media_type.is_config(),
            media_type.is_layer(),
            media_type.is_nondistributable(),
        ]
    };
    for (media_type, expected) in [
        (MediaType::OCI_MANIFEST, [true, false, false, false, false]),
        (
            MediaType::DOCKER_MANIFEST,
            [true, false, false, false, false],
        ),
        (MediaType::OCI_INDEX, [false, true, false, false, false]),
        (MediaType::DOCKER_LIST, [false, true, false, false, false]),
        (MediaType::OCI_CONFIG, [false, false, true, false, false]),
        (MediaType::DOCKER_CONFIG, [false, false, true, false, false]),
        (MediaType::OCI_LAYER, [false, false, false, true, false]),
        (
            MediaType::DOCKER_LAYER_ZSTD,
            [false, false, false, true, false],
        ),
        (
            MediaType::DOCKER_LAYER_FOREIGN,
            [false, false, false, true, true],
        ),
        (
            MediaType::DOCKER_LAYER_FOREIGN_GZIP,
            [false, false, false, true, true],
        ),
        (
            MediaType::OCI_LAYER_NONDISTRIBUTABLE_ZSTD,
            [false, false, false, true, true],
        ),
        (MediaType::OCI_EMPTY, [false; 5]),
        (MediaType::DOCKER_SCHEMA1, [false; 5]),
        (MediaType::DOCKER_SCHEMA1_SIGNED, [false; 5]),
        (MediaType::new(""), [false; 5]),
    ] {
        assert_eq!(kinds(&media_type), expected, "{media_type}");
    }
    assert_eq!(
        MediaType::new(MediaType::OCI_LAYER.as_str()),
        MediaType::OCI_LAYER
    );
}
