//! podman's service, which speaks the same language with an accent.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cooperage_blob::{Memory, Source};
use cooperage_compress::Codec;
use cooperage_daemon::{Engine, LoadOptions, RemoveOptions, Store};
use cooperage_daemon_archive::ReadOptions;
use cooperage_testkit::peers::Generation;
use cooperage_testkit::podman::{self, Podman};

use crate::common::{connect, image, motd, name, noise};

/// A running service. It ends with this, and by itself when nobody asks it anything.
struct Service {
    child: Child,
    _podman: Podman,
    directory: tempfile::TempDir,
}

impl Service {
    fn start(generation: Generation) -> Option<Self> {
        let podman = podman::start(generation)?;
        let directory = tempfile::Builder::new().prefix("p").tempdir().unwrap();
        let socket = directory.path().join("s");
        let address = format!("unix://{}", socket.display());
        let words = ["system", "service", "--time=60", &address];
        let mut command = podman.program().command(words);
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let service = Self {
            child,
            _podman: podman,
            directory,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !service.answers() {
            assert!(Instant::now() < deadline, "{generation}: podman is silent");
            std::thread::sleep(Duration::from_millis(25));
        }
        Some(service)
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn answers(&self) -> bool {
        std::os::unix::net::UnixStream::connect(self.socket()).is_ok()
    }

    fn engine(&self) -> Engine {
        connect(&self.socket())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn podman_takes_images_and_gives_them_back() {
    for generation in Generation::ALL {
        let Some(service) = Service::start(generation) else {
            continue;
        };
        let engine = service.engine();
        assert_eq!(engine.store().unwrap(), Store::Podman, "{generation}");
        let memory = Memory::new();
        let (below, words) = (noise(90, 1 << 20), motd("podman\n"));
        let built = image(&memory, &[(Codec::Gzip, &below), (Codec::Zstd, &words)]);
        let names = ["podman-one:v1", "localhost:5000/podman:v2"];
        let options = LoadOptions::default();
        let loaded = engine
            .load(&memory, &[built.named(&names)], &options)
            .unwrap();
        assert_eq!(loaded.archives, 1, "{generation}: {loaded:?}");
        assert_eq!(loaded.images[0].names.len(), 2, "{generation}: {loaded:?}");
        assert_eq!(loaded.images[0].id, built.config.digest, "{generation}");

        // The same again: nothing. Another last layer: all of it, since podman takes no less.
        let loaded = engine
            .load(&memory, &[built.named(&names)], &options)
            .unwrap();
        assert_eq!(loaded.bytes_sent, 0, "{generation}: {loaded:?}");
        let words = motd("podman again\n");
        let again = image(&memory, &[(Codec::Gzip, &below), (Codec::Gzip, &words)]);
        let loaded = engine
            .load(&memory, &[again.named(&names[..1])], &options)
            .unwrap();
        assert!(loaded.bytes_sent > again.size(), "{generation}: {loaded:?}");

        let saved = engine
            .save(&[name(names[1])], &ReadOptions::default())
            .unwrap();
        let roots = saved.roots().unwrap();
        assert_eq!(roots[0].name.as_deref(), Some(names[1]), "{generation}");
        let file = service.directory.path().join("x.tar");
        engine.export(&[name(names[0])], Path::new(&file)).unwrap();

        for (name_, built) in [(names[0], &again), (names[1], &built)] {
            let found = engine.inspect(&name(name_)).unwrap().unwrap();
            assert_eq!(found.id, built.config.digest, "{generation}");
            assert_eq!(found.diff_ids, built.diff_ids, "{generation}");
            engine
                .remove(&name(name_), &RemoveOptions::default())
                .unwrap();
            assert!(!engine.contains(&name(name_)).unwrap(), "{generation}");
        }
    }
}
