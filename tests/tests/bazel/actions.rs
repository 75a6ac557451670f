//! Which actions run, and when.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{actions, workspace, write};

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
            let is_layer = Path::new(input).extension().is_some_and(|it| it == "blob");
            assert!(!is_layer, "{}: {input}", spawn.label);
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
