//! The repository's examples, built as their pages say and run in real engines.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::http;
use cooperage_testkit::program::target_of;
use serde_json::Value;

use crate::project::{Project, finish};

fn example(path: &str) -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    examples
        .join(path)
        .canonicalize()
        .expect("examples are part of the repository")
}

#[test]
fn hello_http_answers_in_every_engine() {
    let project = Project::new(&[]);
    std::fs::create_dir_all(project.path("")).expect("made");
    let manifest = example("hello-http/Cargo.toml");
    let manifest = manifest.to_str().expect("text");
    let summary = project.run(&[
        "--manifest-path",
        manifest,
        "--output=docker-archive:hello.tar",
    ]);
    assert_eq!(summary["names"], serde_json::json!(["hello-http:latest"]));
    for store in Store::ALL {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        let loaded = docker.load(&project.path("hello.tar")).expect("it loads");
        assert_eq!(loaded, ["hello-http:latest"], "{store}");
        let port = http::free_port();
        let variable = format!("PORT={port}");
        let options = ["-e", &variable, "--read-only", "--cap-drop=ALL"];
        let container = docker
            .run_detached(&options, "hello-http:latest", &[])
            .expect("it starts");
        let get = |path: &str| {
            http::get(&format!("127.0.0.1:{port}"), path, Duration::from_secs(20))
                .unwrap_or_else(|error| panic!("{store}: {path}: {error}: {}", container.logs()))
        };
        assert_eq!(
            (get("/").status, get("/healthz").body),
            (200, b"ok\n".to_vec()),
            "{store}"
        );
        assert_eq!(get("/none").status, 404, "{store}");
        let inspected = docker.inspect("hello-http:latest").expect("it is there");
        let config = config(&inspected);
        assert_eq!(config["User"], "65532:65532", "{store}");
        assert_eq!(
            config["Healthcheck"]["Interval"], 30_000_000_000_u64,
            "{store}"
        );
        let checked = docker.run_with(
            &["--network=host", "-e", &variable],
            "hello-http:latest",
            &["--check"],
        );
        checked.unwrap_or_else(|error| panic!("{store}: {error}"));
    }
}

/// `docker inspect` gives a list of one.
fn config(inspected: &Value) -> &Value {
    let image = inspected.get(0).unwrap_or(inspected);
    &image["Config"]
}

/// The xtask of five lines is a package of its own workspace: it is built here by itself, into
/// a directory that later runs find again.
#[test]
fn a_workspace_packs_itself_by_its_own_xtask() {
    let project = Project::new(&[]);
    std::fs::create_dir_all(project.path("")).expect("made");
    let main = example("own-xtask/xtask/src/main.rs");
    let main = std::fs::read_to_string(main).expect("it is there");
    assert_eq!(main.lines().count(), 5, "it is said to be five lines long");
    let archive = project.path("greeter.tar");
    let target = target_of(env!("CARGO_TARGET_TMPDIR"));
    // What the program is given is what makes this its xtask's run and not that of our own.
    let template = project.command(&[]);
    let mut command = Command::new("cargo");
    command.args([
        "--quiet",
        "xtask",
        "image",
        "--locked",
        "--offline",
        "--format=json",
    ]);
    command.arg(format!("--output=docker-archive:{}", archive.display()));
    command.current_dir(example("own-xtask"));
    for (name, _) in template.get_envs().filter(|(_, value)| value.is_none()) {
        command.env_remove(name);
    }
    command
        .env("CARGO_TARGET_DIR", target.join("own-xtask"))
        // Most of it was built for this workspace already.
        .env("CARGO_BUILD_BUILD_DIR", target)
        .env("CARGO_NET_OFFLINE", "true");
    let summary = finish(&mut command);
    assert_eq!(
        (&summary["package"], &summary["version"]),
        (&"greeter".into(), &"1.2.3".into())
    );
    let layers = summary["images"][0]["layers"].as_array().expect("layers");
    let names: Vec<&Value> = layers.iter().map(|layer| &layer["name"]).collect();
    assert_eq!(names, ["run time", "files", "binary"]);
    for store in Store::ALL {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        docker.load(&archive).expect("it loads");
        let say = |arguments: &[&str]| docker.run("greeter", arguments).expect("it runs");
        assert_eq!(say(&[]), "Hello, world!\n", "{store}");
        assert_eq!(say(&["Ada", "Grace"]), "Hello, Ada and Grace!\n", "{store}");
    }
}
