//! `copy --compression`, and what becomes of layers without it.

use cooperage_testkit::own_registry::{OwnRegistry, OwnRegistryOptions};
use serde_json::{Value, json};

use crate::support::{PLAN, Project, Ran, blob};

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";

/// The image of the plan in the layout `image`, its layers by this encoder.
fn built(encoder: &str) -> Project {
    let project = Project::new();
    let mut plan = PLAN.to_owned();
    for name in ["lower", "upper"] {
        plan = plan.replace(
            &format!("\"name\":\"{name}\""),
            &format!("\"name\":\"{name}\",\"encoder\":\"{encoder}\""),
        );
    }
    project
        .run_with(&["build", "-", "-q", "-o", "oci:image"], plan.as_bytes())
        .exits(0);
    project
}

fn inspect(project: &Project, location: &str) -> Value {
    let inspected = project.run(&["inspect", location, "--format", "json"]);
    inspected.exits(0).json()["images"][0].clone()
}

fn types(project: &Project, location: &str) -> Vec<String> {
    let image = inspect(project, location);
    let layers = image["layers"].as_array().expect("layers");
    let text = |layer: &Value| layer["media_type"].as_str().expect("text").to_owned();
    layers.iter().map(text).collect()
}

/// What `docker save` writes of the image: with `LayerSources` and a layout as since 25, or without.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Saved {
    Old,
    New,
    /// A layout whose manifest is the image's own.
    Own,
}

fn save(project: &Project, form: Saved) {
    let image = inspect(project, "oci:image");
    let digest = |of: &Value| of["digest"].as_str().expect("text").to_owned();
    let hex = |digest: &str| digest.replace("sha256:", "");
    let config = image["config_digest"].as_str().expect("text");
    let layers: Vec<String> = image["layers"]
        .as_array()
        .expect("layers")
        .iter()
        .map(digest)
        .collect();
    let path = |digest: &str| match form {
        Saved::Old if digest == config => format!("{}.json", hex(digest)),
        Saved::Old => format!("{}/layer.tar", hex(digest)),
        _ => format!("blobs/sha256/{}", hex(digest)),
    };
    let mut item = json!({
        "Config": path(config),
        "RepoTags": ["saved:1"],
        "Layers": layers.iter().map(|layer| path(layer)).collect::<Vec<_>>(),
    });
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, bytes)
            .expect("it is added");
    };
    for digest in layers.iter().map(String::as_str).chain([config]) {
        add(&path(digest), &project.read(&blob(digest)));
    }
    if form != Saved::Old {
        let manifest = image["digest"].as_str().expect("text");
        let bytes = project.read(&blob(manifest));
        add(&path(manifest), &bytes);
        add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        let index = json!({"schemaVersion": 2, "manifests": [{
            "mediaType": image["media_type"], "digest": manifest, "size": bytes.len(),
        }]});
        add("index.json", index.to_string().as_bytes());
    }
    if form == Saved::New {
        for layer in image["layers"].as_array().expect("layers") {
            let id = layer["diff_id"].as_str().expect("text");
            item["LayerSources"][id] = json!({
                "mediaType": PLAIN, "digest": layer["digest"], "size": layer["size"],
            });
        }
    }
    add("manifest.json", json!([item]).to_string().as_bytes());
    project.write("saved.tar", tar.into_inner().expect("it ends"));
}

fn registry() -> (OwnRegistry, String) {
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let to = format!("docker://{}/team/app:1", registry.address());
    (registry, to)
}

fn copy(project: &Project, args: &[&str]) -> Ran {
    let copy = ["copy", "--no-cache", "--format", "json"];
    project.run(&[&copy[..], args].concat())
}

/// The point of it all: what a daemon had uncompressed goes to a registry in gzip, as docker push,
/// skopeo and crane send it.
#[test]
fn what_was_saved_without_compression_is_pushed_in_gzip() {
    for form in [Saved::Old, Saved::New] {
        let project = built("none-1");
        let before = inspect(&project, "oci:image");
        save(&project, form);
        let (registry, to) = registry();
        let pushed = copy(&project, &["docker-archive:saved.tar", &to, "-j", "1"])
            .exits(0)
            .json();
        assert_eq!(types(&project, &to), [GZIP, GZIP], "{form:?}");
        let after = inspect(&project, &to);
        assert_eq!(after["config_digest"], before["config_digest"]);
        for at in [0, 1] {
            assert_eq!(
                after["layers"][at]["diff_id"],
                before["layers"][at]["diff_id"]
            );
        }
        let made = &pushed["recompressed"];
        assert_eq!(
            (&made["encoder"], &made["level"]),
            (&"gzip-2".into(), &5.into())
        );
        let layers = made["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 2);
        for (at, layer) in layers.iter().enumerate() {
            assert_eq!(layer["from"], before["layers"][at]["digest"]);
            assert_eq!(layer["to"], after["layers"][at]["digest"]);
            assert!(layer["to_size"].as_u64() < layer["from_size"].as_u64());
        }
        let image = &pushed["images"][0];
        assert_eq!(image["digest"], after["digest"]);
        assert_ne!(image["source"], image["digest"]);
        assert_eq!(image["blobs"], 4);
        project.run(&["verify", &to, "--no-cache"]).exits(0);

        // Once more, with other threads: it is the same, and nothing is sent.
        let since = registry.asked().len();
        let again = copy(&project, &["docker-archive:saved.tar", &to, "-j", "3"])
            .exits(0)
            .json();
        assert_eq!(again["images"][0]["digest"], image["digest"]);
        assert_eq!(again["images"][0]["bytes"], 0);
        let asked = registry.asked().split_off(since);
        let sends = |it: &&String| !it.starts_with("GET") && !it.starts_with("HEAD");
        assert_eq!(asked.iter().find(sends), None);
        assert!(asked.len() <= 2, "{asked:?}");

        // Under another name only the manifest goes, and what is done is told while it is done.
        let other = to.replace("app:1", "app:2");
        let other = copy(&project, &["docker-archive:saved.tar", &other]).exits(0);
        assert_eq!(other.err.matches(" to gzip (").count(), 2, "{}", other.err);
        let image = &other.json()["images"][0];
        assert!(image["blobs"].as_u64() <= Some(1), "{image}");
    }
}

#[test]
fn people_are_told() {
    let project = built("none-1");
    save(&project, Saved::Old);
    let (_registry, to) = registry();
    let said = project
        .run(&["copy", "docker-archive:saved.tar", &to])
        .exits(0)
        .text();
    for words in [
        "  it was sha256:",
        " before its layers were recompressed\n",
        "2 layers recompressed to gzip: ",
        " became ",
    ] {
        assert!(said.contains(words), "`{words}` is not in: {said}");
    }
}

#[test]
fn digests_stay_where_the_image_has_a_manifest_of_its_own() {
    let project = built("none-1");
    let digest = project.digest("oci:image");
    save(&project, Saved::Own);
    let (_registry, to) = registry();
    for from in ["oci:image", "docker-archive:saved.tar"] {
        let pushed = copy(&project, &[from, &to]).exits(0).json();
        assert_eq!(pushed["images"][0]["digest"], digest, "{from}");
        assert_eq!(pushed["images"][0]["source"], digest, "{from}");
        assert_eq!(pushed["recompressed"], Value::Null);
    }
    // And always on the way to layouts and archives, and with `keep`.
    save(&project, Saved::Old);
    for to in [
        "oci:layout",
        "oci-archive:layout.tar",
        "docker-archive:again.tar",
    ] {
        let copied = copy(&project, &["docker-archive:saved.tar", to])
            .exits(0)
            .json();
        assert_eq!(copied["recompressed"], Value::Null, "{to}");
        assert_eq!(types(&project, to), [PLAIN, PLAIN], "{to}");
    }
    let keep = ["docker-archive:saved.tar", &to, "--compression", "keep"];
    copy(&project, &keep).exits(0);
    assert_eq!(types(&project, &to), [PLAIN, PLAIN]);
}

#[test]
fn any_image_can_have_any_compression() {
    let project = Project::built();
    let before = inspect(&project, "oci:image");
    let (_registry, remote) = registry();
    for (form, media_type) in [("zstd", ZSTD), ("none", PLAIN)] {
        let places = [
            format!("oci:{form}"),
            format!("oci-archive:{form}-oci.tar"),
            format!("docker-archive:{form}-docker.tar"),
            remote.clone(),
        ];
        let mut digests = Vec::new();
        for to in &places {
            let copied = copy(&project, &["oci:image", to, "--compression", form]);
            let copied = copied.exits(0).json();
            assert_eq!(copied["images"][0]["source"], before["digest"], "{to}");
            assert_eq!(types(&project, to), [media_type, media_type], "{to}");
            assert_eq!(
                inspect(&project, to)["config_digest"],
                before["config_digest"]
            );
            project.run(&["verify", to, "--no-cache"]).exits(0);
            digests.push(project.digest(to));
        }
        assert!(
            digests.iter().all(|digest| *digest == digests[0]),
            "{digests:?}"
        );
        let said = project.run(&["copy", "oci:image", &places[0], "--compression", form]);
        said.exits(0);
        // And back: the same encoder gives the same image.
        let back = [
            "copy",
            &places[0],
            "oci:back",
            "--compression",
            "gzip",
            "-q",
        ];
        project.run(&back).exits(0);
        assert_eq!(types(&project, "oci:back"), [GZIP, GZIP]);
        assert_eq!(
            project.digest("oci:back"),
            before["digest"].as_str().expect("text")
        );
    }
    // What has that form stays, whatever its level is.
    let same = [
        "oci:image",
        "oci:same",
        "--compression",
        "gzip",
        "--compression-level",
        "9",
    ];
    let copied = copy(&project, &same).exits(0).json();
    assert_eq!(copied["recompressed"], Value::Null);
    assert_eq!(copied["images"][0]["digest"], before["digest"]);
    let level = [
        "oci:none",
        "oci:level",
        "--compression",
        "gzip",
        "--compression-level",
        "9",
    ];
    let copied = copy(&project, &level).exits(0).json();
    assert_eq!(copied["recompressed"]["level"], 9);
}

#[test]
fn an_archive_goes_to_a_pipe_in_another_form() {
    let project = Project::built();
    for medium in ["docker-archive", "oci-archive"] {
        let (pipe, file) = (format!("{medium}:-"), format!("{medium}:file.tar"));
        let form = ["--compression", "none"];
        let piped = project
            .run(&[&["copy", "oci:image", &pipe], &form[..]].concat())
            .exits(0);
        project
            .run(&[&["copy", "oci:image", &file], &form[..]].concat())
            .exits(0);
        assert!(piped.out == project.read("file.tar"), "{medium}");
        assert!(
            piped.err.contains("2 layers recompressed to none"),
            "{}",
            piped.err
        );
        assert_eq!(types(&project, &file), [PLAIN, PLAIN]);
    }
}

#[test]
fn what_means_nothing_is_refused_before_any_work() {
    let project = Project::built();
    let names = project.names();
    for (args, code, words) in [
        (
            &["oci:image", "oci:x", "--compression", "xz"][..],
            2,
            "invalid value",
        ),
        (
            &["oci:image", "oci:x", "--compression-level", "3"],
            2,
            "--compression <FORM>",
        ),
        (
            &[
                "oci:image",
                "oci:x",
                "--compression",
                "keep",
                "--compression-level",
                "3",
            ],
            1,
            "`keep` leaves them as they are",
        ),
        (
            &[
                "oci:image",
                "oci:x",
                "--compression",
                "none",
                "--compression-level",
                "3",
            ],
            1,
            "no meaning with `--compression none`",
        ),
        (
            &[
                "oci:image",
                "oci:x",
                "--compression",
                "gzip",
                "--compression-level",
                "10",
            ],
            1,
            "expected 1 to 9",
        ),
        (
            &["oci:image", "docker-daemon:x:y", "--compression", "gzip"],
            1,
            "hint: leave `--compression` out",
        ),
    ] {
        let args = [&["copy"], args].concat();
        project.run(&args).exits(code).says(&["error: ", words]);
        assert_eq!(project.names(), names);
    }
}

/// A layer that is not what the config says goes nowhere, and leaves nothing behind.
#[test]
fn a_layer_that_is_another_is_refused() {
    let project = Project::built();
    std::fs::create_dir(project.path("tmp")).expect("a directory");
    let image = inspect(&project, "oci:image");
    let config = image["config_digest"].as_str().expect("text").to_owned();
    let diff_id = image["layers"][1]["diff_id"]
        .as_str()
        .expect("text")
        .to_owned();
    let text = String::from_utf8(project.read(&blob(&config))).expect("text");
    let text = text.replace(&diff_id, &format!("sha256:{}", "0".repeat(64)));
    let new = cooperage_digest::Digest::of(text.as_bytes()).to_string();
    project.write(&blob(&new), &text);
    let manifest = String::from_utf8(project.read(&blob(image["digest"].as_str().expect("text"))));
    let manifest = manifest.expect("text").replace(&config, &new);
    let name = cooperage_digest::Digest::of(manifest.as_bytes()).to_string();
    project.write(&blob(&name), &manifest);
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": image["media_type"], "digest": name, "size": manifest.len(),
    }]});
    project.write("image/index.json", index.to_string());
    let args = ["copy", "oci:image", "oci:to", "--compression", "zstd"];
    project.run_in_tmp("tmp", &args, b"").exits(1).says(&[
        "error: cannot compress the image's layers anew",
        "the config says diff ID sha256:0000",
        &diff_id,
    ]);
    assert!(!project.path("to").exists());
    assert_eq!(crate::support::names(&project.path("tmp")), [""; 0]);
}
