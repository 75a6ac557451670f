//! `cargo xtask image` on a Debian of a registry, to a registry and into an engine, and run from
//! both.

use std::fs;
use std::path::Path;
use std::process::Command;

use cooperage_testkit::docker::{self, Docker, Store};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::program::{built, target_of};
use cooperage_testkit::registry::{self, Registry};
use serde_json::Value;

use crate::debian::push_base;

/// What goes to an engine beside the layers, at most: documents, headers and padding.
const OVERHEAD: u64 = 16 << 10;

/// A program of two layers, a file and a binary, whose last layer is what it says.
fn write_program(root: &Path, words: &str) {
    fs::create_dir_all(root.join("src")).expect("a directory");
    let manifest = "[package]\nname = \"shown\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
         [workspace]\n";
    fs::write(root.join("Cargo.toml"), manifest).expect("a file");
    let main = format!(
        "fn main() {{\n    let debian = std::fs::read_to_string(\"/etc/debian_version\");\n    \
         print!(\"{words} on {{}}\", debian.expect(\"a Debian\"));\n}}\n"
    );
    fs::write(root.join("src/main.rs"), main).expect("a file");
}

/// Runs the front of this workspace, and gives what it says of the image.
fn image(root: &Path, docker: &Docker, flags: &[&str]) -> Value {
    let program = &built(
        target_of(env!("CARGO_TARGET_TMPDIR")),
        &["--package", "xtask", "--bin", "xtask"],
    )["xtask"];
    let mut command = Command::new(program);
    command
        .current_dir(root)
        .args(["image", "--format", "json", "--load"])
        .args(flags)
        .env("CARGO_TARGET_DIR", root.join("target"))
        .env(
            "DOCKER_HOST",
            format!("unix://{}", docker.socket().display()),
        )
        .env("DOCKER_CONFIG", root.join("docker"))
        .env("XDG_CACHE_HOME", root.join("cache"))
        .env("XDG_CONFIG_HOME", root.join("config"));
    for flags in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(flags);
    }
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn sent(summary: &Value, at: usize) -> u64 {
    let bytes = summary["pushed"][at]["bytes"].as_u64();
    bytes.expect("a number")
}

fn shows(store: Store, registry: &Registry) {
    let Some(docker) = docker::shared(store) else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    write_program(root, "first");
    let base = format!("{}/debian:bookworm", registry.address());
    let pushed = format!("{}/app-{store:?}:1", registry.address()).to_lowercase();
    let loaded = format!("shown-{store:?}:dev").to_lowercase();
    let flags = ["--base", &base, "--push", &pushed, "--tag", &loaded];
    let first = image(root, docker, &flags);
    // Nothing of the base but its documents went to the registry.
    assert!(sent(&first, 1) < 10 << 20, "{first:#}");
    docker
        .client()
        .run(["pull", "--quiet", &pushed])
        .expect("Docker pulls it");
    for name in [&pushed, &loaded] {
        let said = docker.run(name, &[]).expect("Docker runs it");
        assert!(said.starts_with("first on 12."), "{store}: {said}");
    }

    // After a change of the source the last layer alone is sent, to either.
    write_program(root, "second");
    let second = image(root, docker, &flags);
    let layers = second["images"][0]["layers"].as_array().expect("layers");
    let last = layers.last().expect("a layer")["stored_size"].as_u64();
    let limit = last.expect("a number") + OVERHEAD;
    for at in [0, 1] {
        assert!(sent(&second, at) <= limit, "{store}: {second:#}");
    }
    let said = docker.run(&loaded, &[]).expect("Docker runs it");
    assert!(said.starts_with("second on 12."), "{store}: {said}");
    for name in [&pushed, &loaded] {
        docker.remove_image(name).expect("it is there");
    }
}

#[test]
fn an_image_is_pushed_and_loaded_and_runs() {
    let Some(registry) = registry::start(Generation::Stable) else {
        return;
    };
    if push_base(&registry).is_none() {
        return;
    }
    for store in Store::ALL {
        shows(store, &registry);
    }
}
