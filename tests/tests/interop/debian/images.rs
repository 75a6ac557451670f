//! The Debian root as an image.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cooperage_blob::{CopyOptions, Root, Sink, Source, copy};
use cooperage_commit::{
    Base, DEFAULT_TAR_LIMIT, LoadedLayer, PackOptions, Recipe, Step, form, load_layer, pack, write,
};
use cooperage_compress::{Codec, Encoding};
use cooperage_daemon_archive::{ArchiveSink, DockerArchive, ReadOptions, WriteOptions};
use cooperage_image_spec::{Descriptor, Platform};
use cooperage_layout::Layout;
use cooperage_tarball::{ScanOptions, Tree, scan};
use cooperage_testkit::listing::Listing;
use cooperage_testkit::peers::{self, Debian};
use cooperage_testkit::tree_listing;
use tempfile::TempDir;

pub(super) const NAME: &str = "debian-root";

/// The Debian root, packed into an image of one layer.
pub(super) struct Packed {
    directory: TempDir,
    pub(super) debian: Debian,
    layout: Layout,
    descriptor: Descriptor,
    /// The layer, read again.
    pub(super) base: LoadedLayer,
    /// The root as it lies on disk.
    pub(super) listing: Listing,
}

/// All that a directory holds, as the host has it.
pub(super) fn scanned(directory: &Path) -> Tree {
    scan(directory, &ScanOptions::as_found()).unwrap()
}

impl Packed {
    /// One for all tests that run at a time, gone with the last of them.
    pub(super) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Packed>> = Mutex::new(Weak::new());
        let debian = peers::debian()?;
        // A test that failed while packing says nothing about the next.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let packed = shared
            .upgrade()
            .unwrap_or_else(|| Arc::new(Self::new(debian)));
        *shared = Arc::downgrade(&packed);
        Some(packed)
    }

    fn new(debian: Debian) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(&directory.path().join("layout")).unwrap();
        let options = PackOptions {
            // Folding is what makes another tree of it, and is tested elsewhere.
            fold: false,
            encoding: Encoding::of(Codec::Gzip).with_level(1).unwrap(),
            ..PackOptions::default()
        };
        let layer = pack(&scanned(&debian.root), &options, &layout).unwrap();
        let mut recipe = Recipe::default();
        recipe.steps.push(Step::layer(layer.clone()));
        let descriptor = write(&form(None, &recipe).unwrap(), &layout).unwrap();
        layout
            .publish(&Root::named(NAME, descriptor.clone()))
            .unwrap();
        let (blob, diff_id) = (&layer.descriptor, &layer.diff_id);
        let base = load_layer(&layout, blob, Some(diff_id), DEFAULT_TAR_LIMIT).unwrap();
        let listing = tree_listing(&debian.root);
        Self {
            directory,
            debian,
            layout,
            descriptor,
            base,
            listing,
        }
    }

    /// As umoci names it.
    pub(super) fn tag(&self) -> String {
        format!("{}:{NAME}", self.layout.path().display())
    }

    /// As `docker load` wants it, with the name that each engine is to know it by.
    pub(super) fn docker_archive(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(format!("{name}.tar"));
        let sink = ArchiveSink::docker(&path, &WriteOptions::default()).unwrap();
        let root = Root::named(name, self.descriptor.clone());
        copy(&self.layout, &root, &sink, &CopyOptions::default()).unwrap();
        sink.finish().unwrap();
        path
    }
}

/// The uppermost layer of the only image in an archive of `docker save`.
pub(super) fn top_layer(archive: &Path) -> LoadedLayer {
    let archive = DockerArchive::open(archive, &ReadOptions::default()).unwrap();
    let roots = archive.roots().unwrap();
    let image = Base::read(&archive, &roots[0].descriptor, &Platform::linux_amd64()).unwrap();
    let blob = image.manifest.value().layers.last().unwrap();
    let diff_id = image.config.value().rootfs.diff_ids.last().unwrap();
    load_layer(&archive, blob, Some(diff_id), DEFAULT_TAR_LIMIT).unwrap()
}
