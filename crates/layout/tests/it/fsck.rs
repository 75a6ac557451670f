//! Every fault, each in its place.

use std::fs;
use std::path::Path;

use cooperage_blob::{Memory, Root, Sink, put};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Index, Manifest, MediaType};
use cooperage_layout::Layout;

use crate::{amd64, document, faults, index, layout, text};

/// The faults after `harm`, with digests cut to what names them.
fn check(harm: impl FnOnce(&Layout), expected: &[&str]) {
    let (_directory, layout) = layout();
    harm(&layout);
    let found = faults(layout.path());
    let matches = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| {
            expected
                .split('*')
                .try_fold(found.as_str(), |rest, part| {
                    rest.find(part).map(|at| &rest[at + part.len()..])
                })
                .is_some()
        });
    assert!(matches, "expected {expected:#?}, found {found:#?}");
    assert_eq!(
        faults(layout.path()),
        found,
        "the order is not always the same"
    );
}

fn overwrite(layout: &Layout, blob: &Descriptor, bytes: &str) {
    fs::write(layout.blob_path(&blob.digest), bytes).unwrap();
}

#[test]
fn one_by_one() {
    check(|_| (), &[]);
    check(
        |layout| fs::remove_file(layout.path().join("oci-layout")).unwrap(),
        &["the layout cannot be opened: *it has no file `oci-layout`"],
    );
    check(
        |layout| fs::write(layout.path().join("oci-layout"), "{}").unwrap(),
        &["the layout cannot be opened: *oci-layout` is damaged"],
    );
    check(
        |layout| fs::remove_file(layout.path().join("index.json")).unwrap(),
        &["`index.json` cannot be read: `index.json` is not in *"],
    );
    check(
        |layout| fs::write(layout.path().join("index.json"), "[]").unwrap(),
        &["`index.json` cannot be read: *is no index: "],
    );
    check(
        |layout| {
            let blob = text(layout, "right");
            layout.append(blob.clone()).unwrap();
            overwrite(layout, &blob, "wrong");
        },
        &["blob `sha256:*` is damaged: its 5 bytes are `sha256:*`"],
    );
    check(
        |layout| {
            let blob = text(layout, "right").with(|blob| blob.size = 6);
            layout.append(blob).unwrap();
        },
        &["`index.json` says that `sha256:*` has 6 bytes, found 5"],
    );
    check(
        |layout| {
            let blob = text(layout, "gone");
            layout.append(blob.clone()).unwrap();
            fs::remove_file(layout.blob_path(&blob.digest)).unwrap();
        },
        &["`index.json` refers to `sha256:*` (text/plain), which is missing"],
    );
    for media_type in [
        MediaType::OCI_MANIFEST,
        MediaType::OCI_INDEX,
        MediaType::OCI_CONFIG,
    ] {
        check(
            |layout| {
                layout
                    .append(put(layout, media_type, b"[]").unwrap())
                    .unwrap();
            },
            &["`index.json` calls `sha256:*` a `application/vnd.oci.image.*`, which it is not: "],
        );
    }
    check(
        |layout| {
            let image = amd64(layout, "x").with(|d| d.media_type = MediaType::DOCKER_MANIFEST);
            layout.append(image).unwrap();
        },
        &[
            "calls `sha256:*` a `application/vnd.docker.*`, it calls itself a `application/vnd.oci.*`",
        ],
    );
}

#[test]
fn notices() {
    check(
        |layout| {
            fs::write(layout.path().join("notes.txt"), "").unwrap();
            fs::write(layout.path().join(".cooperage-1"), "").unwrap();
            fs::create_dir_all(layout.path().join("blobs/sha256/directory")).unwrap();
            fs::write(layout.path().join("blobs/sha256/short"), "").unwrap();
            fs::write(layout.path().join("blobs/file"), "").unwrap();
            fs::create_dir(layout.path().join("blobs/UPPER")).unwrap();
            fs::write(layout.path().join("blobs/UPPER/x"), "").unwrap();
        },
        &[
            "`.cooperage-1` is no part",
            "`notes.txt` is no part",
            "`blobs/UPPER/x` is no part",
            "`blobs/file` is no part",
            "`blobs/sha256/directory` is no part",
            "`blobs/sha256/short` is no part",
        ],
    );
    check(
        |layout| {
            let digest: Digest = "blake3:xyz".parse().unwrap();
            fs::create_dir(layout.path().join("blobs/blake3")).unwrap();
            fs::write(layout.blob_path(&digest), "carried").unwrap();
            layout
                .append(Descriptor::new(MediaType::new("x"), digest, 7))
                .unwrap();
        },
        &["blob `blake3:xyz` cannot be verified"],
    );
    check(
        |layout| {
            let name = |d: &mut Descriptor| {
                d.annotations
                    .insert("org.opencontainers.image.ref.name".into(), "same".into());
            };
            for blob in ["a", "b", "b"] {
                layout.append(text(layout, blob).with(name)).unwrap();
            }
        },
        &["`index.json` has several entries of the name `same`"],
    );
    check(
        |layout| {
            let absent = Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b"?"), 1);
            let layer = Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::of(b"foreign"), 7)
                .with(|d| d.urls = vec!["https://example.invalid/layer".into()]);
            let mut manifest = Manifest::new(text(layout, "{}"), vec![layer]);
            manifest.subject = Some(absent);
            layout
                .append(document(layout, MediaType::OCI_MANIFEST, manifest))
                .unwrap();
        },
        &["which is missing", "which is missing"],
    );
}

/// All at once, below nested indexes: none hides another.
#[test]
fn all_of_them() {
    check(
        |layout| {
            let inner = index(layout, &["linux/amd64", "linux/arm64"], "deep");
            let outer = document(layout, MediaType::OCI_INDEX, Index::new(vec![inner]));
            layout.publish(&Root::named("deep", outer)).unwrap();
            layout
                .publish(&Root::named("flat", amd64(layout, "flat")))
                .unwrap();
            // The layer of all three is wrong, one config is missing, one manifest is too.
            fs::write(layout.blob_path(&Digest::of(&[0; 1024])), "wrong").unwrap();
            let config =
                crate::manifest(&Memory::new(), &"linux/arm64".parse().unwrap(), "deep").config;
            fs::remove_file(layout.blob_path(&config.digest)).unwrap();
            let flat = amd64(&Memory::new(), "flat");
            fs::remove_file(layout.blob_path(&flat.digest)).unwrap();
            fs::remove_file(layout.path().join("oci-layout")).unwrap();
            fs::write(layout.path().join("stray"), "").unwrap();
            text(layout, "unreferenced, and right");
        },
        &[
            "the layout cannot be opened",
            "`stray` is no part",
            "is damaged: its 5 bytes",
            "`sha256:*` says that `sha256:*` has 1024 bytes, found 5",
            "`sha256:*` refers to `sha256:*` (application/vnd.oci.image.config.v1+json), which is missing",
            "`sha256:*` says that `sha256:*` has 1024 bytes, found 5",
            "`index.json` refers to `sha256:*` (application/vnd.oci.image.manifest.v1+json), which is missing",
        ],
    );
}

#[test]
fn nothing_at_all() {
    let found = faults(Path::new("/nonexistent/layout"));
    assert_eq!(found.len(), 2, "{found:?}");
}
