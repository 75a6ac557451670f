//! Bazel by itself, with its caches and its executor.

use std::fs;
use std::path::Path;

use cooperage_testkit::bazel::{Bazel, Farm, HttpCache, Options};
use cooperage_testkit::peers;

/// A workspace of one action.
fn write(workspace: &Path) {
    fs::write(workspace.join("MODULE.bazel"), "module(name = \"one\")\n").unwrap();
    let build =
        "genrule(name = \"one\", srcs = [\"in\"], outs = [\"out\"], cmd = \"cat $< > $@\")\n";
    fs::write(workspace.join("BUILD.bazel"), build).unwrap();
    fs::write(workspace.join("in"), "bytes\n").unwrap();
}

#[test]
fn an_action_runs_here_there_or_not_at_all() {
    let Some(bazel) = Bazel::start(&Options::default()) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    let runners = |flags: &[&str]| {
        let workspace = bazel.workspace(directory.path()).with_flags(flags);
        let spawns = workspace.spawns(&["build", "//:one"]).unwrap();
        let of_rule = spawns.into_iter().filter(|spawn| spawn.label == "//:one");
        let runners: Vec<_> = of_rule.map(|spawn| spawn.runner).collect();
        runners.join(" ")
    };
    assert_eq!(
        runners(&["--spawn_strategy=linux-sandbox"]),
        "linux-sandbox"
    );
    if let Some(cache) = HttpCache::start() {
        let flag = format!("--remote_cache={}", cache.url());
        assert_eq!(runners(&[&flag]), "linux-sandbox");
        assert!(!cache.is_empty());
    }
    if let Some(farm) = Farm::start(1) {
        let flags = [
            &*format!("--remote_executor={}", farm.url()),
            "--spawn_strategy=remote",
            "--noremote_local_fallback",
        ];
        assert_eq!(runners(&flags), "remote");
    }
}

#[test]
fn the_formatter_starts() {
    let Some(buildifier) = peers::buildifier() else {
        return;
    };
    let said = buildifier.run(["--version"]).unwrap();
    assert!(said.contains("buildifier version"), "{said}");
}
