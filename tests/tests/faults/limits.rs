//! What is made to be too much: bombs, huge documents, endless nesting; and versions yet unknown.

use std::fs;
use std::path::Path;
use std::process::Command;

use cooperage_blob::{Root, Sink, Source as _, put};
use cooperage_compress::{Codec, Encoder, Encoding};
use cooperage_image_spec::{Descriptor, Document, Index, MediaType};
use cooperage_layout::Layout;
use cooperage_testkit::peers;

use crate::support::{assert_whole, cooperage, good, run, try_in};

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let plan = "{\"plan\":\"image\",\"version\":1,\"names\":[\"app:1\"]}\n{\"layer\":{}}\n\
                {\"path\":\"a\",\"text\":\"a\"}\n";
    fs::write(directory.path().join("app.plan"), plan).expect("a file");
    good(directory.path(), &["build", "app.plan", "-o", "oci:layout"]);
    directory
}

/// So many times 16 MiB of zeros, in some thousand bytes each.
fn bomb(codec: Codec, times: usize) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Encoding::of(codec)).expect("an encoder");
    std::io::Write::write_all(&mut encoder, &vec![0; 16 << 20]).expect("there is room");
    // Members and frames may follow one another.
    encoder.finish().expect("it ends").repeat(times)
}

/// The command with so little memory that what it unpacks does not fit, and little room for
/// temporary files.
fn bounded(at: &Path, args: &[&str]) -> Option<Command> {
    let prlimit = peers::tool("prlimit")?;
    let mut command = Command::new(prlimit.path());
    command
        .args(["--as=700000000", "--fsize=33554432"])
        .arg(cooperage())
        .args(args)
        .args(["-j", "2"])
        .current_dir(at)
        .env("TMPDIR", at.join("tmp"));
    Some(command)
}

/// A gigabyte in a few thousand bytes.
#[test]
fn bombs_are_streamed_or_refused() {
    let directory = directory();
    let at = directory.path();
    fs::create_dir(at.join("tmp")).expect("a directory");
    for (name, codec) in [("bomb.gz", Codec::Gzip), ("bomb.zst", Codec::Zstd)] {
        fs::write(at.join(name), bomb(codec, 64)).expect("there is room");
        let lines = [
            // Kept as it is, it passes; its own form is small.
            (format!("{{\"layer\":{{\"tar\":\"{name}\"}}}}"), true),
            (
                format!("{{\"layer\":{{\"tar\":\"{name}\",\"form\":\"uncompress\"}}}}"),
                false,
            ),
            (
                format!("{{\"layer\":{{\"tar\":\"{name}\",\"form\":\"canonical\"}}}}"),
                false,
            ),
        ];
        for (line, passes) in lines {
            let plan = "{\"plan\":\"image\",\"version\":1,\"names\":[\"bomb:1\"]}\n";
            fs::write(at.join("bomb.plan"), format!("{plan}{line}\n")).expect("a file");
            let args = ["build", "bomb.plan", "-o", "oci:layout"];
            let Some(mut command) = bounded(at, &args) else {
                return;
            };
            let ran = run(&mut command, b"");
            if passes {
                ran.exits(0);
            } else {
                ran.fails(&["File too large", "hint: "]);
            }
            assert_whole(&at.join("layout"), "app:1");
        }
        // What unpacks it to look into it, in memory or in a temporary file.
        for (args, code) in [
            (&["verify", "oci:layout:bomb:1"][..], 1),
            (&["ls", "oci:layout:bomb:1"], 1),
        ] {
            let Some(mut command) = bounded(at, args) else {
                return;
            };
            run(&mut command, b"").exits(code).says(&["File too large"]);
        }
        for medium in ["docker-archive", "oci-archive"] {
            let location = format!("{medium}:{name}");
            let Some(mut command) = bounded(at, &["inspect", &location]) else {
                return;
            };
            run(&mut command, b"").fails(&[&location, "File too large", "hint: "]);
        }
        assert_eq!(crate::support::snapshot(&at.join("tmp")).len(), 0);
    }
    assert_whole(&at.join("layout"), "app:1");
}

#[test]
fn documents_over_the_limit() {
    let directory = directory();
    let at = directory.path();
    let limit = 16 << 20;
    let large = format!("{{\"x\":\"{}\"}}", " ".repeat(limit));
    fs::write(at.join("large"), &large).expect("there is room");
    good(at, &["copy", "oci:layout", "oci:large-index"]);
    fs::write(at.join("large-index/index.json"), &large).expect("there is room");
    let words = ["large-index/index.json", "more than 16777216 bytes"];
    try_in(at, &["inspect", "oci:large-index"]).fails(&words);
    try_in(at, &["copy", "oci:layout", "oci:large-index"]).fails(&words);
    try_in(at, &["layout", "fsck", "large-index"])
        .exits(3)
        .says(&["16777216"]);

    let plan = "{\"plan\":\"image\",\"version\":1}\n{\"layer\":{\"metadata\":\"large\"}}\n";
    fs::write(at.join("large.plan"), plan).expect("a file");
    try_in(at, &["build", "large.plan", "-o", "oci:x"]).fails(&["`large`", "16777216"]);
    let commit = ["commit", "large.plan", "--config", "c", "--manifest", "m"];
    try_in(at, &commit).fails(&["`large`", "16777216"]);
    let line = format!("{{\"plan\":\"image\",\"version\":1}}\n{large}\n");
    fs::write(at.join("line.plan"), line).expect("there is room");
    try_in(at, &["build", "line.plan", "-o", "oci:x"]).fails(&["line 2", "16777216"]);

    // A manifest that is said to be larger than any may be: it is not even opened.
    let layout = Layout::open(&at.join("layout")).expect("a layout");
    let blob = put(&layout, MediaType::OCI_MANIFEST, b"{}").expect("there is room");
    let huge = Descriptor::new(MediaType::OCI_MANIFEST, blob.digest.clone(), 1 << 40);
    layout
        .publish(&Root::named("huge", huge))
        .expect("there is room");
    let words = [blob.digest.as_str(), "too large for a document", "16777216"];
    try_in(at, &["copy", "oci:layout:huge", "oci:x"]).fails(&words);
    for name in ["x", "c", "m"] {
        assert!(!at.join(name).exists(), "{name}");
    }
}

#[test]
fn indexes_in_indexes_in_indexes() {
    let directory = directory();
    let at = directory.path();
    {
        let layout = Layout::open(&at.join("layout")).expect("a layout");
        let mut top = layout.roots().expect("an index").remove(0).descriptor;
        for _ in 0..12 {
            let index = Document::new(Index::new(vec![top]));
            top = put(&layout, MediaType::OCI_INDEX, index.raw()).expect("there is room");
        }
        layout
            .publish(&Root::named("deep", top))
            .expect("there is room");
    }
    for args in [
        &["copy", "oci:layout:deep", "oci:x"][..],
        &["copy", "oci:layout:deep", "docker-archive:x.tar"],
        &["copy", "oci:layout:deep", "oci-archive:x.tar"],
        &["inspect", "oci:layout:deep"],
        &["ls", "oci:layout:deep"],
    ] {
        try_in(at, args).fails(&["too deep", "8 levels"]);
        assert!(!at.join("x.tar").exists());
    }
    let verify = try_in(at, &["verify", "oci:layout:deep"]);
    verify
        .exits(3)
        .says(&["fault: ", "more than 8 indexes deep"]);
    // What looks after a layout follows them all the same.
    good(at, &["layout", "fsck", "layout"]);
    good(at, &["layout", "gc", "layout"]);
    assert_whole(&at.join("layout"), "app:1");
}

#[test]
fn layouts_of_other_versions() {
    let directory = directory();
    let at = directory.path();
    good(at, &["copy", "oci:layout", "oci:later"]);
    let before = crate::support::snapshot(&at.join("later/blobs"));
    fs::write(
        at.join("later/oci-layout"),
        r#"{"imageLayoutVersion":"2.0.0"}"#,
    )
    .expect("a file");
    let words = [
        "`later` is an image layout of version `2.0.0`",
        "only `1.0.0` is known",
    ];
    for args in [
        &["inspect", "oci:later"][..],
        &["copy", "oci:later", "oci:x"],
        &["copy", "oci:layout", "oci:later"],
        &["build", "app.plan", "-o", "oci:later"],
        &["layout", "gc", "later"],
    ] {
        try_in(at, args).fails(&words);
    }
    try_in(at, &["layout", "fsck", "later"])
        .exits(3)
        .says(&["2.0.0"]);
    assert_eq!(crate::support::snapshot(&at.join("later/blobs")), before);
    assert!(!at.join("x").exists());
}
