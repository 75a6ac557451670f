//! Blobs: written whole or not at all, verified before they count.

use std::fs;
use std::io::{Read, Write};

use cooperage_blob::{CopyOptions, Memory, Root, Sink, Source, copy, open};
use cooperage_digest::{Algorithm, Digest, Hasher};
use cooperage_image_spec::{Descriptor, MediaType};
use cooperage_layout::Layout;
use cooperage_testkit::ragged::{Numbers, write_raggedly};
use proptest::prelude::*;

use crate::{chain, faults, layout, temporary, text};

fn sha512(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(bytes);
    hasher.finish()
}

#[test]
fn a_blob_with_a_digest_yet_unknown() {
    let (_directory, layout) = layout();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let mut writer = layout.create(algorithm).unwrap();
        writer.write_all(b"some bytes").unwrap();
        assert_eq!(temporary(layout.path()).len(), 1);
        let written = writer.finish(None).unwrap();
        assert_eq!(written.size, 10);
        assert_eq!(written.digest.algorithm(), Some(algorithm));
        assert_eq!(
            fs::read(layout.blob_path(&written.digest)).unwrap(),
            b"some bytes"
        );
        let descriptor = Descriptor::new(MediaType::new("x"), written.digest, 10);
        assert!(layout.has(&descriptor).unwrap());
    }
    assert!(
        layout
            .path()
            .join("blobs/sha512")
            .join(sha512(b"some bytes").encoded())
            .exists()
    );
    assert!(temporary(layout.path()).is_empty());
    assert!(faults(layout.path()).is_empty());
}

#[test]
fn a_blob_that_is_not_the_expected_one_leaves_nothing() {
    let (_directory, layout) = layout();
    let other = Digest::of(b"other");
    for (digest, size) in [
        (other.clone(), 4),
        (Digest::of(b"this"), 5),
        (sha512(b"this"), 4),
    ] {
        let expected = Descriptor::new(MediaType::new("x"), digest, size);
        let mut writer = layout.create(Algorithm::Sha256).unwrap();
        writer.write_all(b"this").unwrap();
        assert!(writer.finish(Some(&expected)).unwrap_err().is_mismatch());
        assert!(!layout.blob_path(&expected.digest).exists());
    }
    drop(layout.create(Algorithm::Sha256).unwrap());
    assert!(temporary(layout.path()).is_empty());
    assert!(!layout.blob_path(&Digest::of(b"this")).exists());
}

#[test]
fn a_blob_is_never_trusted_by_its_size() {
    let (_directory, layout) = layout();
    let blob = text(&layout, "right bytes");
    fs::write(layout.blob_path(&blob.digest), "wrong bytes").unwrap();

    let layout = Layout::open(layout.path()).unwrap();
    assert!(!layout.has(&blob).unwrap());
    let mut read = Vec::new();
    let error = open(&layout, &blob)
        .unwrap()
        .read_to_end(&mut read)
        .unwrap_err();
    assert!(error.to_string().contains("expected digest"), "{error}");

    // Written again, it is right again.
    text(&layout, "right bytes");
    assert_eq!(
        fs::read(layout.blob_path(&blob.digest)).unwrap(),
        b"right bytes"
    );
    assert!(layout.has(&blob).unwrap());
    let longer = blob.clone().with(|blob| blob.size += 1);
    assert!(!layout.has(&longer).unwrap());
    assert!(faults(layout.path()).is_empty());
}

#[test]
fn unknown_algorithms_are_carried_and_not_believed() {
    let (_directory, layout) = layout();
    let digest: Digest = "blake3:abcDEF_0".parse().unwrap();
    fs::create_dir(layout.path().join("blobs/blake3")).unwrap();
    fs::write(layout.blob_path(&digest), "carried").unwrap();
    let blob = Descriptor::new(MediaType::new("x"), digest, 7);
    layout.publish(&Root::named("x", blob.clone())).unwrap();
    assert!(!layout.has(&blob).unwrap());
    assert!(open(&layout, &blob).err().unwrap().is_unverifiable());
    let mut bytes = Vec::new();
    layout
        .fetch(&blob)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(bytes, b"carried");
}

#[test]
fn a_root_must_be_there_to_be_named() {
    let (_directory, layout) = layout();
    let absent = Descriptor::new(MediaType::new("x"), Digest::of(b"absent"), 6);
    let before = fs::read(layout.path().join("index.json")).unwrap();
    assert!(
        layout
            .publish(&Root::named("x", absent.clone()))
            .unwrap_err()
            .is_not_found()
    );
    assert!(layout.append(absent.clone()).unwrap_err().is_not_found());
    assert!(layout.fetch(&absent).err().unwrap().is_not_found());
    assert_eq!(fs::read(layout.path().join("index.json")).unwrap(), before);
}

#[test]
fn images_and_indexes_travel_whole() {
    let from = Memory::new();
    let nested = crate::index(&from, &["linux/amd64", "linux/arm64/v8"], "nested");
    let outer = crate::document(
        &from,
        MediaType::OCI_INDEX,
        cooperage_image_spec::Index::new(vec![nested, crate::amd64(&from, "beside")]),
    );
    let (_directory, layout) = layout();
    let copied = copy(
        &from,
        &Root::named("all", outer.clone()),
        &layout,
        &CopyOptions::default(),
    )
    .unwrap();
    assert_eq!(copied.blobs, from.digests().len());
    assert_eq!(layout.roots().unwrap()[0].name.as_deref(), Some("all"));
    assert!(faults(layout.path()).is_empty());

    let back = Memory::new();
    copy(
        &layout,
        &layout.roots().unwrap()[0],
        &back,
        &CopyOptions::default(),
    )
    .unwrap();
    assert_eq!(back.digests(), from.digests());
    let again = copy(
        &from,
        &Root::named("all", outer),
        &layout,
        &CopyOptions::default(),
    )
    .unwrap();
    assert_eq!((again.blobs, again.skipped), (0, copied.blobs));
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link_and_reading_follows_it() {
    use std::os::unix::fs::symlink;
    let (directory, layout) = layout();
    let elsewhere = directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_dir(layout.path().join("blobs/sha256")).unwrap();
    symlink(&elsewhere, layout.path().join("blobs/sha256")).unwrap();
    let mut writer = layout.create(Algorithm::Sha256).unwrap();
    writer.write_all(b"out").unwrap();
    let error = chain(&writer.finish(None).unwrap_err());
    assert!(error.contains("found a symlink"), "{error}");
    assert!(temporary(layout.path()).is_empty());

    // A blob that is a link, as Bazel shows its inputs: read, and replaced, not followed.
    fs::remove_file(layout.path().join("blobs/sha256")).unwrap();
    fs::create_dir(layout.path().join("blobs/sha256")).unwrap();
    let digest = Digest::of(b"linked");
    let blob = Descriptor::new(MediaType::new("x"), digest.clone(), 6);
    fs::write(elsewhere.join("linked"), "linked").unwrap();
    symlink(elsewhere.join("linked"), layout.blob_path(&digest)).unwrap();
    assert!(layout.has(&blob).unwrap());
    fs::write(elsewhere.join("linked"), "danger").unwrap();
    let layout = Layout::open(layout.path()).unwrap();
    assert!(!layout.has(&blob).unwrap());
    text(&layout, "linked");
    assert_eq!(fs::read(elsewhere.join("linked")).unwrap(), b"danger");
    assert!(
        layout
            .blob_path(&digest)
            .symlink_metadata()
            .unwrap()
            .is_file()
    );
}

#[cfg(unix)]
#[test]
fn a_fifo_does_not_hold_anybody_up() {
    let (_directory, layout) = layout();
    let digest = Digest::of(b"fifo");
    let path = layout.blob_path(&digest);
    assert!(
        std::process::Command::new("/usr/bin/mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let blob = Descriptor::new(MediaType::new("x"), digest, 4);
    assert!(layout.fetch(&blob).is_err());
    assert!(layout.has(&blob).is_err());
    assert_eq!(faults(layout.path()).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_in_any_pieces_is_read_back(seed in any::<u64>(), length in 0_usize..300_000) {
        let (_directory, layout) = layout();
        let bytes = Numbers::new(seed).bytes(length);
        let mut writer = layout.create(Algorithm::Sha256).unwrap();
        write_raggedly(&mut *writer, &bytes, seed).unwrap();
        let written = writer.finish(None).unwrap();
        prop_assert_eq!(&written.digest, &Digest::of(&bytes));
        let blob = Descriptor::new(MediaType::new("x"), written.digest, written.size);
        let mut read = Vec::new();
        open(&layout, &blob).unwrap().read_to_end(&mut read).unwrap();
        prop_assert!(read == bytes);
    }
}
