//! The examples, each as it lies there, tests and all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cooperage_testkit::bazel::Workspace;
use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::http;
use cooperage_testkit::program::run;

use crate::support::{bazel, copy, copy_file, files, in_tests, repository, tool, write};

/// A copy of an example, with the tool that is built already.
fn example(name: &str) -> Option<Workspace<'static>> {
    let bazel = bazel()?;
    let directory = bazel.directory().join(name);
    copy(&repository().join("examples").join(name), &directory);
    let tool = prebuilt(bazel.directory());
    let overrides = ["host", "source"].map(|repository| {
        format!(
            "--override_repository=cooperage~~cooperage~cooperage_{repository}={}",
            tool.display()
        )
    });
    Some(in_tests(bazel.workspace(&directory)).with_flags(overrides))
}

/// The tool as a repository.
fn prebuilt(directory: &Path) -> PathBuf {
    let repository = directory.join("prebuilt_tool");
    let build = "exports_files([\"cooperage\"], visibility = [\"//visibility:public\"])\n";
    if !repository.join("REPO.bazel").exists() {
        fs::create_dir_all(&repository).expect("a directory can be made");
        write(&repository.join("BUILD.bazel"), build);
        copy_file(tool(), &repository.join("cooperage"));
        write(&repository.join("REPO.bazel"), "");
    }
    repository
}

/// Builds all of it, and runs its tests.
fn check(name: &str) -> Option<Workspace<'static>> {
    let workspace = example(name)?;
    let ran = workspace.ran(&["test", "//..."]).exits(0);
    ran.says(&["pass"]);
    Some(workspace)
}

/// What a program of an image says that Bazel has written as a layout, unpacked and run in the place
/// that it was built in, where its C library and its interpreter are.
fn said_by(workspace: &Workspace<'_>, layout: &str, program: &str) -> String {
    let bazel = bazel().expect("it has a workspace");
    let layout = files(workspace, layout, &[]).remove(0);
    let root = workspace.path().with_extension("root");
    let mut unpack = Command::new(tool());
    unpack
        .arg("unpack")
        .arg(format!("oci:{}", layout.display()));
    run(unpack.arg(&root), &[]).exits(0);
    let mut command = bazel.command(&root, &BTreeMap::new());
    command.arg(root.join(program));
    run(&mut command, &[]).exits(0).text()
}

#[test]
fn base() {
    drop(check("bazel-base"));
}

#[test]
fn cc() {
    let Some(workspace) = check("bazel-cc") else {
        return;
    };
    // The library lies in `_solib_*` of the runfiles, and nowhere else.
    let said = said_by(&workspace, "//:shared_layout", "app/shared");
    assert_eq!(said, "hello from a shared library\n");
}

#[test]
fn index() {
    drop(check("bazel-index"));
}

#[test]
fn python() {
    let Some(workspace) = check("bazel-python") else {
        return;
    };
    let said = said_by(&workspace, "//:layout", "app/main");
    assert_eq!(said, "hello from Python\ncooper\n");
}

/// What takes the place of a toolchain that would be downloaded: the compiler of the machine.
const LOCAL_RUST: &str = "\
bazel_dep(name = \"platforms\", version = \"0.0.10\")
rust.toolchain(edition = \"2021\", versions = [])
local_rust = use_extension(\"//:local_rust.bzl\", \"local_rust\")
local_rust.sysroot(path = \"SYSROOT\")
use_repo(local_rust, \"local_rust\", \"tinyjson_local\")
register_toolchains(\"@local_rust//:all\")
internal_deps = use_extension(\"@rules_rust//rust/private:extensions.bzl\", \"i\")
override_repo(internal_deps, rules_rust_tinyjson = \"tinyjson_local\")
";

#[test]
fn service() {
    let Some(workspace) = example("bazel-service") else {
        return;
    };
    let file = workspace.path().join("MODULE.bazel");
    let text = fs::read_to_string(&file).expect("the example is a module");
    let begin = "rust.toolchain(";
    let (head, tail) = text.split_once(begin).expect("it has a toolchain");
    assert!(
        tail.contains("register_toolchains"),
        "its end is what is replaced: {tail}"
    );
    let sysroot = Path::new(env!("CARGO")).parent().and_then(Path::parent);
    let sysroot = sysroot.expect("cargo lies in an installation");
    let local = LOCAL_RUST.replace("SYSROOT", &sysroot.to_string_lossy());
    write(&file, &format!("{head}{local}"));
    let extension = include_str!("local_rust.bzl");
    write(&workspace.path().join("local_rust.bzl"), extension);

    workspace.ran(&["test", "//..."]).exits(0).says(&["pass"]);
    let Some(docker) = docker::shared(Store::ModernContainerd) else {
        return;
    };
    let host = format!("unix://{}", docker.socket().display());
    workspace
        .ran_with(&[("DOCKER_HOST", host.as_ref())], &["run", "//:image_load"])
        .exits(0);
    let port = free_port();
    let variable = format!("PORT={port}");
    let container = docker
        .run_detached(&["--env", &variable], "example/service:latest", &[])
        .expect("it starts");
    let address = format!("127.0.0.1:{port}");
    let answer = answer(&address);
    assert!(
        answer.contains("hello from Bazel"),
        "{answer}\n{}",
        container.logs()
    );
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}

/// What the service says, once it does.
fn answer(address: &str) -> String {
    for _ in 0..200 {
        let timeout = std::time::Duration::from_secs(1);
        if let Ok(answer) = http::get(address, "/", timeout) {
            return String::from_utf8_lossy(&answer.body).into_owned();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("nobody answers at {address}");
}
