//! Single programs start and are the generation they are asked for as.

use cooperage_testkit::peers::{self, Failed, Generation, Program};

/// Asserts that the first line of what `program` says begins with `prefix`.
fn check(program: Option<Program>, arguments: &[&str], prefix: &str) {
    let Some(program) = program else { return };
    let said = program.run(arguments).unwrap();
    assert!(said.starts_with(prefix), "{}: {said}", program.name());
}

#[test]
fn stable_programs_start() {
    check(
        peers::skopeo(Generation::Stable),
        &["--version"],
        "skopeo version 1.",
    );
    check(
        peers::umoci(Generation::Stable),
        &["--version"],
        "umoci version 0.4.",
    );
    check(
        peers::buildah(Generation::Stable),
        &["--version"],
        "buildah version 1.",
    );
    check(peers::tool("pigz"), &["--version"], "pigz ");
    check(peers::tool("bsdtar"), &["--version"], "bsdtar ");
}

#[test]
fn modern_programs_start() {
    check(
        peers::skopeo(Generation::Modern),
        &["--version"],
        "skopeo version 1.",
    );
    check(
        peers::umoci(Generation::Modern),
        &["--version"],
        "umoci version 0.",
    );
    check(
        peers::buildah(Generation::Modern),
        &["--version"],
        "buildah version 1.",
    );
    check(peers::crane(), &["--help"], "Crane is a tool");
    check(peers::oras(), &["version"], "Version: ");
}

#[test]
fn files_of_the_machine_are_seen() {
    for generation in Generation::ALL {
        let directory = tempfile::tempdir().unwrap();
        let layout = directory.path().join("layout");
        let layout = layout.to_str().unwrap();
        let image = format!("{layout}:tag");
        let Some(umoci) = peers::umoci(generation) else {
            continue;
        };
        umoci.run(["init", "--layout", layout]).unwrap();
        umoci.run(["new", "--image", &image]).unwrap();
        let Some(skopeo) = peers::skopeo(generation) else {
            continue;
        };
        let said = skopeo
            .run(["inspect", "--config", &format!("oci:{image}")])
            .unwrap();
        assert!(said.contains("\"os\":"), "{said}");
    }
}

#[test]
fn failure_shows_what_was_said() {
    let Some(umoci) = peers::umoci(Generation::Stable) else {
        return;
    };
    let failed: Failed = umoci.run(["stat", "--image", "/nowhere:tag"]).unwrap_err();
    assert!(format!("{failed:?}").contains("open CAS"), "{failed}");
}

#[test]
fn input_is_passed_on() {
    let Some(pigz) = peers::tool("pigz") else {
        return;
    };
    let bytes = vec![7; 300_000];
    let packed = pigz
        .run_with_input(["-c"], &mut bytes.as_slice())
        .unwrap()
        .stdout;
    let unpacked = pigz
        .run_with_input(["-dc"], &mut packed.as_slice())
        .unwrap()
        .stdout;
    assert_eq!(unpacked, bytes);
}
