//! Docker Engines, as the command reaches them.

use std::process::Command;

use cooperage_testkit::docker::{self, Docker, Store};
use cooperage_testkit::own_registry::{OwnRegistry, OwnRegistryOptions};
use cooperage_testkit::peers;
use cooperage_testkit::registry;
use serde_json::Value;

use crate::support::{Project, Ran};

/// What goes to an engine beside the layers, at most: documents, headers and padding.
const OVERHEAD: u64 = 16 << 10;

fn engines() -> impl Iterator<Item = &'static Docker> {
    Store::ALL.into_iter().filter_map(docker::shared)
}

fn command(project: &Project, docker: &Docker) -> Command {
    let mut command = project.command();
    command
        .env(
            "DOCKER_HOST",
            format!("unix://{}", docker.socket().display()),
        )
        .env("XDG_CACHE_HOME", project.path("cache"))
        .env_remove("DOCKER_TLS_VERIFY")
        .env_remove("DOCKER_CERT_PATH");
    command
}

fn run(project: &Project, docker: &Docker, args: &[&str]) -> Ran {
    cooperage_testkit::program::run(command(project, docker).args(args), b"")
}

/// A plan of busybox, and over it of words, which it prints; no two engines get the same layers.
fn write_plan(project: &Project, docker: &Docker, words: &str, base: Option<&str>) -> Option<()> {
    let busybox = peers::tool("busybox")?;
    let store = format!("{:?}", docker.store()).to_lowercase();
    let base = base.map(|base| format!(r#","base":{{"reference":"{base}"}}"#));
    let plan = format!(
        r#"{{"plan":"image","version":1,"names":["cli-{store}:dev"]{},"config":{{"entrypoint":["/bin/busybox","cat","/motd"]}}}}
{{"layer":{{"name":"program"}}}}
{{"path":"bin/busybox","file":"{}","mode":"0755"}}
{{"path":"store","text":"{store}","mode":"0644"}}
{{"layer":{{"name":"words"}}}}
{{"path":"motd","text":"{words}","mode":"0644"}}
"#,
        base.unwrap_or_default(),
        busybox.path().display(),
    );
    project.write("app.plan", plan);
    Some(())
}

fn sent(ran: Ran) -> (u64, Value) {
    let json = ran.exits(0).json();
    let bytes = json["outputs"][0]["sent"]["bytes"].as_u64();
    (bytes.expect("a number"), json)
}

#[test]
fn a_changed_layer_is_all_that_is_loaded() {
    for docker in engines() {
        let project = Project::new();
        let name = format!("cli-{:?}:dev", docker.store()).to_lowercase();
        let load = [
            "build",
            "app.plan",
            "-o",
            "docker-daemon:",
            "--format",
            "json",
        ];
        let Some(()) = write_plan(&project, docker, "first", None) else {
            return;
        };
        let (whole, built) = sent(run(&project, docker, &load));
        let layers = built["images"][0]["layers"].as_array().expect("layers");
        let sizes: Vec<_> = layers
            .iter()
            .map(|layer| layer["stored_size"].as_u64().expect("a number"))
            .collect();
        assert!(whole >= sizes.iter().sum(), "{whole} {sizes:?}");
        assert_eq!(docker.run(&name, &[]).expect("it runs"), "first");

        // The same again is not sent at all, and after a change the last layer alone.
        let (nothing, _) = sent(run(&project, docker, &load));
        assert_eq!(nothing, 0, "{:?}", docker.store());
        write_plan(&project, docker, "second", None);
        let (last, built) = sent(run(&project, docker, &load));
        let size = built["images"][0]["layers"][1]["stored_size"].as_u64();
        let limit = size.expect("a number") + OVERHEAD;
        assert!(
            last > 0 && last < limit && limit < whole,
            "{last} of {whole}"
        );
        assert_eq!(docker.run(&name, &[]).expect("it runs"), "second");
        let said = run(&project, docker, &load[..4]).exits(0);
        said.says(&["docker-daemon:", "0 B sent"]);
    }
}

#[test]
fn images_are_copied_to_an_engine_and_back() {
    for docker in engines() {
        let project = Project::built();
        let store = format!("{:?}", docker.store()).to_lowercase();
        let there = format!("docker-daemon:copied-{store}:dev");
        let copied = run(
            &project,
            docker,
            &["copy", "oci:image", &there, "--format", "json"],
        );
        let copied = copied.exits(0).json();
        assert!(copied["images"][0]["bytes"].as_u64() > Some(0), "{copied}");
        let again = run(
            &project,
            docker,
            &["copy", "oci:image", &there, "--format", "json"],
        );
        assert_eq!(again.exits(0).json()["images"][0]["bytes"], 0);
        // Graph drivers keep configs and no manifests.
        let config = |location: &str| {
            let inspected = run(&project, docker, &["inspect", location, "--format", "json"]);
            inspected.exits(0).json()["images"][0]["config_digest"].clone()
        };
        assert!(config("oci:image").is_string());
        assert_eq!(config(&there), config("oci:image"), "{store}");
        run(&project, docker, &["copy", &there, "oci:back", "-q"]).exits(0);
        assert_eq!(config("oci:back"), config("oci:image"), "{store}");
        run(&project, docker, &["verify", &there]).exits(0);

        run(&project, docker, &["inspect", "docker-daemon:no-such:1"])
            .exits(1)
            .says(&["docker-daemon:docker.io/library/no-such:1", "has no image"]);
        run(&project, docker, &["inspect", "docker-daemon:"])
            .exits(1)
            .says(&["names no image"]);
    }
}

/// Graph drivers have layers without compression; those go to a registry in gzip, as docker push
/// sends them, and what containerd's store gives back keeps its digest.
#[test]
fn what_an_engine_has_goes_to_a_registry_in_gzip() {
    for docker in engines() {
        let Some(registry) = registry::start(docker.store().generation()) else {
            return;
        };
        let project = Project::new();
        let store = format!("{:?}", docker.store()).to_lowercase();
        let Some(()) = write_plan(&project, docker, "compressed", None) else {
            return;
        };
        let here = format!("docker-daemon:cli-{store}:gzip");
        let load = ["build", "app.plan", "-o", &here, "--format", "json"];
        let built = run(&project, docker, &load).exits(0).json();
        let name = format!("{}/team/{store}:1", registry.address());
        let to = format!("docker://{name}");
        let push = ["copy", &here, &to, "--format", "json"];
        let pushed = run(&project, docker, &push).exits(0).json();

        let (digest, bytes) = registry
            .manifest(&format!("team/{store}"), "1")
            .expect("a tag");
        assert_eq!(pushed["images"][0]["digest"], digest.as_str());
        let manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(
            manifest["config"]["digest"],
            built["images"][0]["config_digest"]
        );
        let layers = manifest["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 2);
        for layer in layers {
            let media_type = layer["mediaType"].as_str().expect("text");
            assert!(media_type.ends_with("tar+gzip"), "{store}: {media_type}");
        }
        if docker.store() == Store::ModernContainerd {
            assert_eq!(pushed["recompressed"], Value::Null);
            assert_eq!(digest, built["digest"].as_str().expect("text"));
        } else {
            let made = &pushed["recompressed"]["layers"][0];
            let (before, after) = (made["from_size"].as_u64(), made["to_size"].as_u64());
            assert!(after.is_some() && after < before, "{store}: {made}");
            // The same bytes each time, so the second push sends none.
            let again = run(&project, docker, &push).exits(0).json();
            assert_eq!(again["images"][0]["digest"], digest.as_str());
            assert_eq!(again["images"][0]["bytes"], 0, "{again}");
        }
        assert_eq!(
            registry.missing(&format!("team/{store}"), "1"),
            Vec::<String>::new()
        );

        docker
            .remove_image(&format!("cli-{store}:gzip"))
            .expect("it is there");
        docker
            .client()
            .run(["pull", "--quiet", &name])
            .expect("Docker pulls it");
        assert_eq!(
            docker.run(&name, &[]).expect("it runs"),
            "compressed",
            "{store}"
        );
        docker.remove_image(&name).expect("it is there");
        if let Some(skopeo) = peers::skopeo(docker.store().generation()) {
            let seen = skopeo
                .run(["inspect", "--tls-verify=false", &to])
                .expect("it is read");
            let seen: Value = serde_json::from_str(&seen).expect("JSON");
            assert_eq!(seen["Digest"], digest.as_str());
            let layer = seen["Layers"][0].as_str();
            assert_eq!(layer, layers[0]["digest"].as_str());
        }
    }
}

/// Of a base in a registry only documents come, once the engine has its layers.
#[test]
fn layers_of_a_base_that_the_engine_has_stay_where_they_are() {
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let base = format!("docker://{}/team/base:1", registry.address());
    for docker in engines() {
        let project = Project::built();
        run(&project, docker, &["copy", "oci:image", &base, "-q"]).exits(0);
        let load = [
            "build",
            "app.plan",
            "-o",
            "docker-daemon:on-base:dev",
            "--no-cache",
            "--format",
            "json",
        ];
        let Some(()) = write_plan(&project, docker, "on a base", Some(&base)) else {
            return;
        };
        sent(run(&project, docker, &load));
        assert_eq!(
            docker.run("on-base:dev", &[]).expect("it runs"),
            "on a base"
        );
        write_plan(&project, docker, "on the same", Some(&base));
        let since = registry.asked().len();
        sent(run(&project, docker, &load));
        let asked = registry.asked().split_off(since);
        let fetched = |it: &&String| it.starts_with("GET") && it.contains("/blobs/");
        // The config.
        assert_eq!(asked.iter().filter(fetched).count(), 1, "{asked:#?}");
        assert_eq!(
            docker.run("on-base:dev", &[]).expect("it runs"),
            "on the same"
        );
        docker.remove_image("on-base:dev").expect("it is removed");
    }
}

/// Nothing is built for a daemon that is not there.
#[test]
fn a_daemon_that_is_not_there_is_told_of_first() {
    let project = Project::new();
    let before = project.names();
    for (host, words) in [
        ("unix:///nowhere.sock", "`DOCKER_HOST`"),
        ("ssh://elsewhere", "is not supported"),
    ] {
        let mut command = project.command();
        command.env("DOCKER_HOST", host);
        command.args(["build", "app.plan", "-o", "oci:new", "-o", "docker-daemon:"]);
        let ran = cooperage_testkit::program::run(&mut command, b"");
        ran.exits(1).says(&["error: ", words]);
        assert_eq!(project.names(), before);
    }
}
