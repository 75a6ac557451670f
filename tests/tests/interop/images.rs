//! Images of plans, in a layout of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cooperage_blob::{CopyOptions, Root, Sink, copy};
use cooperage_commit::{DEFAULT_TAR_LIMIT, LoadedLayer, load_layer};
use cooperage_daemon_archive::{ArchiveSink, WriteOptions};
use cooperage_digest::Digest;
use cooperage_image_spec::{ImageConfig, Manifest};
use cooperage_layout::Layout;
use cooperage_plan::{BuildOptions, Built, Plan, PlanFile, build};
use cooperage_tarball::{Content, Entry, Kind, Tree, TreePath, overlay};
use cooperage_testkit::listing::{self, Listing};
use cooperage_testkit::peers;
use tempfile::TempDir;

use crate::room;

/// The lines of a plan that put busybox, which needs nothing around it, into a layer.
pub(crate) fn busybox() -> Option<String> {
    let program = peers::tool("busybox")?;
    let program = program.path().to_str().unwrap();
    Some(format!(
        "{{\"path\":\"bin/busybox\",\"file\":{program:?},\"mode\":\"0755\"}}\n\
         {{\"path\":\"bin/sh\",\"symlink\":\"busybox\"}}\n"
    ))
}

/// An image that was built into a layout.
pub(crate) struct Image {
    directory: TempDir,
    pub(crate) layout: Layout,
    pub(crate) name: String,
    pub(crate) built: Built,
}

impl Image {
    /// Builds `plan`, the lines of an image plan after its first. `head` are the members of the
    /// first line besides the obligatory ones and the name, beginning with a comma.
    ///
    /// Files that the plan names are relative to `root`.
    pub(crate) fn build(name: &str, head: &str, plan: &str, root: &Path) -> Self {
        let text =
            format!("{{\"plan\":\"image\",\"version\":1,\"names\":[{name:?}]{head}}}\n{plan}");
        Self::of_plan(name, &text, root)
    }

    /// Builds a whole plan, of an image or an index, that says the name `name`.
    pub(crate) fn of_plan(name: &str, text: &str, root: &Path) -> Self {
        let plan = parse(text);
        let directory = tempfile::tempdir_in(room::path()).unwrap();
        let layout = Layout::create(&directory.path().join("layout")).unwrap();
        let options = BuildOptions {
            root,
            ..BuildOptions::default()
        };
        let built = build(&plan, &layout, &options).unwrap_or_else(|error| {
            panic!("{name}: {:#}", anyhow::Error::from(error));
        });
        Self {
            directory,
            layout,
            name: name.to_owned(),
            built,
        }
    }

    /// A name in the image's own directory, that goes away with it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The layout as umoci names it.
    pub(crate) fn tag(&self) -> String {
        format!("{}:{}", self.layout.path().display(), self.name)
    }

    pub(crate) fn digest(&self) -> String {
        self.built.descriptor.digest.to_string()
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        self.built.images[0].formed.manifest.value()
    }

    pub(crate) fn config(&self) -> &ImageConfig {
        self.built.images[0].formed.config.value()
    }

    fn copy_to(&self, name: &str, sink: &impl Sink) {
        let root = Root::named(name, self.built.descriptor.clone());
        copy(&self.layout, &root, sink, &CopyOptions::default()).unwrap();
    }

    /// Writes a docker archive.
    pub(crate) fn docker_archive(&self) -> PathBuf {
        self.docker_archive_as(&self.name, &WriteOptions::default())
    }

    /// Writes a docker archive in which the image has this name.
    pub(crate) fn docker_archive_as(&self, name: &str, options: &WriteOptions) -> PathBuf {
        let path = self.beside(&format!("docker-{name}.tar"));
        let sink = ArchiveSink::docker(&path, options).unwrap();
        self.copy_to(name, &sink);
        sink.finish().unwrap();
        path
    }

    /// Writes an OCI archive in which the image has this name.
    pub(crate) fn oci_archive_as(&self, name: &str) -> PathBuf {
        let path = self.beside(&format!("oci-{}.tar", name.replace(['/', ':'], "-")));
        let sink = ArchiveSink::oci(&path).unwrap();
        self.copy_to(name, &sink);
        sink.finish().unwrap();
        path
    }

    /// What a container is to see: the layers as they were stored, laid over one another.
    pub(crate) fn listing(&self) -> Listing {
        let layers: Vec<LoadedLayer> = self
            .manifest()
            .layers
            .iter()
            .zip(&self.config().rootfs.diff_ids)
            .map(|(blob, diff_id)| {
                load_layer(&self.layout, blob, Some(diff_id), DEFAULT_TAR_LIMIT).unwrap()
            })
            .collect();
        let tree = overlay(layers.iter().map(LoadedLayer::tree)).unwrap();
        listing_of(&tree)
    }
}

pub(crate) fn parse(text: &str) -> Plan {
    match PlanFile::parse(text.as_bytes()) {
        Ok(PlanFile::Plan(plan)) => plan,
        Ok(_) => panic!("not an image's plan:\n{text}"),
        Err(error) => panic!("{error}\n{text}"),
    }
}

/// Part of a listing.
pub(crate) trait Below {
    /// What lies below `directory`, with paths relative to that.
    fn below(&self, directory: &str) -> Listing;
}

impl Below for Listing {
    fn below(&self, directory: &str) -> Listing {
        let start = format!("{directory}/");
        let inside = |path: &str| path.strip_prefix(&start).map(str::to_owned);
        let entries = self.0.iter().filter_map(|entry| {
            Some(listing::Entry {
                path: inside(&entry.path)?,
                linked: entry
                    .linked
                    .as_deref()
                    .map(|first| inside(first).unwrap_or(first.into())),
                ..entry.clone()
            })
        });
        Listing(entries.collect())
    }
}

/// A tree in the words of an unpacked one.
pub(crate) fn listing_of(tree: &Tree) -> Listing {
    let mut groups = BTreeMap::<TreePath, Vec<String>>::new();
    for (path, _) in tree.iter().filter(|(path, _)| !path.is_root()) {
        groups
            .entry(body(tree, &path).0)
            .or_default()
            .push(shown(path.as_bytes()));
    }
    let mut entries: Vec<_> = tree
        .iter()
        .filter(|(path, _)| !path.is_root())
        .map(|(path, _)| {
            let (first, entry) = body(tree, &path);
            let names = &groups[&first];
            listed(
                shown(path.as_bytes()),
                &entry,
                (names.len() > 1).then(|| names.iter().min().unwrap().clone()),
            )
        })
        .collect();
    entries.sort_by(|left, right| left.path.cmp(&right.path));
    Listing(entries)
}

/// The entry that a path leads to, through hard links, and where that stands.
fn body(tree: &Tree, path: &TreePath) -> (TreePath, Entry) {
    let mut path = path.clone();
    loop {
        let entry = tree.get(&path).unwrap();
        match &entry.kind {
            Kind::HardLink { to } => path = to.clone(),
            _ => return (path, entry),
        }
    }
}

fn listed(path: String, entry: &Entry, linked: Option<String>) -> listing::Entry {
    let special = |kind, major: u32, minor: u32| listing::Kind::Special {
        kind,
        device: u64::from(major) << 8 | u64::from(minor & 0xff) | u64::from(minor & !0xff) << 12,
    };
    let kind = match &entry.kind {
        Kind::File { content, .. } => listing::Kind::File {
            size: content.len(),
            sha256: sha256(content),
        },
        Kind::Directory => listing::Kind::Directory,
        Kind::Symlink { target } => listing::Kind::Symlink(shown(target)),
        Kind::Fifo => special(0o010_000, 0, 0),
        Kind::CharDevice { major, minor } => special(0o020_000, *major, *minor),
        Kind::BlockDevice { major, minor } => special(0o060_000, *major, *minor),
        Kind::HardLink { .. } | Kind::Whiteout => unreachable!("followed before, or laid over"),
    };
    let attributes = &entry.attributes;
    let xattrs = attributes.xattrs.iter();
    listing::Entry {
        path,
        kind,
        mode: attributes.mode,
        uid: attributes.uid.try_into().unwrap(),
        gid: attributes.gid.try_into().unwrap(),
        mtime: attributes.mtime.seconds,
        xattrs: xattrs
            .map(|(name, value)| (shown(name), value.clone()))
            .collect(),
        linked,
    }
}

fn sha256(content: &Content) -> String {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut content.open().unwrap(), &mut bytes).unwrap();
    Digest::of(&bytes).encoded().to_owned()
}

fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}
