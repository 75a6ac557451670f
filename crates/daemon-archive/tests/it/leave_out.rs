//! Layers that the reader is known to have.

use std::collections::BTreeSet;

use cooperage_blob::{Memory, Sink, Source, put};
use cooperage_compress::Codec;
use cooperage_daemon_archive::{WriteOptions, contents};
use cooperage_digest::Digest;
use serde_json::Value;

use crate::common::{Family, add_image, archive, entries, entry, image, named, small, tar};

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.encoded())
}

fn leave_out<'a>(digests: impl IntoIterator<Item = &'a Digest>) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.leave_out = digests.into_iter().cloned().collect();
    options
}

/// A source that has only what is asked for here: everything else would be an error.
fn without(memory: &Memory, gone: &BTreeSet<Digest>) -> Memory {
    let left = Memory::new();
    for digest in memory.digests() {
        if gone.contains(&digest) {
            continue;
        }
        let descriptor = cooperage_image_spec::Descriptor::new(
            cooperage_image_spec::MediaType::new("application/octet-stream"),
            digest,
            0,
        );
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut memory.fetch(&descriptor).unwrap(), &mut bytes).unwrap();
        put(&left, descriptor.media_type.clone(), &bytes).unwrap();
    }
    left
}

#[test]
fn layers_that_are_left_out_are_named_and_not_read() {
    let layers = ["base", "middle", "top"].map(|name| tar(&[(name, 0o644, name.as_bytes())]));
    // zstd: what is left out is not recompressed either.
    let built = image(Family::Oci, &layers.map(|layer| (Codec::Zstd, layer)));
    let [base, _, top] = &built.manifest.layers[..] else {
        panic!("three layers")
    };
    let options = leave_out([&base.digest]);
    let source = without(&built.memory, &options.leave_out);
    assert!(!source.has(base).unwrap());
    let images = [named(&built.descriptor, &["app"])];
    let (bytes, report) = archive(&source, &images, &options);

    let report = &report.images[0];
    assert_eq!(report.left_out[..], built.manifest.layers[..1]);
    assert_eq!(report.recompressed.len(), 2);
    let names: Vec<_> = entries(&bytes).into_iter().map(|(name, ..)| name).collect();
    assert!(!names.contains(&path(&base.digest)));
    assert!(names.contains(&path(&report.recompressed[1].to.digest)));
    assert_eq!(report.recompressed[1].from, *top);
    let manifest: Value = serde_json::from_slice(&entry(&bytes, "manifest.json")).unwrap();
    assert_eq!(manifest[0]["Layers"][0], path(&base.digest));
}

#[test]
fn documents_are_written_whatever_is_left_out() {
    let built = small(Family::Docker, Codec::Gzip);
    let all = built.memory.digests();
    let (bytes, report) = archive(
        &built.memory,
        &[named(&built.descriptor, &["app"])],
        &leave_out(&all),
    );
    // Three layers of which two are the same.
    assert_eq!(report.images[0].left_out.len(), 2);
    let names: Vec<_> = entries(&bytes).into_iter().map(|(name, ..)| name).collect();
    let expected = [
        "manifest.json",
        "index.json",
        "oci-layout",
        "blobs/",
        "blobs/sha256/",
        &path(&built.descriptor.digest),
        &path(&built.manifest.config.digest),
    ];
    assert_eq!(names, expected);
}

#[test]
fn contents_say_what_would_be_written() {
    let built = small(Family::Oci, Codec::Gzip);
    let layers = [(Codec::None, tar(&[("etc/motd", 0o644, b"two\n")]))];
    let (two, ..) = add_image(&built.memory, Family::Docker, &layers, "amd64");
    let images = [
        named(&built.descriptor, &["b"]),
        named(&two, &[]),
        named(&built.descriptor, &["a:1", "b:latest"]),
    ];
    // Layers are not even there.
    let gone = built
        .manifest
        .layers
        .iter()
        .map(|layer| layer.digest.clone());
    let source = without(&built.memory, &gone.collect());
    let found = contents(&source, &images, &WriteOptions::default()).unwrap();
    assert_eq!(found.len(), 2);
    let one = found
        .iter()
        .find(|image| image.manifest.digest == built.descriptor.digest)
        .unwrap();
    let names: Vec<_> = one.names.iter().map(ToString::to_string).collect();
    let expected = ["docker.io/library/a:1", "docker.io/library/b:latest"];
    assert_eq!(names, expected);
    assert_eq!(one.config, built.manifest.config);
    let (blobs, diff_ids): (Vec<_>, Vec<_>) = one
        .layers
        .iter()
        .map(|layer| (layer.blob.clone(), layer.diff_id.clone()))
        .unzip();
    assert_eq!(
        (blobs, diff_ids),
        (built.manifest.layers.clone(), built.diff_ids)
    );

    let clash = [named(&built.descriptor, &["a"]), named(&two, &["a"])];
    let error = contents(&built.memory, &clash, &WriteOptions::default()).unwrap_err();
    assert!(error.to_string().contains("is to name both"), "{error}");
}
