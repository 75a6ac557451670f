//! OCI archives both ways.

use cooperage_blob::{CopyOptions, Memory, Root, Source, copy, put};
use cooperage_compress::Codec;
use cooperage_daemon_archive::{OciArchive, ReadOptions, WriteError, write_oci};
use cooperage_image_spec::{Descriptor, Document, Index, MediaType, Platform};
use cooperage_testkit::peers::{self, Generation};

use crate::common::{Family, add_image, compress, entries, small, tar};

fn written(source: &dyn Source, roots: &[Root]) -> Vec<u8> {
    let mut out = Vec::new();
    let size = write_oci(source, roots, &mut out).unwrap();
    assert_eq!(size, out.len() as u64);
    out
}

/// An index of two platforms, an artifact, and an image, that share a layer.
fn rich() -> (Memory, Vec<Root>) {
    let built = small(Family::Oci, Codec::Zstd);
    let memory = built.memory;
    let layers = [(Codec::Gzip, tar(&[("etc/motd", 0o644, b"arm\n")]))];
    let (mut arm64, ..) = add_image(&memory, Family::Oci, &layers, "arm64");
    arm64.platform = Some(Platform::linux_arm64());
    let amd64 = Descriptor {
        platform: Some(Platform::linux_amd64()),
        ..built.descriptor.clone()
    };
    let index = Document::new(Index::new(vec![amd64, arm64]));
    let index = put(&memory, MediaType::OCI_INDEX, index.raw()).unwrap();
    let note = put(&memory, MediaType::new("text/plain"), b"a note").unwrap();
    let mut annotated = built.descriptor;
    annotated.annotations.insert("about".into(), "x".into());
    let roots = vec![
        Root::named("app:v1", index),
        Root::named("docker.io/library/app:v1", annotated),
        Root::unnamed(note),
    ];
    (memory, roots)
}

#[test]
fn everything_comes_back() {
    let (memory, roots) = rich();
    let bytes = written(&memory, &roots);
    for codec in Codec::ALL {
        let stored = compress(codec, &bytes);
        let archive = OciArchive::from_reader(&stored[..], &ReadOptions::default()).unwrap();
        let read: Vec<_> = archive.roots().unwrap();
        assert_eq!(read.len(), 3);
        let back = Memory::new();
        for (root, original) in read.iter().zip(&roots) {
            assert_eq!(root.name, original.name);
            assert_eq!(root.descriptor.digest, original.descriptor.digest);
            copy(&archive, root, &back, &CopyOptions::default()).unwrap();
        }
        assert_eq!(back.digests(), memory.digests());
        assert_eq!(read[1].descriptor.annotations["about"], "x");
        // What was read writes the same archive again.
        assert!(written(&archive, &read) == bytes);
    }
}

#[test]
fn order_does_not_show_and_blobs_come_once() {
    let (memory, mut roots) = rich();
    let bytes = written(&memory, &roots);
    roots.reverse();
    roots.push(roots[0].clone());
    assert!(written(&memory, &roots) == bytes);
    let mut names: Vec<_> = entries(&bytes).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names[..2], ["index.json", "oci-layout"]);
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(count, memory.digests().len() + 4);
}

#[test]
fn one_name_for_two_is_refused() {
    let (memory, mut roots) = rich();
    roots[0].name = Some("docker.io/library/app:v1".into());
    let error = write_oci(&memory, &roots, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, WriteError::NameTwice { .. }), "{error}");
}

#[test]
fn skopeo_reads_it_and_writes_it() {
    for generation in Generation::ALL {
        let Some(skopeo) = peers::skopeo(generation) else {
            continue;
        };
        let built = small(Family::Oci, Codec::Gzip);
        let directory = tempfile::tempdir().unwrap();
        let (ours, theirs) = (
            directory.path().join("ours"),
            directory.path().join("theirs"),
        );
        let roots = [Root::named(
            "docker.io/library/app:v1",
            built.descriptor.clone(),
        )];
        std::fs::write(&ours, written(&built.memory, &roots)).unwrap();
        for name in ["", ":docker.io/library/app:v1"] {
            let from = format!("oci-archive:{}{name}", ours.display());
            let to = format!("oci-archive:{}:again", theirs.display());
            skopeo.run(["copy", &from, &to]).unwrap();
            let archive = OciArchive::open(&theirs, &ReadOptions::default()).unwrap();
            let root = archive.roots().unwrap().remove(0);
            assert_eq!(root.name.as_deref(), Some("again"), "{generation}");
            assert_eq!(
                root.descriptor.digest, built.descriptor.digest,
                "{generation}"
            );
            copy(&archive, &root, &Memory::new(), &CopyOptions::default()).unwrap();
            std::fs::remove_file(&theirs).unwrap();
        }
    }
}
