//! Workspaces, and what is asked of what was built in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use cooperage_testkit::bazel::{Bazel, Options, Spawn, Workspace};
use cooperage_testkit::peers;
use cooperage_testkit::program::{built, run, target_of};
use serde_json::Value;

/// The repository.
pub(crate) fn repository() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests lie in a workspace")
}

/// The tool, as cargo builds it for tests.
pub(crate) fn tool() -> &'static Path {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let arguments = ["--package", "cooperage-cli", "--bin", "cooperage"];
    let target = target_of(env!("CARGO_TARGET_TMPDIR"));
    &BUILT.get_or_init(|| built(target, &arguments))["cooperage"]
}

/// Where Bazel runs, or nothing where it is missing, which is said for each test that asks.
pub(crate) fn bazel() -> Option<&'static Bazel> {
    static PLACE: OnceLock<Option<Bazel>> = OnceLock::new();
    let start = || Bazel::start(&Options::default());
    let mut is_new = false;
    let place = PLACE.get_or_init(|| {
        is_new = true;
        start()
    });
    if place.is_none() && !is_new {
        // Says again that it is missing, for this test.
        drop(start());
    }
    place.as_ref()
}

/// The workspace of `bazel/tests`, of which tests have to take turns: one server serves all of them.
pub(crate) fn workspace() -> Option<Turn> {
    static SHARED: OnceLock<Mutex<Workspace<'static>>> = OnceLock::new();
    let bazel = bazel()?;
    let shared = SHARED.get_or_init(|| {
        let path = bazel.directory().join("tests");
        copy_tests(&path);
        Mutex::new(in_tests(bazel.workspace(&path)))
    });
    Some(shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A test's turn at the shared workspace.
pub(crate) type Turn = MutexGuard<'static, Workspace<'static>>;

/// With what every workspace of the tests is told: where the rules lie.
pub(crate) fn in_tests(workspace: Workspace<'static>) -> Workspace<'static> {
    let rules = format!("--override_module=cooperage={}", repository().display());
    workspace.with_flags([rules])
}

/// The workspace of `bazel/tests` with all that it lacks in the repository.
pub(crate) fn copy_tests(to: &Path) {
    copy(&repository().join("bazel/tests"), to);
    place_tool(to);
    let busybox = peers::tool("busybox").expect("every Debian has one");
    copy_file(busybox.path(), &to.join("app/busybox"));
    // Of the distribution, so that it needs its C library.
    copy_file(Path::new("/bin/true"), &to.join("app/dynamic"));
    for (name, mode) in [
        ("a0644.txt", 0o644),
        ("b0755.sh", 0o755),
        ("c0600.txt", 0o600),
    ] {
        set_mode(&to.join("names/data").join(name), mode);
    }
    let base = to.join("base");
    write_base(&base.join("layout"));
    let layout = format!("oci:{}", base.join("layout").display());
    for archive in ["oci", "docker"] {
        let mut command = Command::new(tool());
        command.args(["copy", "--platform", "linux/amd64", &layout]);
        let file = base.join(format!("{archive}.tar"));
        command.arg(format!("{archive}-archive:{}", file.display()));
        run(&mut command, &[]).exits(0);
    }
}

/// The tool as a file `cooperage` of a directory.
pub(crate) fn place_tool(directory: &Path) {
    copy_file(tool(), &directory.join("cooperage"));
}

/// Makes a new directory `base` a layout with an image of each of two platforms.
pub(crate) fn write_base(base: &Path) {
    let plan = base.with_extension("plan");
    let image = |platform: &str| {
        format!(
            "{{\"image\":{{\"platform\":\"{platform}\",\"config\":{{\"env\":{{\"BASE\":\"1\"}}}}}}}}\n\
             {{\"layer\":{{\"name\":\"base\"}}}}\n\
             {{\"path\":\"etc/base.txt\",\"text\":\"base\\n\",\"mode\":\"0644\"}}\n"
        )
    };
    let images = ["linux/amd64", "linux/arm64"].map(image).concat();
    let text = format!("{{\"plan\":\"index\",\"version\":1}}\n{images}");
    fs::write(&plan, text).expect("a file can be written");
    let mut command = Command::new(tool());
    command.arg("build").arg(&plan).arg("--output");
    command.arg(format!("oci:{}", base.display()));
    run(&mut command, &[]).exits(0);
    fs::remove_file(plan).expect("it was written");
}

/// Copies a directory, as it is.
pub(crate) fn copy(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.arg("--recursive").arg(from).arg(to);
    run(&mut command, &[]).exits(0);
}

pub(crate) fn copy_file(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|why| panic!("cannot copy `{}`: {why}", from.display()));
}

pub(crate) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|why| panic!("cannot write `{}`: {why}", path.display()));
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    let mut command = Command::new("chmod");
    command.arg(format!("{mode:o}")).arg(path);
    run(&mut command, &[]).exits(0);
}

/// The digest of every output of every action of the rules, by kind of action, label and name.
pub(crate) fn outputs(spawns: &[Spawn]) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    for spawn in spawns.iter().filter(|spawn| spawn.is_ours()) {
        for (path, digest) in &spawn.outputs {
            // Without the directory of the configuration, which has the compilation mode in it.
            let name = path.split_once("/bin/").map_or(&**path, |(_, name)| name);
            let key = format!("{} {} {name}", spawn.mnemonic, spawn.label);
            if let Some(other) = outputs.insert(key.clone(), digest.clone()) {
                // For several platforms there are several: all of them count.
                let both = if other < *digest {
                    format!("{other} {digest}")
                } else {
                    format!("{digest} {other}")
                };
                outputs.insert(key, both);
            }
        }
    }
    outputs
}

/// Kind and label of each action of the rules, sorted.
pub(crate) fn actions(spawns: &[Spawn]) -> Vec<(String, String)> {
    let ours = spawns.iter().filter(|spawn| spawn.is_ours());
    let mut actions: Vec<_> = ours
        .map(|spawn| (spawn.mnemonic.clone(), spawn.label.clone()))
        .collect();
    actions.sort();
    actions
}

/// Whether a file is a layer's bytes.
pub(crate) fn is_blob(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|it| it == "blob")
}

/// How often each runner ran an action of the rules.
pub(crate) fn runners(spawns: &[Spawn]) -> BTreeMap<String, usize> {
    let mut runners = BTreeMap::new();
    for spawn in spawns.iter().filter(|spawn| spawn.is_ours()) {
        *runners.entry(spawn.runner.clone()).or_default() += 1;
    }
    runners
}

/// The files of a target, as the machine sees them.
pub(crate) fn files(workspace: &Workspace<'_>, target: &str, flags: &[&str]) -> Vec<PathBuf> {
    let words = [&["cquery", "--output=files", target], flags].concat();
    let said = workspace.run(&words).expect("the target is there");
    let root = workspace.base().join("execroot/_main");
    said.lines().map(|line| root.join(line)).collect()
}

/// The one file of a target whose name ends so, which is a JSON document.
pub(crate) fn document(files: &[PathBuf], ending: &str) -> Value {
    let path = files
        .iter()
        .find(|path| path.to_string_lossy().ends_with(ending))
        .unwrap_or_else(|| panic!("no {ending} in {files:?}"));
    let bytes = fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_slice(&bytes).expect("it is JSON")
}
