//! Who unpacks an image, and what then lies there.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cooperage_testkit::docker::{self, Container, Docker, Store};
use cooperage_testkit::listing::Listing;
use cooperage_testkit::peers::{self, Generation, Program};
use cooperage_testkit::{podman, tree_listing};

use crate::images::Image;

/// A program that makes a file system of an image.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Unpacker {
    Docker(Store),
    Umoci(Generation),
    Podman(Generation),
}

impl Unpacker {
    pub(crate) const ALL: [Self; 7] = [
        Self::Docker(Store::Stable),
        Self::Docker(Store::ModernGraph),
        Self::Docker(Store::ModernContainerd),
        Self::Umoci(Generation::Stable),
        Self::Umoci(Generation::Modern),
        Self::Podman(Generation::Stable),
        Self::Podman(Generation::Modern),
    ];

    /// Whether it is on this machine; its absence is reported.
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::Docker(store) => docker::shared(store).is_some(),
            Self::Umoci(generation) => peers::umoci(generation).is_some(),
            Self::Podman(generation) => podman::start(generation).is_some(),
        }
    }

    /// Unpacks `image`, which holds busybox, and has `look` see the root of what came out.
    pub(crate) fn unpack<T>(self, image: &Image, look: impl FnOnce(&Path) -> T) -> Option<T> {
        match self {
            Self::Docker(store) => {
                let docker = docker::shared(store)?;
                let (_container, root) = running(docker, image);
                Some(look(&root))
            }
            Self::Umoci(generation) => {
                let umoci = peers::umoci(generation)?;
                let bundle = image.beside(&format!("bundle-{generation:?}"));
                umoci_unpack(&umoci, image, &bundle).unwrap();
                let seen = look(&bundle.join("rootfs"));
                fs::remove_dir_all(bundle).unwrap();
                Some(seen)
            }
            Self::Podman(generation) => {
                let podman = podman::start(generation)?;
                podman.load(&image.docker_archive().0).unwrap();
                // Its store mounts nothing: this is a directory like any other.
                let words = ["image", "mount", &image.name];
                let root = podman.program().run(words).unwrap();
                Some(look(Path::new(root.trim())))
            }
        }
    }
}

impl fmt::Display for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker(store) => store.fmt(f),
            Self::Umoci(generation) => write!(f, "umoci ({generation})"),
            Self::Podman(generation) => write!(f, "podman ({generation})"),
        }
    }
}

pub(crate) fn umoci_unpack(
    umoci: &Program,
    image: &Image,
    bundle: &Path,
) -> Result<String, peers::Failed> {
    let bundle = bundle.to_str().unwrap();
    umoci.run(["unpack", "--image", &image.tag(), bundle])
}

/// A container of the image that only sleeps, and its root as this process sees it: the very
/// mount that the container has.
pub(crate) fn running<'a>(docker: &'a Docker, image: &Image) -> (Container<'a>, PathBuf) {
    let (archive, _) = image.docker_archive();
    let names = docker.load(&archive).unwrap();
    assert_eq!(names, [format!("{}:latest", image.name)]);
    let mark = format!(
        "COOPERAGE_ROOT_OF={}-{:?}-{}",
        image.name,
        docker.store(),
        std::process::id()
    );
    let sleep = ["/bin/busybox", "sleep", "600"];
    let container = docker
        .run_detached(&["--env", &mark], &names[0], &sleep)
        .unwrap();
    let root = root_of(&mark).unwrap_or_else(|| panic!("{}: {}", docker.store(), container.logs()));
    (container, root)
}

/// The engine counts processes in a namespace of its own, so the container's process is known by
/// a variable that it alone was given.
#[expect(
    clippy::disallowed_methods,
    reason = "one process is looked for, in whatever order"
)]
fn root_of(mark: &str) -> Option<PathBuf> {
    let is_marked = |environment: Vec<u8>| {
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| variable == mark.as_bytes())
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let path = process.path();
            if fs::read(path.join("environ")).is_ok_and(is_marked) {
                return Some(path.join("root"));
            }
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    None
}

/// What lies below `cases` in an unpacked image.
pub(crate) fn cases(root: &Path) -> Listing {
    tree_listing(&root.join("cases"))
}
