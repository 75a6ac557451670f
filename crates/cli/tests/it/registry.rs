//! Registries, as the command reaches them, and its cache.

use cooperage_testkit::faults::{Fault, On, Proxy, Rule};
use cooperage_testkit::own_registry::{OwnRegistry, OwnRegistryOptions};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry::{self, Login, PASSWORD, RegistryOptions, USER};

use crate::support::{PLAN, Project, Ran};

/// What is run here, with a cache and a home of its own.
struct Place {
    project: Project,
    registry: OwnRegistry,
}

impl Place {
    fn new() -> Self {
        Self {
            project: Project::built(),
            registry: OwnRegistry::start(OwnRegistryOptions::default()),
        }
    }

    fn run(&self, args: &[&str]) -> Ran {
        run(&self.project, args)
    }

    fn at(&self, rest: &str) -> String {
        format!("docker://{}/{rest}", self.registry.address())
    }

    /// What was asked since the last `since` requests.
    fn asked(&self, since: usize) -> Vec<String> {
        self.registry.asked().split_off(since)
    }
}

fn run(project: &Project, args: &[&str]) -> Ran {
    let output = project
        .command()
        .args(args)
        .env("HOME", project.path("home"))
        .env("XDG_CACHE_HOME", project.path("cache"))
        .env("XDG_CONFIG_HOME", project.path("config"))
        .env("XDG_RUNTIME_DIR", project.path("run"))
        .env_remove("DOCKER_CONFIG")
        .env_remove("REGISTRY_AUTH_FILE")
        .output()
        .expect("the program starts");
    Ran {
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8(output.stderr).expect("errors are text"),
    }
}

#[test]
fn an_image_keeps_its_digest_through_a_registry() {
    let place = Place::new();
    let digest = place.project.digest("oci:image");
    let app = place.at("team/app:1.2");
    let pushed = place.run(&["copy", "oci:image", &app, "--format", "json"]);
    let pushed = pushed.exits(0).json();
    assert_eq!(pushed["images"][0]["digest"], digest);
    assert_eq!(pushed["images"][0]["blobs"], 4);
    // The second push asks what the tag means, and no more.
    let since = place.registry.asked().len();
    let again = place.run(&["copy", "oci:image", &app, "--format", "json"]);
    assert_eq!(again.exits(0).json()["images"][0]["blobs"], 0);
    assert!(place.asked(since).len() <= 2, "{:?}", place.asked(since));
    // What is only sent needs no cache.
    assert!(!place.project.path("cache").exists());

    place.run(&["copy", &app, "oci:back", "-q"]).exits(0);
    assert_eq!(place.project.digest("oci:back"), digest);
    place
        .run(&["copy", &app, "docker-archive:back.tar:app:dev"])
        .exits(0);
    assert_eq!(place.project.digest("docker-archive:back.tar"), digest);

    let inspected = place.run(&["inspect", &app, "--format", "json"]).exits(0);
    assert_eq!(inspected.json()["digest"], digest);
    place.run(&["ls", &app]).exits(0).says(&["etc/motd"]);
    place.run(&["verify", &app]).exits(0);
    place.run(&["unpack", &app, "files", "--rootless"]).exits(0);
    assert_eq!(place.project.read("files/etc/motd"), b"new!\n");
}

#[test]
fn tags_are_listed_and_copied_all_at_once() {
    let place = Place::new();
    for tag in ["1", "2"] {
        let to = place.at(&format!("team/app:{tag}"));
        place.run(&["copy", "oci:image", &to, "-q"]).exits(0);
    }
    let repository = format!("{}/team/app", place.registry.address());
    for name in [repository.clone(), format!("docker://{repository}")] {
        let listed = place.run(&["list-tags", &name]).exits(0);
        assert_eq!(listed.text(), "1\n2\n");
        let listed = place
            .run(&["list-tags", &name, "--format", "json"])
            .exits(0);
        assert_eq!(listed.json()["repository"], repository);
        assert_eq!(listed.json()["tags"][1], "2");
    }
    place
        .run(&["list-tags", &format!("{repository}:1")])
        .exits(1)
        .says(&["leave its tag and digest out"]);
    place
        .run(&["list-tags", &format!("{}/none", place.registry.address())])
        .exits(1)
        .says(&["error: cannot list the tags of"]);

    let all = ["copy", "--all", &place.at("team/app"), "oci:all", "-q"];
    place.run(&all).exits(0);
    for tag in ["1", "2"] {
        let name = format!("oci:all:{repository}:{tag}");
        assert_eq!(
            place.project.digest(&name),
            place.project.digest("oci:image")
        );
    }
    place
        .run(&["copy", "--all", "oci:all", &place.at("other/app"), "-q"])
        .exits(0);
    let listed = place.run(&["list-tags", &place.at("other/app")]).exits(0);
    assert_eq!(listed.text(), "1\n2\n");
}

/// On a base of a registry: what goes to a registry mounts its layers, what stays here has them
/// fetched once.
#[test]
fn layers_of_a_base_stay_where_they_are() {
    let place = Place::new();
    let base = place.at("team/base:1");
    place.run(&["copy", "oci:image", &base, "-q"]).exits(0);
    let plan = format!(
        "{{\"plan\":\"image\",\"version\":1,\"names\":[\"app:2.0\"],\
         \"base\":{{\"reference\":\"{base}\"}}}}\n\
         {{\"layer\":{{\"name\":\"own\"}}}}\n{{\"path\":\"own\",\"text\":\"own\",\"mode\":\"0644\"}}\n"
    );
    place.project.write("on.plan", plan);

    let since = place.registry.asked().len();
    let app = place.at("team/app");
    let built = place.run(&["build", "on.plan", "-o", &app]).exits(0);
    // The layer and the config, each when it is there.
    assert_eq!(
        built.err.matches(" to the registry (").count(),
        2,
        "{}",
        built.err
    );
    let asked = place.asked(since);
    let of = |words: &[&str]| {
        let all = |it: &&String| words.iter().all(|word| it.contains(word));
        asked.iter().filter(all).count()
    };
    assert_eq!(
        of(&["POST", "mount=", "from=team%2Fbase"]) + of(&["POST", "mount=", "from=team/base"]),
        2,
        "{asked:#?}"
    );
    // Of the base its manifest and config alone.
    assert_eq!(of(&["GET", "team/base/blobs/"]), 1, "{asked:#?}");
    let pushed = place.at("team/app:2.0");
    place.run(&["verify", &pushed]).exits(0);

    // The same image here: the base's layers come once, and a third time from the cache.
    place
        .run(&["build", "on.plan", "-o", "oci:here", "-q"])
        .exits(0);
    assert_eq!(place.project.digest("oci:here"), {
        let inspected = place.run(&["inspect", &pushed, "--format", "json"]);
        inspected.exits(0).json()["digest"]
            .as_str()
            .expect("text")
            .to_owned()
    });
    let since = place.registry.asked().len();
    place
        .run(&["build", "on.plan", "-o", "oci:again", "-q"])
        .exits(0);
    let asked = place.asked(since);
    assert!(!asked.iter().any(|it| it.contains("/blobs/")), "{asked:#?}");
    let since = place.registry.asked().len();
    place
        .run(&["build", "on.plan", "-o", "oci:third", "-q", "--no-cache"])
        .exits(0);
    let asked = place.asked(since);
    let layers = |it: &&String| it.starts_with("GET") && it.contains("/blobs/");
    assert_eq!(asked.iter().filter(layers).count(), 3, "{asked:#?}");
}

/// What is made goes to registries as it is made, once to each, and from one repository to the next
/// by itself; of what is there nothing goes.
#[test]
fn an_image_is_built_to_registries() {
    let place = Place::new();
    std::fs::create_dir(place.project.path("tmp")).expect("a directory");
    let (one, two) = (place.at("team/one"), place.at("team/two:2"));
    let run = |more: &[&str]| {
        let args = [
            "build", "app.plan", "--format", "json", "-o", &one, "-o", &two,
        ];
        let output = place
            .project
            .command()
            .args(args)
            .args(more)
            .env("TMPDIR", "tmp")
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
    };
    let built = run(&["--metadata-file", "meta"]);
    assert_eq!(built["digest"], place.project.digest("oci:image"));
    assert_eq!(place.project.read_json("meta"), built);
    let sent = |built: &serde_json::Value, at: usize, what: &str| {
        built["outputs"][at]["sent"][what]
            .as_u64()
            .expect("a number")
    };
    // Two layers, a config and a manifest; of the second the manifest.
    assert_eq!(sent(&built, 0, "blobs"), 4);
    assert_eq!(
        (sent(&built, 1, "blobs"), sent(&built, 1, "skipped")),
        (1, 3)
    );
    for name in [place.at("team/one:1.0"), two.clone()] {
        place.run(&["verify", &name]).exits(0);
    }
    let since = place.registry.asked().len();
    let again = run(&["-o", "docker-archive:also.tar"]);
    assert_eq!(sent(&again, 0, "bytes") + sent(&again, 1, "bytes"), 0);
    let asked = place.asked(since);
    let sends = |it: &&String| it.starts_with('P');
    assert_eq!(asked.iter().filter(sends).count(), 0, "{asked:#?}");
    let archive = place.project.digest("docker-archive:also.tar");
    assert_eq!(archive, place.project.digest("oci:image"));
    assert_eq!(crate::support::names(&place.project.path("tmp")), [""; 0]);
}

/// A push cannot be taken back, so it comes when everything else is there; what is there is said.
#[test]
fn names_of_registries_come_last() {
    let place = Place::new();
    let refuse = |on| Rule::always(on, status(400));
    let proxy = Proxy::start(place.registry.address(), vec![refuse(On::ManifestPut)]);
    let refusing = format!("docker://{}/team/app:1", proxy.address());
    let fine = place.at("team/app:2");
    let args = [
        "build",
        "app.plan",
        "-o",
        &fine,
        "-o",
        &refusing,
        "-o",
        "oci:new",
        "-o",
        "oci-archive:new.tar",
        "--digest-file",
        "digest",
    ];
    place.run(&args).exits(1).says(&[
        &format!("cannot publish `{refusing}`; `oci:new`, `oci-archive:new.tar`, `{fine}` are"),
        "written and stay",
        "400",
    ]);
    let digest = place.project.digest("oci:image");
    for there in ["oci:new", "oci-archive:new.tar"] {
        assert_eq!(place.project.digest(there), digest);
    }
    place.run(&["verify", &fine]).exits(0);
    assert!(!place.project.path("digest").exists());
    assert!(place.registry.content("team/app", "1").is_none());

    // If it is the blobs that are refused, nothing is there, named or not.
    proxy.set_rules(vec![refuse(On::Begin)]);
    let other = format!("docker://{}/team/other:1", proxy.address());
    let args = [
        "build",
        "app.plan",
        "-o",
        &other,
        "-o",
        "oci:other",
        "-o",
        "docker-archive:other.tar",
    ];
    let before = place.project.names();
    place.run(&args).exits(1).says(&["400"]);
    assert_eq!(place.project.names(), before);
}

fn status(status: u16) -> Fault {
    Fault::Status {
        status,
        retry_after: None,
    }
}

#[test]
fn the_cache_is_looked_at_and_cleared() {
    let place = Place::new();
    let app = place.at("team/app:1");
    place.run(&["copy", "oci:image", &app, "-q"]).exits(0);
    let usage = |place: &Place| {
        place
            .run(&["cache", "usage", "--format", "json"])
            .exits(0)
            .json()
    };
    assert_eq!(usage(&place)["blobs"], 0);
    place.run(&["ls", &app]).exits(0);
    let found = usage(&place);
    assert_eq!(found["blobs"], 4);
    assert_eq!(found["limit"], 10_u64 << 30);
    let directory = found["directory"].as_str().expect("text");
    assert!(directory.ends_with("cache/cooperage"), "{directory}");
    place.run(&["cache", "usage"]).exits(0).says(&["4 blobs"]);
    let kept = place.run(&["cache", "prune", "--keep", "1G", "--format", "json"]);
    assert_eq!(kept.exits(0).json()["removed"], 0);
    place
        .run(&["cache", "prune"])
        .exits(0)
        .says(&["removed", "4 files"]);
    assert_eq!(usage(&place)["blobs"], 0);

    place
        .run(&["ls", &app, "--cache-dir", "own", "--cache-limit", "1M"])
        .exits(0);
    let own = ["cache", "usage", "--cache-dir", "own", "--format", "json"];
    assert_eq!(place.run(&own).exits(0).json()["blobs"], 4);
    assert_eq!(usage(&place)["blobs"], 0);
    place.run(&["cache", "prune", "--keep", "much"]).exits(2);
    place
        .run(&["cache", "usage", "--no-cache"])
        .exits(1)
        .says(&["there is no cache"]);
    place
        .run(&["ls", &app, "--cache-dir", "app/x"])
        .exits(1)
        .says(&["--cache-dir"]);
}

/// With a name and a password, from a file that a flag or the environment names; and a helper that
/// fails is told of.
#[test]
fn logins() {
    let options = RegistryOptions {
        login: Login::Basic,
        certificate: None,
    };
    let Some(registry) = registry::start_with(Generation::Stable, &options) else {
        return;
    };
    let project = Project::built();
    let app = format!("docker://{}/team/app:1", registry.address());
    let auths = |password: &str| {
        let address = registry.address();
        format!(
            r#"{{"auths": {{"{address}": {{"username": "{USER}", "password": "{password}"}}}}}}"#
        )
    };
    project.write("right.json", auths(PASSWORD));
    project.write("wrong.json", auths("hunter2"));
    project.write("helper.json", r#"{"credsStore": "cooperage-missing"}"#);
    run(
        &project,
        &["copy", "oci:image", &app, "-q", "--authfile", "right.json"],
    )
    .exits(0);
    run(&project, &["inspect", &app, "--authfile", "right.json"]).exits(0);

    let refused = run(&project, &["inspect", &app, "--authfile", "wrong.json"]).exits(1);
    assert!(!refused.err.contains("hunter2"), "{}", refused.err);
    refused.says(&["401"]);
    run(&project, &["inspect", &app, "--authfile", "none.json"])
        .exits(1)
        .says(&[
            "warning: no logins are read from `none.json`, named by `--authfile`",
            "401",
        ]);
    run(&project, &["inspect", &app, "--authfile", "helper.json"])
        .exits(1)
        .says(&[
            "docker-credential-cooperage-missing",
            "there is no such program in `PATH`",
        ]);
    // Who logged in with docker is logged in here.
    std::fs::create_dir_all(project.path("home/.docker")).expect("a directory");
    project.write("home/.docker/config.json", auths(PASSWORD));
    run(&project, &["inspect", &app]).exits(0);
}

#[test]
fn faults_are_named() {
    let place = Place::new();
    let zeros = "0".repeat(64);
    for (args, words) in [
        (["inspect", "docker:app"], "lacks two slashes"),
        (["inspect", "docker://App"], "upper case"),
    ] {
        place.run(&args).exits(2).says(&[words]);
    }
    let absent = place.at("team/none:1");
    place
        .run(&["inspect", &absent])
        .exits(1)
        .says(&["error: ", &absent, "MANIFEST_UNKNOWN"]);
    let by_digest = place.at(&format!("team/app@sha256:{zeros}"));
    place
        .run(&["copy", "oci:image", &by_digest])
        .exits(1)
        .says(&["names a digest"]);
    assert!(PLAN.contains("app:1.0"));
}

#[test]
fn what_was_found_out_about_a_base_spares_its_layers() {
    let place = Place::new();
    let base = place.at("team/base:1");
    place.run(&["copy", "oci:image", &base, "-q"]).exits(0);
    let plan = format!(
        "{{\"plan\":\"image\",\"version\":1,\"base\":{{\"reference\":\"{base}\"}}}}\n\
         {{\"layer\":{{}}}}\n{{\"path\":\"more\",\"file\":\"app\"}}\n"
    );
    place.project.write("on-base.plan", plan);
    let build = |more: &[&str]| {
        let since = place.registry.asked().len();
        let app = place.at("team/app:1");
        let all = [&["build", "on-base.plan", "-q", "-o", &app], more].concat();
        place.run(&all).exits(0);
        let asked = place.asked(since);
        let is_blob = |it: &&String| it.starts_with("GET") && it.contains("/blobs/");
        asked.iter().filter(is_blob).count()
    };
    assert_eq!(build(&[]), 1, "its config");
    assert_eq!(build(&["--check-base"]), 2, "its layers");
    assert_eq!(build(&["--check-base"]), 0, "all is kept");
    let cache = place.project.path("cache/cooperage");
    std::fs::remove_dir_all(cache.join("blobs")).expect("blobs are kept there");
    assert_eq!(build(&["--check-base"]), 1, "what the layers hold is known");
    std::fs::remove_dir_all(cache.join("facts")).expect("facts are kept there");
    assert_eq!(build(&["--check-base"]), 2);
}
