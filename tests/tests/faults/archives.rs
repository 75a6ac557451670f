//! Docker archives whose `manifest.json` leads out of them.

use std::fs;

use cooperage_digest::Digest;
use serde_json::json;

use crate::support::{command, run, snapshot};
use crate::tars::tar_entry;

const LAYER: &[u8] = &[0; 1024];

/// An archive of one image, whose `manifest.json` gives these paths; `link` leads to `target`.
fn archive(config: &str, layer: &str, target: &str) -> Vec<u8> {
    let manifest = json!([{"Config": config, "RepoTags": ["app:1"], "Layers": [layer]}]);
    let diff_ids = [Digest::of(LAYER)];
    let document = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": diff_ids.map(|digest| digest.to_string())},
    });
    let file = |name: &str, body: &[u8]| tar_entry(name, b'0', "", &[], body);
    [
        file("config.json", document.to_string().as_bytes()),
        file("layer.tar", LAYER),
        tar_entry("link", b'2', target, &[], b""),
        file("manifest.json", manifest.to_string().as_bytes()),
        vec![0; 1024],
    ]
    .concat()
}

/// From a file and from a pipe: it is said by name, and nothing is read from outside, nor anything
/// left in temporary files or in the target.
#[test]
fn manifests_that_lead_out_of_the_archive() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    for name in ["tmp", "out"] {
        fs::create_dir(at.join(name)).expect("a directory");
    }
    // What they would lead to is there.
    fs::write(at.join("layer.tar"), LAYER).expect("a file");
    let absolute = at.join("layer.tar");
    let absolute = absolute.to_str().expect("text");
    // Each way in which one is read, and how it is called then.
    let places = [("out.tar", "`out.tar`"), ("-", "the stream")];
    let deeds = [["copy", "oci:out/layout"], ["unpack", "out/root"]];
    let ran = |tar: &[u8], file: &str, [deed, to]: [&str; 2]| {
        fs::write(at.join("out.tar"), tar).expect("a file");
        let from = format!("docker-archive:{file}");
        let mut command = command(at, &[deed, &from, to]);
        run(command.env("TMPDIR", at.join("tmp")), tar)
    };
    let is_empty = |name: &str| snapshot(&at.join(name)).is_empty();
    for (config, layer, target, entry, path) in [
        (absolute, "layer.tar", "layer.tar", absolute, absolute),
        (
            "config.json",
            "../layer.tar",
            "layer.tar",
            "../layer.tar",
            "../layer.tar",
        ),
        ("config.json", "link", absolute, "link", absolute),
        ("config.json", "link", "../layer.tar", "link", "link"),
    ] {
        let tar = archive(config, layer, target);
        for (file, place) in places {
            let words = format!("entry `{entry}` of {place} lies outside of the archive: `{path}`");
            for deed in deeds {
                ran(&tar, file, deed).fails(&[&words]);
                assert!(is_empty("tmp") && is_empty("out"), "{deed:?}: {words}");
            }
        }
    }
    // It is these paths alone that are wrong with it.
    let tar = archive("config.json", "link", "layer.tar");
    for (file, _) in places {
        for deed in deeds {
            ran(&tar, file, deed).exits(0);
            assert!(is_empty("tmp") && !is_empty("out"), "{deed:?}");
            fs::remove_dir_all(at.join("out")).expect("it was made");
            fs::create_dir(at.join("out")).expect("a directory");
        }
    }
}
