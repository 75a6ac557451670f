//! Flags are added to the user's, wherever those are.

use cooperage_cargo::cargo_config::CargoConfig;
use cooperage_cargo::remap::{Change, Renames, Target, Vars, c_changes, rust_changes};

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

fn target() -> Target {
    let cfgs = ["unix", "target_os=\"linux\"", "target_arch=\"x86_64\""];
    let cfgs = cfgs.iter().map(|cfg| cfg.parse().expect("a cfg")).collect();
    Target {
        triple: TRIPLE.to_owned(),
        cfgs,
    }
}

fn vars(pairs: &[(&str, &str)]) -> Vars {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn config(texts: &[&str]) -> CargoConfig {
    CargoConfig::from_texts(texts).expect("the test is TOML")
}

fn show(change: Change) -> String {
    match change {
        Change::Env { name, value } => format!("{name}={}", value.replace('\u{1f}', " ")),
        Change::Config(text) => format!("--config {text}"),
    }
}

#[track_caller]
fn rust(env: &[(&str, &str)], configs: &[&str], expect: &str) {
    let ours = ["--ours".to_owned()];
    let change = rust_changes(&ours, &vars(env), &config(configs), &target());
    assert_eq!(show(change), expect, "{env:?} {configs:?}");
}

#[test]
fn rust_flags_go_where_cargo_looks() {
    let build = "--config build.rustflags=[\"--ours\"]";
    let joined = "--config target.'cfg(not(cooperage))'.rustflags=[\"--ours\"]";
    rust(&[], &[], build);
    rust(&[], &["build.rustflags = ['-a']"], build);
    rust(&[("RUSTFLAGS", " ")], &[], build);
    rust(&[("CARGO_BUILD_RUSTFLAGS", "-a")], &[], build);
    rust(
        &[],
        &["build.rustflags = '-a  -b'"],
        "CARGO_ENCODED_RUSTFLAGS=--ours -a -b",
    );
    rust(
        &[("RUSTFLAGS", "-a -b")],
        &[],
        "CARGO_ENCODED_RUSTFLAGS=--ours -a -b",
    );
    rust(
        &[
            ("CARGO_ENCODED_RUSTFLAGS", "-a\u{1f}-b"),
            ("RUSTFLAGS", "-c"),
        ],
        &[],
        "CARGO_ENCODED_RUSTFLAGS=--ours -a -b",
    );
    rust(
        &[("CARGO_ENCODED_RUSTFLAGS", "")],
        &["build.rustflags = ['-a']"],
        "CARGO_ENCODED_RUSTFLAGS=--ours",
    );
    rust(
        &[("RUSTFLAGS", "-e")],
        &["build.rustflags = ['-a']"],
        "CARGO_ENCODED_RUSTFLAGS=--ours -e",
    );
    rust(
        &[],
        &["[target.x86_64-unknown-linux-gnu]\nrustflags = '-a'"],
        joined,
    );
    rust(
        &[],
        &[
            "[target.'cfg(unix)']\nrustflags = ['-a']",
            "build.rustflags = ['-b']",
        ],
        joined,
    );
    rust(
        &[("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-a")],
        &[],
        joined,
    );
    rust(&[], &["[target.'cfg(windows)']\nrustflags = ['-a']"], build);
    rust(
        &[],
        &["[target.aarch64-unknown-linux-gnu]\nrustflags = ['-a']"],
        build,
    );
    rust(&[], &["[target.'cfg(unix)']\nrustflags = []"], build);
    rust(&[], &["[target.'cfg(unix)']\nlinker = 'x'"], build);
}

#[test]
fn names_that_the_user_chose_win() {
    let user = "--remap-path-prefix=/w=/mine";
    rust(
        &[],
        &[&format!("build.rustflags = ['{user}']")],
        &format!("CARGO_ENCODED_RUSTFLAGS=--ours {user}"),
    );
    rust(
        &[],
        &[&format!(
            "[target.'cfg(unix)']\nrustflags = ['-a', '{user}']"
        )],
        &format!("CARGO_ENCODED_RUSTFLAGS=--ours -a {user}"),
    );
}

#[track_caller]
fn c(env: &[(&str, &str)], configs: &[&str], expect: &[&str]) {
    let ours = ["-ours".to_owned()];
    let changes = c_changes(&ours, &vars(env), &config(configs), &target());
    let shown: Vec<String> = changes.into_iter().map(show).collect();
    assert_eq!(shown, expect, "{env:?} {configs:?}");
}

#[test]
fn c_flags_extend_every_variable_that_is_set() {
    c(&[], &[], &["CFLAGS=-ours", "CXXFLAGS=-ours"]);
    c(
        &[("CFLAGS", "-O1")],
        &[],
        &["CFLAGS=-ours -O1", "CXXFLAGS=-ours"],
    );
    c(
        &[
            ("CFLAGS_x86_64-unknown-linux-gnu", "-a"),
            ("TARGET_CFLAGS", "-b"),
            ("CXXFLAGS_x86_64_unknown_linux_gnu", "-c"),
        ],
        &[],
        &[
            "CFLAGS_x86_64-unknown-linux-gnu=-ours -a",
            "TARGET_CFLAGS=-ours -b",
            "CXXFLAGS_x86_64_unknown_linux_gnu=-ours -c",
        ],
    );
    c(
        &[],
        &["[env]\nCFLAGS = '-O1'"],
        &["CFLAGS=-ours -O1", "CXXFLAGS=-ours"],
    );
    c(
        &[("CFLAGS", "-O2")],
        &["[env]\nCFLAGS = '-O1'"],
        &["CFLAGS=-ours -O2", "CXXFLAGS=-ours"],
    );
    c(
        &[("CFLAGS", "-O2")],
        &["[env]\nCFLAGS = { value = '-O1', force = true }"],
        &[
            "--config env.CFLAGS={value=\"-ours -O1\",force=true}",
            "CXXFLAGS=-ours",
        ],
    );
}

#[test]
fn the_longest_prefix_comes_last() {
    let mut renames = Renames::default();
    for (from, to) in [
        ("/w/target", "/target"),
        ("/w", "/workspace"),
        ("/", "/root"),
        ("/w/", "/x"),
        ("/a b", "/c"),
    ] {
        renames.add(from, to);
    }
    assert_eq!(
        renames.rust_flags(),
        [
            "--remap-path-prefix=/w=/workspace",
            "--remap-path-prefix=/a b=/c",
            "--remap-path-prefix=/w/target=/target",
        ]
    );
    assert_eq!(
        renames.c_flags(),
        [
            "-ffile-prefix-map=/w=/workspace",
            "-ffile-prefix-map=/w/target=/target"
        ]
    );
}

#[test]
fn configuration_files_are_found_as_cargo_finds_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("can be made");
        std::fs::write(path, text).expect("can be written");
    };
    write("home/config.toml", "build.rustflags = ['home']");
    write(
        "w/.cargo/config.toml",
        "include = ['more.toml']\nbuild.rustflags = ['outer']",
    );
    write("w/.cargo/more.toml", "build.rustflags = ['included']");
    write("w/in/.cargo/config", "build.rustflags = ['inner']");
    write("w/in/.cargo/config.toml", "build.rustflags = ['shadowed']");
    let arguments = ["build.rustflags = ['argument']".to_owned()];
    let config = CargoConfig::find(
        &dir.path().join("w/in"),
        Some(&dir.path().join("home")),
        &arguments,
    );
    let flags = config.flags(&["build", "rustflags"]).flags;
    assert_eq!(flags, ["home", "included", "outer", "inner", "argument"]);
}

#[test]
fn a_toolchain_is_named_to_rustc_alone() {
    let mut renames = Renames::default();
    renames.add("/usr/src/app", "/workspace");
    renames.add("/workspace/target", "/target");
    renames.add("/workspace", "/workspace");
    renames.add_toolchain("/usr", "/rust");
    assert_eq!(renames.rust_flags()[0], "--remap-path-prefix=/usr=/rust");
    assert!(renames.c_flags().iter().all(|flag| !flag.contains("/rust")));
    assert_eq!(renames.unwanted(), ["/usr/src/app", "/workspace/target"]);
}
