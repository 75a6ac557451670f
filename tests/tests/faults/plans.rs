//! Plans and names that are none, and images that engines cannot run.

use std::fs;

use crate::input::{HEAD, directory, refused};
use crate::support::{assert_whole, good, snapshot, try_in};

#[test]
fn plans_that_are_none() {
    let directory = directory();
    let at = directory.path();
    let hint = "hint: docs/plan-format.md describes plans";
    for (lines, words) in [
        (
            "{",
            &[
                "`bad.plan` is no valid plan",
                "line 2: expected a JSON object",
                hint,
            ][..],
        ),
        (
            "{\"layer\":{}}\n{\"path\":\"a\"}",
            &["line 3: `file` is missing", hint],
        ),
        (
            "{\"layer\":{}}\n\n{\"path\":\"../a\",\"text\":\"\"}",
            &["line 4: `path` is not valid", hint],
        ),
        (
            "{\"layer\":{}}\n{\"path\":\"a\",\"text\":\"\",\"tex\":1}",
            &["unknown field `tex`", hint],
        ),
        (
            "{\"layer\":{\"encoder\":\"lzma-1\"}}",
            &["unknown encoder id `lzma-1`", hint],
        ),
        (
            "{\"layer\":{}}\n{\"path\":\"a\",\"text\":\"\\ud800\"}",
            &["line 3: expected a JSON object", hint],
        ),
    ] {
        refused(at, lines, words);
    }
    fs::write(at.join("deep.plan"), "[".repeat(100_000)).expect("a file");
    try_in(at, &["build", "deep.plan", "-o", "oci:x"]).fails(&["line 1", hint]);
    // A line without an end is not read to it.
    let endless = ["build", "/dev/zero", "-o", "oci:x"];
    try_in(at, &endless).fails(&["`/dev/zero` is no valid plan", "line 1"]);
    assert!(!at.join("x").exists());
}

#[test]
fn names_and_digests_that_are_none() {
    let directory = directory();
    let at = directory.path();
    let before = snapshot(at);
    let digest = format!("sha256:{}", "0".repeat(64));
    let absent = format!("oci:layout@{digest}");
    for (args, code, words) in [
        (&["inspect", "layout"][..], 2, &["names no medium"][..]),
        (&["inspect", "podman:x"], 2, &["`podman:x`"]),
        (&["inspect", "oci:layout@sha256:00"], 2, &["sha256:00"]),
        (&["inspect", "oci:layout@md5"], 2, &["md5"]),
        (&["inspect", "oci:layout:"], 2, &["name"]),
        (
            &["inspect", &absent],
            1,
            &["error: ", &digest, "it holds `old:1`", "hint: "],
        ),
        (
            &["inspect", "oci:layout:gone"],
            1,
            &["`oci:layout:gone` is not there", "it holds `old:1`"],
        ),
        (
            &["copy", "oci:layout", "docker-archive:x.tar:UPPER"],
            1,
            &["`UPPER`"],
        ),
        (&["copy", "oci:layout", &absent], 1, &["names a digest"]),
        (
            &["inspect", "oci:layout", "--platform", "a/b/c/d/e"],
            2,
            &["a/b/c/d/e"],
        ),
        (
            &["copy", "oci:layout", "oci:x", "--platform", "linux/s390x"],
            1,
            &["linux/s390x", "linux/amd64"],
        ),
    ] {
        try_in(at, args).exits(code).says(words);
    }
    for name in ["", "UPPER:1", "a:b:c", "a@sha256:00", "a b"] {
        let plan = format!("{{\"plan\":\"image\",\"version\":1,\"names\":[{name:?}]}}\n");
        fs::write(at.join("name.plan"), plan).expect("a file");
        let ran = try_in(at, &["build", "name.plan", "-o", "docker-archive:x.tar"]);
        // A bare name is not one for an archive, and said to be left out.
        if ran.code == Some(0) {
            assert!(ran.err.contains("names nothing"), "`{name}`: {}", ran.err);
            fs::remove_file(at.join("x.tar")).expect("it was made");
        } else {
            ran.fails(&[name]);
        }
        fs::remove_file(at.join("name.plan")).expect("it is there");
    }
    assert_eq!(snapshot(at), before);
}

/// More layers than Docker runs: it is said, and the image is made.
#[test]
fn more_layers_than_engines_run() {
    let directory = directory();
    let at = directory.path();
    let plan = |layers: usize, layer: &str| {
        let layer = format!("{layer}\n");
        fs::write(
            at.join("many.plan"),
            format!("{HEAD}\n{}", layer.repeat(layers)),
        )
        .expect("a file");
    };
    let text = "the image for linux/amd64 has 128 layers, and Docker runs at most 127";
    let build = ["build", "many.plan", "-o", "oci:many", "--format", "json"];
    plan(128, r#"{"layer":{}}"#);
    let ran = good(at, &build);
    assert!(ran.err.contains(&format!("warning: {text}")), "{}", ran.err);
    assert!(
        ran.json()["warnings"][0]
            .as_str()
            .is_some_and(|said| said.starts_with(text))
    );
    assert!(
        !good(at, &["build", "many.plan", "-o", "oci:many", "-q"])
            .err
            .contains(text)
    );
    assert_whole(&at.join("many"), "app:1");
    plan(127, r#"{"layer":{}}"#);
    let ran = good(at, &build);
    assert_eq!(ran.json()["warnings"], serde_json::json!([]));
    assert!(!ran.err.contains("warning"), "{}", ran.err);

    crate::input::layer(at, "{\"plan\":\"layer\",\"version\":1}\n");
    plan(128, r#"{"layer":{"metadata":"a.json"}}"#);
    let commit = [
        "commit",
        "many.plan",
        "--config",
        "c",
        "--manifest",
        "m",
        "--format",
        "json",
    ];
    let ran = good(at, &commit);
    assert!(ran.err.contains(&format!("warning: {text}")), "{}", ran.err);
    assert!(
        ran.json()["warnings"][0]
            .as_str()
            .is_some_and(|said| said.starts_with(text))
    );
    assert!(at.join("c").exists() && at.join("m").exists());
}
