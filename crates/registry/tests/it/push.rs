//! Writing: what is sent, in how many requests, and what becomes of it when connections break.

use std::io::{Read, Write as _};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};

use cooperage_blob::{CopyOptions, Error, Memory, Root, Sink as _, Source, copy, put};
use cooperage_digest::{Algorithm, Digest};
use cooperage_image_spec::{Descriptor, Document, Manifest, MediaType};
use cooperage_registry::Upload;

use crate::server::{Act, Server, act_if, answer, change, error};
use crate::{chain, in_memory, noise, one_job, options, reference, repository, repository_with};

const BIG: usize = 9 << 20;

fn chunked(bytes: u64) -> Upload {
    Upload::Chunked(NonZeroU64::new(bytes).unwrap())
}

/// The image is there whole, as another program would find it.
fn assert_whole(server: &Server, path: &str, tag: &str, memory: &Memory) {
    let from = repository(server, path);
    let back = Memory::new();
    let root = Root::named("back", from.resolve(tag).unwrap());
    copy(&from, &root, &back, &one_job()).unwrap();
    assert_eq!(back.digests(), memory.digests());
}

#[test]
fn an_image_is_pushed_children_first_and_named_last() {
    let server = Server::standard();
    let (memory, root) = in_memory(&[b"one", b"two"]);
    let copied = copy(&memory, &root, &repository(&server, "app"), &one_job()).unwrap();
    assert_eq!((copied.blobs, copied.skipped), (4, 0));
    assert_whole(&server, "app", "v1", &memory);
    let lines = server.lines();
    let lines: Vec<_> = lines.iter().take(12).collect();
    // The tag, the image by digest; then for each of three blobs: is it there, leave, bytes.
    assert_eq!(lines[0], "HEAD /v2/app/manifests/v1");
    assert_eq!(
        *lines[1],
        format!("HEAD /v2/app/manifests/{}", root.descriptor.digest)
    );
    let verbs: Vec<_> = lines[2..11]
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(verbs, ["HEAD", "POST", "PUT"].repeat(3));
    assert_eq!(lines[11], "PUT /v2/app/manifests/v1");
}

#[test]
fn what_the_tag_names_already_takes_one_request() {
    let server = Server::standard();
    let layers: Vec<Vec<u8>> = (0..10).map(|at| noise(at, 100)).collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let (memory, root) = in_memory(&layers);
    copy(
        &memory,
        &root,
        &repository(&server, "app"),
        &CopyOptions::default(),
    )
    .unwrap();
    let before = server.seen().len();
    let to = repository(&server, "app");
    let copied = copy(&memory, &root, &to, &CopyOptions::default()).unwrap();
    assert_eq!((copied.blobs, copied.bytes), (0, 0));
    assert_eq!(server.lines()[before..], ["HEAD /v2/app/manifests/v1"]);

    // Another tag for the same image: is it there, is the image there, the name.
    let before = server.seen().len();
    let other = Root::named("v2", root.descriptor.clone());
    copy(&memory, &other, &to, &CopyOptions::default()).unwrap();
    let lines = &server.lines()[before..];
    let verbs: Vec<_> = lines
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(verbs, ["HEAD", "HEAD", "PUT"], "{lines:?}");

    // And more tags for the price of one request each.
    let before = server.seen().len();
    for tag in ["v3", "v4"] {
        to.publish(&Root::named(tag, root.descriptor.clone()))
            .unwrap();
    }
    assert_eq!(
        server.lines()[before..],
        ["PUT /v2/app/manifests/v3", "PUT /v2/app/manifests/v4"]
    );
    assert_whole(&server, "app", "v4", &memory);
}

#[test]
fn only_a_changed_layer_is_sent() {
    let server = Server::standard();
    let (base, top) = (noise(1, 50_000), noise(2, 1000));
    let (memory, root) = in_memory(&[&base, b"old"]);
    copy(&memory, &root, &repository(&server, "app"), &one_job()).unwrap();
    let (memory, root) = in_memory(&[&base, &top]);
    let before = server.seen().len();
    copy(&memory, &root, &repository(&server, "app"), &one_job()).unwrap();
    let sent = server.seen()[before..]
        .iter()
        .filter(|it| it.path.contains("/blobs/"))
        .map(|it| it.body.len())
        .sum::<usize>();
    assert_eq!(sent, top.len());
    assert_whole(&server, "app", "v1", &memory);
}

#[test]
fn an_index_whose_images_are_there_is_one_document() {
    let server = Server::standard();
    let memory = Memory::new();
    let images = [b"a", b"b"].map(|layer| crate::image(&memory, &[layer]));
    for image in &images {
        let root = Root::unnamed(image.clone());
        copy(&memory, &root, &repository(&server, "app"), &one_job()).unwrap();
    }
    let root = Root::named("all", crate::index(&memory, images.to_vec()));
    let before = server.seen().len();
    copy(&memory, &root, &repository(&server, "app"), &one_job()).unwrap();
    let lines = &server.lines()[before..];
    let verbs: Vec<_> = lines
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(verbs, ["HEAD", "HEAD", "HEAD", "HEAD", "PUT"], "{lines:?}");
    assert_whole(&server, "app", "all", &memory);
}

#[test]
fn what_the_registry_has_elsewhere_is_mounted() {
    let server = Server::standard();
    let base = noise(1, 100_000);
    let (memory, root) = in_memory(&[&base]);
    copy(&memory, &root, &repository(&server, "base"), &one_job()).unwrap();

    // From the source itself, which is of the same registry.
    let from = repository(&server, "base");
    let to = repository(&server, "team/copy");
    let before = server.seen().len();
    let copied = copy(&from, &root, &to, &one_job()).unwrap();
    assert_eq!(
        (copied.blobs, copied.skipped),
        (1, 2),
        "the manifest alone went over"
    );
    let seen = &server.seen()[before..];
    let posts: Vec<_> = seen.iter().filter(|it| it.method == "POST").collect();
    assert_eq!(posts.len(), 2);
    assert!(
        posts
            .iter()
            .all(|it| it.query("from").as_deref() == Some("base"))
    );
    assert!(
        !seen
            .iter()
            .any(|it| it.method == "PATCH" || it.is("PUT", "/v2/team/copy/blobs"))
    );
    assert_whole(&server, "team/copy", "v1", &memory);

    // As somebody says; where it is not there, the upload that was begun is made use of.
    let to = repository(&server, "other");
    to.mount_from(&reference(&server, "base"));
    let (mixed, root) = in_memory(&[&base, b"new"]);
    let before = server.seen().len();
    copy(&mixed, &root, &to, &one_job()).unwrap();
    let seen = &server.seen()[before..];
    let count = |method| seen.iter().filter(|it| it.method == method).count();
    assert_eq!(
        (count("POST"), count("PUT")),
        (3, 2),
        "{:?}",
        &server.lines()[before..]
    );
    assert_whole(&server, "other", "v1", &mixed);
}

#[test]
fn a_mount_that_is_denied_is_a_plain_upload() {
    let server = Server::start(|seen, _| match seen.query("mount") {
        Some(_) => Act::Answer(error(403, "DENIED", "not yours")),
        None => Act::Standard,
    });
    let (memory, root) = in_memory(&[b"layer"]);
    let to = repository(&server, "app");
    to.mount_from(&reference(&server, "secret"));
    copy(&memory, &root, &to, &one_job()).unwrap();
    assert_whole(&server, "app", "v1", &memory);
}

/// How a registry is sent an image, where a connection breaks, and what is then sent again.
#[test]
fn a_broken_upload_goes_on_where_the_registry_says() {
    let layer = noise(3, BIG);
    for (upload, cut, again) in [
        (Upload::Monolithic, 5_000_000, BIG - 5_000_000),
        (Upload::Monolithic, 0, BIG),
        (chunked(2 << 20), 1_000_000, (2 << 20) - 1_000_000),
        (chunked(2 << 20), 2 << 20, 0),
    ] {
        let broken = AtomicUsize::new(0);
        let server = Server::start(move |seen, _| {
            let length: usize = seen.header("content-length").parse().unwrap_or(0);
            let is_body = matches!(&*seen.method, "PUT" | "PATCH") && length > 100_000;
            if is_body && broken.fetch_add(1, Ordering::Relaxed) == 0 {
                return Act::Cut(cut);
            }
            Act::Standard
        });
        let (memory, root) = in_memory(&[&layer]);
        let (mut options, pace) = options();
        options.upload = upload;
        let to = repository_with(&server, "app", options);
        copy(&memory, &root, &to, &one_job()).unwrap();
        assert_whole(&server, "app", "v1", &memory);
        assert_eq!(pace.slept.lock().unwrap().len(), 1, "{upload:?}");
        let sent: usize = server
            .seen()
            .iter()
            .filter(|it| it.path.contains("/uploads/"))
            .map(|it| it.body.len())
            .sum();
        assert!(
            sent <= layer.len() + 2,
            "{upload:?}, cut at {cut}: {sent} bytes were sent"
        );
        assert!(sent >= again, "{sent}");
    }
}

#[test]
fn an_upload_that_the_registry_forgot_begins_again() {
    let layer = noise(3, 300_000);
    for status in [404, 416] {
        let broken = AtomicUsize::new(0);
        let server = Server::start(move |seen, _| {
            if seen.method == "PUT"
                && seen.path.contains("/uploads/")
                && broken.fetch_add(1, Ordering::Relaxed) == 0
            {
                return Act::Answer(error(status, "BLOB_UPLOAD_UNKNOWN", "gone"));
            }
            match &*seen.method {
                "GET" if seen.path.contains("/uploads/") => Act::Answer(answer(404)),
                _ => Act::Standard,
            }
        });
        let (memory, root) = in_memory(&[&layer]);
        copy(&memory, &root, &repository(&server, "app"), &one_job()).unwrap();
        assert_whole(&server, "app", "v1", &memory);
    }
}

#[test]
fn an_upload_whose_last_answer_was_lost_is_found_to_be_there() {
    let broken = AtomicUsize::new(0);
    let server = Server::start(move |seen, _| {
        let is_end = seen.method == "PUT" && seen.path.contains("/uploads/");
        act_if(
            is_end && broken.fetch_add(1, Ordering::Relaxed) == 0,
            || Act::Silent,
        )
    });
    let (memory, root) = in_memory(&[&noise(3, 300_000)]);
    copy(&memory, &root, &repository(&server, "app"), &one_job()).unwrap();
    assert_whole(&server, "app", "v1", &memory);
    let puts = server
        .lines()
        .iter()
        .filter(|it| it.starts_with("PUT /v2/app/blobs"))
        .count();
    assert_eq!(puts, 2, "the config's and the layer's");
}

/// A refusal that comes while a body is still under way may be lost with its connection; then the
/// registry is asked for leave first, and its reason is read.
#[test]
fn an_early_refusal_is_read_in_the_end() {
    let server = Server::start(|seen, _| {
        let is_blob = seen.method == "PUT" && seen.path.contains("/blobs/");
        act_if(is_blob, || {
            Act::Early(error(413, "SIZE_INVALID", "no more than a megabyte"))
        })
    });
    let (memory, root) = in_memory(&[&noise(3, BIG)]);
    let error = copy(&memory, &root, &repository(&server, "app"), &one_job()).unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains("status 413, SIZE_INVALID `no more than a megabyte`"),
        "{text}"
    );
    assert!(
        !server
            .lines()
            .iter()
            .any(|line| line.contains("PUT /v2/app/manifests"))
    );
}

/// A source whose bytes are not what they should be.
struct Liar(Memory, Descriptor, Vec<u8>);

impl Source for Liar {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        self.0.roots()
    }
    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        if *descriptor == self.1 {
            return Ok(Box::new(&*self.2));
        }
        self.0.fetch(descriptor)
    }
}

#[test]
fn a_wrong_blob_never_gets_whole_to_the_registry() {
    let right = noise(5, 2 << 20);
    let mut wrong = right.clone();
    wrong[77] ^= 1;
    let longer = [&right[..], b"x"].concat();
    for bytes in [wrong, right[..right.len() - 1].to_vec(), longer, Vec::new()] {
        for upload in [Upload::Monolithic, chunked(1 << 20)] {
            let server = Server::standard();
            let (memory, root) = in_memory(&[&right]);
            let layer =
                Descriptor::new(MediaType::OCI_LAYER, Digest::of(&right), right.len() as u64);
            let liar = Liar(memory, layer.clone(), bytes.clone());
            let (mut options, _) = options();
            options.upload = upload;
            let to = repository_with(&server, "app", options);
            let error = copy(&liar, &root, &to, &one_job()).unwrap_err();
            assert!(error.is_mismatch(), "{}", chain(&error));
            assert!(!to.has(&layer).unwrap());
            assert_eq!(server.count("DELETE"), 1, "the upload is let go of");
            assert!(server.held().manifests.is_empty());
        }
    }
}

#[test]
fn a_blob_is_uploaded_once_whoever_sends_it() {
    let server = Server::standard();
    let (memory, root) = in_memory(&[&noise(4, 1 << 20)]);
    let to = repository(&server, "app");
    std::thread::scope(|scope| {
        for tag in 0..8 {
            let (memory, to) = (&memory, &to);
            let root = Root::named(format!("v{tag}"), root.descriptor.clone());
            scope.spawn(move || copy(memory, &root, to, &CopyOptions::default()).unwrap());
        }
    });
    let puts = server
        .lines()
        .iter()
        .filter(|it| it.starts_with("PUT /v2/app/blobs"))
        .count();
    assert_eq!(puts, 2, "{:?}", server.lines());
    for tag in 0..8 {
        assert_whole(&server, "app", &format!("v{tag}"), &memory);
    }
}

#[test]
fn a_blob_may_be_written_before_its_digest_is_known() {
    for length in [0, 1, 4 << 20, (4 << 20) + 1, BIG] {
        let server = Server::standard();
        let to = repository(&server, "app");
        let bytes = noise(6, length);
        let mut writer = to.create(Algorithm::Sha256).unwrap();
        for piece in bytes.chunks(99_999) {
            writer.write_all(piece).unwrap();
        }
        let written = writer.finish(None).unwrap();
        assert_eq!(
            (written.digest, written.size),
            (Digest::of(&bytes), length as u64)
        );
        let key = format!("app@{}", Digest::of(&bytes));
        assert_eq!(server.held().blobs[&key], bytes, "{length} bytes");
        assert_eq!(
            server.count("PATCH"),
            length.saturating_sub(1) >> 22,
            "{length} bytes"
        );
    }
}

#[test]
fn a_part_that_broke_is_sent_again_from_memory() {
    let broken = AtomicUsize::new(0);
    let server = Server::start(move |seen, _| {
        let breaks = seen.method == "PATCH" && broken.fetch_add(1, Ordering::Relaxed) == 1;
        act_if(breaks, || Act::Cut(1_000_000))
    });
    let to = repository(&server, "app");
    let bytes = noise(6, BIG);
    let mut writer = to.create(Algorithm::Sha256).unwrap();
    writer.write_all(&bytes).unwrap();
    writer.finish(None).unwrap();
    assert!(
        server
            .held()
            .blobs
            .contains_key(&format!("app@{}", Digest::of(&bytes)))
    );
}

#[test]
fn what_is_dropped_or_wrong_leaves_nothing() {
    let server = Server::standard();
    let to = repository(&server, "app");
    let mut writer = to.create(Algorithm::Sha256).unwrap();
    writer.write_all(&noise(6, BIG)).unwrap();
    drop(writer);
    assert_eq!(server.count("DELETE"), 1);
    let mut writer = to.create(Algorithm::Sha256).unwrap();
    writer.write_all(b"bytes").unwrap();
    let other = Descriptor::new(MediaType::OCI_LAYER, Digest::of(b"other"), 5);
    assert!(writer.finish(Some(&other)).unwrap_err().is_mismatch());
    assert!(server.held().blobs.is_empty());
}

#[test]
fn an_image_may_be_put_by_hand() {
    let server = Server::standard();
    let to = repository(&server, "app");
    let manifest = crate::image(&to, &[b"layer"]);
    let full = format!("{}/app:v1", server.address);
    to.publish(&Root::named(full, manifest.clone())).unwrap();
    assert_eq!(to.resolve("v1").unwrap(), manifest);
    for name in ["other/name:v1", "a/B", "a b"] {
        let error = to
            .publish(&Root::named(name, manifest.clone()))
            .unwrap_err();
        assert!(error.is_unsupported(), "{name}: {}", chain(&error));
    }
    let layer = put(&to, MediaType::OCI_LAYER, b"layer").unwrap();
    assert!(
        to.publish(&Root::named("v2", layer))
            .unwrap_err()
            .is_unsupported()
    );
}

#[test]
fn a_manifest_with_a_subject_is_listed_by_its_subject() {
    for has_api in [true, false] {
        let server = Server::start(move |seen, _| {
            let is_note = seen.method == "PUT" && seen.path.contains("/manifests/sha256:");
            act_if(has_api && is_note, || {
                change(|it| it.with("OCI-Subject", "x"))
            })
        });
        server.held().has_referrers_api = has_api;
        let to = repository(&server, "app");
        let subject = crate::image(&to, &[b"layer"]);
        let mut notes = Vec::new();
        for text in ["one", "two"] {
            let config = put(&to, MediaType::OCI_EMPTY, b"{}").unwrap();
            let layer = put(&to, MediaType::new("text/plain"), text.as_bytes()).unwrap();
            let mut note = Manifest::new(config, vec![layer]);
            note.subject = Some(subject.clone());
            note.artifact_type = Some("application/x.note".into());
            let note = Document::new(note);
            notes.push(
                put(&to, MediaType::OCI_MANIFEST, note.raw())
                    .unwrap()
                    .digest,
            );
        }
        notes.sort();
        let list = |artifact_type| {
            let found = to.referrers(&subject.digest, artifact_type).unwrap();
            let mut found: Vec<_> = found.into_iter().map(|it| it.digest).collect();
            found.sort();
            found
        };
        assert_eq!(list(None), notes, "with API: {has_api}");
        assert_eq!(list(Some("application/x.note")), notes);
        assert_eq!(list(Some("application/x.other")), []);
        let tag = format!("app:sha256-{}", subject.digest.encoded());
        assert_eq!(server.held().manifests.contains_key(&tag), !has_api);
    }
}

#[test]
fn from_registry_to_registry_without_a_stop() {
    let (a, b) = (Server::standard(), Server::standard());
    let (memory, root) = in_memory(&[&noise(1, BIG), &noise(2, 1000)]);
    copy(&memory, &root, &repository(&a, "app"), &one_job()).unwrap();
    let from = repository(&a, "app");
    copy(
        &from,
        &root,
        &repository(&b, "copy"),
        &CopyOptions::default(),
    )
    .unwrap();
    assert_whole(&b, "copy", "v1", &memory);
}

#[test]
fn chunks_are_not_shorter_than_the_registry_wants() {
    let server = Server::start(|seen, _| match &*seen.method {
        "POST" => change(|it| it.with("OCI-Chunk-Min-Length", 5 << 20)),
        _ => Act::Standard,
    });
    let bytes = noise(6, BIG);
    let (memory, root) = in_memory(&[&bytes]);
    let (mut options, _) = options();
    options.upload = chunked(1 << 20);
    let to = repository_with(&server, "app", options);
    copy(&memory, &root, &to, &one_job()).unwrap();
    let lengths = |server: &Server| -> Vec<usize> {
        let seen = server.seen();
        let bodies = seen.iter().filter(|it| it.method == "PATCH");
        bodies.map(|it| it.body.len()).collect()
    };
    assert_eq!(lengths(&server), [5 << 20]);
    // One whose digest is not known holds as much as it takes.
    let mut writer = to.create(Algorithm::Sha256).unwrap();
    writer.write_all(&[&bytes[..], &bytes].concat()).unwrap();
    writer.finish(None).unwrap();
    assert_eq!(lengths(&server), [5 << 20; 4]);
}
