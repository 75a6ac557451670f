//! Whole images in another compression.

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::slice::from_ref;

use cooperage_blob::{BlobWriter, Error, Memory, Root, Sink, Source, put, read};
use cooperage_commit::{
    RecompressError, RecompressLayers, RecompressOptions, Recompressed, Replaced, recompress,
};
use cooperage_compress::{Codec, Encoder, Encoding, Workers, sniffing_decoder};
use cooperage_digest::{Algorithm, Digest};
use cooperage_image_spec::{Descriptor, Json, MediaType};

use crate::chain;

/// A layer's bytes before they are compressed: long enough for several blocks.
fn content(seed: u8) -> Vec<u8> {
    (0..2_500_000_u32)
        .map(|at| (at / 7 + at / 1000) as u8 ^ seed)
        .collect()
}

fn compressed(bytes: &[u8], codec: Codec) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Encoding::of(codec)).expect("an encoder");
    encoder.write_all(bytes).expect("room");
    encoder.finish().expect("room")
}

/// Puts a layer, and gives its descriptor as JSON and its diff ID.
fn layer(memory: &Memory, media_type: &MediaType, stored: &[u8]) -> String {
    let at = put(memory, media_type.clone(), stored).expect("it is taken");
    descriptor(&at, "")
}

fn descriptor(at: &Descriptor, more: &str) -> String {
    format!(
        r#"{{"mediaType":"{}","digest":"{}","size":{}{more}}}"#,
        at.media_type, at.digest, at.size
    )
}

fn config(memory: &Memory, media_type: &MediaType, diff_ids: &[Digest]) -> Descriptor {
    let ids: Vec<_> = diff_ids.iter().map(|id| format!(r#""{id}""#)).collect();
    // Not in canonical form: it is not to be written anew.
    let text = format!(
        r#"{{ "os":"linux","architecture":"amd64","x":1.0,"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        ids.join(",")
    );
    put(memory, media_type.clone(), text.as_bytes()).expect("it is taken")
}

fn manifest(memory: &Memory, config: &Descriptor, layers: &[String], more: &str) -> Descriptor {
    let media_type = if config.media_type.is_docker() {
        MediaType::DOCKER_MANIFEST
    } else {
        MediaType::OCI_MANIFEST
    };
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{},"layers":[{}]{more}}}"#,
        descriptor(config, ""),
        layers.join(",")
    );
    put(memory, media_type, text.as_bytes()).expect("it is taken")
}

/// An image of one layer, whose diff ID is that of `tar`.
fn image(memory: &Memory, media_type: &MediaType, stored: &[u8], tar: &[u8]) -> Descriptor {
    let layer = layer(memory, media_type, stored);
    let config = config(memory, &MediaType::OCI_CONFIG, &[Digest::of(tar)]);
    manifest(memory, &config, &[layer], "")
}

fn run(
    memory: &Memory,
    root: &Descriptor,
    codec: Codec,
    layers: RecompressLayers,
) -> (Memory, Result<Recompressed, RecompressError>) {
    let workers = Workers::new(NonZeroUsize::new(2).expect("not zero"));
    let mut options = RecompressOptions::new(Encoding::of(codec), &workers);
    options.layers = layers;
    let made = Memory::new();
    let result = recompress(memory, from_ref(root), &options, &made);
    (made, result)
}

fn json(source: &dyn Source, at: &Descriptor) -> Json {
    Json::parse(&read(source, at).expect("it is there")).expect("JSON")
}

fn unpacked(source: &dyn Source, at: &Descriptor) -> (Codec, Vec<u8>) {
    let (mut bytes, reader) = (Vec::new(), cooperage_blob::open(source, at));
    let (codec, mut decoder) = sniffing_decoder(reader.expect("it is there")).expect("a codec");
    decoder.read_to_end(&mut bytes).expect("it is whole");
    (codec, bytes)
}

fn media_type(codec: Codec) -> MediaType {
    cooperage_commit::layer_media_type(codec)
}

#[test]
fn each_form_becomes_each_other_and_nothing_else_changes() {
    let tar = content(0);
    for from in Codec::ALL {
        let memory = Memory::new();
        let root = image(&memory, &media_type(from), &compressed(&tar, from), &tar);
        for to in Codec::ALL {
            let (made, result) = run(&memory, &root, to, RecompressLayers::All);
            let result = result.expect("it is made");
            if from == to {
                assert_eq!(result.roots, from_ref(&root));
                assert!(result.documents.is_empty() && result.layers.is_empty());
                assert!(made.digests().is_empty(), "{from}");
                continue;
            }
            let [
                Replaced {
                    from: before,
                    to: after,
                },
            ] = &result.layers[..]
            else {
                panic!("{:?}", result.layers);
            };
            assert_eq!(after.media_type, media_type(to));
            assert_eq!(unpacked(&made, after), (to, tar.clone()), "{from} to {to}");
            // It is what the encoder makes of the same bytes, and so the same each time.
            assert_eq!(after.digest, Digest::of(&compressed(&tar, to)));
            // Of the manifest that one descriptor is another, and the config is not made anew.
            let text = String::from_utf8(json(&memory, &root).to_canonical()).expect("text");
            let size = |at: &Descriptor| format!("\"size\":{}", at.size);
            let expected = text
                .replace(before.digest.as_str(), after.digest.as_str())
                .replace(before.media_type.as_str(), after.media_type.as_str())
                .replace(&size(before), &size(after));
            let raw = read(&made, &result.roots[0]).expect("it is there");
            assert_eq!(String::from_utf8_lossy(&raw), expected);
            assert_eq!(made.digests().len(), 2);
        }
    }
}

#[test]
fn threads_do_not_reach_the_digest() {
    let memory = Memory::new();
    let (one, two) = (content(1), content(2));
    let layers = [&one, &two].map(|tar| layer(&memory, &MediaType::OCI_LAYER, tar));
    let diff_ids = [Digest::of(&one), Digest::of(&two)];
    let config = config(&memory, &MediaType::OCI_CONFIG, &diff_ids);
    let root = manifest(&memory, &config, &layers, "");
    let digests = [1, 2, 5].map(|threads| {
        let workers = Workers::new(NonZeroUsize::new(threads).expect("not zero"));
        let options = RecompressOptions::new(Encoding::default(), &workers);
        let made = recompress(&memory, from_ref(&root), &options, &Memory::new());
        made.expect("it is made").roots[0].digest.clone()
    });
    assert!(
        digests.iter().all(|digest| *digest == digests[0]),
        "{digests:?}"
    );
    assert_ne!(digests[0], root.digest);
}

#[test]
fn those_without_compression_can_be_all_that_is_taken() {
    let memory = Memory::new();
    let (plain, zstd) = (content(1), content(2));
    let kept = layer(
        &memory,
        &MediaType::OCI_LAYER_ZSTD,
        &compressed(&zstd, Codec::Zstd),
    );
    let layers = [layer(&memory, &MediaType::OCI_LAYER, &plain), kept.clone()];
    let diff_ids = [Digest::of(&plain), Digest::of(&zstd)];
    let config = config(&memory, &MediaType::OCI_CONFIG, &diff_ids);
    let root = manifest(&memory, &config, &layers, "");
    let (made, result) = run(&memory, &root, Codec::Gzip, RecompressLayers::Uncompressed);
    let result = result.expect("it is made");
    assert_eq!(result.layers.len(), 1);
    let layers = json(&made, &result.roots[0]).get("layers").cloned();
    let layers = layers.expect("layers").to_canonical();
    let layers = String::from_utf8(layers).expect("text");
    assert!(
        layers.contains("+zstd") && layers.contains("+gzip"),
        "{layers}"
    );

    let (_, result) = run(&memory, &root, Codec::None, RecompressLayers::Uncompressed);
    assert_eq!(result.expect("nothing to do").roots, [root]);
}

/// Of an index all images are taken; attestations, artifacts and what nobody knows stay.
#[test]
fn an_index_is_formed_after_its_images() {
    let memory = Memory::new();
    let tar = content(0);
    let at = put(&memory, MediaType::OCI_LAYER, &tar).expect("it is taken");
    let toc = r#","annotations":{"containerd.io/snapshot/stargz/toc.digest":"x","kept":"y"},"data":"AA==","urls":["https://x"],"x":{"y":1}"#;
    let config = config(&memory, &MediaType::OCI_CONFIG, &[Digest::of(&tar)]);
    let more = r#","annotations":{"a":"b"},"x":[1]"#;
    let one = manifest(&memory, &config, &[descriptor(&at, toc)], more);
    let two = manifest(&memory, &config, &[descriptor(&at, "")], r#","two":2"#);
    let statement = put(
        &memory,
        MediaType::new("application/vnd.in-toto+json"),
        b"{}",
    );
    let statement = descriptor(&statement.expect("it is taken"), "");
    let attestation = manifest(&memory, &config, &[statement], "");
    let empty = put(&memory, MediaType::OCI_EMPTY, b"{}").expect("it is taken");
    let artifact = manifest(
        &memory,
        &empty,
        &[descriptor(&at, "")],
        r#","artifactType":"a/b""#,
    );
    let refers = format!(
        r#","annotations":{{"vnd.docker.reference.digest":"{}"}}"#,
        one.digest
    );
    let children = [
        descriptor(
            &one,
            r#","platform":{"os":"linux","architecture":"amd64","z":1}"#,
        ),
        descriptor(&two, r#","platform":{"os":"linux","architecture":"arm64"}"#),
        descriptor(&attestation, &refers),
        descriptor(&artifact, ""),
    ];
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}],"annotations":{{"c":"d"}},"unknown":true}}"#,
        MediaType::OCI_INDEX,
        children.join(",")
    );
    let root = put(&memory, MediaType::OCI_INDEX, text.as_bytes()).expect("it is taken");

    let (made, result) = run(&memory, &root, Codec::Gzip, RecompressLayers::All);
    let result = result.expect("it is made");
    let of = |digest: &Digest| {
        let found = result.documents.iter().find(|it| it.from.digest == *digest);
        found.map(|it| it.to.clone())
    };
    let (new_one, new_two) = (of(&one.digest).expect("new"), of(&two.digest).expect("new"));
    assert_eq!(of(&root.digest), Some(result.roots[0].clone()));
    assert_eq!(
        (of(&attestation.digest), of(&artifact.digest)),
        (None, None)
    );
    assert_eq!(result.layers.len(), 1, "each layer is made once");
    let mut expected = text.clone();
    for (before, after) in [(&one, &new_one), (&two, &new_two)] {
        expected = expected
            .replace(before.digest.as_str(), after.digest.as_str())
            .replace(
                &format!(",\"size\":{}", before.size),
                &format!(",\"size\":{}", after.size),
            );
    }
    let expected = Json::parse(expected.as_bytes()).expect("JSON");
    let index = json(&made, &result.roots[0]);
    assert_eq!(
        String::from_utf8_lossy(&index.to_canonical()),
        String::from_utf8_lossy(&expected.to_canonical())
    );
    let new = String::from_utf8(read(&made, &new_one).expect("it is there")).expect("text");
    for kept in [
        r#""annotations":{"a":"b"}"#,
        r#""x":[1]"#,
        r#""kept":"y""#,
        r#""x":{"y":1}"#,
    ] {
        assert!(new.contains(kept), "{new}");
    }
    for gone in ["stargz", "\"data\"", "\"urls\""] {
        assert!(!new.contains(gone), "{new}");
    }
    let dropped: Vec<_> = result.dropped.iter().collect();
    assert_eq!(dropped.len(), 1);
    assert!(dropped[0].ends_with("annotation containerd.io/snapshot/stargz/toc.digest"));
}

#[test]
fn the_words_of_docker_stay_and_so_does_what_may_not_be_passed_on() {
    let memory = Memory::new();
    let (tar, foreign) = (content(0), content(1));
    let layers = [
        layer(
            &memory,
            &MediaType::DOCKER_LAYER_GZIP,
            &compressed(&tar, Codec::Gzip),
        ),
        layer(&memory, &MediaType::DOCKER_LAYER_FOREIGN, &foreign),
    ];
    let diff_ids = [Digest::of(&tar), Digest::of(&foreign)];
    let config = config(&memory, &MediaType::DOCKER_CONFIG, &diff_ids);
    let root = manifest(&memory, &config, &layers, "");
    for (codec, expected) in [
        (Codec::Zstd, MediaType::DOCKER_LAYER_ZSTD),
        (Codec::None, MediaType::DOCKER_LAYER),
    ] {
        let (made, result) = run(&memory, &root, codec, RecompressLayers::All);
        let result = result.expect("it is made");
        assert_eq!(result.roots[0].media_type, MediaType::DOCKER_MANIFEST);
        assert_eq!(result.layers.len(), 1);
        assert_eq!(result.layers[0].to.media_type, expected);
        assert_eq!(unpacked(&made, &result.layers[0].to).1, tar);
    }
}

/// What is to be fetched from elsewhere need not be there; anything else does.
#[test]
fn a_layer_that_is_not_there_stays_if_it_may() {
    for (urls, is_fault) in [(r#","urls":["https://elsewhere"]"#, false), ("", true)] {
        let memory = Memory::new();
        let tar = content(0);
        let at = Descriptor::new(MediaType::OCI_LAYER, Digest::of(&tar), tar.len() as u64);
        let config = config(&memory, &MediaType::OCI_CONFIG, &[Digest::of(&tar)]);
        let root = manifest(&memory, &config, &[descriptor(&at, urls)], "");
        let (_, result) = run(&memory, &root, Codec::Gzip, RecompressLayers::All);
        match result {
            Ok(made) => assert!(!is_fault && made.roots == [root], "{made:?}"),
            Err(RecompressError::Blob(error)) => assert!(is_fault && error.is_not_found()),
            Err(error) => panic!("{}", chain(&error)),
        }
    }
}

/// The diff ID says that a layer is what it was; whether it is a tar is nobody's business here.
#[test]
fn a_layer_that_is_no_tar_is_carried() {
    for bytes in [&b"no tar at all"[..], b""] {
        let memory = Memory::new();
        let root = image(&memory, &MediaType::OCI_LAYER, bytes, bytes);
        let (made, result) = run(&memory, &root, Codec::Gzip, RecompressLayers::All);
        let result = result.expect("it is made");
        assert_eq!(unpacked(&made, &result.layers[0].to).1, bytes);
    }
}

#[test]
fn what_is_not_as_it_says_is_refused() {
    let tar = content(0);
    let gzip = compressed(&tar, Codec::Gzip);
    let check = |memory: &Memory, root: &Descriptor, limit: u64, words: &[&str]| {
        let workers = Workers::new(NonZeroUsize::MIN);
        let mut options = RecompressOptions::new(Encoding::of(Codec::Zstd), &workers);
        options.tar_limit = limit;
        let made = Memory::new();
        let error = recompress(memory, from_ref(root), &options, &made).expect_err("a fault");
        let said = chain(&error);
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
        assert!(made.digests().is_empty(), "{said}");
    };
    let memory = Memory::new();
    let plain = |stored: &[u8], tar: &[u8]| image(&memory, &MediaType::OCI_LAYER_GZIP, stored, tar);
    let other = Digest::of(b"another");
    let wrong = plain(&gzip, b"another");
    let actual = Digest::of(&tar);
    check(
        &memory,
        &wrong,
        1 << 30,
        &["the config says diff ID", other.as_str(), actual.as_str()],
    );
    check(
        &memory,
        &plain(&gzip, &tar),
        1000,
        &["unpacks to more than 1000 bytes"],
    );
    let cut = &gzip[..gzip.len() / 2];
    check(
        &memory,
        &plain(cut, &tar),
        1 << 30,
        &["cannot read layer `sha256:"],
    );
    let xz = b"\xfd7zXZ\0and more";
    check(&memory, &plain(xz, &tar), 1 << 30, &["compressed with xz"]);

    let at = layer(&memory, &MediaType::OCI_LAYER, &tar);
    let two = config(
        &memory,
        &MediaType::OCI_CONFIG,
        &[actual.clone(), actual.clone()],
    );
    let root = manifest(&memory, &two, &[at], "");
    check(
        &memory,
        &root,
        1 << 30,
        &["has 1 layers, but its config has 2 diff IDs"],
    );

    // Other bytes under a layer's name.
    let root = plain(&gzip, &tar);
    let mut bytes = gzip.clone();
    bytes[5] ^= 1; // The time in the header of gzip, which no reader heeds.
    memory.insert_unverified(Digest::of(&gzip), bytes);
    check(
        &memory,
        &root,
        1 << 30,
        &["cannot read layer `sha256:", "expected"],
    );
    let unknown = put(&memory, MediaType::OCI_MANIFEST, b"{}").expect("it is taken");
    check(&memory, &unknown, 1 << 30, &["is not a valid document"]);
}

/// A sink that takes documents, and of a blob so many bytes.
struct Full;

impl Sink for Full {
    fn has(&self, _descriptor: &Descriptor) -> Result<bool, Error> {
        Ok(false)
    }

    fn create(&self, _algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        Ok(Box::new(NoRoom))
    }

    fn publish(&self, _root: &Root) -> Result<(), Error> {
        Ok(())
    }
}

struct NoRoom;

impl Write for NoRoom {
    fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for NoRoom {
    fn finish(
        self: Box<Self>,
        _expected: Option<&Descriptor>,
    ) -> Result<cooperage_blob::Written, Error> {
        Err(Error::failed("there is no room"))
    }
}

#[test]
fn a_full_disk_is_told_as_one() {
    let memory = Memory::new();
    let tar = content(0);
    let root = image(&memory, &MediaType::OCI_LAYER, &tar, &tar);
    let workers = Workers::new(NonZeroUsize::MIN);
    let options = RecompressOptions::new(Encoding::default(), &workers);
    let error = recompress(&memory, &[root], &options, &Full).expect_err("a fault");
    let said = chain(&error);
    assert!(said.starts_with("cannot store layer"), "{said}");
}
