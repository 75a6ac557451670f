//! Cargo itself joins our flags to the user's, from each of its places.

use crate::project::{Project, finish};

const PLACES: &[(&str, &str, &str)] = &[
    // Name of a variable, its value, a configuration file.
    ("RUSTFLAGS", "--cfg marked", ""),
    ("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}marked", ""),
    ("CARGO_BUILD_RUSTFLAGS", "--cfg marked", ""),
    ("X", "", "build.rustflags = ['--cfg', 'marked']"),
    ("X", "", "build.rustflags = '--cfg marked'"),
    (
        "X",
        "",
        "[target.'cfg(unix)']\nrustflags = ['--cfg', 'marked']",
    ),
    ("X", "", "[target.'cfg(unix)']\nrustflags = '--cfg marked'"),
    (
        "X",
        "",
        "build.rustflags = ['--cfg', 'marked', '--remap-path-prefix=/x=/y']",
    ),
];

#[test]
fn flags_of_the_user_stay_and_ours_are_there() {
    let project = Project::new(&[
        (
            "Cargo.toml",
            "[package]\nname = 'flags'\nversion = '0.1.0'\nedition = '2024'\n\
             [lints.rust]\nunexpected_cfgs = 'allow'\n",
        ),
        (
            "src/main.rs",
            "#[cfg(not(marked))]\ncompile_error!(\"the user's flags were lost\");\n#[path = \"/proc/self/cwd/src/away.rs\"]\nmod away;\nfn main() { away::tell() }\n",
        ),
        (
            "src/away.rs",
            "pub fn tell() { println!(\"{}\", file!()) }\n",
        ),
    ]);
    // A path that only the compiler knows as this machine's.
    project.write(
        "src/main.rs",
        &format!(
            "#[cfg(not(marked))]\ncompile_error!(\"the user's flags were lost\");\n\
             #[path = {:?}]\nmod away;\nfn main() {{ away::tell() }}\n",
            project.path("src/away.rs")
        ),
    );
    for (name, value, config) in PLACES {
        project.write(".cargo/config.toml", config);
        let mut command = project.command(&["--format=json"]);
        if *name != "X" {
            command.env(name, value);
        }
        // It fails on a warning, and one is given where a path of this machine is left.
        finish(&mut command);
        let binary = std::fs::read(project.target().join("release/flags")).expect("the binary");
        let renamed = b"/workspace/src/away.rs";
        assert!(
            binary.windows(renamed.len()).any(|bytes| bytes == renamed),
            "{name} {value} {config}"
        );
    }
    project.write(".cargo/config.toml", PLACES[3].2);
    let output = project
        .command(&["--remap-paths=false"])
        .output()
        .expect("it runs");
    assert!(output.status.success());
    let binary = std::fs::read(project.target().join("release/flags")).expect("the binary");
    let plain = project.path("src/away.rs");
    let plain = plain.to_str().expect("text").as_bytes();
    assert!(
        binary.windows(plain.len()).any(|bytes| bytes == plain),
        "the key turns it off"
    );
}
