//! Everything about layouts, in one binary.

mod edit;
mod find;
mod fsck;
mod gc;
mod interop;
mod open;
mod processes;
mod system;
mod write;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cooperage_blob::{Sink, put};
use cooperage_digest::Digest;
use cooperage_image_spec::{
    Descriptor, Document, ImageConfig, Index, Manifest, MediaType, Platform, RootFs, ToJson,
};
use cooperage_layout::{Fault, Layout};
use tempfile::TempDir;

/// An empty layout, and the directory that goes away with the first.
fn layout() -> (TempDir, Layout) {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::create(&directory.path().join("layout")).unwrap();
    (directory, layout)
}

fn text(sink: &impl Sink, bytes: &str) -> Descriptor {
    put(sink, MediaType::new("text/plain"), bytes.as_bytes()).unwrap()
}

fn document<T: ToJson>(sink: &impl Sink, media_type: MediaType, value: T) -> Descriptor {
    put(sink, media_type, Document::new(value).raw()).unwrap()
}

/// An image that other programs read: one empty tar as its layer, `label` in its config.
fn image(sink: &impl Sink, platform: &Platform, label: &str) -> Descriptor {
    document(
        sink,
        MediaType::OCI_MANIFEST,
        manifest(sink, platform, label),
    )
}

fn manifest(sink: &impl Sink, platform: &Platform, label: &str) -> Manifest {
    let tar = vec![0; 1024];
    let mut config = ImageConfig {
        platform: platform.clone(),
        created: Some("1970-01-01T00:00:00Z".into()),
        rootfs: RootFs {
            diff_ids: vec![Digest::of(&tar)],
            ..RootFs::default()
        },
        ..ImageConfig::default()
    };
    config.config.labels.insert("label".into(), label.into());
    let config = document(sink, MediaType::OCI_CONFIG, config);
    let layer = put(sink, MediaType::OCI_LAYER, &tar).unwrap();
    Manifest::new(config, vec![layer])
}

fn amd64(sink: &impl Sink, label: &str) -> Descriptor {
    image(sink, &Platform::linux_amd64(), label)
}

/// An index of one image for each platform.
fn index(sink: &impl Sink, platforms: &[&str], label: &str) -> Descriptor {
    let images = platforms.iter().map(|platform| {
        let platform: Platform = platform.parse().unwrap();
        image(sink, &platform, label).with(|image| image.platform = Some(platform))
    });
    document(sink, MediaType::OCI_INDEX, Index::new(images.collect()))
}

fn faults(layout: &Path) -> Vec<String> {
    cooperage_layout::fsck(layout).iter().map(chain).collect()
}

/// Faults that break something.
fn errors(layout: &Path) -> Vec<String> {
    let faults = cooperage_layout::fsck(layout);
    let is_error = |fault: &&Fault| fault.severity() == cooperage_layout::Severity::Error;
    faults.iter().filter(is_error).map(chain).collect()
}

/// An error and all its causes in one line.
fn chain(error: &(impl std::error::Error + ?Sized)) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        write!(text, ": {cause}").unwrap();
        source = cause.source();
    }
    text
}

/// Temporary files of ours in the layout.
#[expect(clippy::disallowed_methods, reason = "counted, not ordered")]
fn temporary(layout: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(layout)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(".cooperage-")
        })
        .collect()
}
