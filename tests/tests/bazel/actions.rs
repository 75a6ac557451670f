//! Which actions run, and when.

use std::collections::BTreeMap;

use crate::support::{actions, document, files, is_blob, set_mode, workspace, write};

fn pair(mnemonic: &str, label: &str) -> (String, String) {
    (mnemonic.to_owned(), label.to_owned())
}

#[test]
fn one_file_change_runs_one_layer_action_and_one_image_action() {
    let Some(workspace) = workspace() else { return };
    let build = ["build", "//app:image", "//app:on_base"];
    workspace.run(&build).expect("it builds");
    let nothing = workspace.spawns(&build).expect("it builds");
    assert_eq!(nothing, [], "nothing has changed");

    let source = workspace.path().join("app/name.txt");
    write(&source, "another name\n");
    let one = workspace
        .spawns(&["build", "//app:image"])
        .expect("it builds");
    write(&source, "cooper\n");
    let expected = [
        pair("CooperageImage", "//app:image"),
        pair("CooperageLayer", "//app:files"),
    ];
    assert_eq!(actions(&one), expected);
    assert_eq!(one.len(), 2, "{one:#?}");
}

#[test]
fn an_image_action_reads_documents_alone() {
    let Some(workspace) = workspace() else { return };
    workspace.run(&["clean"]).expect("it can be cleaned");
    let spawns = workspace
        .spawns(&["build", "//app:on_base", "//index"])
        .expect("it builds");
    let of_documents = |kind: &str| matches!(kind, "CooperageImage" | "CooperageIndex");
    let mut seen = 0;
    for spawn in spawns.iter().filter(|spawn| of_documents(&spawn.mnemonic)) {
        seen += 1;
        for input in &spawn.inputs {
            assert!(!is_blob(input), "{}: {input}", spawn.label);
        }
    }
    assert_eq!(seen, 4, "two platforms, their index, and an image");
    // The layer of the base is nobody's business: none of its bytes is asked for.
    assert!(
        spawns
            .iter()
            .all(|spawn| spawn.mnemonic != "CooperageFetch")
    );
}

#[test]
fn stamped_values_reach_the_config_and_no_layer() {
    let Some(workspace) = workspace() else { return };
    let script = workspace.path().join("status.sh");
    let command = format!("--workspace_status_command={}", script.display());
    let labels = |flags: &[&str]| {
        let words = [&["build", "//app:stamped"], flags].concat();
        let spawns = workspace.spawns(&words).expect("it builds");
        let files = files(&workspace, "//app:stamped", flags);
        let config = document(&files, ".config.json");
        (
            spawns,
            config["config"]["Labels"]["org.example.revision"].clone(),
        )
    };
    let (_, without) = labels(&[]);
    assert!(without.is_null(), "{without}");
    for revision in ["one", "two"] {
        write(
            &script,
            &format!("#!/bin/sh\necho STABLE_REVISION {revision}\n"),
        );
        set_mode(&script, 0o755);
        let (spawns, label) = labels(&["--stamp", &command]);
        assert_eq!(label, revision);
        assert_eq!(actions(&spawns), [pair("CooperageImage", "//app:stamped")]);
    }
}

#[test]
fn programs_are_checked_beside_the_image() {
    let Some(workspace) = workspace() else { return };
    let ran = workspace.ran(&["build", "//app:lacking"]).exits(1);
    ran.says(&["//app:lacking", "bin/dynamic", "needs the loader"]);
    workspace
        .run(&["build", "--norun_validations", "//app:lacking"])
        .expect("the image itself does not wait for it");
}

#[test]
fn a_platform_independent_layer_is_built_once_for_all_platforms() {
    let Some(workspace) = workspace() else { return };
    workspace.run(&["clean"]).expect("it can be cleaned");
    let spawns = workspace.spawns(&["build", "//index"]).expect("it builds");
    let mut count = BTreeMap::<_, usize>::new();
    for action in actions(&spawns) {
        *count.entry(action).or_default() += 1;
    }
    let expected = [
        (pair("CooperageImage", "//index:image"), 2),
        (pair("CooperageIndex", "//index:index"), 1),
        (pair("CooperageLayer", "//index:data"), 1),
        (pair("CooperageLayer", "//index:programs"), 2),
    ];
    assert_eq!(count, BTreeMap::from(expected));
}
