//! What a compiler does not check: the crate graph, the crates' sentences, the house rules.
//!
//! Every check is a test, so that `cargo test` runs it.

mod dependencies;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

const PREFIX: &str = "cooperage-";

fn metadata() -> Metadata {
    let manifest = crate::root().join("Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .exec()
        .expect("cargo metadata")
}

fn library_packages(metadata: &Metadata) -> Vec<&Package> {
    let crates = crate::root().join("crates");
    let own = |package: &&Package| package.manifest_path.starts_with(&crates);
    metadata
        .workspace_packages()
        .into_iter()
        .filter(own)
        .collect()
}

fn architecture() -> String {
    fs::read_to_string(crate::root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md")
}

fn short(package: &Package) -> &str {
    package.name.strip_prefix(PREFIX).unwrap_or(&package.name)
}

/// The lines `name -> a b c` of the fenced block `graph` in `ARCHITECTURE.md`.
fn drawn_graph() -> BTreeMap<String, BTreeSet<String>> {
    let text = architecture();
    let block = text
        .split("```graph\n")
        .nth(1)
        .expect("a ```graph block in ARCHITECTURE.md");
    let block = block.split("```").next().expect("its end");
    let edges = |line: &str| {
        let (name, on) = line.split_once("->")?;
        Some((
            name.trim().to_owned(),
            on.split_whitespace().map(str::to_owned).collect(),
        ))
    };
    block.lines().filter_map(edges).collect()
}

#[test]
fn the_crate_graph_is_the_one_that_architecture_md_draws() {
    let metadata = metadata();
    let packages = library_packages(&metadata);
    let real: BTreeMap<String, BTreeSet<String>> = packages
        .iter()
        .map(|package| {
            let own = package.dependencies.iter().filter(|dependency| {
                dependency.kind == DependencyKind::Normal && dependency.name.starts_with(PREFIX)
            });
            let own = own
                .map(|dependency| dependency.name[PREFIX.len()..].to_owned())
                .collect();
            (short(package).to_owned(), own)
        })
        .collect();
    assert!(real.len() >= 13, "only {} crates were found", real.len());
    assert_eq!(
        drawn_graph(),
        real,
        "left: ARCHITECTURE.md, right: the manifests"
    );
}

#[test]
fn a_crate_says_the_same_sentence_everywhere() {
    let metadata = metadata();
    let architecture = architecture();
    for package in library_packages(&metadata) {
        let sentence = package.description.as_deref().expect("a description");
        let directory = package.manifest_path.parent().expect("a directory");
        assert_eq!(
            directory.file_name(),
            Some(short(package)),
            "folders have no prefix"
        );
        let source = directory.join("src");
        let source = ["lib.rs", "main.rs"].map(|file| source.join(file));
        let source = source
            .into_iter()
            .find(|file| file.exists())
            .expect("lib.rs or main.rs");
        let code = fs::read_to_string(&source).expect("readable");
        assert_eq!(
            code.lines().next(),
            Some(&*format!("//! {sentence}")),
            "{source}"
        );
        let row = format!("| `{}` | {sentence} |", short(package));
        assert!(
            architecture.contains(&row),
            "ARCHITECTURE.md has no row `{row}`"
        );
    }
}

#[test]
fn who_only_wants_a_layout_gets_no_network_and_no_cargo() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let id = |name: &str| {
        metadata
            .packages
            .iter()
            .find(|p| *p.name == name)
            .map(|p| &p.id)
    };
    let mut open = vec![id("cooperage-layout").expect("the layout crate")];
    let mut seen = BTreeSet::new();
    while let Some(at) = open.pop() {
        if seen.insert(at) {
            let node = resolve
                .nodes
                .iter()
                .find(|node| node.id == *at)
                .expect("a node");
            let normal = node.deps.iter().filter(|dependency| {
                dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            });
            open.extend(normal.map(|dependency| &dependency.pkg));
        }
    }
    let names: BTreeSet<&str> = metadata
        .packages
        .iter()
        .filter(|package| seen.contains(&package.id))
        .map(|package| package.name.as_str())
        .collect();
    assert!(names.contains("sha2"), "the walk went wrong: {names:?}");
    let banned = [
        "tokio",
        "async-std",
        "futures",
        "hyper",
        "reqwest",
        "ureq",
        "h2",
        "http",
        "rustls",
        "openssl",
        "native-tls",
        "cargo_metadata",
        "bollard",
        "oci-client",
        "tar",
        "flate2",
        "zstd-safe",
        "cooperage-tarball",
        "cooperage-daemon-archive",
        "cooperage-commit",
        "cooperage-cargo",
    ];
    let found: Vec<_> = banned
        .into_iter()
        .filter(|name| names.contains(name))
        .collect();
    assert!(found.is_empty(), "cooperage-layout depends on {found:?}");
}

fn sources(directory: &Path, files: &mut Vec<PathBuf>) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the order cannot matter to these checks"
    )]
    for item in fs::read_dir(directory).expect("a directory") {
        let path = item.expect("an entry").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn library_sources() -> Vec<PathBuf> {
    let metadata = metadata();
    let mut files = Vec::new();
    for package in library_packages(&metadata) {
        let directory = package
            .manifest_path
            .parent()
            .expect("a directory")
            .join("src");
        sources(directory.as_std_path(), &mut files);
    }
    assert!(
        files.len() > 60,
        "only {} source files were found",
        files.len()
    );
    files
}

/// The code of a file: no comments, and nothing behind `#[cfg(test)]`, nor in the file of a module
/// `tests`.
fn code(file: &Path) -> Vec<(usize, String)> {
    if file.file_name().is_some_and(|name| name == "tests.rs") {
        return Vec::new();
    }
    let text = fs::read_to_string(file).expect("readable");
    let (code, tests) = text.split_once(FOR_TESTS).unwrap_or((&text, ""));
    assert!(
        is_one_module(tests),
        "{}: expected the module `tests` and nothing else behind `#[cfg(test)]`",
        file.display()
    );
    let lines = code
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim().to_owned()));
    lines.filter(|(_, line)| !line.starts_with("//")).collect()
}

const FOR_TESTS: &str = "\n#[cfg(test)]";

/// Whether what is left out as tests is their module alone: code behind it would be looked at by
/// nobody.
fn is_one_module(tests: &str) -> bool {
    let mut outermost = tests
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(' '));
    match outermost.next() {
        None => tests.is_empty(),
        Some("mod tests;") => outermost.next().is_none(),
        Some("mod tests {") => outermost.next() == Some("}") && outermost.next().is_none(),
        Some(_) => false,
    }
}

#[test]
fn what_is_left_out_as_tests_is_tests() {
    for tests in ["", "\nmod tests;\n", "\nmod tests {\n    fn a() {}\n\n}\n"] {
        assert!(is_one_module(tests), "{tests:?}");
    }
    for other in [
        "\nfn a() {}\n",
        "\nmod tests;\nfn a() {}\n",
        "\nmod tests {\n}\n\npub fn a() {}\n",
        "\nmod tests {\n}\n#[cfg(test)]\nmod tests {\n}\n",
    ] {
        assert!(!is_one_module(other), "{other:?}");
    }
}

/// What stands for an error that nobody thought of: macros by their names, and methods.
fn holes() -> Vec<String> {
    let macros = ["panic", "todo", "unimplemented"].map(|name| format!("{name}!("));
    let methods = [".unwrap()", ".unwrap_err()", ".expect(\"\")"].map(str::to_owned);
    [macros, methods].concat()
}

#[test]
fn libraries_do_not_panic_and_hold_no_stubs() {
    let holes = holes();
    let mut found = Vec::new();
    for file in library_sources() {
        for (at, line) in code(&file) {
            if holes.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{at}: {line}", file.display()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "say why it holds with expect, or return an error:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    const LINES: usize = 500;
    let long = |file: &PathBuf| code(file).len() > LINES;
    let long: Vec<_> = library_sources().into_iter().filter(long).collect();
    assert!(long.is_empty(), "more than {LINES} lines of code: {long:?}");
}

#[test]
fn every_published_crate_carries_its_licence_and_readme() {
    let metadata = metadata();
    for package in library_packages(&metadata) {
        let directory = package.manifest_path.parent().expect("a directory");
        for file in ["LICENSE-MIT", "LICENSE-APACHE", "README.md"] {
            let text = fs::read_to_string(directory.join(file));
            assert!(
                text.is_ok_and(|text| !text.is_empty()),
                "{directory} has no {file}"
            );
        }
        assert_eq!(
            package.license.as_deref(),
            Some("MIT OR Apache-2.0"),
            "{}",
            package.name
        );
        assert!(
            package.rust_version.is_some(),
            "{} states no Rust version",
            package.name
        );
        let versions = package.dependencies.iter().filter(|dependency| {
            dependency.kind == DependencyKind::Normal && dependency.path.is_some()
        });
        for dependency in versions {
            assert_ne!(
                dependency.req.to_string(),
                "*",
                "{} needs a version to be published with",
                dependency.name
            );
        }
    }
}

#[test]
fn packages_hold_no_stray_files() {
    let metadata = metadata();
    for package in library_packages(&metadata) {
        let output = std::process::Command::new(env!("CARGO"))
            .args([
                "package",
                "--list",
                "--allow-dirty",
                "--offline",
                "--package",
                &package.name,
            ])
            .current_dir(crate::root())
            .output()
            .expect("cargo package");
        let files = String::from_utf8(output.stdout).expect("file names");
        assert!(
            files.lines().any(|file| file.starts_with("src/")),
            "{}: {files}",
            package.name
        );
        let stray = |file: &&str| {
            let known = [
                "Cargo.lock",
                "Cargo.toml",
                "Cargo.toml.orig",
                ".cargo_vcs_info.json",
                "README.md",
                "LICENSE-MIT",
                "LICENSE-APACHE",
            ];
            let directories = ["src/", "tests/", "benches/", "examples/"];
            !known.contains(file) && !directories.iter().any(|start| file.starts_with(start))
        };
        let stray: Vec<_> = files.lines().filter(stray).collect();
        assert!(stray.is_empty(), "{} would publish {stray:?}", package.name);
    }
}

/// What a publisher would see: a target whose file stays out, a member of the manifest that is
/// missing.
#[test]
fn packages_are_made_without_a_warning() {
    let metadata = metadata();
    let mut command = std::process::Command::new(env!("CARGO"));
    command
        .args(["package", "--no-verify", "--allow-dirty", "--offline"])
        .arg("--target-dir")
        .arg("target/packages")
        .current_dir(crate::root());
    for package in library_packages(&metadata) {
        command.args(["--package", &package.name]);
    }
    let output = command.output().expect("cargo package");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !said.contains("warning"),
        "{said}"
    );
}
