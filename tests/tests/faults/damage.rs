//! Flipped bits and missing ends, all over every medium.
//!
//! Whatever is damaged, what is read is either refused or just what it was.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cooperage_blob::{CopyOptions, Memory, Source, copy};
use cooperage_daemon_archive::{DockerArchive, OciArchive, ReadOptions};
use cooperage_digest::Digest;
use cooperage_layout::{Layout, Severity, fsck};

use crate::support::{good, noise};

/// The image's config and layers, and its manifest unless the medium has none of its own.
pub(crate) struct Image {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) all: BTreeSet<Digest>,
    manifest: Digest,
}

const LAYERS: &str = "{\"layer\":{}}\n{\"path\":\"a\",\"file\":\"a\"}\n\
                      {\"layer\":{\"encoder\":\"zstd-1\"}}\n{\"path\":\"b\",\"text\":\"b\"}\n\
                      {\"layer\":{\"encoder\":\"none-1\"}}\n{\"path\":\"c\",\"text\":\"c\"}\n";

/// One layer in each form, in the media `oci:layout`, `docker-archive:a.tar` and `oci-archive:o.tar`.
pub(crate) fn image() -> Image {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::write(at.join("a"), noise(7, 2000)).expect("a file");
    let head = "{\"plan\":\"image\",\"version\":1,\"names\":[\"app:1\"]}\n";
    fs::write(at.join("app.plan"), format!("{head}{LAYERS}")).expect("a file");
    good(
        at,
        &[
            "build",
            "app.plan",
            "-o",
            "oci:layout",
            "-o",
            "oci-archive:o.tar",
        ],
    );
    good(
        at,
        &["copy", "oci:layout", "docker-archive:a.tar", "--keep-zstd"],
    );
    let layout = Layout::open(&at.join("layout")).expect("a layout");
    let manifest = layout.roots().expect("an index")[0]
        .descriptor
        .digest
        .clone();
    let all = read_all(&layout).expect("it is whole").remove(0);
    assert_eq!(all.len(), 5);
    Image {
        directory,
        all,
        manifest,
    }
}

/// What each root of a medium consists of, all of it read and verified.
fn read_all(source: &dyn Source) -> Result<Vec<BTreeSet<Digest>>, String> {
    let text = |error: cooperage_blob::Error| format!("{error:?}");
    let mut all = Vec::new();
    for root in source.roots().map_err(text)? {
        let memory = Memory::new();
        copy(source, &root, &memory, &CopyOptions::default()).map_err(text)?;
        all.push(memory.digests().into_iter().collect());
    }
    Ok(all)
}

/// How often damage was found, and how often it changed nothing that matters.
#[derive(Debug, Default)]
struct Found {
    refused: usize,
    harmless: usize,
}

impl Image {
    /// Damaged or not, each image that can be read is this one or, where an index was damaged so
    /// that it names another part of it as the root, consists of parts of this one.
    #[track_caller]
    fn check(&self, found: &mut Found, what: &str, read: Result<Vec<BTreeSet<Digest>>, String>) {
        match read {
            Err(error) => {
                assert!(!error.is_empty());
                found.refused += 1;
            }
            Ok(images) => {
                for mut blobs in images {
                    // A docker archive without a readable index has its manifest formed anew.
                    blobs.retain(|digest| self.all.contains(digest));
                    let without_manifest =
                        self.all.len() - usize::from(!blobs.contains(&self.manifest));
                    let is_part = blobs.len() == 1;
                    assert!(
                        blobs.len() == without_manifest || is_part,
                        "{what}: {blobs:?}"
                    );
                }
                found.harmless += 1;
            }
        }
    }
}

/// Every so many bytes, another bit each time.
fn flips(length: usize, most: usize) -> impl Iterator<Item = (usize, u8)> {
    let step = length.div_ceil(most).max(1);
    (0..length)
        .step_by(step)
        .enumerate()
        .map(|(n, at)| (at, 1 << (n % 8)))
}

fn cuts(length: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(length.div_ceil(most).max(1))
}

type Read = fn(&[u8]) -> Result<Vec<BTreeSet<Digest>>, String>;

fn docker(bytes: &[u8]) -> Result<Vec<BTreeSet<Digest>>, String> {
    let archive = DockerArchive::from_reader(bytes, &ReadOptions::default());
    read_all(&archive.map_err(|error| format!("{error:?}"))?)
}

fn oci(bytes: &[u8]) -> Result<Vec<BTreeSet<Digest>>, String> {
    let archive = OciArchive::from_reader(bytes, &ReadOptions::default());
    read_all(&archive.map_err(|error| format!("{error:?}"))?)
}

#[test]
fn archives_with_flipped_bits_or_cut_short() {
    let image = image();
    let read: [(&str, Read); 2] = [("a.tar", docker), ("o.tar", oci)];
    for (name, read) in read {
        let bytes = fs::read(image.directory.path().join(name)).expect("it was made");
        let end = bytes.len() - 1024;
        let mut found = Found::default();
        for (at, bit) in flips(bytes.len(), 1500) {
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            image.check(
                &mut found,
                &format!("{name}: bit {bit} of {at}"),
                read(&flipped),
            );
        }
        println!("{name} with a flipped bit: {found:?}");
        assert!(found.refused > 500, "{found:?}");
        let mut found = Found::default();
        for length in cuts(end, 300) {
            let what = format!("{name}: {length} bytes");
            image.check(&mut found, &what, read(&bytes[..length]));
        }
        println!("{name} cut short: {found:?}");
        assert!(found.harmless <= 2, "{found:?}");
    }
}

/// The same of archives that are compressed as a whole.
#[test]
fn compressed_archives_with_flipped_bits_or_cut_short() {
    let image = image();
    let tar = fs::read(image.directory.path().join("a.tar")).expect("it was made");
    for codec in [
        cooperage_compress::Codec::Gzip,
        cooperage_compress::Codec::Zstd,
    ] {
        let encoding = cooperage_compress::Encoding::of(codec);
        let mut encoder =
            cooperage_compress::Encoder::new(Vec::new(), encoding).expect("an encoder");
        std::io::Write::write_all(&mut encoder, &tar).expect("there is room");
        let bytes = encoder.finish().expect("it ends");
        let mut found = Found::default();
        for (at, bit) in flips(bytes.len(), 400) {
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            image.check(
                &mut found,
                &format!("{codec}: bit {bit} of {at}"),
                docker(&flipped),
            );
        }
        assert!(found.refused > 300, "{codec}: {found:?}");
        let mut found = Found::default();
        for length in cuts(bytes.len(), 100) {
            image.check(
                &mut found,
                &format!("{codec}: {length} bytes"),
                docker(&bytes[..length]),
            );
        }
        assert!(found.harmless == 0, "{codec}: {found:?}");
    }
}

/// Each file of a layout.
#[test]
fn layouts_with_flipped_bits_or_cut_short() {
    let image = image();
    let at = image.directory.path().join("layout");
    let read = || match Layout::open(&at) {
        Ok(layout) => read_all(&layout),
        Err(error) => Err(error.to_string()),
    };
    for (name, bytes) in crate::support::snapshot(&at) {
        let Some(bytes) = bytes else { continue };
        let is_blob = name.starts_with("blobs/");
        let (mut found, mut broken) = (Found::default(), 0);
        let mut damaged = |bytes: &[u8], what: &str| {
            fs::write(at.join(&name), bytes).expect("there is room");
            image.check(&mut found, what, read());
            broken += usize::from(is_broken(&at));
        };
        let mut count = 0;
        for (place, bit) in flips(bytes.len(), 300) {
            let mut flipped = bytes.clone();
            flipped[place] ^= bit;
            damaged(&flipped, &format!("{name}: bit {bit} of {place}"));
            count += 1;
        }
        for length in cuts(bytes.len(), 50) {
            damaged(&bytes[..length], &format!("{name}: {length} bytes"));
            count += 1;
        }
        damaged(
            &[&bytes[..], b"\n"].concat(),
            &format!("{name}: a byte more"),
        );
        count += 1;
        // What is named by its digest cannot be damaged unseen.
        if is_blob {
            assert_eq!((found.refused, broken), (count, count), "{name}");
        } else {
            assert!(found.refused > count / 2, "{name}: {found:?} of {count}");
        }
        fs::write(at.join(&name), &bytes).expect("there is room");
    }
    assert!(read().is_ok() && !is_broken(&at));
}

fn is_broken(layout: &Path) -> bool {
    fsck(layout)
        .iter()
        .any(|fault| fault.severity() == Severity::Error)
}
