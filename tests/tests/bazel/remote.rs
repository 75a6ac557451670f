//! Caches, and execution elsewhere.

use cooperage_testkit::bazel::{BuildGrid, Farm, HttpCache, Workspace};

use crate::support::{bazel, in_tests, outputs, runners, workspace};

/// What comes of a build from nothing.
fn build(
    workspace: &Workspace<'_>,
    flags: &[&str],
) -> (Vec<String>, std::collections::BTreeMap<String, String>) {
    workspace.run(&["clean"]).expect("it can be cleaned");
    let words = [&["build", "//:all"], flags].concat();
    let spawns = workspace.spawns(&words).expect("it builds");
    (runners(&spawns).into_keys().collect(), outputs(&spawns))
}

#[test]
fn a_second_output_base_gets_everything_from_a_remote_cache() {
    let (grpc, http) = (BuildGrid::cache(), HttpCache::start());
    let urls: Vec<_> = [
        grpc.as_ref().map(BuildGrid::url),
        http.as_ref().map(HttpCache::url),
    ]
    .into_iter()
    .flatten()
    .map(|url| format!("--remote_cache={url}"))
    .collect();
    let Some(workspace) = workspace() else { return };
    let bazel = bazel().expect("it has a workspace");
    let other = in_tests(bazel.workspace(workspace.path()));
    for url in &urls {
        let (by, first) = build(&workspace, &[url]);
        assert!(
            !by.contains(&"remote cache hit".to_owned()),
            "{url}: {by:?}"
        );
        for more in [&[][..], &["--remote_download_minimal"]] {
            let (by, second) = build(&other, &[&[url.as_str()], more].concat());
            assert_eq!(by, ["remote cache hit"], "{url} {more:?}");
            assert_eq!(first, second, "{url} {more:?}");
        }
    }
}

#[test]
fn remote_execution_runs_every_image_action_with_the_same_digests() {
    let Some(farm) = Farm::start(2) else { return };
    let Some(workspace) = workspace() else { return };
    let bazel = bazel().expect("it has a workspace");
    let (_, here) = build(&workspace, &[]);
    let executor = format!("--remote_executor={}", farm.url());
    let flags = [
        &executor,
        "--spawn_strategy=remote",
        "--noremote_local_fallback",
    ];
    let other = in_tests(bazel.workspace(workspace.path()));
    let (by, there) = build(
        &other,
        &[&flags[..], &["--remote_download_minimal"]].concat(),
    );
    assert_eq!(by, ["remote"], "{}", farm.log());
    assert_eq!(here, there);
    let (by, again) = build(&other, &flags);
    assert_eq!(by, ["remote cache hit"]);
    assert_eq!(here, again);
}
