//! Image layouts.
//!
//! An input is `oci-layout`, `index.json` and blobs, parted by the byte 0x1e. Blob 2 is the first
//! behind `index.json`; `@D2` stands for its digest in what is before it and `@S2` for its size, so
//! that a change of a blob need not break what leads to it. Without bytes for `oci-layout` it is
//! what it must be.

use std::fs;
use std::path::Path;

use cooperage_blob::{CopyOptions, Memory, Source, copy};
use cooperage_digest::Digest;
use cooperage_layout::{Layout, Selector, Severity};

use crate::{memory, scratch};

const PART: u8 = 0x1e;
/// Placeholders have one digit.
const PARTS: usize = 10;

pub(crate) fn run(bytes: &[u8]) {
    let mut parts: Vec<Vec<u8>> = bytes
        .split(|byte| *byte == PART)
        .take(PARTS)
        .map(<[u8]>::to_vec)
        .collect();
    for at in (2..parts.len()).rev() {
        let digest = Digest::of(&parts[at]);
        let size = parts[at].len().to_string();
        for before in &mut parts[..at] {
            replace(
                before,
                format!("@D{at}").as_bytes(),
                digest.as_str().as_bytes(),
            );
            replace(before, format!("@S{at}").as_bytes(), size.as_bytes());
        }
    }
    scratch::directory(|directory| {
        let blobs = make(directory, &parts);
        check(directory, &parts);
        for blob in blobs {
            fs::remove_file(blob).expect("it was made here");
        }
    });
}

/// Writes the layout and gives the paths of its blobs.
fn make(directory: &Path, parts: &[Vec<u8>]) -> Vec<std::path::PathBuf> {
    let layout: &[u8] = match parts.first() {
        Some(bytes) if !bytes.is_empty() => bytes,
        _ => br#"{"imageLayoutVersion":"1.0.0"}"#,
    };
    scratch::put(directory, "oci-layout", layout);
    scratch::put(
        directory,
        "index.json",
        parts.get(1).map_or(b"", Vec::as_slice),
    );
    let mut blobs: Vec<_> = parts
        .iter()
        .skip(2)
        .map(|bytes| {
            let path = format!("blobs/sha256/{}", Digest::of(bytes).encoded());
            scratch::put(directory, &path, bytes)
        })
        .collect();
    blobs.sort();
    blobs.dedup();
    blobs
}

fn check(directory: &Path, parts: &[Vec<u8>]) {
    let limit = (1 << 20) + 1024 * parts.iter().map(Vec::len).sum::<usize>();
    let faults = memory::within(limit, || cooperage_layout::fsck(directory));
    let is_sound = faults
        .iter()
        .all(|fault| fault.severity() != Severity::Error);
    let Ok(layout) = Layout::open(directory) else {
        assert!(!is_sound, "what cannot be opened is no sound layout");
        return;
    };
    let Ok(roots) = layout.roots() else {
        assert!(!is_sound, "without roots it is no sound layout");
        return;
    };
    for root in &roots {
        let memory = Memory::new();
        let copied = copy(&layout, root, &memory, &CopyOptions::default());
        assert!(
            copied.is_ok() || !is_sound,
            "{copied:?} of a layout without faults: {faults:?}"
        );
    }
    let platform = "linux/arm64".parse().expect("a platform");
    let selectors = [
        Selector::default(),
        Selector::name("app"),
        Selector::default().with_platform(platform),
        Selector::digest(Digest::of(parts.get(2).map_or(b"", Vec::as_slice))),
    ];
    for selector in selectors {
        if let Ok(found) = memory::within(limit, || layout.find(&selector)) {
            assert!(selector.digest.is_none_or(|digest| digest == found.digest));
        }
    }
    drop(layout.referrers(&Digest::of(parts.get(3).map_or(b"", Vec::as_slice))));
}

/// Replaces every `old` by `new`.
pub(crate) fn replace(bytes: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    let mut from = 0;
    while let Some(at) = bytes
        .get(from..)
        .and_then(|rest| rest.windows(old.len()).position(|window| window == old))
    {
        let at = from + at;
        bytes.splice(at..at + old.len(), new.iter().copied());
        from = at + new.len();
    }
}
