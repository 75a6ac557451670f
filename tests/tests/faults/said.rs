//! What people see of damage, and what is left of what was whole.

use std::fs;

use crate::damage::image;
use crate::support::{good, snapshot, try_in};

/// Each blob of a layout, cut short, with a flipped bit and gone.
#[test]
fn damaged_blobs_are_said_by_digest() {
    let image = image();
    let at = image.directory.path();
    let plan = "{\"plan\":\"image\",\"version\":1,\"names\":[\"old:1\"]}\n";
    fs::write(at.join("old.plan"), plan).expect("a file");
    good(at, &["build", "old.plan", "-o", "oci:target"]);
    let target = snapshot(&at.join("target"));
    for digest in &image.all {
        let file = at.join("layout/blobs/sha256").join(digest.encoded());
        let bytes = fs::read(&file).expect("it is there");
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        for damaged in [&flipped[..], &bytes[..bytes.len() / 2], b""] {
            fs::write(&file, damaged).expect("there is room");
            try_in(at, &["copy", "oci:layout", "oci:fresh"]).fails(&[
                digest.as_str(),
                "expected",
                "found",
            ]);
            assert!(!at.join("fresh").exists());
            try_in(at, &["verify", "oci:layout"])
                .exits(3)
                .says(&["fault: ", digest.as_str()]);
            try_in(at, &["layout", "fsck", "layout"])
                .exits(3)
                .says(&["fault: ", digest.as_str()]);
        }
        fs::remove_file(&file).expect("it is there");
        try_in(at, &["copy", "oci:layout", "oci:target"]).fails(&[digest.as_str()]);
        // What was copied before the fault was met has no name, and goes.
        good(at, &["layout", "gc", "target"]);
        assert_eq!(snapshot(&at.join("target")), target);
        try_in(at, &["verify", "oci:layout"])
            .exits(3)
            .says(&[digest.as_str()]);
        fs::write(&file, &bytes).expect("there is room");
    }
    good(at, &["verify", "oci:layout"]);
    good(at, &["layout", "fsck", "target"]);
}

/// The documents that say what a layout is and holds: nobody reads them otherwise than they were, and
/// nothing that stands on them is changed.
#[test]
fn damaged_documents_of_a_layout_are_said_by_name() {
    let image = image();
    let at = image.directory.path();
    let whole = snapshot(&at.join("layout"));
    let index = [
        "`layout/index.json` is no index",
        "cannot be parsed as JSON",
    ];
    let version = ["`layout/oci-layout` is damaged", "`imageLayoutVersion`"];
    for (name, words) in [("index.json", index), ("oci-layout", version)] {
        let bytes = whole[name].as_deref().expect("a file");
        let mut flipped = bytes.to_vec();
        flipped[0] ^= 1;
        for (damaged, why) in [
            (&flipped[..], "line 1, column 1: expected a value, found"),
            (&bytes[..bytes.len() / 2], "found the end of the document"),
            (b"", "found the end of the document"),
        ] {
            fs::write(at.join("layout").join(name), damaged).expect("there is room");
            let before = snapshot(&at.join("layout"));
            let words = [&words[..], &[why]].concat();
            for args in [
                &["inspect", "oci:layout"][..],
                &["copy", "oci:layout", "oci:fresh"],
                &["copy", "docker-archive:a.tar", "oci:layout"],
                &["build", "app.plan", "-o", "oci:layout"],
                &["layout", "gc", "layout"],
            ] {
                try_in(at, args).fails(&words);
            }
            let fsck = try_in(at, &["layout", "fsck", "layout"]).exits(3);
            fsck.says(&["fault: "]).says(&words);
            assert!(!at.join("fresh").exists());
            let after = snapshot(&at.join("layout"));
            // Blobs may have come, which the next collection removes.
            for (name, bytes) in &before {
                assert_eq!(after.get(name), Some(bytes), "{name}");
            }
        }
        fs::write(at.join("layout").join(name), bytes).expect("there is room");
        good(at, &["layout", "gc", "layout"]);
        assert_eq!(snapshot(&at.join("layout")), whole);
    }
}

/// Each entry of each archive with a flipped bit in its header and in what it holds.
#[test]
fn damaged_archives_are_said_by_entry() {
    let image = image();
    let at = image.directory.path();
    for (name, medium) in [("a.tar", "docker-archive"), ("o.tar", "oci-archive")] {
        let bytes = fs::read(at.join(name)).expect("it was made");
        fs::write(at.join("cut.tar"), &bytes[..bytes.len() / 2]).expect("there is room");
        let cut = format!("{medium}:cut.tar");
        try_in(at, &["copy", &cut, "oci:fresh"]).fails(&[&cut, "`cut.tar`", "cut short at byte"]);
        assert!(!at.join("fresh").exists());
        let noise = format!("{medium}:a");
        try_in(at, &["inspect", &noise]).fails(&[&noise, "`a`"]);
        for (path, header, body) in members(&bytes) {
            let flipped = |place: usize| {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1;
                fs::write(at.join("flipped.tar"), flipped).expect("there is room");
                let from = format!("{medium}:flipped.tar");
                try_in(at, &["copy", &from, "oci:fresh"])
            };
            let place = format!("the header at byte {header} adds up to");
            flipped(header).fails(&["`flipped.tar` is not a tar", &place]);
            assert!(!at.join("fresh").exists());
            let Some(body) = body else { continue };
            let blob = path.strip_prefix("blobs/sha256/");
            let document = format!("`{path}` of `flipped.tar`");
            flipped(body).fails(&match blob {
                Some(digest) => [digest, "caused by"],
                None => [document.as_str(), "line 1, column 1: expected a value"],
            });
            assert!(!at.join("fresh").exists());
        }
    }
}

/// The path of each entry, the place of its header, and that of its first byte, if it has any.
fn members(tar: &[u8]) -> Vec<(String, usize, Option<usize>)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().expect("a tar").map(|entry| {
        let entry = entry.expect("an entry");
        let place = |place: u64| usize::try_from(place).expect("it is in memory");
        let path = entry.path().expect("a path").display().to_string();
        let body = (entry.size() > 0).then(|| place(entry.raw_file_position()));
        (path, place(entry.raw_header_position()), body)
    });
    entries.collect()
}
