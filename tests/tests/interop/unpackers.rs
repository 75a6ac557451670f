//! Who unpacks an image, and what then lies there.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use cooperage_commit::{DEFAULT_TAR_LIMIT, LoadedLayer, load_layer};
use cooperage_tarball::{UnpackOptions, overlay, unpack};
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
    /// Ourselves.
    Cooperage,
}

impl Unpacker {
    pub(crate) const ALL: [Self; 8] = [
        Self::Docker(Store::Stable),
        Self::Docker(Store::ModernGraph),
        Self::Docker(Store::ModernContainerd),
        Self::Umoci(Generation::Stable),
        Self::Umoci(Generation::Modern),
        Self::Podman(Generation::Stable),
        Self::Podman(Generation::Modern),
        Self::Cooperage,
    ];

    /// Whether it is on this machine; its absence is reported.
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::Docker(store) => docker::shared(store).is_some(),
            Self::Umoci(generation) => peers::umoci(generation).is_some(),
            Self::Podman(generation) => podman::start(generation).is_some(),
            // Owners are root's to give; the program itself is of no use here.
            Self::Cooperage => peers::tool_of_root("setpriv").is_some(),
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
            Self::Cooperage => {
                let layers = image.manifest().layers.iter();
                let layers: Vec<_> = layers
                    .zip(&image.config().rootfs.diff_ids)
                    .map(|(blob, diff_id)| {
                        load_layer(&image.layout, blob, Some(diff_id), DEFAULT_TAR_LIMIT).unwrap()
                    })
                    .collect();
                let tree = overlay(layers.iter().map(LoadedLayer::tree)).unwrap();
                let out = image.beside("unpacked");
                unpack(&tree, &out, &UnpackOptions::default(), &mut |_| {}).unwrap();
                let seen = look(&out);
                fs::remove_dir_all(out).unwrap();
                Some(seen)
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
            Self::Cooperage => f.write_str("cooperage"),
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
    let process = docker::process_of(&mark);
    let process = process.unwrap_or_else(|| panic!("{}: {}", docker.store(), container.logs()));
    (container, PathBuf::from(format!("/proc/{process}/root")))
}

/// What lies below `cases` in an unpacked image.
pub(crate) fn cases(root: &Path) -> Listing {
    tree_listing(&root.join("cases"))
}
