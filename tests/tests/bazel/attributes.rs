//! What attributes say reaches layers and configs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use cooperage_testkit::program::run;

use crate::support::{document, files, is_blob, workspace, write};

#[test]
fn attributes_reach_the_image() {
    let Some(workspace) = workspace() else { return };
    let words = ["test", "--test_output=errors", "//attributes/..."];
    workspace.ran(&words).exits(0).says(&["9 tests pass"]);
}

#[test]
fn stamps_come_from_the_workspace_status() {
    let Some(workspace) = workspace() else { return };
    let status = workspace.path().join("status");
    write(&status, "#!/bin/sh\necho STABLE_WORD cask\n");
    fs::set_permissions(&status, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let status = format!("--workspace_status_command={}", status.display());
    let words = ["test", "--test_output=errors", &status];
    workspace
        .ran(&[&words[..], &["//attributes:stamped_test"]].concat())
        .exits(0);
    // Nothing is stamped by the way.
    workspace
        .ran(&[&words[..], &["//attributes:config_test"]].concat())
        .exits(0);
}

/// What GNU tar says of entries: owner, size, time and path; after that the length of each xattr.
const ENTRIES: [&str; 6] = [
    "cooper/guild 4 2001-09-09 01:46:40 srv/one.txt",
    "other/others 35 2004-11-09 11:33:20 etc/values",
    "x:  2 user.bytes",
    "x:  4 user.note",
    "etc/.wh.old",
    "srv/.wh..wh..opq",
];

#[test]
fn what_a_layer_says_reaches_its_tar_its_descriptor_and_its_history() {
    let Some(workspace) = workspace() else { return };
    workspace
        .run(&["build", "//attributes:said", "//attributes:provided"])
        .expect("it builds");
    let layer = files(&workspace, "//attributes:said", &[]);
    let mut command = Command::new("tar");
    command.env("TZ", "UTC");
    command.args(["--gzip", "--list", "-vv", "--full-time", "--xattrs"]);
    command
        .args(["--xattrs-include=*", "--file"])
        .arg(&layer[0]);
    let said = run(&mut command, &[]).exits(0).text();
    let words: Vec<_> = said.split_whitespace().collect();
    let said = words.join(" ");
    for entry in ENTRIES {
        let words: Vec<_> = entry.split_whitespace().collect();
        assert!(said.contains(&words.join(" ")), "no `{entry}`: {said}");
    }

    let provided = files(&workspace, "//attributes:provided", &[]);
    let metadata = provided
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(".layer.json"));
    assert_eq!(metadata.count(), 2, "{provided:?}");
    let manifest = document(&provided, ".manifest.json");
    let layers = &manifest["layers"];
    assert_eq!(layers[0]["annotations"]["org.example.layer"], "annotated");
    let types =
        ["gzip", "zstd"].map(|form| format!("application/vnd.oci.image.layer.v1.tar+{form}"));
    assert_eq!(layers[0]["mediaType"], types[0].as_str());
    assert_eq!(layers[1]["mediaType"], types[1].as_str());
    let history = &document(&provided, ".config.json")["history"][0];
    assert_eq!(history["comment"], "in parts");
    assert_eq!(history["created_by"], "a cooper");
}

#[test]
fn media_types_are_those_of_docker_where_they_are_asked_for() {
    let Some(workspace) = workspace() else { return };
    workspace
        .run(&["build", "//attributes:docker"])
        .expect("it builds");
    let built = files(&workspace, "//attributes:docker", &[]);
    let manifest = document(&built, ".manifest.json");
    let docker = "application/vnd.docker";
    let types = [
        (&manifest["mediaType"], "distribution.manifest.v2+json"),
        (&manifest["config"]["mediaType"], "container.image.v1+json"),
        (
            &manifest["layers"][0]["mediaType"],
            "image.rootfs.diff.tar.gzip",
        ),
    ];
    for (found, expected) in types {
        assert_eq!(*found, format!("{docker}.{expected}"));
    }
}

#[test]
fn a_foreign_tar_is_taken_in_the_form_that_is_asked_for() {
    let Some(workspace) = workspace() else { return };
    let targets = ["keep", "recompress", "uncompress", "canonical"];
    let targets = targets.map(|form| format!("//attributes:{form}"));
    let mut words = vec!["build", "//attributes:tar"];
    words.extend(targets.iter().map(String::as_str));
    workspace.run(&words).expect("it builds");
    let read = |path: &std::path::Path| fs::read(path).expect("it was built");
    let tar = read(&files(&workspace, "//attributes:tar", &[])[0]);
    let [keep, recompress, uncompress, canonical] = targets.map(|target| {
        let built = files(&workspace, &target, &[]);
        let blob = built.iter().find(|path| is_blob(&path.to_string_lossy()));
        let diff_id = document(&built, ".layer.json")["diff_id"].clone();
        (read(blob.expect("a layer has bytes")), diff_id)
    });
    assert_eq!(keep.0, tar, "its bytes");
    assert_eq!(keep.1, recompress.1, "the same tar in another encoding");
    assert_eq!(keep.1, uncompress.1, "the same tar in none");
    assert_ne!(keep.1, canonical.1, "another tar");
    let zstd = [0x28, 0xb5, 0x2f, 0xfd];
    assert!(recompress.0.starts_with(&zstd) && canonical.0.starts_with(&zstd));
    assert_eq!(uncompress.0.get(257..262), Some(&b"ustar"[..]));
}
