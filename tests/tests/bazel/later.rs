//! What later versions of Bazel demand, as far as 7.7 can be told to demand it.

use crate::support::{bazel, in_tests, outputs, workspace};

/// Set by default in Bazel 8 or 9, or about to be. Three more are left out that the Java rules of
/// Bazel 7 itself, or modules that they stand on, do not bear.
const FLAGS: [&str; 17] = [
    "--incompatible_auto_exec_groups",
    "--incompatible_check_testonly_for_output_files",
    "--incompatible_check_visibility_for_toolchains",
    "--incompatible_config_setting_private_default_visibility",
    "--incompatible_default_to_explicit_init_py",
    "--incompatible_disable_native_repo_rules",
    "--incompatible_disable_starlark_host_transitions",
    "--incompatible_disable_target_provider_fields",
    "--incompatible_disallow_empty_glob",
    "--incompatible_disallow_struct_provider_syntax",
    "--incompatible_enable_proto_toolchain_resolution",
    "--incompatible_modify_execution_info_additive",
    "--incompatible_no_implicit_file_export",
    "--incompatible_no_implicit_watch_label",
    "--incompatible_struct_has_no_methods",
    "--incompatible_top_level_aspects_require_providers",
    "--incompatible_use_plus_in_repo_names",
];

#[test]
fn what_later_versions_demand_is_kept() {
    let Some(workspace) = workspace() else { return };
    workspace.run(&["clean"]).expect("it can be cleaned");
    let now = workspace.spawns(&["build", "//:all"]).expect("it builds");
    let bazel = bazel().expect("it has a workspace");
    let later = in_tests(bazel.workspace(workspace.path()));
    let build = [&["build", "//:all"], &FLAGS[..]].concat();
    let then = later.spawns(&build).expect("it builds");
    assert_eq!(outputs(&now), outputs(&then));
    let test = ["test", "//attributes/...", "//expect/..."];
    let ran = later.ran(&[&test, &FLAGS[..]].concat()).exits(0);
    ran.says(&["15 tests pass"]);
}
