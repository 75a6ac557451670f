//! Images read from real engines.

use std::path::Path;

use cooperage_blob::{CopyOptions, Memory, Source, copy, read};
use cooperage_compress::Codec;
use cooperage_daemon::{LoadOptions, RemoveOptions};
use cooperage_daemon_archive::{DockerArchive, ReadOptions};
use cooperage_image_spec::{Document, ImageConfig, Manifest};
use cooperage_testkit::docker::{self, Docker, Store};

use crate::common::{Built, causes, connect, image, motd, name, noise};
use crate::fake::Fake;

fn engines() -> impl Iterator<Item = &'static Docker> {
    Store::ALL.into_iter().filter_map(docker::shared)
}

/// An image that has a layer twice, in the engine under `names`.
fn loaded(docker: &Docker, memory: &Memory, names: &[&str]) -> Built {
    let below = noise(70 + docker.store() as u64, 300_000);
    let words = motd(names[0]);
    let layers = [
        (Codec::Gzip, &below),
        (Codec::Gzip, &words),
        (Codec::Gzip, &below),
    ];
    let built = image(memory, &layers);
    connect(&docker.socket())
        .load(memory, &[built.named(names)], &LoadOptions::default())
        .unwrap();
    built
}

/// The image is read from the source whole; its config is that of `built`, and so are its layers,
/// by their diff IDs.
fn assert_same(source: &dyn Source, at: &cooperage_blob::Root, built: &Built, store: Store) {
    let bytes = read(source, &at.descriptor).unwrap();
    let manifest = Document::<Manifest>::parse(bytes).unwrap();
    assert_eq!(
        manifest.value().config.digest,
        built.config.digest,
        "{store}"
    );
    let config = read(source, &manifest.value().config).unwrap();
    let config = Document::<ImageConfig>::parse(config).unwrap();
    assert_eq!(config.value().rootfs.diff_ids, built.diff_ids, "{store}");
    let to = Memory::new();
    copy(source, at, &to, &CopyOptions::default()).unwrap();
    // containerd's store keeps what it was given; graph drivers have only what they unpacked.
    let kept = manifest.digest() == built.manifest.digest;
    assert_eq!(kept, store == Store::ModernContainerd, "{store}");
}

#[test]
fn images_come_back_as_they_were_loaded() {
    for docker in engines() {
        let store = docker.store();
        let engine = connect(&docker.socket());
        let memory = Memory::new();
        let names = ["saved:one", "saved:more"];
        let built = loaded(docker, &memory, &names);
        let other = loaded(docker, &memory, &["saved-other:one"]);

        let one = engine.save(&[name("saved:one")], &ReadOptions::default());
        let one = one.unwrap();
        let roots = one.roots().unwrap();
        assert_eq!(roots.len(), 1, "{store}: {roots:?}");
        let full = "docker.io/library/saved:one";
        assert_eq!(roots[0].name.as_deref(), Some(full), "{store}");
        assert_same(&one, &roots[0], &built, store);

        let both = [name("saved:more"), name("saved-other:one")];
        let both = engine.save(&both, &ReadOptions::default()).unwrap();
        let mut roots = both.roots().unwrap();
        roots.sort_by(|a, b| a.name.cmp(&b.name));
        let found: Vec<_> = roots.iter().filter_map(|root| root.name.clone()).collect();
        let expected = ["saved-other:one", "saved:more"];
        assert_eq!(
            found,
            expected.map(|name| format!("docker.io/library/{name}")),
            "{store}"
        );
        assert_same(&both, &roots[0], &other, store);
        assert_same(&both, &roots[1], &built, store);

        let id = engine.inspect(&name("saved:one")).unwrap().unwrap().id;
        let by_id = engine.save(&[id.into()], &ReadOptions::default()).unwrap();
        let roots = by_id.roots().unwrap();
        assert_same(&by_id, &roots[0], &built, store);
    }
}

#[test]
fn what_is_not_there_is_named() {
    for docker in engines() {
        let store = docker.store();
        let engine = connect(&docker.socket());
        let memory = Memory::new();
        loaded(docker, &memory, &["there:1"]);
        let names = [name("there:1"), name("not-there:1")];
        for names in [&names[1..], &names] {
            let error = engine.save(names, &ReadOptions::default()).unwrap_err();
            assert!(error.is_not_found(), "{store}: {}", causes(&error));
            assert!(
                error
                    .to_string()
                    .ends_with("has no image `docker.io/library/not-there:1`"),
                "{store}: {error}"
            );
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the order does not matter")]
fn count(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[test]
fn files_are_whole_or_not_there() {
    for docker in engines() {
        let store = docker.store();
        let memory = Memory::new();
        let built = loaded(docker, &memory, &["exported:1"]);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image.tar");
        std::fs::write(&path, "before").unwrap();

        // The connection breaks off in the middle of the archive.
        let fake = Fake::in_front_of(&docker.socket(), |line| {
            line.contains("/get").then(|| {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n".to_owned()
                    + &"\0".repeat(0x300)
            })
        });
        let broken = connect(&fake.socket());
        let error = broken.export(&[name("exported:1")], &path).unwrap_err();
        assert!(causes(&error).contains("isconnected"), "{store}: {error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        assert_eq!(count(directory.path()), 1, "{store}");

        let engine = connect(&docker.socket());
        let length = engine.export(&[name("exported:1")], &path).unwrap();
        assert_eq!(length, std::fs::metadata(&path).unwrap().len());
        let archive = DockerArchive::open(&path, &ReadOptions::default()).unwrap();
        assert_same(&archive, &archive.roots().unwrap()[0], &built, store);
        let mut force = RemoveOptions::default();
        force.force = true;
        engine.remove(&name("exported:1"), &force).unwrap();
        docker.load(&path).unwrap();
        assert!(engine.contains(&name("exported:1")).unwrap(), "{store}");
    }
}
