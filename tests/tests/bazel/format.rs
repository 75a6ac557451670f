//! The Starlark is as Bazel's own formatter and linter want it.

use cooperage_testkit::peers;

use crate::support::repository;

#[test]
fn buildifier_has_nothing_to_say() {
    let Some(buildifier) = peers::buildifier() else {
        return;
    };
    let mut command = buildifier.command(["--lint=warn", "--warnings=all", "-mode=check", "-r"]);
    command.args(["bazel", "examples", "MODULE.bazel", "BUILD.bazel"]);
    let output = command
        .current_dir(repository())
        .output()
        .expect("it starts");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.is_empty(), "{said}");
}
