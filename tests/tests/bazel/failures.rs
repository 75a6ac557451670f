//! What is wrong is said with the label where Bazel sees it, with the line where the tool does.

use crate::support::workspace;

/// What analysis says of each target of `//errors`.
const IN_ANALYSIS: [(&str, &str); 14] = [
    ("two_at_one_path", "two sources at one path: `app/x`"),
    ("path_with_dots", "`srcs` has the path `/app/../x`"),
    ("mode_of_letters", "`modes` has the mode `rwxr-xr-x`"),
    (
        "owner_by_name",
        "`owner` is `root:root`, expected `UID:GID`",
    ),
    ("not_a_program", "which does not run; `srcs` takes any file"),
    (
        "level_of_zstd",
        "`level` is 19, expected 0 to 9 with `gzip`",
    ),
    (
        "file_as_layer",
        "does not have mandatory providers: 'ImageLayerInfo'",
    ),
    (
        "half_a_platform",
        "`platform` is `linux`, expected `os/architecture[/variant]`",
    ),
    (
        "base_of_other_platform",
        "has no image for `linux/s390x`, it has",
    ),
    ("unset_and_set", "`user` is set, and in `unset` too"),
    ("one_platform_twice", "two images for `linux/"),
    (
        "missing_platform",
        "the target platform has no processor that images know",
    ),
    (
        "nothing_expected",
        "nothing is expected, so nothing is tested",
    ),
    ("plain", ""),
];

#[test]
fn errors_of_analysis_carry_the_label() {
    let Some(workspace) = workspace() else { return };
    let ran = workspace
        .ran(&["build", "--nobuild", "--keep_going", "//errors/..."])
        .exits(1);
    let lines: Vec<_> = ran.err.lines().collect();
    for (name, said) in IN_ANALYSIS.iter().filter(|(_, said)| !said.is_empty()) {
        // Of an index it is the image that is asked for its platform.
        let name = if *name == "missing_platform" {
            "plain"
        } else {
            name
        };
        let label = format!("//errors:{name}");
        assert!(
            lines
                .iter()
                .any(|line| line.contains(&label) && line.contains(said)),
            "nothing says `{said}` of {label}:\n{}",
            ran.err
        );
    }
}

/// What the tool says of each target of `//lines`: the line's number, or the labels that contradict
/// each other where it is two lines that do.
const IN_ACTIONS: [(&str, &[&str]); 8] = [
    ("glob_of_nothing", &["app/y*", "line "]),
    ("two_files_at_one_path", &["app/x", "//lines:two_files"]),
    (
        "file_as_symlink",
        &[
            "`app/x` (//lines:BUILD.bazel)",
            // In a sandbox every file is shown by a link.
            "expected a symlink",
            "found a file",
            "hint: `declared_symlinks` is for what rules make",
        ],
    ),
    (
        "built_file_as_symlink",
        &[
            "`app/x` (//names:generated)",
            "expected a symlink",
            "found a file",
        ],
    ),
    (
        "symlink_of_nothing",
        &[
            r"app/\[y\]",
            "`declared_symlinks` of //lines:symlink_of_nothing",
        ],
    ),
    (
        "undeclared_symlink",
        &["`app/link` (//lines:link)", "`declared_symlinks`"],
    ),
    (
        "file_below_file",
        &[
            "`app/x/y` (from //:cooperage)",
            "`app/x`",
            "(from //lines:BUILD.bazel)",
        ],
    ),
    ("no_tar", &["lines/BUILD.bazel", "line "]),
];

#[test]
fn errors_of_actions_name_the_line() {
    let Some(workspace) = workspace() else { return };
    for flags in [
        &["--strategy=CooperageLayer=worker"][..],
        &["--strategy=CooperageLayer=linux-sandbox"],
        &[
            "--spawn_strategy=linux-sandbox",
            "--experimental_output_paths=strip",
        ],
    ] {
        let ran = workspace
            .ran(&[&["build", "--keep_going", "//lines/..."], flags].concat())
            .exits(1);
        for (name, words) in IN_ACTIONS {
            let begin = format!("Packing layer //lines:{name} failed");
            let said = ran.err.split("ERROR: ").find(|said| said.contains(&begin));
            let said = said.unwrap_or_else(|| panic!("no `{begin}`:\n{}", ran.err));
            for word in words {
                assert!(said.contains(word), "{name}: no `{word}`: {said}");
            }
        }
    }
}
