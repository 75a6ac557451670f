//! Where the tool comes from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cooperage_testkit::bazel::Workspace;
use cooperage_testkit::program::{built, target_of};
use cooperage_testkit::sha256;

use crate::support::{bazel, in_tests, outputs, place_tool, repository, write};

const BUILD: &str = r#"
load("@cooperage//bazel:defs.bzl", "image_layer")

image_layer(
    name = "layer",
    srcs = {"BUILD.bazel": "/app/BUILD"},
)
"#;

/// A workspace that takes the tool as `tag` says.
fn write_workspace(directory: &Path, tag: &str) {
    fs::create_dir_all(directory).expect("a directory can be made");
    write(&directory.join("BUILD.bazel"), BUILD);
    let module = format!(
        "module(name = \"tools\")\n\
         bazel_dep(name = \"cooperage\", version = \"0.1.0\")\n\
         cooperage = use_extension(\"@cooperage//bazel:extensions.bzl\", \"cooperage\")\n\
         cooperage.toolchain({tag})\n"
    );
    write(&directory.join("MODULE.bazel"), &module);
}

/// The tool in the repository that Bazel keeps it in.
fn kept(workspace: &Workspace<'_>) -> PathBuf {
    let external = workspace.base().join("external");
    // Of several versions of Bazel, each with names of its own.
    let names = ["~~cooperage~", "++cooperage+"].map(|of| format!("cooperage{of}cooperage_host"));
    let mut tools = names
        .iter()
        .map(|name| external.join(name).join("cooperage"))
        .filter(|path| path.exists());
    tools.next().expect("the tool's repository is there")
}

/// As it is for users, but quick to build.
const QUICK: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_NET_OFFLINE", "true"),
];

#[test]
fn a_tool_from_source_is_the_same_in_two_output_bases() {
    let Some(bazel) = bazel() else { return };
    let directory = bazel.directory().join("source");
    write_workspace(&directory, "from_source = True");
    let digests = [(); 2].map(|()| {
        let mut workspace = in_tests(bazel.workspace(&directory));
        for (name, value) in QUICK {
            workspace = workspace.with_variable(name, value);
        }
        let spawns = workspace.spawns(&["build", "//:layer"]).expect("it builds");
        let bytes = fs::read(kept(&workspace)).expect("the tool is there");
        let base = workspace.base().to_string_lossy().into_owned();
        assert!(
            !contains(&bytes, base.as_bytes()),
            "it knows where it was built"
        );
        (sha256(&bytes), outputs(&spawns))
    });
    assert_eq!(digests[0], digests[1]);
}

fn hex(bytes: &[u8]) -> String {
    sha256(bytes).replace("sha256:", "")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_prebuilt_tool_is_the_one_that_the_lockfile_names() {
    let Some(bazel) = bazel() else { return };
    let directory = bazel.directory().join("prebuilt");
    write_workspace(&directory, "lockfile = \"//:cooperage.lock.json\"");
    let dist = directory.join("dist");
    make_dist(&dist, &bazel.directory().join("built-for-dist"));
    let lock = fs::read_to_string(dist.join("cooperage.lock.json")).expect("it is made");
    let sums = fs::read_to_string(dist.join("SHA256SUMS")).expect("it is made");
    let (digest, name) = sums.trim().split_once("  ").expect("one sum");
    assert_eq!(hex(&fs::read(dist.join(name)).expect("it is made")), digest);
    let put = |lock: &str| write(&directory.join("cooperage.lock.json"), lock);

    let workspace = in_tests(bazel.workspace(&directory));
    put(&lock.replace(digest, &"0".repeat(64)));
    workspace
        .ran(&["build", "//:layer"])
        .exits(1)
        .says(&["Checksum was", digest]);
    put(&lock);
    workspace.run(&["build", "//:layer"]).expect("it builds");
    let bytes = fs::read(kept(&workspace)).expect("the tool is there");
    assert_eq!(hex(&bytes), digest);
}

/// What is released, by the command that releases it.
fn make_dist(output: &Path, target: &Path) {
    let own = target_of(env!("CARGO_TARGET_TMPDIR"));
    let xtask = &built(own, &["--package", "xtask", "--bin", "xtask"])["xtask"];
    let made = Command::new(xtask)
        .args(["dist", "--output"])
        .arg(output)
        .current_dir(repository())
        .env("CARGO_TARGET_DIR", target)
        .envs(QUICK)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
}

/// A rule whose program is made by an action, for the machine that actions run on.
const RULE: &str = "
def _copied_impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name + \"_program\")
    ctx.actions.run(
        arguments = [ctx.file.program.path, program.path],
        executable = \"/bin/cp\",
        inputs = [ctx.file.program],
        mnemonic = \"CopyTool\",
        outputs = [program],
    )
    return [DefaultInfo(executable = program)]

copied = rule(
    implementation = _copied_impl,
    attrs = {\"program\": attr.label(allow_single_file = True)},
    executable = True,
)
";

#[test]
fn a_tool_may_be_what_another_target_builds() {
    let Some(bazel) = bazel() else { return };
    let directory = bazel.directory().join("any-target");
    write_workspace(&directory, "tool = \"//:tool\"");
    place_tool(&directory);
    write(&directory.join("copied.bzl"), RULE);
    let load = "load(\":copied.bzl\", \"copied\")\n";
    let target = "copied(name = \"tool\", program = \"cooperage\", visibility = [\"//visibility:public\"])\n";
    let build = [load, BUILD, target].concat();
    write(&directory.join("BUILD.bazel"), &build);
    let workspace = in_tests(bazel.workspace(&directory));
    for strategy in ["worker", "linux-sandbox"] {
        workspace.run(&["clean"]).expect("it can be cleaned");
        let strategy = format!("--strategy=CooperageLayer={strategy}");
        let spawns = workspace.spawns(&["build", "//:layer", &strategy]);
        let spawns = spawns.expect("it builds");
        let mut ran: Vec<_> = spawns.iter().map(|spawn| &*spawn.mnemonic).collect();
        ran.sort_unstable();
        assert_eq!(ran, ["CooperageLayer", "CopyTool"]);
    }
}
