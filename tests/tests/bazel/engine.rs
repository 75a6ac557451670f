//! What `bazel run` and `bazel test` do with an image.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::program::run;
use cooperage_testkit::registry;
use serde_json::Value;

use crate::support::{document, files, tool, workspace};

#[test]
fn an_image_is_loaded_into_docker_and_runs() {
    let Some(workspace) = workspace() else { return };
    for store in Store::ALL {
        let Some(docker) = docker::start(store) else {
            continue;
        };
        let host = format!("unix://{}", docker.socket().display());
        let variables = [("DOCKER_HOST", OsStr::new(&host))];
        workspace
            .ran_with(&variables, &["run", "//app:load"])
            .exits(0)
            .says(&["cooperage/app:test"]);
        let said = docker.run("cooperage/app:test", &[]).expect("it runs");
        assert_eq!(said, "hello cooper\n", "{store:?}");
    }
}

#[test]
fn an_image_is_pushed_with_the_digest_it_was_built_with() {
    let Some(workspace) = workspace() else { return };
    let Some(registry) = registry::start(Generation::Modern) else {
        return;
    };
    let to = format!("docker://{}/app:v1", registry.address());
    workspace
        .ran(&["run", "//app:push", "--", "--to", &to])
        .exits(0);
    workspace
        .run(&["build", "//app:on_base"])
        .expect("it builds");
    let files = files(&workspace, "//app:on_base", &[]);
    let descriptor = document(&files, ".descriptor.json");
    let (digest, _) = registry.manifest("app", "v1").expect("it was pushed");
    assert_eq!(descriptor["digest"], digest.as_str());
    assert_eq!(registry.missing("app", "v1"), [""; 0]);
}

#[test]
fn an_image_is_written_into_layouts_and_archives() {
    let Some(workspace) = workspace() else { return };
    let built = files(&workspace, "//app:on_base", &[]);
    let directory = workspace.path().join("pushed");
    fs::create_dir(&directory).expect("a directory can be made");
    let places = [
        "oci:layout",
        "oci-archive:oci.tar",
        "docker-archive:docker.tar",
    ];
    let places = places.map(|place| {
        let (medium, name) = place.split_once(':').expect("a medium and a name");
        format!("{medium}:{}", directory.join(name).display())
    });
    let mut words = vec!["run", "//app:push", "--"];
    for place in &places {
        words.extend(["--to", place]);
    }
    workspace.ran(&words).exits(0);
    let descriptor = document(&built, ".descriptor.json");
    for place in &places {
        let mut command = Command::new(tool());
        command.args(["verify", "--quiet", place]);
        run(&mut command, &[]).exits(0);
        let mut command = Command::new(tool());
        command.args(["inspect", "--format", "json", place]);
        let said = run(&mut command, &[]).exits(0).text();
        let said: Value = serde_json::from_str(&said).expect("it is JSON");
        assert_eq!(said["digest"], descriptor["digest"], "{place}: {said}");
    }
}

#[test]
fn an_index_is_pushed_whole_and_loaded_for_one_platform() {
    let Some(workspace) = workspace() else { return };
    let Some(registry) = registry::start(Generation::Modern) else {
        return;
    };
    let to = format!("docker://{}/index:v1", registry.address());
    workspace
        .ran(&["run", "//index:push", "--", "--to", &to])
        .exits(0);
    let built = files(&workspace, "//index:index", &[]);
    let descriptor = document(&built, ".descriptor.json");
    let (digest, index) = registry.manifest("index", "v1").expect("it was pushed");
    assert_eq!(descriptor["digest"], digest.as_str());
    let index: Value = serde_json::from_slice(&index).expect("it is JSON");
    let manifests = index["manifests"].as_array().expect("it is an index");
    assert_eq!(manifests.len(), 2);
    assert_eq!(registry.missing("index", "v1"), [""; 0]);

    let Some(docker) = docker::shared(Store::ModernContainerd) else {
        return;
    };
    let host = format!("unix://{}", docker.socket().display());
    workspace
        .ran_with(
            &[("DOCKER_HOST", OsStr::new(&host))],
            &["run", "//index:load"],
        )
        .exits(0)
        .says(&["cooperage/index:test"]);
    let loaded = docker.inspect("cooperage/index:test").expect("it is there");
    let machine = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    assert_eq!(loaded["Architecture"], machine);
}

#[test]
fn an_image_test_passes_and_fails() {
    let Some(workspace) = workspace() else { return };
    let ran = workspace.ran(&["test", "//expect/..."]).exits(0);
    ran.says(&["6 tests pass"]);
    let ran = workspace
        .ran(&["test", "--test_output=errors", "//expect:fails"])
        .exits(3);
    // Everything that is wrong, not the first.
    ran.says(&["/app/other", "app/name.txt", "0755"]);
}
