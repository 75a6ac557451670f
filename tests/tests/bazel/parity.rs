//! The same files through cargo's front and through Bazel: one digest.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use cooperage_testkit::program::{built, run, target_of};
use serde_json::Value;

use crate::support::{
    bazel, copy_file, document, files, in_tests, place_tool, repository, tool, write,
};

const MODULE: &str = "\
module(name = \"parity\")
bazel_dep(name = \"cooperage\", version = \"0.1.0\")
cooperage = use_extension(\"@cooperage//bazel:extensions.bzl\", \"cooperage\")
cooperage.toolchain(tool = \"//:cooperage\")
";

#[test]
fn cargo_and_bazel_give_the_same_digests() {
    let Some(bazel) = bazel() else { return };
    let directory = bazel.directory().join("parity");
    fs::create_dir(&directory).expect("a directory can be made");
    let (plan, summary) = by_cargo(&directory);
    let index = index_of(&directory, &plan);

    place_tool(&directory);
    write(&directory.join("MODULE.bazel"), MODULE);
    write(
        &directory.join("BUILD.bazel"),
        &build_file(&plan, &directory),
    );
    let workspace = in_tests(bazel.workspace(&directory));
    workspace.run(&["build", "//:all"]).expect("it builds");

    let expected = &summary["images"][0];
    let image = files(&workspace, "//:image", &[]);
    let manifest = document(&image, ".manifest.json");
    let layers = manifest["layers"]
        .as_array()
        .expect("a manifest has layers");
    let digests: Vec<_> = layers.iter().map(|layer| &layer["digest"]).collect();
    let of_cargo = expected["layers"]
        .as_array()
        .expect("cargo's image has layers");
    let expected_layers: Vec<_> = of_cargo.iter().map(|layer| &layer["digest"]).collect();
    assert_eq!(digests, expected_layers, "layers");
    assert_eq!(
        manifest["config"]["digest"], expected["config_digest"],
        "config"
    );
    let descriptor = document(&image, ".descriptor.json");
    assert_eq!(descriptor["digest"], expected["digest"], "manifest");
    let descriptor = document(&files(&workspace, "//:index", &[]), ".descriptor.json");
    assert_eq!(descriptor["digest"], index.as_str(), "index");
}

/// The plan that cargo's front writes, and what it says of the image that it makes.
fn by_cargo(directory: &Path) -> (Vec<Value>, Value) {
    let target = target_of(env!("CARGO_TARGET_TMPDIR"));
    let xtask = &built(target, &["--package", "xtask", "--bin", "xtask"])["xtask"];
    let (plan, metadata) = (directory.join("plan"), directory.join("metadata.json"));
    let mut command = Command::new(xtask);
    command.current_dir(repository());
    command
        .args(["image", "--dev", "--offline", "--target-dir"])
        .arg(target);
    command.arg("--plan-file").arg(&plan);
    command.arg("--metadata-file").arg(&metadata);
    command
        .arg("--output")
        .arg(format!("oci:{}", directory.join("layout").display()));
    run(&mut command, &[]).exits(0);
    let text = fs::read_to_string(&plan).expect("the plan was written");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"));
    let metadata = fs::read(&metadata).expect("the metadata was written");
    (
        lines.collect(),
        serde_json::from_slice(&metadata).expect("it is JSON"),
    )
}

/// The digest of an index of the plan's image alone.
fn index_of(directory: &Path, plan: &[Value]) -> String {
    let mut image = plan[0].clone();
    let members = image.as_object_mut().expect("a line is an object");
    for name in ["plan", "version", "names"] {
        members.remove(name);
    }
    let mut text = String::from("{\"plan\":\"index\",\"version\":1}\n");
    let first = serde_json::json!({ "image": image });
    for line in std::iter::once(&first).chain(&plan[1..]) {
        writeln!(text, "{line}").expect("a string takes everything");
    }
    let file = directory.join("index.plan");
    write(&file, &text);
    let digest = directory.join("index.digest");
    let mut command = Command::new(tool());
    command
        .arg("build")
        .arg(&file)
        .arg("--digest-file")
        .arg(&digest);
    command
        .arg("--output")
        .arg(format!("oci:{}", directory.join("index_layout").display()));
    run(&mut command, &[]).exits(0);
    fs::read_to_string(digest)
        .expect("the digest was written")
        .trim()
        .to_owned()
}

/// A BUILD file that says what the plan says; the files themselves are copied beside it.
fn build_file(plan: &[Value], directory: &Path) -> String {
    let mut text = String::from(
        "load(\"@cooperage//bazel:defs.bzl\", \"image\", \"image_index\", \"image_layer\")\n\
         exports_files([\"cooperage\"])\n\
         filegroup(name = \"all\", srcs = [\":image\", \":index\"])\n\
         image_index(name = \"index\", images = [\":image\"])\n",
    );
    let mut layers = Vec::new();
    let mut lines = plan[1..].iter().peekable();
    while let Some(line) = lines.next() {
        let layer = &line["layer"];
        assert!(layer.is_object(), "expected a layer: {line}");
        let name = format!("layer{}", layers.len());
        let mut sources = BTreeMap::new();
        let mut modes = BTreeMap::new();
        let mut runtime = Vec::new();
        while let Some(entry) = lines.next_if(|line| line["layer"].is_null()) {
            if let Some(item) = entry["runtime"].as_str() {
                runtime.push(item);
                continue;
            }
            let path = entry["path"].as_str().expect("an entry has a path");
            let file = entry["file"].as_str().expect("an entry has a file");
            let copied = format!("{name}_{}", sources.len());
            copy_file(Path::new(file), &directory.join(&copied));
            sources.insert(copied, path);
            modes.insert(path, entry["mode"].as_str().expect("an entry has a mode"));
        }
        let _ = writeln!(
            text,
            "image_layer(name = \"{name}\", layer_name = {}, srcs = {}, modes = {}, runtime = {})",
            layer["name"],
            serde_json::json!(sources),
            serde_json::json!(modes),
            serde_json::json!(runtime),
        );
        layers.push(format!(":{name}"));
    }
    let config = &plan[0]["config"];
    let known = [
        "entrypoint",
        "env",
        "exposed_ports",
        "healthcheck",
        "labels",
        "stop_signal",
        "user",
    ];
    for name in config.as_object().expect("a config is an object").keys() {
        assert!(
            known.contains(&&**name),
            "this test knows nothing of `{name}`"
        );
    }
    let _ = writeln!(
        text,
        "image(name = \"image\", layers = {}, entrypoint = {}, env = {}, exposed_ports = {}, \
         healthcheck = {}, healthcheck_options = {}, labels = {}, stop_signal = {}, user = {}, \
         platform = {})",
        serde_json::json!(layers),
        config["entrypoint"],
        config["env"],
        serde_json::json!(names(&config["exposed_ports"])),
        config["healthcheck"]["test"],
        serde_json::json!({
            "interval": duration(&config["healthcheck"]["interval"]),
            "timeout": duration(&config["healthcheck"]["timeout"]),
        }),
        config["labels"],
        config["stop_signal"],
        config["user"],
        plan[0]["platform"],
    );
    text
}

fn names(object: &Value) -> Vec<&String> {
    object
        .as_object()
        .expect("ports are an object")
        .keys()
        .collect()
}

/// Nanoseconds as attributes have them.
fn duration(value: &Value) -> String {
    format!(
        "{}ms",
        value.as_u64().expect("a duration is a number") / 1_000_000
    )
}
