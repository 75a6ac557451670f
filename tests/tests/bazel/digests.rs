//! One digest, however it is built.

use crate::support::{bazel, in_tests, outputs, runners, workspace};

/// How actions can be run on one machine, and what Bazel then says of them.
const WAYS: [(&[&str], &str); 5] = [
    (&["--jobs=1"], "worker"),
    (
        &[
            "--spawn_strategy=linux-sandbox",
            "--nosandbox_default_allow_network",
            "--jobs=16",
        ],
        "linux-sandbox",
    ),
    (
        &["--spawn_strategy=local", "--compilation_mode=opt"],
        "local",
    ),
    (
        &["--strategy=worker", "--worker_sandboxing", "--jobs=16"],
        "worker",
    ),
    (
        &[
            "--strategy=worker",
            "--worker_sandboxing",
            "--experimental_worker_multiplex_sandboxing",
            "--compilation_mode=dbg",
        ],
        "worker",
    ),
];

#[test]
fn jobs_modes_and_strategies_do_not_reach_digests() {
    let Some(workspace) = workspace() else { return };
    let mut first = None;
    for (flags, runner) in WAYS {
        workspace.run(&["clean"]).expect("it can be cleaned");
        let words = [&["build", "//:all"], flags].concat();
        let spawns = workspace.spawns(&words).expect("it builds");
        let by: Vec<_> = runners(&spawns).into_keys().collect();
        assert!(
            by.iter().all(|by| by.ends_with(runner)),
            "{flags:?}: run by {by:?}"
        );
        let outputs = outputs(&spawns);
        assert!(outputs.len() > 20, "{outputs:#?}");
        let first = first.get_or_insert_with(|| outputs.clone());
        assert_eq!(*first, outputs, "{flags:?}");
    }
}

#[test]
fn two_output_bases_give_the_same_digests() {
    let Some(workspace) = workspace() else { return };
    let bazel = bazel().expect("it has a workspace");
    let other = in_tests(bazel.workspace(workspace.path()));
    let build = ["build", "//:all", "--spawn_strategy=linux-sandbox"];
    let [here, there] = [&*workspace, &other].map(|workspace| {
        workspace.run(&["clean"]).expect("it can be cleaned");
        outputs(&workspace.spawns(&build).expect("it builds"))
    });
    assert_ne!(workspace.base(), other.base());
    assert_eq!(here, there);
}

/// With what Bazel's users switch on for it, another compilation mode finds actions done.
#[test]
fn path_mapping_shares_actions_between_modes() {
    let Some(workspace) = workspace() else { return };
    let cache = tempfile::tempdir().expect("room for a directory");
    let cache = format!("--disk_cache={}", cache.path().display());
    let build = |mode: &str| {
        workspace.run(&["clean"]).expect("it can be cleaned");
        let flags = [&cache, mode, "--experimental_output_paths=strip"];
        let words = [
            &["build", "//:all", "--spawn_strategy=linux-sandbox"],
            &flags[..],
        ]
        .concat();
        workspace.spawns(&words).expect("it builds")
    };
    let first = build("--compilation_mode=fastbuild");
    let by: Vec<_> = runners(&first).into_keys().collect();
    assert_eq!(by, ["linux-sandbox"]);
    let second = build("--compilation_mode=opt");
    assert_eq!(outputs(&first), outputs(&second));
    let made: Vec<_> = second
        .iter()
        .filter(|spawn| spawn.is_ours() && spawn.runner != "disk cache hit")
        .map(|spawn| format!("{} {}", spawn.mnemonic, spawn.label))
        .collect();
    // The images of several platforms would have one name: Bazel maps no paths there.
    assert_eq!(made, ["CooperageIndex //index:index"]);
}
