//! Small images, and words for errors.

use std::io::{Read, Write};
use std::path::Path;

use cooperage_blob::{Memory, put};
use cooperage_compress::{Codec, Encoder, Encoding};
use cooperage_daemon::{Endpoint, Engine, Image, ImageName, Options};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Manifest, MediaType};
use cooperage_testkit::ragged::Numbers;

/// Files with their modes, in a tar.
pub(crate) fn tar(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(*mode);
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A tar with one file of bytes that cannot be compressed; other seeds, other bytes.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let bytes = Numbers::new(seed).bytes(len);
    tar(&[(&format!("noise-{seed}"), 0o644, &bytes)])
}

fn stored(codec: Codec, tar: &[u8]) -> (MediaType, Vec<u8>) {
    let media_type = match codec {
        Codec::None => MediaType::OCI_LAYER,
        Codec::Gzip => MediaType::OCI_LAYER_GZIP,
        Codec::Zstd => MediaType::OCI_LAYER_ZSTD,
    };
    let mut encoder = Encoder::new(Vec::new(), Encoding::of(codec)).unwrap();
    encoder.write_all(tar).unwrap();
    (media_type, encoder.finish().unwrap())
}

/// An image, and what it is made of.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) manifest: Descriptor,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) diff_ids: Vec<Digest>,
}

impl Built {
    pub(crate) fn named(&self, names: &[&str]) -> Image {
        Image {
            descriptor: self.manifest.clone(),
            names: names.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    /// How many bytes its layers have.
    pub(crate) fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

/// Puts an image of these tars into `memory`; it prints its `/motd`.
pub(crate) fn image(memory: &Memory, tars: &[(Codec, &Vec<u8>)]) -> Built {
    let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
    for (codec, tar) in tars {
        let (media_type, bytes) = stored(*codec, tar);
        layers.push(put(memory, media_type, &bytes).unwrap());
        diff_ids.push(Digest::of(tar));
    }
    let config = serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/busybox", "cat", "/motd"]},
        "rootfs": {
            "type": "layers",
            "diff_ids": diff_ids.iter().map(Digest::as_str).collect::<Vec<_>>(),
        },
    });
    let config = put(memory, MediaType::OCI_CONFIG, config.to_string().as_bytes()).unwrap();
    let mut manifest = Manifest::new(config.clone(), layers.clone());
    manifest.media_type = Some(MediaType::OCI_MANIFEST);
    let manifest = Document::new(manifest);
    let manifest = put(memory, MediaType::OCI_MANIFEST, manifest.raw()).unwrap();
    Built {
        manifest,
        config,
        layers,
        diff_ids,
    }
}

/// The layers of a program that prints `/motd`: busybox, then words of one's own.
pub(crate) fn busybox(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    tar(&[("bin/busybox", 0o755, &bytes)])
}

pub(crate) fn motd(words: &str) -> Vec<u8> {
    tar(&[("motd", 0o644, words.as_bytes())])
}

pub(crate) fn name(text: &str) -> ImageName {
    text.parse().unwrap()
}

pub(crate) fn connect(socket: &Path) -> Engine {
    let endpoint = Endpoint::Unix {
        path: socket.to_owned(),
    };
    Engine::connect(&endpoint, &Options::default()).unwrap()
}

/// An error with all its causes, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
