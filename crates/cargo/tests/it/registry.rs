//! Bases from registries, images to registries, and pins.

use std::process::Command;

use cooperage_testkit::own_registry::{OwnRegistry, OwnRegistryOptions};
use serde_json::Value;

use crate::project::{HELLO, Project, finish};

struct Place {
    project: Project,
    registry: OwnRegistry,
    seen: usize,
}

impl Place {
    fn new() -> Self {
        Self {
            project: Project::new(HELLO),
            registry: OwnRegistry::start(OwnRegistryOptions::default()),
            seen: 0,
        }
    }

    /// The program, with a cache of its own and nobody's logins.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.command(arguments);
        for (name, place) in [
            ("XDG_CACHE_HOME", "../cache"),
            ("XDG_CONFIG_HOME", "../config"),
            ("XDG_RUNTIME_DIR", "../run"),
        ] {
            command.env(name, self.project.path(place));
        }
        command.env("DOCKER_CONFIG", self.project.path("../docker"));
        command.env_remove("REGISTRY_AUTH_FILE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Value {
        finish(self.command(arguments).arg("--format=json"))
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], expected: &str) {
        let output = self.command(arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }

    fn at(&self, rest: &str) -> String {
        format!("{}/{rest}", self.registry.address())
    }

    /// What was asked since the last call.
    fn asked(&mut self) -> Vec<String> {
        let all = self.registry.asked();
        let new = all[self.seen..].to_vec();
        self.seen = all.len();
        new
    }
}

fn count(asked: &[String], words: &[&str]) -> usize {
    let all = |it: &&String| words.iter().all(|word| it.contains(word));
    asked.iter().filter(all).count()
}

fn digest(summary: &Value) -> String {
    summary["digest"].as_str().expect("text").to_owned()
}

#[test]
fn a_base_comes_from_a_registry_and_the_image_goes_to_one() {
    let mut place = Place::new();
    let base = place.at("team/base:1");
    let first = place.run(&["--push", &base]);
    let pushed = &first["pushed"][0];
    assert_eq!(pushed["digest"], first["digest"]);
    assert_eq!(pushed["location"], format!("docker://{base}"));
    assert!(pushed["bytes"].as_u64().expect("a number") > 0);
    assert_eq!(first["outputs"][0], format!("docker://{base}"));
    assert!(!place.project.target().join("image").exists());
    let layers = first["images"][0]["layers"]
        .as_array()
        .expect("layers")
        .len();
    place.asked();

    // Nothing is sent that is there.
    let again = place.run(&["--push", &base]);
    assert_eq!(again["digest"], first["digest"]);
    assert_eq!(again["pushed"][0]["blobs"], 0);
    let asked = place.asked();
    let sends = |it: &&String| it.starts_with('P');
    assert_eq!(asked.iter().filter(sends).count(), 0, "{asked:#?}");

    // On that base, under two names: its layers are mounted, and of its bytes two documents come.
    let (one, two) = (place.at("team/app:1"), place.at("team/app:2"));
    let on = place.run(&["--base", &base, "--env=A=b", "--push", &one, "--push", &two]);
    assert_eq!(on["images"][0]["base_layers"], layers);
    let asked = place.asked();
    assert_eq!(
        count(&asked, &["POST", "mount=", "from="]),
        layers,
        "{asked:#?}"
    );
    assert_eq!(count(&asked, &["GET", "team/base/blobs/"]), 1, "{asked:#?}");
    assert_eq!(
        on["pushed"][1]["blobs"], 1,
        "the manifest, by its other name"
    );
    for name in ["1", "2"] {
        let there = place
            .registry
            .content("team/app", name)
            .expect("it is there");
        let there: Value = serde_json::from_slice(&there).expect("JSON");
        let found = there["layers"].as_array().expect("layers").len();
        assert_eq!(found, layers + 1);
    }

    // The same image in a layout has the base's layers too, from the registry and once.
    let here = place.run(&["--base", &base, "--env=A=b"]);
    assert_eq!(here["digest"], on["digest"]);
    assert_eq!(count(&place.asked(), &["GET", "team/base/blobs/"]), layers);
    place.run(&["--base", &base, "--env=A=b", "--output=oci:again"]);
    assert_eq!(count(&place.asked(), &["/blobs/"]), 0);
}

#[test]
fn a_pin_holds_until_it_is_updated() {
    let mut place = Place::new();
    let base = place.at("team/base:1");
    let first = digest(&place.run(&["--push", &base, "--env=BASE=1"]));
    let plan = |place: &Place, more: &[&str]| {
        let arguments = [&["--base", &base, "--print-plan"], more].concat();
        let output = place.command(&arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        (String::from_utf8(output.stdout).expect("text"), said)
    };
    // Without a pin a tag is what it is now, and that is said.
    let (text, said) = plan(&place, &[]);
    assert!(text.contains(&format!("docker://{base}@{first}")), "{text}");
    assert!(said.contains("`--update` pins it in"), "{said}");
    place.refused(&["--base", &base, "--locked"], "run with `--update` once");
    place.refused(&["--base", &base, "--offline"], "run with `--update` once");
    place.refused(&["--update"], "this image has no base");
    place.refused(&["--base=oci:x", "--update"], "is not in a registry");
    place.refused(
        &["--base", &base, "--update", "--locked"],
        "cannot be used with",
    );

    let (_, said) = plan(&place, &["--update"]);
    assert!(!said.contains("note:"), "{said}");
    let lock = place.project.path("image.lock");
    let text = std::fs::read_to_string(&lock).expect("it was written");
    let pin = |digest: &str| format!("name = \"{base}\"\ndigest = \"{digest}\"\n");
    assert!(text.contains(&pin(&first)), "{text}");

    // The tag moves on, and the image stays where it is.
    let second = digest(&place.run(&["--push", &base, "--env=BASE=2"]));
    assert_ne!(first, second);
    place.asked();
    for flags in [&[][..], &["--locked"], &["--offline"], &["--frozen"]] {
        let (text, said) = plan(&place, flags);
        assert!(text.contains(&first) && !text.contains(&second), "{text}");
        assert!(!said.contains("note:"), "{said}");
    }
    assert_eq!(place.asked(), [""; 0]);
    let built = place.run(&["--base", &base]);
    // Pins and the cache are enough.
    place.asked();
    let offline = place.run(&["--base", &base, "--frozen", "--output=oci:offline"]);
    assert_eq!(offline["digest"], built["digest"]);
    assert_eq!(place.asked(), [""; 0]);
    let app = place.at("team/app:1");
    place.refused(
        &["--base", &base, "--offline", "--push", &app],
        "is not asked while offline",
    );

    let (text, _) = plan(&place, &["--update"]);
    assert!(text.contains(&second) && !text.contains(&first), "{text}");
    assert!(
        std::fs::read_to_string(&lock)
            .expect("there")
            .contains(&pin(&second))
    );
    // Who says which one needs no pin.
    let (text, _) = plan(
        &place,
        &["--base-digest", &first, "--lock=none.lock", "--locked"],
    );
    assert!(text.contains(&first), "{text}");
    std::fs::write(&lock, "version = 9\n").expect("written");
    place.refused(&["--base", &base], "has version 9");
}

/// What a base offers is found out once, where its layers are fetched, and then known without them.
#[test]
fn facts_of_a_base_spare_its_layers() {
    let mut place = Place::new();
    let base = place.at("team/base:1");
    place.run(&["--push", &base]);
    let app = place.at("team/app:1");
    let push = |place: &Place, more: &[&str]| {
        let arguments = [&["--base", &base, "--push", &app], more].concat();
        let output = place.command(&arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    let unchecked = "was not checked: its layers are not here";
    assert!(push(&place, &[]).contains(unchecked));
    // Once they were fetched, the cache knows.
    assert!(!push(&place, &["--check-base"]).contains(unchecked));
    let said = push(&place, &[]);
    assert!(!said.contains(unchecked), "{said}");
    assert!(push(&place, &["--no-cache"]).contains(unchecked));
    // And the lockfile, for those who have no cache.
    push(&place, &["--update"]);
    place.asked();
    let said = push(&place, &["--no-cache", "--locked"]);
    assert!(!said.contains(unchecked), "{said}");
    // Its config alone.
    let asked = place.asked();
    assert_eq!(count(&asked, &["GET", "team/base/blobs/"]), 1, "{asked:#?}");

    let lock = place.project.path("image.lock");
    let text = std::fs::read_to_string(&lock).expect("it was written");
    let start = text.find("document = '").expect("facts");
    let nothing = format!("{}document = '{{\"libraries\":{{}}}}'\n", &text[..start]);
    std::fs::write(&lock, nothing).expect("written");
    place.refused(
        &["--base", &base, "--push", &app, "--no-cache"],
        "lacks what the program needs",
    );
    // What is no document of facts is found out again where the layers are fetched.
    std::fs::write(&lock, format!("{}document = '{{}}'\n", &text[..start])).expect("written");
    assert!(push(&place, &["--no-cache"]).contains(unchecked));
    push(&place, &["--no-cache", "--check-base", "--update"]);
    assert_eq!(
        std::fs::read_to_string(&lock).expect("it was written"),
        text
    );
    // Another base under the same name takes them away.
    place.run(&["--push", &base, "--env=BASE=2"]);
    push(&place, &["--no-cache", "--update"]);
    let text = std::fs::read_to_string(&lock).expect("it was written");
    assert!(!text.contains("[[facts]]"), "{text}");
}

#[test]
fn names_of_registries_are_checked_first() {
    let place = Place::new();
    for (arguments, expected) in [
        (&["--push", "a/B"][..], "invalid value 'a/B' for '--push"),
        (
            &["--base", "a b"],
            "`a b` is no base: expected an image reference",
        ),
        (&["--output", "docker:app"], "lacks two slashes"),
    ] {
        place.refused(arguments, expected);
    }
    let zeros = "0".repeat(64);
    let by_digest = place.at(&format!("app@sha256:{zeros}"));
    place.refused(&["--push", &by_digest], "names a digest");
    let absent = place.at("team/none:1");
    place.refused(&["--base", &absent], "team/none:1");
}
