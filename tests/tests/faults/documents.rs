//! Documents that are just what their digest says, and no documents.

use std::fs;

use cooperage_blob::{Root, Sink as _, put};
use cooperage_image_spec::{Descriptor, MediaType};
use cooperage_layout::Layout;

use crate::input::{HEAD, directory};
use crate::support::{snapshot, try_in};

/// A manifest in `layout` whose config is this blob.
fn manifest(layout: &Layout, config: &Descriptor) -> Descriptor {
    let text = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[]}}"#,
        config.media_type.as_str(),
        config.digest,
        config.size
    );
    put(layout, MediaType::OCI_MANIFEST, text.as_bytes()).expect("there is room")
}

#[test]
fn malformed_documents_under_the_right_digest() {
    let directory = directory();
    let at = directory.path();
    let cases = {
        let layout = Layout::open(&at.join("layout")).expect("a layout");
        [
            (
                "config",
                &b"{\"rootfs\":"[..],
                "the config cannot be parsed as JSON",
            ),
            ("config", b"[]", "config: expected an object, found"),
            (
                "config",
                b"{\"rootfs\":{\"diff_ids\":[7]}}",
                "config.rootfs.diff_ids[0]: expected",
            ),
            (
                "manifest",
                b"{\"layers\":[",
                "the manifest cannot be parsed as JSON",
            ),
            ("manifest", b"null", "manifest: expected an object, found"),
            (
                "manifest",
                b"{\"schemaVersion\":2,\"layers\":[]}",
                "manifest.config: expected",
            ),
        ]
        .map(|(kind, bytes, why)| {
            let is_config = kind == "config";
            let media_type = if is_config {
                MediaType::OCI_CONFIG
            } else {
                MediaType::OCI_MANIFEST
            };
            let blob = put(&layout, media_type, bytes).expect("there is room");
            let image = if is_config {
                manifest(&layout, &blob)
            } else {
                blob.clone()
            };
            let root = Root::named(image.digest.short().to_owned(), image);
            layout.publish(&root).expect("there is room");
            (root.name.expect("it was given one"), blob, why)
        })
    };
    for (name, blob, why) in cases {
        let from = format!("oci:layout:{name}");
        let plan = HEAD.replace("\"version\"", &format!("\"base\":\"{from}\",\"version\""));
        fs::write(at.join("on.plan"), plan).expect("a file");
        let before = snapshot(at);
        let words = [blob.digest.as_str(), why];
        for args in [
            &["ls", &from][..],
            &["copy", &from, "docker-archive:x.tar"],
            &["unpack", &from, "x"],
        ] {
            let ran = try_in(at, args).fails(&words);
            assert!(!ran.err.contains("base"), "{args:?}: {}", ran.err);
        }
        // It goes on to other manifests, if it is an index.
        let ran = try_in(at, &["inspect", &from])
            .exits(0)
            .says(&["unreadable"]);
        let ran = ran.says(&words);
        assert!(!String::from_utf8_lossy(&ran.out).contains("base"));
        let on = format!("cannot build on `{from}`");
        try_in(at, &["build", "on.plan", "-o", "oci:x"]).fails(&[&on, words[0], words[1]]);
        try_in(at, &["verify", &from])
            .exits(3)
            .says(&["fault: "])
            .says(&words);
        assert_eq!(snapshot(at), before);
    }
}
