//! Launchers that bring images to registries and daemons: `push`, `load`.

use cooperage_testkit::docker::{self, Docker, Store};
use cooperage_testkit::faults::Proxy;
use cooperage_testkit::own_registry::{OwnRegistry, OwnRegistryOptions};
use cooperage_testkit::peers::{self, Generation};
use cooperage_testkit::{program, registry};
use serde_json::{Value, json};

use crate::pieces::{Pieces, Silent as _};
use crate::support::Ran;

fn push(pieces: &Pieces, lines: &[&str], args: &[&str]) -> Ran {
    program::run(pieces.launcher("push", lines).args(args), b"")
}

fn repository(address: &str, rest: &str) -> String {
    format!(r#"{{"repository":"{address}/{rest}"}}"#)
}

fn tag(tag: &str) -> String {
    format!(r#"{{"name":"{tag}"}}"#)
}

#[test]
fn an_image_in_pieces_is_pushed_and_an_unchanged_one_costs_one_request() {
    for generation in Generation::ALL {
        let Some(registry) = registry::start(generation) else {
            continue;
        };
        let pieces = Pieces::new();
        let proxy = Proxy::start(registry.address(), Vec::new());
        let to = repository(proxy.address(), "team/app");
        let lines = [&*to, &tag("1.0")];
        let pushed = push(&pieces, &lines, &["--format", "json"]).exits(0).json();
        assert_eq!(pushed["digest"], pieces.digest());
        assert_eq!(pushed["outputs"][0]["sent"]["blobs"], 3);
        let name = format!("{}/team/app:1.0", proxy.address());
        assert_eq!(pushed["outputs"][0]["names"], json!([name]));
        assert_eq!(registry.missing("team/app", "1.0"), Vec::<String>::new());
        let (digest, _) = registry.manifest("team/app", "1.0").expect("it is there");
        assert_eq!(digest, pieces.digest());

        let before = proxy.seen().len();
        let again = push(&pieces, &lines, &[]).exits(0);
        again.says(&[
            &format!("image {}", pieces.digest()),
            &format!("as {name}"),
            "0 B sent",
        ]);
        let seen = proxy.seen().split_off(before);
        let asked: Vec<_> = seen.iter().map(|it| (it.method(), it.target())).collect();
        assert_eq!(asked, [("HEAD", "/v2/team/app/manifests/1.0")]);

        // Tags of the command line take the place of those of the request.
        push(&pieces, &lines, &["--tag", "2.0", "-t", "next", "-q"]).silent();
        assert_eq!(registry.tags("team/app"), ["1.0", "2.0", "next"]);
    }
}

#[test]
fn layers_of_a_base_in_the_same_registry_are_mounted() {
    for generation in Generation::ALL {
        let Some(registry) = registry::start(generation) else {
            continue;
        };
        let address = registry.address();
        let mut pieces = Pieces::new();
        push(
            &pieces,
            &[&repository(address, "base/app"), &tag("1")],
            &["-q"],
        )
        .silent();
        let base = format!("docker://{address}/base/app@{}", pieces.digest());
        pieces.layer("app-own", r#"{"path":"own","text":"own","mode":"0644"}"#);
        pieces.image("app-on", &format!(r#","base":"{base}""#), &["app-own"]);
        let source = format!(r#"{{"part":"source","reference":"{base}"}}"#);
        let before = registry.log().len();
        push(
            &pieces,
            &[&repository(address, "team/app"), &tag("1"), &source],
            &["-q"],
        )
        .silent();
        assert_eq!(registry.missing("team/app", "1"), Vec::<String>::new());
        let log = registry.log().split_off(before);
        let mounted = log.lines().filter(|line| {
            line.contains("mount=sha256") && line.contains("base%2Fapp") && line.contains("\" 201 ")
        });
        assert_eq!(mounted.count(), 1, "{log}");
        assert!(!log.contains("GET /v2/base/app/blobs/"), "{log}");
    }
}

#[test]
fn layers_of_a_base_in_another_registry_are_passed_on() {
    let [from, to] = [(); 2].map(|()| OwnRegistry::start(OwnRegistryOptions::default()));
    let mut pieces = Pieces::new();
    push(
        &pieces,
        &[&repository(from.address(), "base/app"), &tag("1")],
        &["-q"],
    )
    .silent();
    let base = format!("docker://{}/base/app@{}", from.address(), pieces.digest());
    pieces.layer("app-own", r#"{"path":"own","text":"own","mode":"0644"}"#);
    pieces.image("app-on", &format!(r#","base":"{base}""#), &["app-own"]);
    let lines = [&*repository(to.address(), "team/app"), &tag("1")];
    push(&pieces, &lines, &[]).fails(&[
        "is not in any of the image's parts",
        "app-on.manifest` lists it",
    ]);
    assert_eq!(
        to.content("team/app", "1"),
        None,
        "a name without its image"
    );
    let source = format!(r#"{{"part":"source","reference":"{base}"}}"#);
    push(&pieces, &[lines[0], lines[1], &source], &["-q"]).silent();
    let manifest = to.content("team/app", "1").expect("it was pushed");
    assert_eq!(manifest, pieces.project.read("app-on.manifest"));
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    for layer in manifest["layers"].as_array().expect("a list") {
        let digest = layer["digest"].as_str().expect("a digest");
        assert!(to.content("team/app", digest).is_some(), "{digest}");
    }
}

#[test]
fn an_index_is_pushed_whole() {
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let mut pieces = Pieces::new();
    pieces.index();
    let lines = [
        &*repository(registry.address(), "team/app"),
        &tag("1"),
        &tag("latest"),
    ];
    push(&pieces, &lines, &["-q"]).silent();
    for name in ["1", "latest"] {
        let index = registry.content("team/app", name).expect("it was pushed");
        assert_eq!(index, pieces.project.read("all.index"));
    }
    for image in ["app", "arm"] {
        let descriptor = pieces.project.read_json(&format!("{image}.descriptor"));
        let digest = descriptor["digest"].as_str().expect("a digest");
        let manifest = registry.content("team/app", digest);
        assert_eq!(
            manifest,
            Some(pieces.project.read(&format!("{image}.manifest")))
        );
    }
}

#[test]
fn without_a_tag_the_digest_is_the_name() {
    for generation in Generation::ALL {
        let Some(registry) = registry::start(generation) else {
            continue;
        };
        let pieces = Pieces::new();
        let proxy = Proxy::start(registry.address(), Vec::new());
        let to = repository(proxy.address(), "team/app");
        let pushed = push(&pieces, &[&to], &["--format", "json"]).exits(0).json();
        assert_eq!(pushed["outputs"][0]["names"], json!([]));
        let digest = pieces.digest();
        assert_eq!(registry.missing("team/app", &digest), Vec::<String>::new());
        assert_eq!(registry.tags("team/app"), Vec::<String>::new());
        let before = proxy.seen().len();
        push(&pieces, &[&to], &["-q"]).silent();
        let seen = proxy.seen().split_off(before);
        let asked: Vec<_> = seen.iter().map(|it| (it.method(), it.target())).collect();
        let target = format!("/v2/team/app/manifests/{digest}");
        assert_eq!(asked, [("HEAD", &*target)]);
    }
}

#[test]
fn an_image_goes_wherever_the_command_line_says() {
    let pieces = Pieces::new();
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let lines = [&*repository("registry.invalid", "team/app"), &tag("1.0")];
    let to = format!("docker://{}/other/app", registry.address());
    let pushed = push(
        &pieces,
        &lines,
        &[
            "--to",
            "oci:out",
            "--to",
            "docker-archive:app.tar:app:dev",
            "--to",
            &to,
        ],
    );
    pushed.exits(0).says(&[
        "in oci:out",
        "as 1.0",
        "in docker-archive:app.tar",
        "as app:dev",
        &to,
    ]);
    let project = &pieces.project;
    assert_eq!(project.digest("oci:out:1.0"), pieces.digest());
    assert_eq!(
        project.digest("docker-archive:app.tar:app:dev"),
        pieces.digest()
    );
    let manifest = registry.content("other/app", "1.0");
    assert_eq!(manifest, Some(project.read("app.manifest")));

    // A whole location in the request.
    let to = format!(r#"{{"to":"docker://{}/third/app:v3"}}"#, registry.address());
    push(&pieces, &[&to], &["-q"]).silent();
    assert!(registry.content("third/app", "v3").is_some());
}

#[test]
fn what_is_wrong_with_a_push_is_said_before_anything_is_sent() {
    let pieces = Pieces::new();
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    let to = repository(registry.address(), "team/app");
    push(&pieces, &[], &[]).fails(&["does not say where to push to", "`-- --to LOCATION`"]);
    push(
        &pieces,
        &[&repository("r.example", "app:1"), &tag("1")],
        &[],
    )
    .fails(&[
        "`r.example/app:1` is more than a repository",
        "`{\"name\":\"TAG\"}`",
    ]);
    push(&pieces, &[&repository("r.example", "App"), &tag("1")], &[])
        .fails(&["`r.example/App` is no repository"]);
    push(&pieces, &[r#"{"to":"ocl:x"}"#], &[]).fails(&["`ocl:x` is no location"]);
    push(&pieces, &[&to], &["--to", "nowhere"]).exits(2);
    assert_eq!(registry.asked(), Vec::<String>::new());

    let mut bytes = pieces.project.read("app.blob");
    bytes[20] ^= 1;
    pieces.project.write("app.blob", bytes);
    push(&pieces, &[&to, &tag("1")], &[]).fails(&["app.blob` is damaged"]);
    assert_eq!(registry.content("team/app", "1"), None);
    // Launchers do not run as actions.
    pieces.act_on("push", &[&to, &tag("1")]).fails(&["push"]);
}

#[test]
fn names_take_words_of_the_build_or_are_left_out() {
    let pieces = Pieces::new();
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    pieces
        .project
        .write("app-stable", "STABLE_GIT 1f3c\nSTABLE_TEAM casks\n");
    pieces
        .project
        .write("app-volatile", "BUILD_TIMESTAMP 1700000000\n");
    let to = repository(registry.address(), "{{STABLE_TEAM}}/app");
    let lines = [
        &*to,
        &tag("v-{{STABLE_GIT}}"),
        &tag("t{{BUILD_TIMESTAMP}}"),
        r#"{"input":"stamp","file":"app-stable"}"#,
        r#"{"input":"stamp","file":"app-volatile"}"#,
    ];
    push(&pieces, &lines, &["-q"]).silent();
    for tag in ["v-1f3c", "t1700000000"] {
        assert!(registry.content("casks/app", tag).is_some(), "{tag}");
    }
    push(&pieces, &lines[..4], &[]).fails(&[
        "`t{{BUILD_TIMESTAMP}}`: no stamp `BUILD_TIMESTAMP` is known",
        "`STABLE_GIT`",
    ]);
    // Without stamps there is no repository, or no tag.
    push(&pieces, &lines[..3], &[]).fails(&["does not say where to push to"]);
    let to = repository(registry.address(), "team/app");
    push(&pieces, &[&to, lines[1]], &[])
        .fails(&["no tag is left to push the image under", "`--stamp`"]);
    push(&pieces, &[&to, lines[1], &tag("dev")], &["-q"]).silent();
    assert!(registry.content("team/app", "dev").is_some());
    let missing = r#"{"input":"stamp","file":"app-nothing"}"#;
    push(&pieces, &[&to, lines[1], missing], &[]).fails(&["app-nothing"]);
}

fn engines() -> impl Iterator<Item = &'static Docker> {
    Store::ALL.into_iter().filter_map(docker::shared)
}

fn load(pieces: &Pieces, docker: &Docker, lines: &[&str], args: &[&str]) -> Ran {
    let host = format!("unix://{}", docker.socket().display());
    let mut launcher = pieces.launcher("load", lines);
    program::run(launcher.env("DOCKER_HOST", host).args(args), b"")
}

/// An image of busybox that prints words; no two engines get the same layers.
fn runnable(docker: &Docker, words: &str, base: Option<&str>) -> Option<Pieces> {
    let busybox = peers::tool("busybox")?;
    let mut pieces = Pieces::new();
    pieces.program = "cat";
    pieces.layer(
        "app-program",
        &format!(
            "{{\"path\":\"app/cat\",\"file\":{},\"mode\":\"0755\"}}\n{{\"path\":\"app/store\",\"text\":\"{:?}\",\"mode\":\"0644\"}}",
            json!(busybox.path()),
            docker.store()
        ),
    );
    pieces.layer(
        "app-words",
        &format!(r#"{{"path":"app/words","text":"{words}","mode":"0644"}}"#),
    );
    match base {
        None => pieces.image("app-all", "", &["app-program", "app-words"]),
        Some(base) => pieces.image("app-all", base, &["app-words"]),
    }
    Some(pieces)
}

fn name(docker: &Docker, rest: &str) -> String {
    format!("load-{:?}:{rest}", docker.store()).to_lowercase()
}

#[test]
fn an_image_in_pieces_is_loaded_and_only_once() {
    for docker in engines() {
        let Some(pieces) = runnable(docker, "hello", None) else {
            return;
        };
        let (first, second) = (name(docker, "dev"), name(docker, "other"));
        let line = tag(&first);
        let loaded = load(&pieces, docker, &[&line], &["--format", "json"]);
        let loaded = loaded.exits(0).json();
        assert_eq!(loaded["outputs"][0]["sent"]["blobs"], 2, "{loaded}");
        let said = docker.run(&first, &["/app/words"]);
        assert_eq!(said.expect("it runs"), "hello", "{}", docker.store());
        let again = load(&pieces, docker, &[&line], &["--format", "json"]);
        assert_eq!(again.exits(0).json()["outputs"][0]["sent"]["bytes"], 0);
        load(&pieces, docker, &[&line], &["--name", &second])
            .exits(0)
            .says(&["0 B sent", &format!("as docker.io/library/{second}")]);
        // With other words, the program stays where it is.
        let Some(other) = runnable(docker, "goodbye", None) else {
            return;
        };
        let loaded = load(&other, docker, &[&line], &["--format", "json"]);
        let loaded = loaded.exits(0).json();
        assert_eq!(loaded["outputs"][0]["sent"]["blobs"], 1, "{loaded}");
        let said = docker.run(&first, &["/app/words"]);
        assert_eq!(said.expect("it runs"), "goodbye", "{}", docker.store());
        docker.remove_image(&first).expect("it is there");
        docker.remove_image(&second).expect("it is there");
    }
}

/// Of a base that the engine pulled, no layer is fetched.
#[test]
fn layers_of_a_base_that_the_engine_has_are_not_fetched() {
    for docker in engines() {
        let Some(registry) = registry::start(docker.store().generation()) else {
            continue;
        };
        let Some(base) = runnable(docker, "base", None) else {
            return;
        };
        let path = name(docker, "1").replace(":1", "");
        push(
            &base,
            &[&repository(registry.address(), &path), &tag("1")],
            &["-q"],
        )
        .silent();
        let reference = format!("{}/{path}@{}", registry.address(), base.digest());
        docker
            .client()
            .run(["pull", "--quiet", &reference])
            .expect("Docker pulls it");
        let member = format!(r#","base":"docker://{reference}""#);
        let Some(pieces) = runnable(docker, "on a base", Some(&member)) else {
            return;
        };
        let source = format!(r#"{{"part":"source","reference":"docker://{reference}"}}"#);
        let full = name(docker, "on-base");
        let since = registry.log().len();
        let loaded = load(
            &pieces,
            docker,
            &[&tag(&full), &source],
            &["--format", "json"],
        );
        let loaded = loaded.exits(0).json();
        assert_eq!(loaded["outputs"][0]["sent"]["blobs"], 1, "{loaded}");
        let log = registry.log().split_off(since);
        assert!(!log.contains("/blobs/"), "{}: {log}", docker.store());
        let said = docker.run(&full, &["/app/words"]);
        assert_eq!(said.expect("it runs"), "on a base", "{}", docker.store());
        docker.remove_image(&full).expect("it is there");
        docker.remove_image(&reference).expect("it is there");
    }
}

#[test]
fn of_an_index_the_engine_gets_the_image_for_its_own_platform() {
    for docker in engines() {
        let Some(mut pieces) = runnable(docker, "index", None) else {
            return;
        };
        pieces.image("app", "", &["app-program", "app-words"]);
        pieces.index();
        let full = name(docker, "index");
        load(&pieces, docker, &[&tag(&full)], &["-q"]).silent();
        assert_eq!(
            docker.inspect(&full).expect("it is there")["Architecture"],
            "amd64"
        );
        load(
            &pieces,
            docker,
            &[&tag(&full)],
            &["-q", "--platform", "linux/arm64"],
        )
        .silent();
        assert_eq!(
            docker.inspect(&full).expect("it is there")["Architecture"],
            "arm64"
        );
        load(
            &pieces,
            docker,
            &[&tag(&full)],
            &["--platform", "linux/s390x"],
        )
        .fails(&["linux/s390x", "linux/amd64", "linux/arm64"]);
        docker.remove_image(&full).expect("it is there");
    }
}

#[test]
fn what_is_wrong_with_a_load_is_said() {
    let pieces = Pieces::new();
    let run = |lines: &[&str], args: &[&str]| {
        let mut launcher = pieces.launcher("load", lines);
        program::run(
            launcher
                .env("DOCKER_HOST", "unix:///nowhere.sock")
                .args(args),
            b"",
        )
    };
    run(&[], &[]).fails(&[
        "no name is left to load the image under",
        "`-- --name REFERENCE`",
    ]);
    run(&[&tag("No Name")], &[]).fails(&["`No Name` cannot name an image in a daemon"]);
    run(&[&tag("app:1")], &[]).fails(&["`DOCKER_HOST`"]);
    pieces.act_on("load", &[&tag("app:1")]).fails(&["load"]);
}
