//! `oci-spec` as a second opinion on what is written here, and conversions to its types.

use cooperage_digest::Digest;
use cooperage_image_spec::{
    Descriptor, Document, ImageConfig, Index, Manifest, MediaType, Platform, ToJson,
};
use oci_spec::image as theirs;
use proptest::prelude::*;

use crate::strategies;

fn windows() -> Platform {
    Platform {
        variant: Some("v1".into()),
        os_version: Some("10.0.20348".into()),
        os_features: vec!["win32k".into()],
        ..Platform::new("windows", "amd64")
    }
}

#[test]
fn an_image_written_here_is_what_oci_spec_reads() {
    let mut config = ImageConfig {
        platform: windows(),
        ..ImageConfig::default()
    };
    config.created = Some("1970-01-01T00:00:00Z".into());
    config.config.env = vec!["A=1".into()];
    config.config.entrypoint = Some(vec!["/app".into()]);
    config.config.exposed_ports.insert("80/tcp".into());
    config.config.labels.insert("a".into(), "b".into());
    config.rootfs.diff_ids = vec![Digest::of(b"layer")];
    let config = Document::new(config);
    let read = theirs::ImageConfiguration::from_reader(config.raw()).unwrap();
    assert_eq!(read.os(), &theirs::Os::Windows);
    assert_eq!(read.os_version().as_deref(), Some("10.0.20348"));
    assert_eq!(
        read.rootfs().diff_ids(),
        &[Digest::of(b"layer").to_string()]
    );
    let run = read.config().as_ref().unwrap();
    assert_eq!(run.exposed_ports(), &Some(vec!["80/tcp".to_owned()]));
    assert_eq!(run.labels().as_ref().unwrap()["a"], "b");
    assert_eq!(&ImageConfig::try_from(&read).unwrap(), config.value());

    let layer = Descriptor::new(MediaType::OCI_LAYER_ZSTD, Digest::of(b"layer"), 5);
    let manifest = Manifest::new(config.descriptor(MediaType::OCI_CONFIG), vec![layer]);
    let manifest = Document::new(manifest);
    let read = theirs::ImageManifest::from_reader(manifest.raw()).unwrap();
    assert_eq!(read.schema_version(), 2);
    assert_eq!(read.media_type(), &Some(theirs::MediaType::ImageManifest));
    assert_eq!(
        read.config().digest().to_string(),
        config.digest().to_string()
    );
    assert_eq!(
        read.layers()[0].media_type(),
        &theirs::MediaType::ImageLayerZstd
    );
    assert_eq!(&Manifest::try_from(&read).unwrap(), manifest.value());

    let entry = manifest
        .descriptor(MediaType::OCI_MANIFEST)
        .with(|d| d.platform = Some(windows()));
    let index = Document::new(Index::new(vec![entry]));
    let read = theirs::ImageIndex::from_reader(index.raw()).unwrap();
    let platform = read.manifests()[0].platform().as_ref().unwrap();
    assert_eq!(platform.architecture(), &theirs::Arch::Amd64);
}

#[test]
fn platforms_keep_their_version_and_features() {
    let ours = Index::new(vec![
        Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b""), 0)
            .with(|descriptor| descriptor.platform = Some(windows())),
    ]);
    let converted = theirs::ImageIndex::try_from(&ours).unwrap();
    let platform = converted.manifests()[0].platform().as_ref().unwrap();
    assert_eq!(platform.os_version().as_deref(), Some("10.0.20348"));
    assert_eq!(
        platform.os_features().as_deref(),
        Some(&["win32k".to_owned()][..])
    );
    assert_eq!(Index::try_from(&converted).unwrap(), ours);
    let alone = theirs::Platform::try_from(&windows()).unwrap();
    assert_eq!(&alone, platform);
    assert_eq!(Platform::try_from(&alone).unwrap(), windows());
}

#[test]
fn media_types_convert() {
    for (ours, other) in [
        (MediaType::OCI_LAYER_GZIP, theirs::MediaType::ImageLayerGzip),
        (MediaType::OCI_EMPTY, theirs::MediaType::EmptyJSON),
        (MediaType::OCI_LAYOUT, theirs::MediaType::LayoutHeader),
        (
            MediaType::DOCKER_LIST,
            theirs::MediaType::Other(MediaType::DOCKER_LIST.to_string()),
        ),
    ] {
        assert_eq!(theirs::MediaType::from(&ours), other);
        assert_eq!(MediaType::from(&other), ours);
    }
}

#[test]
fn unknown_members_have_no_place_there() {
    let ours = Descriptor::new(MediaType::OCI_LAYER, Digest::of(b""), 0);
    let with_extra = ours
        .clone()
        .with(|ours| _ = ours.extra.insert("x".into(), 1.into()));
    let converted = theirs::Descriptor::try_from(&with_extra).unwrap();
    assert_eq!(Descriptor::try_from(&converted).unwrap(), ours);
}

#[test]
fn what_is_no_document_is_an_error() {
    let layer = Descriptor::new(MediaType::OCI_CONFIG, Digest::of(b""), 0);
    let mut manifest = theirs::ImageManifest::try_from(&Manifest::new(layer, vec![])).unwrap();
    manifest.set_schema_version(1);
    let error = Manifest::try_from(&manifest).unwrap_err();
    assert_eq!(
        error.to_string(),
        "manifest.schemaVersion: expected 2, found 1"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn oci_spec_reads_what_is_written(
        manifest in strategies::manifest(), index in strategies::index(),
        config in strategies::config(),
    ) {
        let bytes = manifest.to_json().to_canonical();
        prop_assert!(theirs::ImageManifest::from_reader(&bytes[..]).is_ok());
        let bytes = index.to_json().to_canonical();
        prop_assert!(theirs::ImageIndex::from_reader(&bytes[..]).is_ok());
        let bytes = config.to_json().to_canonical();
        prop_assert!(theirs::ImageConfiguration::from_reader(&bytes[..]).is_ok());
    }
}
