//! Docker archives read: every writer's form, from files and pipes.

use std::io::Cursor;

use cooperage_blob::{CopyOptions, Memory, Source, copy, read};
use cooperage_compress::Codec;
use cooperage_daemon_archive::{DockerArchive, ManifestForm, ReadOptions, WriteOptions};
use cooperage_digest::Digest;
use cooperage_image_spec::{Document, Manifest, MediaType};
use cooperage_testkit::ragged::RaggedReader;

use crate::common::{Built, Family, Raw, archive, compress, named, raw_tar, small};

pub(crate) fn open(tar: &[u8]) -> DockerArchive {
    open_with(tar, &ReadOptions::default())
}

fn open_with(tar: &[u8], options: &ReadOptions) -> DockerArchive {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("images.tar");
    std::fs::write(&path, tar).unwrap();
    DockerArchive::open(&path, options).unwrap()
}

pub(crate) fn names(source: &dyn Source) -> Vec<Option<String>> {
    source
        .roots()
        .unwrap()
        .into_iter()
        .map(|root| root.name)
        .collect()
}

pub(crate) fn manifest(source: &dyn Source, at: usize) -> Manifest {
    let root = source.roots().unwrap().remove(at);
    let raw = read(source, &root.descriptor).unwrap();
    Document::<Manifest>::parse(raw).unwrap().into_parts().1
}

/// Everything copies, verified, and the image is the one that was built.
fn holds(archive: &DockerArchive, built: &Built, codecs: [Codec; 3]) {
    let manifest = manifest(archive, 0);
    assert_eq!(read(archive, &manifest.config).unwrap(), built.config);
    assert_eq!(manifest.layers.len(), 3);
    for ((layer, codec), diff_id) in manifest.layers.iter().zip(codecs).zip(&built.diff_ids) {
        let stored = read(archive, layer).unwrap();
        assert_eq!(
            Digest::of(&crate::common::decompress(codec, &stored)),
            *diff_id
        );
    }
    archive.verify().unwrap();
    let memory = Memory::new();
    for root in archive.roots().unwrap() {
        copy(archive, &root, &memory, &CopyOptions::default()).unwrap();
    }
}

#[test]
fn what_is_written_here_comes_back() {
    for family in [Family::Oci, Family::Docker] {
        for codec in [Codec::None, Codec::Gzip] {
            let built = small(family, codec);
            let images = [named(&built.descriptor, &["app:v1", "ghcr.io/x/app:v2"])];
            let (bytes, _) = archive(&built.memory, &images, &WriteOptions::default());
            let archive = open(&bytes);
            holds(&archive, &built, [codec; 3]);
            let expected = ["docker.io/library/app:v1", "ghcr.io/x/app:v2"];
            assert_eq!(names(&archive), expected.map(|name| Some(name.to_owned())));
            // Byte for byte, not formed anew.
            let descriptor = &archive.roots().unwrap()[0].descriptor;
            assert_eq!(*descriptor, built.descriptor);
        }
    }
}

/// A docker archive of one image in the form of somebody else.
fn foreign(built: &Built, form: &str, codecs: [Codec; 3]) -> Vec<u8> {
    let tars: Vec<_> = built
        .manifest
        .layers
        .iter()
        .map(|layer| read(&built.memory, layer).unwrap())
        .collect();
    let stored: Vec<_> = tars
        .iter()
        .zip(codecs)
        .map(|(tar, codec)| compress(codec, tar))
        .collect();
    let hex = built.manifest.config.digest.encoded();
    let json = |config: &str, layers: &[&str]| {
        serde_json::json!([{"Config": config, "RepoTags": ["app:v1"], "Layers": layers}])
            .to_string()
            .into_bytes()
    };
    match form {
        // Docker 1.10 to 24: a repeated layer is a symbolic link, documents come last.
        "docker" => {
            let config = format!("{hex}.json");
            let manifest = json(&config, &["a/layer.tar", "b/layer.tar", "c/layer.tar"]);
            raw_tar(&[
                Raw::Directory("a/"),
                Raw::File("a/VERSION", b"1.0"),
                Raw::File("a/json", b"{}"),
                Raw::File("a/layer.tar", &stored[0]),
                Raw::Directory("b/"),
                Raw::File("b/layer.tar", &stored[1]),
                Raw::Directory("c/"),
                Raw::Symlink("c/layer.tar", "../a/layer.tar"),
                Raw::File(&config, &built.config),
                Raw::File("manifest.json", &manifest),
                Raw::File("repositories", b"{}"),
            ])
        }
        // c/image: layers by diff ID at the top, links from the old names.
        "containers" => {
            let layers = built
                .diff_ids
                .iter()
                .map(|id| format!("{}.tar", id.encoded()));
            let layers: Vec<_> = layers.collect();
            let config = format!("{hex}.json");
            let manifest = json(
                &config,
                &layers.iter().map(String::as_str).collect::<Vec<_>>(),
            );
            raw_tar(&[
                Raw::File(&layers[0], &stored[0]),
                Raw::Symlink("x/layer.tar", &format!("../{}", layers[0])),
                Raw::File(&layers[1], &stored[1]),
                Raw::File(&config, &built.config),
                Raw::File("manifest.json", &manifest),
            ])
        }
        // go-containerregistry: a colon in the config's name, layers as they are in a registry.
        "crane" => {
            let config = format!("sha256:{hex}");
            let manifest = json(&config, &["one.tar.gz", "two.tar.gz", "one.tar.gz"]);
            raw_tar(&[
                Raw::File(&config, &built.config),
                Raw::File("one.tar.gz", &stored[0]),
                Raw::File("two.tar.gz", &stored[1]),
                Raw::File("manifest.json", &manifest),
            ])
        }
        // Every kind of link, and `./` everywhere.
        "links" => {
            let manifest = json("./config", &["./l/0", "hard", "chain/layer"]);
            raw_tar(&[
                Raw::Directory("./"),
                Raw::File("./manifest.json", &manifest),
                Raw::File("./config", &built.config),
                Raw::File("./real/0", &stored[0]),
                Raw::File("./real/1", &stored[1]),
                Raw::HardLink("./hard", "real/1"),
                Raw::Symlink("./l", "./real"),
                Raw::Directory("./chain/"),
                Raw::Symlink("./chain/layer", "../chain/../l/0"),
            ])
        }
        other => panic!("no form {other}"),
    }
}

#[test]
fn every_writers_form_is_read() {
    let built = small(Family::Oci, Codec::None);
    let (none, gzip, zstd) = (Codec::None, Codec::Gzip, Codec::Zstd);
    for form in ["docker", "containers", "crane", "links"] {
        for codecs in [[none; 3], [gzip; 3], [gzip, zstd, gzip]] {
            let tar = foreign(&built, form, codecs);
            let archive = open(&tar);
            holds(&archive, &built, codecs);
            assert_eq!(
                names(&archive),
                [Some("docker.io/library/app:v1".into())],
                "{form}"
            );
            let manifest = manifest(&archive, 0);
            assert_eq!(manifest.layers[0], manifest.layers[2], "{form}");
            assert_eq!(manifest.config.media_type, MediaType::OCI_CONFIG);
            // The manifest that is formed is the same each time.
            assert_eq!(open(&tar).roots().unwrap(), archive.roots().unwrap());
        }
    }
}

#[test]
fn a_manifest_is_formed_in_either_family() {
    let built = small(Family::Docker, Codec::Gzip);
    let plain = small(Family::Docker, Codec::None);
    let tar = foreign(&plain, "crane", [Codec::Gzip; 3]);
    let mut options = ReadOptions::default();
    options.manifests = ManifestForm::Docker;
    let archive = open_with(&tar, &options);
    // The same image pushed and pulled by Docker is the same manifest.
    assert_eq!(manifest(&archive, 0), built.manifest);
    assert_eq!(archive.roots().unwrap()[0].descriptor, built.descriptor);
}

#[test]
fn compressed_as_a_whole_and_from_a_pipe() {
    let built = small(Family::Oci, Codec::None);
    for form in ["docker", "crane"] {
        let tar = foreign(&built, form, [Codec::None; 3]);
        for codec in Codec::ALL {
            let stored = compress(codec, &tar);
            holds(&open(&stored), &built, [Codec::None; 3]);
            let ragged = RaggedReader::new(Cursor::new(stored), 11);
            let archive = DockerArchive::from_reader(ragged, &ReadOptions::default()).unwrap();
            holds(&archive, &built, [Codec::None; 3]);
        }
    }
}

#[test]
fn images_without_a_name_and_several_of_them() {
    let built = small(Family::Oci, Codec::Gzip);
    let layers = [(Codec::None, crate::common::tar(&[("a", 0o644, b"")]))];
    let (two, ..) = crate::common::add_image(&built.memory, Family::Oci, &layers, "amd64");
    let images = [named(&built.descriptor, &[]), named(&two, &["b:1"])];
    let (bytes, _) = archive(&built.memory, &images, &WriteOptions::default());
    let archive = open(&bytes);
    assert_eq!(
        names(&archive),
        [Some("docker.io/library/b:1".into()), None]
    );
    let digests: Vec<_> = archive
        .roots()
        .unwrap()
        .into_iter()
        .map(|root| root.descriptor.digest)
        .collect();
    assert_eq!(digests, [two.digest, built.descriptor.digest]);
}

#[test]
fn an_archive_can_be_read_from_many_threads() {
    let built = small(Family::Oci, Codec::Gzip);
    let (bytes, _) = archive(
        &built.memory,
        &[named(&built.descriptor, &["a"])],
        &WriteOptions::default(),
    );
    let archive = open(&bytes);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| holds(&archive, &built, [Codec::Gzip; 3]));
        }
    });
}
