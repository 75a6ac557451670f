//! A base in a registry: documents first, layers when somebody needs them.

use std::fs;
use std::process::Command;

use cooperage_testkit::peers::Generation;
use cooperage_testkit::program::run;
use cooperage_testkit::registry::{self, Registry};
use serde_json::Value;

use crate::support::{
    bazel, document, files, in_tests, is_blob, place_tool, tool, workspace, write, write_base,
};

const BUILD: &str = r#"
load("@cooperage//bazel:defs.bzl", "image", "image_layer", "image_push")

exports_files(["cooperage"])

image_layer(
    name = "layer",
    srcs = {"BUILD.bazel": "/app/BUILD"},
)

image(
    name = "image",
    base = "@base",
    layers = [":layer"],
)

image_push(
    name = "push",
    image = ":image",
)

image(
    name = "checked",
    base = "@base",
    check_base = True,
    layers = [":layer"],
)
"#;

#[test]
fn a_pulled_base_is_shallow_until_its_bytes_are_needed() {
    let Some(bazel) = bazel() else { return };
    let Some(registry) = registry::start(Generation::Modern) else {
        return;
    };
    let directory = bazel.directory().join("pulled");
    fs::create_dir(&directory).expect("a directory can be made");
    let (digest, layers) = push_base(&directory, &registry);
    place_tool(&directory);
    write(&directory.join("BUILD.bazel"), BUILD);
    let module = format!(
        "module(name = \"pulled\")\n\
         bazel_dep(name = \"cooperage\", version = \"0.1.0\")\n\
         cooperage = use_extension(\"@cooperage//bazel:extensions.bzl\", \"cooperage\")\n\
         cooperage.toolchain(tool = \"//:cooperage\")\n\
         cooperage.image_pull(name = \"base\", repository = \"{}/base\", digest = \"{digest}\")\n\
         use_repo(cooperage, \"base\")\n",
        registry.address()
    );
    write(&directory.join("MODULE.bazel"), &module);
    let workspace = in_tests(bazel.workspace(&directory));

    workspace.run(&["build", "//:image"]).expect("it builds");
    assert_eq!(fetched(&registry, &layers), 0, "built without a layer");

    let to = format!("docker://{}/app:v1", registry.address());
    workspace
        .ran(&["run", "//:push", "--", "--to", &to])
        .exits(0);
    assert_eq!(fetched(&registry, &layers), 0, "pushed without a layer");
    assert_eq!(registry.missing("app", "v1"), [""; 0]);

    let spawns = workspace
        .spawns(&["build", "--output_groups=layout", "//:image"])
        .expect("it builds");
    let fetches = spawns
        .iter()
        .filter(|spawn| spawn.mnemonic == "CooperageFetch");
    assert_eq!(fetches.count(), 1);
    assert_eq!(
        fetched(&registry, &layers),
        1,
        "written with the layer of one platform"
    );

    // What the base offers is found out once, and the check reads that, not layers.
    let spawns = workspace
        .spawns(&["build", "//:checked"])
        .expect("the base lacks nothing");
    let of = |kind: &str| {
        let spawns = spawns.iter().filter(|spawn| spawn.mnemonic == kind);
        spawns.collect::<Vec<_>>()
    };
    let [check] = of("CooperageCheck")[..] else {
        panic!("expected one check: {spawns:#?}");
    };
    assert_eq!(check.inputs.iter().find(|input| is_blob(input)), None);
    let facts = of("CooperageFacts");
    let given = facts.iter().flat_map(|spawn| spawn.outputs.keys());
    let given: Vec<_> = given.filter(|file| check.inputs.contains(file)).collect();
    assert_eq!(given.len(), 1, "{facts:#?} {check:#?}");
    let [image] = of("CooperageImage")[..] else {
        panic!("expected one image: {spawns:#?}");
    };
    let is_of_check = |input: &&String| check.outputs.contains_key(*input);
    assert_eq!(image.inputs.iter().find(is_of_check), None);
}

#[test]
fn a_base_is_the_same_in_a_layout_and_in_archives() {
    let Some(workspace) = workspace() else { return };
    let bases = [
        "base",
        "base_by_rule",
        "base_in_oci_archive",
        "base_in_docker_archive",
    ];
    let [layout, rule, oci, docker] = bases.map(|base| {
        let target = format!("//base:on_{base}");
        let flags = ["--platforms=//index:linux_amd64"];
        let words = [&["build", target.as_str()], &flags[..]].concat();
        workspace.run(&words).expect("it builds");
        let files = files(&workspace, &target, &flags);
        document(&files, ".descriptor.json")["digest"].clone()
    });
    assert_eq!(layout, rule);
    assert_eq!(layout, oci);
    assert_eq!(layout, docker);
}

/// Pushes an image of two platforms; gives its digest, and those of its layers.
fn push_base(directory: &std::path::Path, registry: &Registry) -> (String, Vec<String>) {
    let layout = directory.join("layout");
    write_base(&layout);
    let mut command = Command::new(tool());
    command.arg("copy").arg(format!("oci:{}", layout.display()));
    command.arg(format!("docker://{}/base:v1", registry.address()));
    run(&mut command, &[]).exits(0);
    let (digest, index) = registry.manifest("base", "v1").expect("it was pushed");
    let digests = |bytes: &[u8], list: &str| {
        let document: Value = serde_json::from_slice(bytes).expect("it is JSON");
        let list = document[list].as_array().cloned().unwrap_or_default();
        let digest = |it: &Value| it["digest"].as_str().expect("a digest is text").to_owned();
        list.iter().map(digest).collect::<Vec<_>>()
    };
    let layers = digests(&index, "manifests")
        .into_iter()
        .flat_map(|manifest| {
            let (_, manifest) = registry.manifest("base", &manifest).expect("it is there");
            digests(&manifest, "layers")
        });
    let mut layers: Vec<_> = layers.collect();
    layers.dedup();
    (digest, layers)
}

/// How often a layer's bytes were asked for.
fn fetched(registry: &Registry, layers: &[String]) -> usize {
    let log = registry.log();
    let is_get = |line: &&str| line.contains("\"GET /v2/");
    let of_layer = |line: &&str| {
        layers
            .iter()
            .any(|layer| line.contains(&format!("/blobs/{layer}")))
    };
    log.lines().filter(is_get).filter(of_layer).count()
}
