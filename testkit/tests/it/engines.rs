//! Engines start, run a container of busybox, and leave nothing behind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cooperage_testkit::docker::{self, Docker, Store};
use cooperage_testkit::peers::{self, Generation};
use cooperage_testkit::{containerd, http, podman, registry};
use tempfile::TempDir;

/// A root file system with nothing in it but busybox, as a tar.
fn busybox_tar(directory: &Path) -> Option<PathBuf> {
    let busybox = peers::tool("busybox")?;
    let root = directory.join("root");
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::copy(busybox.path(), root.join("bin/busybox")).unwrap();
    let tar = directory.join("root.tar");
    let done = Command::new("tar")
        .arg("-C")
        .arg(&root)
        .arg("-cf")
        .arg(&tar)
        .arg(".")
        .status();
    assert!(done.unwrap().success());
    Some(tar)
}

/// Imports busybox as `name` and sees it run, be saved and be loaded again.
fn check_engine(docker: &Docker, name: &str) {
    let directory = TempDir::new().unwrap();
    let Some(tar) = busybox_tar(directory.path()) else {
        return;
    };
    docker
        .import(&mut std::fs::File::open(tar).unwrap(), name)
        .unwrap();
    let said = docker
        .run(name, &["/bin/busybox", "echo", "hello"])
        .unwrap();
    assert_eq!(said, "hello\n", "{}", docker.store());

    let archive = directory.path().join("saved.tar");
    docker.save(&[name], &archive).unwrap();
    docker.remove_image(name).unwrap();
    docker.inspect(name).expect_err("the image was removed");
    let names = docker.load(&archive).unwrap();
    assert_eq!(names, [format!("{name}:latest")], "{}", docker.store());
    let names = docker
        .load_stream(&mut std::fs::File::open(&archive).unwrap())
        .unwrap();
    assert_eq!(names, [format!("{name}:latest")], "{}", docker.store());
    assert_eq!(
        docker.inspect(name).unwrap()["Os"],
        "linux",
        "{}",
        docker.store()
    );
}

/// Sees a server in a container answer, and the container end.
fn check_server(docker: &Docker, name: &str) {
    let directory = TempDir::new().unwrap();
    let Some(tar) = busybox_tar(directory.path()) else {
        return;
    };
    docker
        .import(&mut std::fs::File::open(tar).unwrap(), name)
        .unwrap();
    let port = http::free_port();
    let serve = format!(
        "echo hello >/i; trap 'exit 3' TERM; /bin/busybox httpd -p 127.0.0.1:{port}; \
         while :; do /bin/busybox sleep 0.1; done"
    );
    let server = ["/bin/busybox", "sh", "-c", &serve];
    let serve = docker.run_detached(&[], name, &server).unwrap();
    let answer = http::get(&format!("127.0.0.1:{port}"), "/i", Duration::from_secs(10));
    let answer = answer.unwrap_or_else(|why| panic!("{why}: {}", serve.logs()));
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, &b"hello\n"[..])
    );
    docker
        .commit(serve.id(), &format!("{name}-committed"))
        .unwrap();
    assert_eq!(serve.stop().unwrap(), 3, "{}", docker.store());
}

#[test]
fn docker_stable_runs_a_container() {
    let Some(docker) = docker::shared(Store::Stable) else {
        return;
    };
    check_engine(docker, "testkit-stable");
}

#[test]
fn docker_modern_graph_runs_a_container() {
    let Some(docker) = docker::shared(Store::ModernGraph) else {
        return;
    };
    check_engine(docker, "testkit-graph");
    let info = docker
        .client()
        .run(["info", "-f", "{{.Driver}} {{.DriverStatus}}"])
        .unwrap();
    assert!(info.starts_with("overlay2 "), "{info}");
}

#[test]
fn docker_modern_containerd_runs_a_container() {
    let Some(docker) = docker::shared(Store::ModernContainerd) else {
        return;
    };
    check_engine(docker, "testkit-containerd");
    let info = docker
        .client()
        .run(["info", "-f", "{{.DriverStatus}}"])
        .unwrap();
    assert!(info.contains("io.containerd.snapshotter.v1"), "{info}");
}

#[test]
fn a_server_in_a_container_is_reached() {
    for store in Store::ALL {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        check_server(docker, "testkit-server");
    }
}

#[test]
fn an_engine_of_ones_own_leaves_nothing_behind() {
    let Some(docker) = docker::start(Store::Stable) else {
        return;
    };
    let directory = docker.socket().parent().unwrap().to_owned();
    assert!(directory.is_dir());
    drop(docker);
    assert!(
        !directory.exists(),
        "{} is still there",
        directory.display()
    );
}

#[test]
fn other_stores_take_what_docker_saves() {
    let directory = TempDir::new().unwrap();
    let Some(docker) = docker::shared(Store::ModernContainerd) else {
        return;
    };
    let Some(tar) = busybox_tar(directory.path()) else {
        return;
    };
    docker
        .import(&mut std::fs::File::open(tar).unwrap(), "testkit-saved")
        .unwrap();
    let archive = directory.path().join("saved.tar");
    docker.save(&["testkit-saved"], &archive).unwrap();
    for generation in Generation::ALL {
        if let Some(podman) = podman::start(generation) {
            let names = podman.load(&archive).unwrap();
            assert!(
                names[0].ends_with("/testkit-saved:latest"),
                "{generation}: {names:?}"
            );
            let again = directory.path().join(format!("{generation}.tar"));
            podman.save(&names[0], "oci-archive", &again).unwrap();
            assert!(again.metadata().unwrap().len() > 100_000);
        }
        if let Some(containerd) = containerd::start(generation) {
            let names = containerd.import(&archive).unwrap();
            assert_eq!(
                names,
                ["docker.io/library/testkit-saved:latest"],
                "{generation}"
            );
            let said = containerd
                .run(&names[0], &["/bin/busybox", "echo", "hello"])
                .unwrap();
            assert_eq!(said, "hello\n", "{generation}");
        }
    }
}

#[test]
fn a_registry_answers() {
    for generation in Generation::ALL {
        let Some(registry) = registry::start(generation) else {
            continue;
        };
        let said = http::get(registry.address(), "/v2/_catalog", Duration::from_secs(5)).unwrap();
        assert_eq!(said.body, b"{\"repositories\":[]}\n", "{generation}");
    }
}
