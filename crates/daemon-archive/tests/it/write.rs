//! What is written: form, order, platforms, recompression.

use std::collections::BTreeSet;
use std::io::{self, Write};

use cooperage_blob::{Memory, put, read};
use cooperage_compress::Codec;
use cooperage_daemon_archive::{
    Detail, DockerArchive, Image, LayerForm, ReadOptions, WriteError, WriteOptions, write,
};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Index, MediaType, Platform};
use cooperage_testkit::ragged::RaggedWriter;
use serde_json::{Value, json};

use crate::common::{
    Family, add_image, archive, causes, decompress, entries, entry, named, small, tar,
};

fn json_entry(archive: &[u8], name: &str) -> Value {
    serde_json::from_slice(&entry(archive, name)).unwrap()
}

fn failure(memory: &Memory, images: &[Image], options: &WriteOptions) -> String {
    let error = write(memory, images, &mut Vec::new(), options).unwrap_err();
    causes(&error)
}

#[test]
fn documents_come_first_and_every_blob_once() {
    let built = small(Family::Oci, Codec::Gzip);
    let images = [named(
        &built.descriptor,
        &["app", "localhost:5000/team/app:v2"],
    )];
    let (bytes, _) = archive(&built.memory, &images, &WriteOptions::default());
    let path = |digest: &Digest| format!("blobs/sha256/{}", digest.encoded());
    let layers: Vec<_> = built
        .manifest
        .layers
        .iter()
        .map(|layer| path(&layer.digest))
        .collect();
    let names: Vec<_> = entries(&bytes).into_iter().map(|(name, ..)| name).collect();
    let expected = [
        "manifest.json",
        "index.json",
        "oci-layout",
        "blobs/",
        "blobs/sha256/",
        &path(&built.descriptor.digest),
        &path(&built.manifest.config.digest),
        &layers[0],
        &layers[1],
    ];
    assert_eq!(names, expected);
    assert_eq!(
        json_entry(&bytes, "manifest.json"),
        json!([{
            "Config": path(&built.manifest.config.digest),
            "RepoTags": ["docker.io/library/app:latest", "localhost:5000/team/app:v2"],
            "Layers": layers,
        }])
    );
    let index = json_entry(&bytes, "index.json");
    let descriptor = |full: &str, tag: &str| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": built.descriptor.digest.as_str(),
            "size": built.descriptor.size,
            "annotations": {
                "io.containerd.image.name": full,
                "org.opencontainers.image.ref.name": tag,
            },
        })
    };
    assert_eq!(
        index["manifests"],
        json!([
            descriptor("docker.io/library/app:latest", "latest"),
            descriptor("localhost:5000/team/app:v2", "v2"),
        ])
    );
    assert_eq!(
        json_entry(&bytes, "oci-layout"),
        json!({"imageLayoutVersion": "1.0.0"})
    );
    assert_eq!(
        entry(&bytes, &path(&built.manifest.config.digest)),
        built.config
    );
}

#[test]
fn headers_are_canonical() {
    let built = small(Family::Oci, Codec::Gzip);
    let (bytes, _) = archive(
        &built.memory,
        &[named(&built.descriptor, &["a"])],
        &WriteOptions::default(),
    );
    for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let mode = if header.entry_type().is_dir() {
            0o755
        } else {
            0o644
        };
        assert!(header.entry_type().is_dir() || header.entry_type().is_file());
        assert_eq!(header.mode().unwrap(), mode);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!(header.mtime().unwrap(), 0);
        assert_eq!(header.username().unwrap(), Some(""));
    }
    assert_eq!(bytes[bytes.len() - 1024..], [0; 1024]);
    assert_eq!(bytes.len() % 512, 0);
}

#[test]
fn order_and_repeats_do_not_show() {
    let built = small(Family::Oci, Codec::Gzip);
    let layers = [(Codec::None, tar(&[("etc/motd", 0o644, b"two\n")]))];
    let (two, ..) = add_image(&built.memory, Family::Docker, &layers, "amd64");
    let (three, ..) = add_image(&built.memory, Family::Oci, &layers, "amd64");
    let first = [
        named(&built.descriptor, &["a:1", "c:1"]),
        named(&two, &["b:1"]),
        named(&three, &[]),
    ];
    let second = [
        named(&three, &[]),
        named(&built.descriptor, &["c:1"]),
        named(&two, &["b:1", "b:1"]),
        named(&built.descriptor, &["a:1"]),
    ];
    let options = WriteOptions::default();
    let (expected, report) = archive(&built.memory, &first, &options);
    let names: Vec<_> = report
        .images
        .iter()
        .map(|image| image.names.join(" "))
        .collect();
    assert_eq!(
        names,
        [
            "docker.io/library/a:1 docker.io/library/c:1",
            "docker.io/library/b:1",
            ""
        ]
    );
    assert!(expected == archive(&built.memory, &second, &options).0);
    let mut ragged = RaggedWriter::new(Vec::new(), 7);
    write(&built.memory, &second, &mut ragged, &options).unwrap();
    assert!(expected == ragged.into_inner());
}

/// An index of an amd64 and an arm64 image, with an attestation.
fn two_platforms(memory: &Memory) -> (Descriptor, Descriptor, Descriptor) {
    let layers = |text: &str| [(Codec::Gzip, tar(&[("etc/motd", 0o644, text.as_bytes())]))];
    let (mut amd64, ..) = add_image(memory, Family::Oci, &layers("amd64"), "amd64");
    // Without a platform: the config says it.
    let (arm64, ..) = add_image(memory, Family::Oci, &layers("arm64"), "arm64");
    amd64.platform = Some(Platform::linux_amd64());
    let mut attestation = put(memory, MediaType::OCI_MANIFEST, b"{}").unwrap();
    attestation.platform = Some(Platform::new("unknown", "unknown"));
    let mut index = Index::new(vec![amd64.clone(), arm64.clone(), attestation]);
    index.annotations.insert("team".into(), "x".into());
    let index = Document::new(index);
    let index = put(memory, MediaType::OCI_INDEX, index.raw()).unwrap();
    (index, amd64, arm64)
}

#[test]
fn an_index_needs_a_platform() {
    let memory = Memory::new();
    let (index, amd64, arm64) = two_platforms(&memory);
    let images = [named(&index, &["app:v1"])];
    let mut options = WriteOptions::default();
    assert_eq!(
        failure(&memory, &images, &options),
        format!(
            "`{}` has images for linux/amd64, linux/arm64: choose a platform",
            index.digest
        )
    );
    options.platform = Some("linux/s390x".parse().unwrap());
    assert_eq!(
        failure(&memory, &images, &options),
        format!(
            "`{}` has no image for linux/s390x, only for linux/amd64, linux/arm64",
            index.digest
        )
    );
    for (platform, expected, other) in [
        ("linux/amd64", &amd64, "linux/arm64"),
        ("linux/arm64", &arm64, "linux/amd64"),
    ] {
        options.platform = Some(platform.parse().unwrap());
        let (bytes, report) = archive(&memory, &images, &options);
        let image = &report.images[0];
        assert_eq!(image.manifest.digest, expected.digest);
        let dropped: Vec<_> = image.dropped.iter().map(ToString::to_string).collect();
        assert_eq!(
            dropped[0],
            format!("annotation `team` of `{}`", index.digest)
        );
        assert!(
            dropped[1].starts_with("the attached manifest"),
            "{dropped:?}"
        );
        assert_eq!(dropped[2..], [format!("the image for {other}")]);
        let read = DockerArchive::from_reader(&bytes[..], &ReadOptions::default()).unwrap();
        let roots = cooperage_blob::Source::roots(&read).unwrap();
        assert_eq!(roots[0].descriptor.digest, expected.digest);
    }
}

#[test]
fn an_image_of_another_platform_is_refused() {
    let memory = Memory::new();
    let (_, amd64, _) = two_platforms(&memory);
    let mut options = WriteOptions::default();
    options.platform = Some(Platform::linux_arm64());
    assert_eq!(
        failure(&memory, &[named(&amd64, &["app:v1"])], &options),
        format!(
            "`{}` has no image for linux/arm64, only for linux/amd64",
            amd64.digest
        )
    );
    options.platform = Some(Platform::linux_amd64());
    assert_eq!(
        archive(&memory, &[named(&amd64, &["app:v1"])], &options)
            .1
            .images
            .len(),
        1
    );
}

#[test]
fn zstd_layers_become_gzip_and_it_is_said() {
    for family in [Family::Oci, Family::Docker] {
        let built = small(family, Codec::Zstd);
        let images = [named(&built.descriptor, &["app:v1"])];
        let (bytes, report) = archive(&built.memory, &images, &WriteOptions::default());
        let image = &report.images[0];
        assert_eq!(image.source.digest, built.descriptor.digest);
        assert_ne!(image.manifest.digest, built.descriptor.digest);
        assert_eq!(image.config_digest, built.manifest.config.digest);
        assert_eq!(image.recompressed.len(), 2, "two layers, one of them twice");
        let gzip = match family {
            Family::Oci => MediaType::OCI_LAYER_GZIP,
            Family::Docker => MediaType::DOCKER_LAYER_GZIP,
        };
        for (recompressed, tar) in image.recompressed.iter().zip(&built.diff_ids) {
            assert_eq!(recompressed.to.media_type, gzip);
            let path = format!("blobs/sha256/{}", recompressed.to.digest.encoded());
            let stored = entry(&bytes, &path);
            assert_eq!(Digest::of(&decompress(Codec::Gzip, &stored)), *tar);
        }
        assert!(archive(&built.memory, &images, &WriteOptions::default()).0 == bytes);

        let mut keep = WriteOptions::default();
        keep.layers = LayerForm::Keep;
        let (_, report) = archive(&built.memory, &images, &keep);
        assert_eq!(report.images[0].manifest.digest, built.descriptor.digest);
        assert!(report.images[0].recompressed.is_empty());
    }
}

#[test]
fn recompressed_layers_take_bounded_room_and_are_checked() {
    let built = small(Family::Oci, Codec::Zstd);
    let images = [named(&built.descriptor, &["app:v1"])];
    let mut options = WriteOptions::default();
    options.spool_limit = 100;
    assert_eq!(
        failure(&built.memory, &images, &options),
        "recompressed layers take more than the 100 bytes that may be spooled: raise the limit"
    );

    // The config names another tar.
    let mut config = String::from_utf8(built.config.clone()).unwrap();
    config = config.replacen(built.diff_ids[1].as_str(), Digest::of(b"other").as_str(), 1);
    let config = put(&built.memory, MediaType::OCI_CONFIG, config.as_bytes()).unwrap();
    let mut manifest = built.manifest.clone();
    manifest.config = config;
    let manifest = Document::new(manifest);
    let manifest = put(&built.memory, MediaType::OCI_MANIFEST, manifest.raw()).unwrap();
    let error = failure(
        &built.memory,
        &[named(&manifest, &[])],
        &WriteOptions::default(),
    );
    assert!(error.contains("the config says diff ID"), "{error}");
}

#[test]
fn what_manifest_json_cannot_say_is_named() {
    let built = small(Family::Oci, Codec::Zstd);
    let mut manifest = built.manifest.clone();
    manifest
        .annotations
        .insert("about".into(), "manifest".into());
    manifest.layers[1]
        .annotations
        .insert("about".into(), "layer".into());
    let changed = manifest.layers[1].digest.clone();
    let manifest = Document::new(manifest);
    let manifest = put(&built.memory, MediaType::OCI_MANIFEST, manifest.raw()).unwrap();
    let images = [named(&manifest, &["app:v1"])];
    let of_manifest = Detail::Annotation {
        of: manifest.digest.clone(),
        key: "about".into(),
    };
    let of_layer = Detail::DescriptorAnnotation {
        of: changed,
        key: "about".into(),
    };

    let mut keep = WriteOptions::default();
    keep.layers = LayerForm::Keep;
    let (_, report) = archive(&built.memory, &images, &keep);
    assert_eq!(
        report.images[0].oci_only,
        [of_manifest.clone(), of_layer.clone()]
    );
    assert_eq!(report.images[0].dropped, []);

    let (bytes, report) = archive(&built.memory, &images, &WriteOptions::default());
    assert_eq!(report.images[0].oci_only, [of_manifest]);
    assert_eq!(report.images[0].dropped, [of_layer]);
    let path = format!(
        "blobs/sha256/{}",
        report.images[0].manifest.digest.encoded()
    );
    assert_eq!(
        json_entry(&bytes, &path)["annotations"],
        json!({"about": "manifest"})
    );
}

#[test]
fn refusals_name_the_thing() {
    let built = small(Family::Oci, Codec::Gzip);
    let options = WriteOptions::default();
    let fails = |images: &[Image]| failure(&built.memory, images, &options);
    let digest = &built.descriptor.digest;

    let by_digest = format!("app@{digest}");
    assert_eq!(
        fails(&[named(&built.descriptor, &[&by_digest])]),
        format!(
            "`docker.io/library/app@{digest}` cannot name an image of an archive: take the digest \
             off"
        )
    );
    let layers = [(Codec::None, tar(&[("a", 0o644, b"")]))];
    let (two, ..) = add_image(&built.memory, Family::Oci, &layers, "amd64");
    assert_eq!(
        fails(&[
            named(&built.descriptor, &["a:1"]),
            named(&two, &["docker.io/library/a:1"])
        ]),
        format!(
            "`docker.io/library/a:1` is to name both `{digest}` and `{}`",
            two.digest
        )
    );
    assert_eq!(
        fails(&[named(&built.manifest.config, &["a:1"])]),
        format!(
            "`{}` is no image but `application/vnd.oci.image.config.v1+json`",
            built.manifest.config.digest
        )
    );
    let put_manifest = |change: &dyn Fn(&mut cooperage_image_spec::Manifest)| {
        let mut manifest = built.manifest.clone();
        change(&mut manifest);
        put(
            &built.memory,
            MediaType::OCI_MANIFEST,
            Document::new(manifest).raw(),
        )
        .unwrap()
    };
    let fewer = put_manifest(&|manifest| _ = manifest.layers.pop());
    assert_eq!(
        fails(&[named(&fewer, &[])]),
        format!(
            "manifest `{}` has 2 layers, but its config has 3 diff IDs",
            fewer.digest
        )
    );
    let strange = put_manifest(&|manifest| manifest.layers[0].media_type = "text/plain".into());
    assert_eq!(
        fails(&[named(&strange, &[])]),
        format!(
            "layer `{}` is `text/plain`, which no reader of docker archives unpacks",
            built.manifest.layers[0].digest
        )
    );
    let artifact = put_manifest(&|manifest| manifest.config.media_type = MediaType::OCI_EMPTY);
    assert!(fails(&[named(&artifact, &[])]).contains("is no image but"));
}

#[test]
fn a_blob_that_is_not_what_it_is_named_stops_the_archive() {
    let built = small(Family::Oci, Codec::None);
    let layer = &built.manifest.layers[1];
    let mut bytes = read(&built.memory, layer).unwrap();
    bytes[600] ^= 1;
    built.memory.insert_unverified(layer.digest.clone(), bytes);
    let images = [named(&built.descriptor, &["a"])];
    let error = write(
        &built.memory,
        &images,
        &mut Vec::new(),
        &WriteOptions::default(),
    );
    match error.unwrap_err() {
        WriteError::Source(error) => assert!(error.is_mismatch(), "{error}"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_full_disk_is_told_from_a_bad_source() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let built = small(Family::Oci, Codec::None);
    let images = [named(&built.descriptor, &["a"])];
    let error = write(&built.memory, &images, &mut Full, &WriteOptions::default());
    assert!(matches!(error.unwrap_err(), WriteError::Output(_)));
}

#[test]
fn no_images_is_an_empty_archive() {
    let (bytes, report) = archive(&Memory::new(), &[], &WriteOptions::default());
    assert_eq!(report.images, []);
    let names: BTreeSet<_> = entries(&bytes).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), 3);
    assert_eq!(json_entry(&bytes, "manifest.json"), json!([]));
}
