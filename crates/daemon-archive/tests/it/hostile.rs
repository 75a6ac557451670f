//! Archives that were made to do harm, or by mistake.

use std::io::{self, Read};

use cooperage_blob::{Source, read};
use cooperage_compress::Codec;
use cooperage_daemon_archive::{DockerArchive, OciArchive, ReadError, ReadOptions, WriteOptions};
use cooperage_digest::Digest;
use cooperage_testkit::ragged::Numbers;

use crate::common::{Family, Raw, archive, causes, compress, entries, named, raw_tar, small, tar};

const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]}}"#;
const EMPTY: &[u8] = &[0; 1024];

fn fails(tar: &[u8]) -> String {
    let error = DockerArchive::from_reader(tar, &ReadOptions::default()).unwrap_err();
    causes(&error).replace(" of the stream", "")
}

/// The error for an archive with such a `manifest.json` and the entries that go with it.
#[track_caller]
fn check(manifest: &str, others: &[Raw<'_>], expected: &str) {
    let mut all = vec![
        Raw::File("manifest.json", manifest.as_bytes()),
        Raw::File("config", CONFIG),
        Raw::File("layer", EMPTY),
    ];
    all.extend(others.iter().map(|raw| match raw {
        Raw::File(a, b) => Raw::File(a, b),
        Raw::Directory(a) => Raw::Directory(a),
        Raw::Symlink(a, b) => Raw::Symlink(a, b),
        Raw::HardLink(a, b) => Raw::HardLink(a, b),
        Raw::Fifo(a) => Raw::Fifo(a),
    }));
    let actual = fails(&raw_tar(&all));
    assert!(
        actual.contains(expected),
        "expected: {expected}\nfound: {actual}"
    );
}

fn item(config: &str, layers: &[&str]) -> String {
    serde_json::json!([{"Config": config, "RepoTags": null, "Layers": layers}]).to_string()
}

#[test]
fn the_archive_that_the_others_break_is_whole() {
    let tar = raw_tar(&[
        Raw::File("manifest.json", item("config", &["layer"]).as_bytes()),
        Raw::File("config", CONFIG),
        Raw::File("layer", EMPTY),
    ]);
    let archive = DockerArchive::from_reader(&tar[..], &ReadOptions::default()).unwrap();
    assert_eq!(archive.roots().unwrap().len(), 1);
    let empty = raw_tar(&[Raw::File("manifest.json", b"[]")]);
    let archive = DockerArchive::from_reader(&empty[..], &ReadOptions::default()).unwrap();
    assert_eq!(archive.roots().unwrap(), []);
}

#[test]
fn manifest_json_of_another_shape() {
    let shape = "the `manifest.json` cannot be used: ";
    for (manifest, expected) in [
        ("null", "`.`: expected an array of images"),
        ("{}", "`.`: expected an array of images"),
        ("[null]", "`[0]`: expected an object"),
        ("[{}]", "`[0].Config`: expected the path of the config"),
        (
            r#"[{"Config":""}]"#,
            "`[0].Config`: expected the path of the config",
        ),
        (
            r#"[{"Config":"config","Layers":"layer"}]"#,
            "`[0].Layers`: expected an array",
        ),
        (
            r#"[{"Config":"config","RepoTags":[1]}]"#,
            "`[0].RepoTags[0]`: expected a string",
        ),
        ("[", "it is not valid JSON"),
    ] {
        check(manifest, &[], &format!("{shape}{expected}"));
    }
    assert!(fails(&raw_tar(&[])).contains("entry `manifest.json` is missing"));
}

#[test]
fn layers_that_are_not_those_of_the_config() {
    check(
        &item("config", &["layer", "layer"]),
        &[],
        "image `config` has 2 layers, but its config has 1 diff IDs",
    );
    check(&item("config", &[]), &[], "image `config` has 0 layers");
    check(
        &item("config", &["other"]),
        &[Raw::File("other", b"")],
        "layer `other`: the config says diff ID sha256:5f70bf18",
    );
    check(
        &item("config", &["other"]),
        &[Raw::File("other", b"\x1f\x8b\x08broken")],
        "layer `other` cannot be unpacked",
    );
    check(
        &item("config", &["other"]),
        &[Raw::File("other", b"BZh91AY")],
        "entry `other` is compressed with bzip2, for which no media type exists",
    );
    check(&item("config", &["none"]), &[], "entry `none` is missing");
}

/// In each way that writers name a config by its digest.
#[test]
fn a_config_that_is_not_what_it_is_called() {
    let names = |digest: &Digest| {
        let hex = digest.encoded();
        [
            format!("blobs/sha256/{hex}"),
            format!("{hex}.json"),
            format!("sha256:{hex}"),
        ]
    };
    let (right, wrong) = (Digest::of(CONFIG), Digest::of(b"another"));
    for (name, called) in names(&wrong).iter().zip(names(&right)) {
        check(
            &item(name, &["layer"]),
            &[Raw::File(name, CONFIG)],
            &format!("cannot read blob `{wrong}` ({} bytes): ", CONFIG.len()),
        );
        let tar = raw_tar(&[
            Raw::File("manifest.json", item(&called, &["layer"]).as_bytes()),
            Raw::File(&called, CONFIG),
            Raw::File("layer", EMPTY),
        ]);
        DockerArchive::from_reader(&tar[..], &ReadOptions::default()).unwrap();
    }
}

#[test]
fn entries_that_are_not_files() {
    let manifest = item("config", &["other"]);
    let directory = "entry `other` is a directory, not a file";
    check(&manifest, &[Raw::Directory("other/")], directory);
    check(&manifest, &[Raw::File("other/layer.tar", EMPTY)], directory);
    check(
        &manifest,
        &[Raw::Fifo("other")],
        "entry `other` is a named pipe, not a file",
    );
}

#[test]
fn links_that_lead_astray() {
    let manifest = item("config", &["other"]);
    let link = |target| [Raw::Symlink("other", target)];
    check(
        &manifest,
        &link("/etc/passwd"),
        "lies outside of the archive: `/etc/passwd`",
    );
    check(&manifest, &link("../layer"), "lies outside of the archive");
    check(
        &manifest,
        &link("a/../../layer"),
        "lies outside of the archive",
    );
    check(&manifest, &link("other"), "through more than 40 others");
    check(
        &manifest,
        &[
            Raw::Symlink("other", "loop"),
            Raw::Symlink("loop", "./other"),
        ],
        "through more than 40 others",
    );
    check(&manifest, &link("nowhere"), "entry `other` is missing");
}

#[test]
fn paths_out_of_the_archive() {
    check(
        &item("/config", &["layer"]),
        &[],
        "entry `/config` lies outside of the archive",
    );
    check(
        &item("config", &["../layer"]),
        &[],
        "entry `../layer` lies outside of the archive",
    );
    check(
        &item("config", &["a/../layer"]),
        &[],
        "lies outside of the archive",
    );
    let manifest = item("config", &["layer"]);
    check(
        &manifest,
        &[Raw::File("/absolute", b"")],
        "entry `/absolute` lies outside",
    );
    check(&manifest, &[Raw::File("../up", b"")], "..");
    check(&manifest, &[Raw::File("a/../../up", b"")], "..");
}

#[test]
fn one_entry_twice() {
    let manifest = item("config", &["layer"]);
    check(
        &manifest,
        &[Raw::File("layer", EMPTY)],
        "entry `layer` is there twice",
    );
    check(
        &manifest,
        &[Raw::Symlink("./layer", "config")],
        "entry `layer` is there twice",
    );
}

#[test]
fn names_that_are_none_or_twice() {
    let manifest = r#"[{"Config":"config","RepoTags":["UPPER:1"],"Layers":["layer"]}]"#;
    check(
        manifest,
        &[],
        "`UPPER:1` in the `manifest.json` is not an image's name",
    );
    let manifest =
        r#"[{"Config":"config","RepoTags":["a:1","docker.io/library/a:1"],"Layers":["layer"]}]"#;
    check(
        manifest,
        &[],
        "two images are named `docker.io/library/a:1`",
    );
}

#[test]
fn documents_that_are_too_large() {
    let large = vec![b' '; (16 << 20) + 1];
    check(
        &item("large", &["layer"]),
        &[Raw::File("large", &large)],
        "entry `large` has 16777217 bytes, and a document at most 16777216",
    );
    let tar = raw_tar(&[Raw::File("manifest.json", &large)]);
    assert!(fails(&tar).contains("a document at most"));
}

#[test]
fn a_pipe_and_a_bomb_are_bounded() {
    let mut options = ReadOptions::default();
    options.spool_limit = 1 << 20;
    let bomb = compress(Codec::Gzip, &vec![0; 4 << 20]);
    let tar = raw_tar(&[Raw::File("manifest.json", b"[]")]);
    for bytes in [&mut &bomb[..] as &mut (dyn Read + Send), &mut io::repeat(0)] {
        let error = DockerArchive::from_reader(bytes, &options).unwrap_err();
        assert!(
            matches!(
                error,
                ReadError::SpoolFull {
                    limit: 0x10_0000,
                    ..
                }
            ),
            "{error}"
        );
    }
    // Just at the limit is not over it.
    options.spool_limit = tar.len() as u64;
    DockerArchive::from_reader(&tar[..], &options).unwrap();
    options.spool_limit -= 1;
    DockerArchive::from_reader(&tar[..], &options).unwrap_err();
}

#[test]
fn archives_compressed_in_other_ways_are_refused_by_name() {
    for (bytes, codec) in [(&b"BZh91AY&SY"[..], "bzip2"), (b"\xfd7zXZ\0\0\0", "xz")] {
        assert!(fails(bytes).contains(&format!("compressed with {codec}: unpack it first")));
    }
}

#[test]
fn cut_anywhere_it_fails() {
    let built = small(Family::Oci, Codec::None);
    let (bytes, _) = archive(
        &built.memory,
        &[named(&built.descriptor, &["a"])],
        &WriteOptions::default(),
    );
    // Behind the last entry there is nothing that could be missed.
    for end in (0..bytes.len() - 1536).step_by(487) {
        let result = DockerArchive::from_reader(&bytes[..end], &ReadOptions::default());
        assert!(result.is_err(), "cut at {end} of {}", bytes.len());
    }
}

/// One bit wrong anywhere in a blob: it is found, when it is opened or when it is read.
#[test]
fn a_changed_blob_is_found() {
    for codec in [Codec::None, Codec::Gzip] {
        let built = small(Family::Oci, codec);
        let (bytes, _) = archive(
            &built.memory,
            &[named(&built.descriptor, &["a"])],
            &WriteOptions::default(),
        );
        for (name, _, content) in entries(&bytes) {
            if !name.starts_with("blobs/sha256/") || content.is_empty() {
                continue;
            }
            let at = bytes
                .windows(content.len())
                .position(|part| part == content)
                .unwrap();
            let mut wrong = bytes.clone();
            wrong[at + content.len() / 2] ^= 1;
            let result = DockerArchive::from_reader(&wrong[..], &ReadOptions::default());
            assert!(result.is_err(), "{name}");
        }
    }
}

/// A blob whose digest is right, in a config that names another tar.
#[test]
fn a_wrong_diff_id_is_found_in_compressed_layers() {
    for codec in [Codec::None, Codec::Gzip, Codec::Zstd] {
        let built = small(Family::Oci, codec);
        let other = crate::common::image(Family::Oci, &[(codec, tar(&[("other", 0o644, b"")]))]);
        let config = String::from_utf8(built.config.clone()).unwrap();
        let config = config.replacen(built.diff_ids[1].as_str(), other.diff_ids[0].as_str(), 1);
        let config_type = built.manifest.config.media_type.clone();
        let mut manifest = built.manifest.clone();
        manifest.config =
            cooperage_blob::put(&built.memory, config_type, config.as_bytes()).unwrap();
        let document = cooperage_image_spec::Document::new(manifest);
        let media_type = built.descriptor.media_type.clone();
        let descriptor = cooperage_blob::put(&built.memory, media_type, document.raw()).unwrap();
        let mut options = WriteOptions::default();
        options.layers = cooperage_daemon_archive::LayerForm::Keep;
        let (bytes, _) = archive(&built.memory, &[named(&descriptor, &["a"])], &options);

        let error = fails(&bytes);
        assert!(error.contains("diff ID"), "{codec}: {error}");
        if codec != Codec::None {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x.tar");
            std::fs::write(&path, &bytes).unwrap();
            let archive = DockerArchive::open(&path, &ReadOptions::default()).unwrap();
            read(&archive, &built.manifest.layers[0]).unwrap();
            let error = read(&archive, &built.manifest.layers[1]).unwrap_err();
            assert!(error.is_mismatch(), "{error}");
        }
    }
}

#[test]
fn layouts_that_are_none() {
    let oci = |raw: &[Raw<'_>]| {
        let error = OciArchive::from_reader(&raw_tar(raw)[..], &ReadOptions::default());
        causes(&error.unwrap_err())
    };
    let layout = Raw::File("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    assert!(oci(&[]).contains("entry `oci-layout` of the stream is missing"));
    assert!(oci(&[layout]).contains("entry `index.json` of the stream is missing"));
    let index = || Raw::File("index.json", br#"{"schemaVersion":2,"manifests":[]}"#);
    let error = oci(&[
        Raw::File("oci-layout", br#"{"imageLayoutVersion":"2"}"#),
        index(),
    ]);
    assert!(
        error.contains("names image layout version `2`, only `1.0.0` is read"),
        "{error}"
    );
    let layout = Raw::File("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    let error = oci(&[
        layout,
        Raw::File("index.json", br#"{"schemaVersion":2,"manifests":7}"#),
    ]);
    assert!(error.contains("index.manifests: expected"), "{error}");
    let missing = Digest::of(b"nothing");
    let layout = Raw::File("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    let tar = raw_tar(&[layout, index()]);
    let archive = OciArchive::from_reader(&tar[..], &ReadOptions::default()).unwrap();
    let descriptor = cooperage_image_spec::Descriptor::new("text/plain".into(), missing, 7);
    assert!(read(&archive, &descriptor).unwrap_err().is_not_found());
}

/// Whatever stands in an archive, there is an answer: no panic, no endless loop, nothing unverified.
#[test]
fn any_bytes_are_answered() {
    let built = small(Family::Oci, Codec::Gzip);
    let images = [named(&built.descriptor, &["a"])];
    let (bytes, _) = archive(&built.memory, &images, &WriteOptions::default());
    let expected = {
        let archive = DockerArchive::from_reader(&bytes[..], &ReadOptions::default()).unwrap();
        archive.roots().unwrap()
    };
    let mut numbers = Numbers::new(3);
    for _ in 0..400 {
        let mut changed = bytes.clone();
        for _ in 0..=numbers.below(3) {
            let at = numbers.below(changed.len());
            match numbers.below(3) {
                0 => changed[at] = numbers.next_u64() as u8,
                1 => changed[at] ^= 1 << numbers.below(8),
                _ => _ = changed.drain(at..(at + numbers.below(600)).min(bytes.len() / 2).max(at)),
            }
        }
        let read = DockerArchive::from_reader(&changed[..], &ReadOptions::default());
        if let Ok(read) = read
            && read.roots().unwrap() == expected
        {
            assert_eq!(
                cooperage_blob::read(&read, &built.manifest.config).unwrap(),
                built.config
            );
        }
        drop(OciArchive::from_reader(
            &changed[..],
            &ReadOptions::default(),
        ));
    }
}
