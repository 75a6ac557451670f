//! `verify` and `layout`.

use serde_json::Value;

use crate::support::{Project, blob};

fn faults(project: &Project, location: &str) -> Vec<String> {
    let ran = project
        .run(&["verify", location, "--format", "json"])
        .exits(3)
        .json();
    let faults = ran["faults"].as_array().expect("a list");
    faults
        .iter()
        .map(|fault| fault["message"].as_str().expect("text").to_owned())
        .collect()
}

fn layers(project: &Project) -> Vec<String> {
    let manifest = project
        .run(&["inspect", "oci:image", "--raw", "manifest"])
        .json();
    let layers = manifest["layers"].as_array().expect("a list");
    layers
        .iter()
        .map(|layer| layer["digest"].as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn a_whole_image_has_no_fault() {
    let project = Project::built();
    project
        .run(&["copy", "oci:image", "docker-archive:a.tar"])
        .exits(0);
    for location in ["oci:image", "oci:image:app:1.0", "docker-archive:a.tar"] {
        let ran = project
            .run(&["verify", location, "--format", "json"])
            .exits(0)
            .json();
        assert_eq!(ran["faults"], Value::Array(Vec::new()), "{location}");
        assert_eq!(ran["blobs"], 4, "{location}");
    }
    assert_eq!(
        project.run(&["verify", "-q", "oci:image"]).exits(0).out,
        b""
    );
}

#[test]
fn every_fault_is_reported() {
    let project = Project::built();
    let layers = layers(&project);
    std::fs::remove_file(project.path(&blob(&layers[0]))).expect("it is there");
    let mut bytes = project.read(&blob(&layers[1]));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    project.write(&blob(&layers[1]), &bytes);
    let found = faults(&project, "oci:image");
    assert!(
        found.iter().any(|fault| fault.contains(&layers[0])),
        "{found:#?}"
    );
    assert!(
        found.iter().any(|fault| fault.contains(&layers[1])),
        "{found:#?}"
    );
    project
        .run(&["verify", "oci:image"])
        .exits(3)
        .says(&["fault: "]);
    let fsck = project
        .run(&["layout", "fsck", "image", "--format", "json"])
        .exits(3)
        .json();
    assert_eq!(fsck["errors"], 2);
}

#[test]
fn a_config_that_tells_lies_is_found_out() {
    let project = Project::new();
    // A layout by hand, whose blobs are all sound and do not fit each other.
    let plan = "{\"plan\":\"image\",\"version\":1}\n{\"layer\":{\"encoder\":\"none-1\"}}\n\
                {\"path\":\"a\",\"text\":\"a\"}\n";
    project
        .run_with(&["build", "-", "-o", "oci:image:n"], plan.as_bytes())
        .exits(0);
    let config = project
        .run(&["inspect", "oci:image", "--raw", "config"])
        .text();
    let manifest = project
        .run(&["inspect", "oci:image", "--raw", "manifest"])
        .text();
    let diff_id = layers(&project)[0].clone();
    let wrong = format!("sha256:{}", "0".repeat(64));
    let config = config
        .replace(&diff_id, &wrong)
        .replace("\"history\":[", "\"history\":[{\"created_by\":\"more\"},");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    let mut manifest = manifest;
    let tag = |bytes: &[u8]| cooperage_digest::Digest::of(bytes).to_string();
    manifest["config"]["digest"] = tag(config.as_bytes()).into();
    manifest["config"]["size"] = config.len().into();
    manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip".into();
    let manifest = manifest.to_string();
    let mut index = project.read_json("image/index.json");
    index["manifests"][0]["digest"] = tag(manifest.as_bytes()).into();
    index["manifests"][0]["size"] = manifest.len().into();
    index["manifests"][0]["platform"]["architecture"] = "arm64".into();
    index["manifests"][0]["platform"]["os"] = "linux".into();
    project.write(&blob(&tag(config.as_bytes())), &config);
    project.write(&blob(&tag(manifest.as_bytes())), &manifest);
    project.write("image/index.json", index.to_string());
    let found = faults(&project, "oci:image");
    for word in [
        "diff id",
        "history 2 entries",
        "found none",
        "listed for linux/arm64",
    ] {
        let has = found
            .iter()
            .any(|fault| fault.to_lowercase().contains(word));
        assert!(has, "`{word}` is not in {found:#?}");
    }
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn a_layer_that_is_no_tar_is_found_out() {
    let project = Project::new();
    let bytes = [b'x'; 2048];
    project.write("no.tar", bytes);
    let plan = "{\"plan\":\"image\",\"version\":1}\n{\"layer\":{\"tar\":\"no.tar\"}}\n";
    project
        .run_with(&["build", "-", "-o", "oci:image"], plan.as_bytes())
        .exits(1)
        .says(&["`no.tar` cannot be a layer: expected a tar"]);
    // Who says it was packed before is believed.
    project.write("no.json", cooperage_testkit::layer_metadata(&bytes));
    let plan = plan.replace("\"tar\":", "\"metadata\":\"no.json\",\"blob\":");
    project
        .run_with(&["build", "-", "-o", "oci:image"], plan.as_bytes())
        .exits(0);
    let found = faults(&project, "oci:image");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("no file tree"), "{found:#?}");
}

#[test]
fn what_cannot_be_opened_is_a_fault_and_what_is_not_there_a_failure() {
    let project = Project::built();
    project
        .run(&["copy", "oci:image", "docker-archive:a.tar"])
        .exits(0);
    let archive = project.read("a.tar");
    project.write("cut.tar", &archive[..archive.len() / 2]);
    project
        .run(&["verify", "docker-archive:cut.tar"])
        .exits(3)
        .says(&["fault: "]);
    project.write("image/index.json", "{");
    project
        .run(&["verify", "oci:image"])
        .exits(3)
        .says(&["fault: "]);
    project
        .run(&["verify", "oci:none"])
        .exits(1)
        .says(&["error: cannot open `oci:none`"]);
    project.run(&["verify", "docker-archive:none"]).exits(1);
}

#[test]
fn garbage_is_collected() {
    let project = Project::built();
    let lonely = cooperage_digest::Digest::of(b"lonely").to_string();
    project.write(&blob(&lonely), "lonely");
    let dry = ["layout", "gc", "image", "--dry-run", "--format", "json"];
    let report = project.run(&dry).exits(0).json();
    assert_eq!(report["removed"][0]["digest"], lonely.as_str());
    assert!(project.path(&blob(&lonely)).exists());
    project
        .run(&["layout", "gc", "image"])
        .exits(0)
        .says(&["removed 1 blob (6 B), 4 stay"]);
    assert!(!project.path(&blob(&lonely)).exists());
    project.run(&["verify", "oci:image"]).exits(0);
    project
        .run(&["layout", "fsck", "image"])
        .exits(0)
        .says(&["0 faults, 0 notices"]);
}

#[test]
fn gc_gives_up_where_it_cannot_know() {
    let project = Project::built();
    let manifest = blob(&project.digest("oci:image"));
    std::fs::remove_file(project.path(&manifest)).expect("it is there");
    project
        .run(&["layout", "gc", "image"])
        .exits(1)
        .says(&["nothing was removed", "hint: `cooperage layout fsck`"]);
    project
        .run(&["layout", "gc", "image", "--skip-missing", "-n"])
        .exits(0);
    project.run(&["layout", "gc", "none"]).exits(1);
    project.run(&["layout", "fsck", "none"]).exits(1);
}
