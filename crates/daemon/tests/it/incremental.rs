//! What is sent to real engines, and what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cooperage_blob::Memory;
use cooperage_compress::Codec;
use cooperage_daemon::{LoadOptions, Send};
use cooperage_daemon_archive::{DockerArchive, ReadOptions};
use cooperage_testkit::docker::{self, Docker, Store};
use cooperage_testkit::peers;

use crate::common::{Built, busybox, connect, image, motd, name, noise};
use crate::fake::Fake;

/// What an archive has beside its layers, at most: documents, headers and padding.
const OVERHEAD: u64 = 16 << 10;

/// An image of busybox, noise, and words, so that only the last layer is another for other words.
fn app(memory: &Memory, docker: &Docker, seed: u64, words: &str) -> Option<Built> {
    let program = busybox(peers::tool("busybox")?.path());
    // The same test runs against several engines; none of them may know another one's layers.
    let noise = noise(seed * 10 + docker.store() as u64, 3 << 20);
    let layers = [
        (Codec::Gzip, &program),
        (Codec::Gzip, &noise),
        (Codec::Gzip, &motd(words)),
    ];
    Some(image(memory, &layers))
}

fn engines() -> impl Iterator<Item = &'static Docker> {
    Store::ALL.into_iter().filter_map(docker::shared)
}

fn options(related: &[&str]) -> LoadOptions<'static> {
    let mut options = LoadOptions::default();
    options.related = related.iter().copied().map(name).collect();
    options
}

#[test]
fn a_changed_last_layer_is_all_that_is_sent() {
    for docker in engines() {
        let store = docker.store();
        let engine = connect(&docker.socket());
        let memory = Memory::new();
        let Some(first) = app(&memory, docker, 1, "first\n") else {
            return;
        };
        let loaded = engine
            .load(&memory, &[first.named(&["last:dev"])], &options(&[]))
            .unwrap();
        assert!(loaded.images[0].failures.is_empty(), "{store}: {loaded:?}");
        assert_eq!(loaded.archives, 1, "{store}: {loaded:?}");
        let whole = loaded.bytes_sent;
        let range = first.size()..first.size() + OVERHEAD;
        assert!(range.contains(&whole), "{store}: {whole} bytes");
        assert_eq!(docker.run("last:dev", &[]).unwrap(), "first\n", "{store}");

        let second = app(&memory, docker, 1, "second\n").unwrap();
        let loaded = engine
            .load(&memory, &[second.named(&["last:dev"])], &options(&[]))
            .unwrap();
        assert_eq!(loaded.archives, 1, "{store}: {loaded:?}");
        let sent = loaded.images[0].sent.as_ref().unwrap();
        assert_eq!(sent.left_out, second.layers[..2], "{store}");
        let changed = loaded.bytes_sent;
        assert!(changed < OVERHEAD, "{store}: {changed} of {whole} bytes");
        assert_eq!(docker.run("last:dev", &[]).unwrap(), "second\n", "{store}");

        // Once more: nothing, and a new name costs nothing either.
        let names = ["last:dev", "last:again"];
        let loaded = engine
            .load(&memory, &[second.named(&names)], &options(&[]))
            .unwrap();
        assert_eq!((loaded.bytes_sent, loaded.archives), (0, 0), "{store}");
        assert_eq!(loaded.images[0].names.len(), 2, "{store}");
        assert!(loaded.images[0].sent.is_none(), "{store}");
        assert_eq!(
            docker.run("last:again", &[]).unwrap(),
            "second\n",
            "{store}"
        );

        let mut all = options(&[]);
        all.send = Send::Everything;
        let loaded = engine
            .load(&memory, &[second.named(&["last:dev"])], &all)
            .unwrap();
        let sent = loaded.bytes_sent;
        assert!(sent >= second.size(), "{store}: {sent} bytes");
    }
}

#[test]
fn the_bases_layers_are_not_sent() {
    for docker in engines() {
        let store = docker.store();
        let fake = Fake::in_front_of(&docker.socket(), |_| None);
        let engine = connect(&fake.socket());
        let memory = Memory::new();
        let Some(base) = app(&memory, docker, 2, "base\n") else {
            return;
        };
        let loaded = engine
            .load(&memory, &[base.named(&["the-base:1"])], &options(&[]))
            .unwrap();
        let id = loaded.images[0].id.to_string();
        let program = busybox(peers::tool("busybox").unwrap().path());
        let below = noise(20 + store as u64, 3 << 20);
        for (related, words) in [("the-base:1", "by name\n"), (&id, "by id\n")] {
            let app = image(
                &memory,
                &[
                    (Codec::Gzip, &program),
                    (Codec::Gzip, &below),
                    (Codec::Gzip, &motd("base\n")),
                    (Codec::Gzip, &motd(words)),
                ],
            );
            let tag = format!("on-base:{}", words.len());
            let loaded = engine
                .load(
                    &memory,
                    &[app.named(&[&tag])],
                    &options(&[related, "absent:1"]),
                )
                .unwrap();
            assert_eq!(loaded.archives, 1, "{store}: {loaded:?}");
            let sent = loaded.bytes_sent;
            assert!(sent < OVERHEAD, "{store} {related}: {sent} bytes");
            assert_eq!(docker.run(&tag, &[]).unwrap(), words, "{store}");
        }
        // Only images that were named were looked at, never all of them.
        let seen = fake.seen();
        let mut lists = seen.iter().filter(|line| line.contains("/images/json"));
        assert_eq!(lists.next(), None, "{store}");
    }
}

/// The base goes away after it was looked at: what was left out has to be sent after all, and until
/// it is, the name stands for what it did.
#[test]
fn a_wrong_guess_is_repaired_before_the_name_moves() {
    for docker in engines() {
        let store = docker.store();
        let memory = Memory::new();
        let Some(previous) = app(&memory, docker, 3, "previous\n") else {
            return;
        };
        let base_noise = noise(40 + store as u64, 3 << 20);
        let base = image(&memory, &[(Codec::Gzip, &base_noise)]);
        let program = busybox(peers::tool("busybox").unwrap().path());
        let words = motd("next\n");
        let layers = [
            (Codec::Gzip, &base_noise),
            (Codec::Gzip, &program),
            (Codec::Gzip, &words),
        ];
        let next = image(&memory, &layers);
        let direct = connect(&docker.socket());
        let images = [
            previous.named(&["wrong:dev"]),
            base.named(&["wrong-base:1"]),
        ];
        direct.load(&memory, &images, &options(&[])).unwrap();

        let loads = Arc::new(AtomicUsize::new(0));
        let (client, counted) = (docker.client().clone(), Arc::clone(&loads));
        let fake = Fake::in_front_of(&docker.socket(), move |line| {
            if line.starts_with("POST ") && line.contains("/images/load") {
                if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                    client
                        .run(["image", "rm", "--force", "wrong-base:1"])
                        .unwrap();
                }
                let said = client.run(["run", "--rm", "--network", "none", "wrong:dev"]);
                assert_eq!(said.unwrap(), "previous\n");
            }
            None
        });
        let loaded = connect(&fake.socket())
            .load(
                &memory,
                &[next.named(&["wrong:dev"])],
                &options(&["wrong-base:1"]),
            )
            .unwrap();
        assert_eq!(loads.load(Ordering::SeqCst), 2, "{store}: {loaded:?}");
        assert_eq!(loaded.archives, 2, "{store}");
        assert!(loaded.bytes_sent > next.size(), "{store}: {loaded:?}");
        let sent = loaded.images[0].sent.as_ref().unwrap();
        assert!(sent.left_out.is_empty(), "{store}");
        assert_eq!(docker.run("wrong:dev", &[]).unwrap(), "next\n", "{store}");
        // It is whole for the engine itself, too.
        let file = tempfile::NamedTempFile::new().unwrap();
        docker.save(&["wrong:dev"], file.path()).unwrap();
        DockerArchive::open(file.path(), &ReadOptions::default())
            .unwrap()
            .verify()
            .unwrap();
    }
}

/// The same tar, stored in another way: the diff ID says that it is there, the digest that it is
/// not. Graph drivers ask for the one, containerd's store for the other.
#[test]
fn a_layer_in_another_form_is_found_out() {
    for docker in engines() {
        let store = docker.store();
        let engine = connect(&docker.socket());
        let (source, elsewhere) = (Memory::new(), Memory::new());
        let Some(program) = peers::tool("busybox") else {
            return;
        };
        let program = busybox(program.path());
        let below = noise(50 + store as u64, 1 << 20);
        let base = image(&elsewhere, &[(Codec::None, &below)]);
        engine
            .load(&elsewhere, &[base.named(&["other-form:1"])], &options(&[]))
            .unwrap();
        let words = motd("form\n");
        let layers = [
            (Codec::Gzip, &below),
            (Codec::Gzip, &program),
            (Codec::Gzip, &words),
        ];
        let app = image(&source, &layers);
        let loaded = engine
            .load(
                &source,
                &[app.named(&["form:dev"])],
                &options(&["other-form:1"]),
            )
            .unwrap();
        let archives = match store {
            Store::ModernContainerd => 2,
            Store::Stable | Store::ModernGraph => 1,
        };
        assert_eq!(loaded.archives, archives, "{store}: {loaded:?}");
        assert_eq!(docker.run("form:dev", &[]).unwrap(), "form\n", "{store}");
        let state = engine.inspect(&name("form:dev")).unwrap().unwrap();
        assert!(state.manifests.iter().all(|manifest| manifest.available));
    }
}

#[test]
fn zstd_layers_reach_every_engine() {
    for docker in engines() {
        let store = docker.store();
        let engine = connect(&docker.socket());
        let Some(program) = peers::tool("busybox") else {
            return;
        };
        let memory = Memory::new();
        let program = busybox(program.path());
        let layers = [(Codec::Zstd, &program), (Codec::None, &motd("zstd\n"))];
        let app = image(&memory, &layers);
        let loaded = engine
            .load(&memory, &[app.named(&["zstd:dev"])], &options(&[]))
            .unwrap();
        let sent = loaded.images[0].sent.as_ref().unwrap();
        // Docker 20.10 cannot read it.
        let recompressed = usize::from(store == Store::Stable);
        assert_eq!(sent.recompressed.len(), recompressed, "{store}");
        assert_eq!(docker.run("zstd:dev", &[]).unwrap(), "zstd\n", "{store}");
    }
}

#[test]
fn several_images_go_in_one_archive() {
    for docker in engines() {
        let store = docker.store();
        let engine = connect(&docker.socket());
        let memory = Memory::new();
        let Some(one) = app(&memory, docker, 6, "one\n") else {
            return;
        };
        let two = app(&memory, docker, 6, "two\n").unwrap();
        let nameless = app(&memory, docker, 6, "nameless\n").unwrap();
        let images = [
            one.named(&["several:one", "localhost:5000/team/several:1"]),
            two.named(&["several:two"]),
            nameless.named(&[]),
        ];
        let loaded = engine.load(&memory, &images, &options(&[])).unwrap();
        assert_eq!(loaded.archives, 1, "{store}");
        assert!(loaded.bytes_sent < one.size() + 2 * OVERHEAD, "{store}");
        assert_eq!(loaded.images.len(), 3);
        for (image, words) in [
            ("several:one", "one\n"),
            ("localhost:5000/team/several:1", "one\n"),
            ("several:two", "two\n"),
        ] {
            assert_eq!(docker.run(image, &[]).unwrap(), words, "{store}");
        }
        let mut third = loaded.images.iter();
        let third = third.find(|image| image.names.is_empty()).unwrap();
        let said = docker.run(third.id.as_str(), &[]).unwrap();
        assert_eq!(said, "nameless\n", "{store}");
    }
}
