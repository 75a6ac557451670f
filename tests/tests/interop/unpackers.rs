//! Who unpacks an image, and what then lies there.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use cooperage_commit::{DEFAULT_TAR_LIMIT, LoadedLayer, load_layer};
use cooperage_tarball::{UnpackOptions, overlay, unpack};
use cooperage_testkit::docker::{self, Container, Docker, Store};
use cooperage_testkit::listing::{Kind, Listing};
use cooperage_testkit::peers::{self, Generation, Program};
use cooperage_testkit::{podman, tree_listing};

use crate::images::Image;
use crate::matrix::{Here as _, Otherwise, Rows, Table};

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

    /// Ends the cell if it is not on this machine.
    pub(crate) fn is_there(self) -> Result<(), Otherwise> {
        match self {
            Self::Docker(store) => docker::shared(store).here().map(drop),
            Self::Umoci(generation) => {
                peers::umoci(generation).here()?;
                needs_root()
            }
            Self::Podman(generation) => podman::start(generation).here().map(drop),
            Self::Cooperage => needs_root(),
        }
    }

    /// The engine, for what only a container shows.
    pub(crate) fn docker(self) -> Result<&'static Docker, Otherwise> {
        match self {
            Self::Docker(store) => docker::shared(store).here(),
            Self::Umoci(_) | Self::Cooperage => Err(Otherwise::NotApplicable("it runs nothing")),
            Self::Podman(_) => Err(Otherwise::NotApplicable("it runs nothing here")),
        }
    }

    /// Unpacks `image`, which holds busybox, and has `look` see the root of what came out. It is
    /// there.
    pub(crate) fn unpack<T>(self, image: &Image, look: impl FnOnce(&Path) -> T) -> T {
        const THERE: &str = "it was there before";
        match self {
            Self::Docker(store) => {
                let docker = docker::shared(store).expect(THERE);
                let (_container, root) = running(docker, image);
                look(&root)
            }
            Self::Umoci(generation) => {
                let umoci = peers::umoci(generation).expect(THERE);
                let bundle = image.beside(&format!("bundle-{generation:?}"));
                umoci_unpack(&umoci, image, &bundle).unwrap();
                let seen = look(&bundle.join("rootfs"));
                fs::remove_dir_all(bundle).unwrap();
                seen
            }
            Self::Podman(generation) => {
                let podman = podman::start(generation).expect(THERE);
                podman.load(&image.docker_archive()).unwrap();
                // Its store mounts nothing: this is a directory like any other.
                let words = ["image", "mount", &image.name];
                let root = podman.program().run(words).unwrap();
                look(Path::new(root.trim()))
            }
            Self::Cooperage => {
                let out = image.beside("unpacked");
                unpack_by_us(image, &out);
                let seen = look(&out);
                fs::remove_dir_all(out).unwrap();
                seen
            }
        }
    }
}

impl fmt::Display for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker(store) => f.write_str(short(*store)),
            Self::Umoci(generation) => write!(f, "umoci-{generation}"),
            Self::Podman(generation) => write!(f, "podman-{generation}"),
            Self::Cooperage => f.write_str("cooperage"),
        }
    }
}

/// Ends the cell for anyone but root: owners and devices are root's to give.
pub(crate) fn needs_root() -> Result<(), Otherwise> {
    // The program itself is of no use here.
    peers::tool_of_root("setpriv").here().map(drop)
}

fn unpack_by_us(image: &Image, out: &Path) {
    let layers = image.manifest().layers.iter();
    let layers: Vec<_> = layers
        .zip(&image.config().rootfs.diff_ids)
        .map(|(blob, diff_id)| {
            load_layer(&image.layout, blob, Some(diff_id), DEFAULT_TAR_LIMIT).unwrap()
        })
        .collect();
    let tree = overlay(layers.iter().map(LoadedLayer::tree)).unwrap();
    unpack(&tree, out, &UnpackOptions::default(), &mut |_| {}).unwrap();
}

/// An engine's name in the names of tests.
pub(crate) fn short(store: Store) -> &'static str {
    match store {
        Store::Stable => "docker-20.10",
        Store::ModernGraph => "docker-28-graph",
        Store::ModernContainerd => "docker-28-containerd",
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
    let archive = image.docker_archive();
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

/// A listing without the times of directories: an unpacker that puts something into one, or takes
/// it out, may or may not set them again.
pub(crate) fn steady(mut listing: Listing) -> Listing {
    for entry in &mut listing.0 {
        if entry.kind == Kind::Directory {
            entry.mtime = 0;
        }
    }
    listing
}

/// What lies below `cases` in an unpacked image.
pub(crate) fn cases(root: &Path) -> Listing {
    tree_listing(&root.join("cases"))
}

/// What unpackers make of trees that are hard to unpack.
pub(crate) fn tables() -> Vec<Table> {
    let mut rows = Rows::new(
        "trees",
        "Trees of our layers, unpacked by others",
        "Each image is unpacked once by each, and compared with what the plan says and, in all attributes, with our own overlay of the layers.",
        &Unpacker::ALL,
    );
    crate::whiteouts::rows(&mut rows);
    crate::folding::rows(&mut rows);
    crate::http::rows(&mut rows);
    vec![rows.finish()]
}
