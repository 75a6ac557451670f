//! What Bazel is told so that it asks no network: every module that a workspace needs is one of
//! Debian's packages, or a stub.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that Bazel's own built-in module asks for, and `rules_rust` one more, without need here.
const STUBS: [&str; 4] = ["protobuf", "zlib", "apple_support", "buildozer"];
const STUBS_FOR_RUST: &str = "aspect_rules_js";

/// Modules that Debian has and that its own settings leave out, with where they lie.
const DEBIAN: [(&str, &str); 5] = [
    ("rules_rust", "/usr/share/bazel/rules/rust"),
    ("rules_shell", "/usr/share/bazel/rules/shell"),
    ("rules_pkg", "/usr/share/bazel/rules/pkg"),
    ("bazel_lib", "/usr/share/bazel/tools/bazel_lib"),
    ("stardoc", "/usr/share/bazel/tools/stardoc"),
];

/// An extension as buildozer has it, which does nothing.
const BUILDOZER: &str = r#"
def _repository(ctx):
    ctx.file("BUILD.bazel", "")

_buildozer_repository = repository_rule(implementation = _repository)

def _extension(_):
    _buildozer_repository(name = "buildozer_binary")

buildozer_binary = module_extension(
    implementation = _extension,
    tag_classes = {"buildozer": tag_class(attrs = {
        "sha256": attr.string_dict(),
        "version": attr.string(),
    })},
)
"#;

/// Writes the stubs, an empty registry and a home below `directory`.
pub(super) fn write(directory: &Path) {
    let file = |path: &str, text: &str| {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().expect("it lies in a directory"))
            .and_then(|()| fs::write(&path, text))
            .unwrap_or_else(|why| panic!("cannot write `{}`: {why}", path.display()));
    };
    file("registry/bazel_registry.json", "{}\n");
    file("registry/modules/README", "There is none.\n");
    file("home/README", "Nobody lives here.\n");
    for name in STUBS.iter().chain([&STUBS_FOR_RUST]) {
        let module = format!("module(name = \"{name}\", version = \"0\")\n");
        file(&format!("stubs/{name}/MODULE.bazel"), &module);
        file(&format!("stubs/{name}/BUILD.bazel"), "");
    }
    file("stubs/buildozer/buildozer_binary.bzl", BUILDOZER);
}

/// Writes Bazel's settings for a workspace below `directory`, and gives their file.
pub(super) fn rc(directory: &Path, workspace: &Path) -> PathBuf {
    let at = directory.display();
    let mut text = format!(
        "common --noenable_workspace\n\
         common --registry=file://{at}/registry\n\
         common --lockfile_mode=off\n\
         common --color=no --curses=no --noshow_progress\n\
         build --nosandbox_debug\n\
         build --incompatible_strict_action_env\n\
         test --test_output=errors\n"
    );
    let modules = modules(workspace);
    let mut override_module = |name: &str, path: &str| {
        // No error can come of writing to a string.
        let _ = writeln!(text, "common --override_module={name}={path}");
    };
    for name in STUBS {
        override_module(name, &format!("{at}/stubs/{name}"));
    }
    for (name, path) in DEBIAN {
        if modules.iter().any(|module| module == name) {
            override_module(name, path);
        }
    }
    if modules.iter().any(|module| module == "rules_rust") {
        override_module(STUBS_FOR_RUST, &format!("{at}/stubs/{STUBS_FOR_RUST}"));
    }
    let name = workspace.to_string_lossy().replace('/', "_");
    let path = directory.join(format!("rc{name}"));
    // Not written anew while a command may read it.
    if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
        fs::write(&path, text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    }
    path
}

/// The modules that a workspace names: Bazel takes no override of one that is not in the graph.
fn modules(workspace: &Path) -> Vec<String> {
    let text = fs::read_to_string(workspace.join("MODULE.bazel")).unwrap_or_default();
    let names = text.split("bazel_dep(").skip(1).filter_map(|rest| {
        let (_, rest) = rest.split_once("name")?;
        rest.split('"').nth(1)
    });
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modules_of_a_workspace_are_found() {
        let workspace = tempfile::tempdir().unwrap();
        let text = "module(name = \"x\")\nbazel_dep(name = \"rules_rust\", version = \"1\")\n\
                    bazel_dep(\n    name = \"platforms\",\n    version = \"1\",\n)\n";
        fs::write(workspace.path().join("MODULE.bazel"), text).unwrap();
        assert_eq!(modules(workspace.path()), ["rules_rust", "platforms"]);
    }
}
