//! Small images, and tars made by another's hand.

use std::io::{Cursor, Read, Write};

use cooperage_blob::{Memory, Source, put};
use cooperage_compress::{Codec, Encoder, Encoding, decoder};
use cooperage_daemon_archive::{Image, Report, WriteOptions, write};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Manifest, MediaType};

/// Whose media types an image has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Family {
    Oci,
    Docker,
}

/// An image in memory.
pub(crate) struct Built {
    pub(crate) memory: Memory,
    pub(crate) descriptor: Descriptor,
    pub(crate) config: Vec<u8>,
    pub(crate) manifest: Manifest,
    pub(crate) diff_ids: Vec<Digest>,
}

/// Files with their modes, in a tar of the `tar` crate's.
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

pub(crate) fn compress(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Encoding::of(codec)).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn decompress(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    decoder(codec, bytes).read_to_end(&mut out).unwrap();
    out
}

fn layer_type(family: Family, codec: Codec) -> MediaType {
    match (family, codec) {
        (Family::Oci, Codec::None) => MediaType::OCI_LAYER,
        (Family::Oci, Codec::Gzip) => MediaType::OCI_LAYER_GZIP,
        (Family::Oci, Codec::Zstd) => MediaType::OCI_LAYER_ZSTD,
        (Family::Docker, Codec::None) => MediaType::DOCKER_LAYER,
        (Family::Docker, Codec::Gzip) => MediaType::DOCKER_LAYER_GZIP,
        (Family::Docker, Codec::Zstd) => MediaType::DOCKER_LAYER_ZSTD,
    }
}

/// Puts an image of these tars into `memory`.
pub(crate) fn add_image(
    memory: &Memory,
    family: Family,
    tars: &[(Codec, Vec<u8>)],
    architecture: &str,
) -> (Descriptor, Vec<u8>, Manifest, Vec<Digest>) {
    let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
    for (codec, tar) in tars {
        diff_ids.push(Digest::of(tar));
        layers.push(put(memory, layer_type(family, *codec), &compress(*codec, tar)).unwrap());
    }
    let ids: Vec<_> = diff_ids.iter().map(Digest::as_str).collect();
    // Spaces, an unknown member and an unusual order: the bytes must travel as they are.
    let config = format!(
        r#"{{ "rootfs": {{"type":"layers", "diff_ids":{}}}, "os":"linux", "architecture":"{architecture}",
 "config": {{"Cmd":["/bin/busybox","cat","/etc/motd"],"OnBuild":null}} }}"#,
        serde_json::to_string(&ids).unwrap()
    )
    .into_bytes();
    let (config_type, manifest_type) = match family {
        Family::Oci => (MediaType::OCI_CONFIG, MediaType::OCI_MANIFEST),
        Family::Docker => (MediaType::DOCKER_CONFIG, MediaType::DOCKER_MANIFEST),
    };
    let config_descriptor = put(memory, config_type, &config).unwrap();
    let mut manifest = Manifest::new(config_descriptor, layers);
    manifest.media_type = Some(manifest_type.clone());
    let document = Document::new(manifest.clone());
    let descriptor = put(memory, manifest_type, document.raw()).unwrap();
    (descriptor, config, manifest, diff_ids)
}

pub(crate) fn image(family: Family, tars: &[(Codec, Vec<u8>)]) -> Built {
    let memory = Memory::new();
    let (descriptor, config, manifest, diff_ids) = add_image(&memory, family, tars, "amd64");
    Built {
        memory,
        descriptor,
        config,
        manifest,
        diff_ids,
    }
}

/// Three layers of which the first and the last are the same.
pub(crate) fn small(family: Family, codec: Codec) -> Built {
    let twice = tar(&[("etc/twice", 0o644, b"twice")]);
    let motd = tar(&[("etc/motd", 0o644, b"hello from the archive\n")]);
    image(
        family,
        &[(codec, twice.clone()), (codec, motd), (codec, twice)],
    )
}

pub(crate) fn named(descriptor: &Descriptor, names: &[&str]) -> Image {
    let names = names.iter().map(|name| name.parse().unwrap()).collect();
    Image {
        descriptor: descriptor.clone(),
        names,
    }
}

pub(crate) fn archive(
    source: &dyn Source,
    images: &[Image],
    options: &WriteOptions,
) -> (Vec<u8>, Report) {
    let mut out = Vec::new();
    let report = write(source, images, &mut out, options).unwrap();
    assert_eq!(report.size, out.len() as u64);
    (out, report)
}

/// Names, types and contents of a tar, as the `tar` crate reads them.
pub(crate) fn entries(archive: &[u8]) -> Vec<(String, tar::EntryType, Vec<u8>)> {
    let mut tar = tar::Archive::new(Cursor::new(archive));
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, entry.header().entry_type(), bytes)
    });
    entries.collect()
}

pub(crate) fn entry(archive: &[u8], name: &str) -> Vec<u8> {
    let found = entries(archive).into_iter().find(|(path, ..)| path == name);
    found
        .unwrap_or_else(|| panic!("`{name}` is not in the archive"))
        .2
}

/// An entry of a tar that may break every rule.
pub(crate) enum Raw<'a> {
    File(&'a str, &'a [u8]),
    Directory(&'a str),
    Symlink(&'a str, &'a str),
    HardLink(&'a str, &'a str),
    Fifo(&'a str),
}

/// A tar of such entries, names unchecked.
pub(crate) fn raw_tar(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let (name, kind, link, bytes) = match entry {
            Raw::File(name, bytes) => (name, b'0', "", *bytes),
            Raw::Directory(name) => (name, b'5', "", &[][..]),
            Raw::Symlink(name, to) => (name, b'2', *to, &[][..]),
            Raw::HardLink(name, to) => (name, b'1', *to, &[][..]),
            Raw::Fifo(name) => (name, b'6', "", &[][..]),
        };
        let mut header = tar::Header::new_ustar();
        let fields = header.as_mut_bytes();
        fields[..name.len()].copy_from_slice(name.as_bytes());
        fields[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        out.extend(header.as_bytes());
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.extend([0; 1024]);
    out
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
