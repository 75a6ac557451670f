//! The same image from two clones at different places.

use std::path::Path;
use std::process::Command;

use crate::project::{Project, finish};

/// What writes paths into binaries: `file!()`, generated code, panics of dependencies from the
/// registry, and C.
const PROGRAM: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[workspace]\nresolver = '3'\nmembers = ['app', 'lib']\n",
    ),
    (
        "app/Cargo.toml",
        "[package]\nname = 'app'\nversion = '0.1.0'\nedition = '2024'\n\
         [dependencies]\nlib = { path = '../lib' }\nitoa = '1'\n\
         [build-dependencies]\ncc = '1'\n",
    ),
    (
        "app/build.rs",
        r#"
            fn main() {
                let out = std::env::var("OUT_DIR").expect("cargo sets it");
                let code = "pub fn generated(n: usize) -> u8 { let v = vec![1, 2]; v[n] }\n\
                            pub const FILE: &str = file!();\n";
                std::fs::write(format!("{out}/generated.rs"), code).expect("it can be written");
                cc::Build::new().file("src/part.c").compile("part");
            }
        "#,
    ),
    (
        "app/src/part.c",
        "#include <assert.h>\nconst char *part(int n) { assert(n < 99); return __FILE__ __DATE__; }\n",
    ),
    (
        "app/src/main.rs",
        r#"
            include!(concat!(env!("OUT_DIR"), "/generated.rs"));
            unsafe extern "C" { fn part(n: i32) -> *const std::ffi::c_char; }
            fn main() {
                let n = std::env::args().count();
                let part = unsafe { std::ffi::CStr::from_ptr(part(n as i32)) };
                let number = itoa::Buffer::new().format(n).to_owned();
                println!("{number} {} {} {FILE} {:?} {}", generated(n), lib::place(n), part, file!());
            }
        "#,
    ),
    (
        "lib/Cargo.toml",
        "[package]\nname = 'lib'\nversion = '0.1.0'\nedition = '2024'\n",
    ),
    (
        "lib/src/lib.rs",
        "pub fn place(n: usize) -> &'static str { assert!(n < 99, \"too many\"); file!() }\n",
    ),
];

fn cargo_home() -> std::path::PathBuf {
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    let found = std::env::vars_os().find(|(name, _)| name == "CARGO_HOME");
    found
        .map(|(_, home)| home.into())
        .or(home)
        .expect("cargo has a home")
}

/// Another `CARGO_HOME` with the same downloads.
#[cfg(unix)]
fn other_home(at: &Path) {
    std::fs::create_dir_all(at).expect("made");
    std::os::unix::fs::symlink(cargo_home().join("registry"), at.join("registry")).expect("linked");
}

#[test]
#[cfg(unix)]
fn place_home_target_umask_zone_and_threads_do_not_reach_the_digest() {
    let one = Project::at("one", PROGRAM);
    let two = Project::at("elsewhere/in-another/longer-path", PROGRAM);
    // One lock file for both, made from what is there.
    let mut lock = Command::new("cargo");
    lock.args(["generate-lockfile", "--offline"])
        .current_dir(one.path(""));
    assert!(lock.status().expect("cargo runs").success());
    std::fs::copy(one.path("Cargo.lock"), two.path("Cargo.lock")).expect("copied");
    for profile in ["release", "dev"] {
        let profile = format!("--profile={profile}");
        let first = one.run(&[&profile, "--threads=1"]);
        let home = two.path("../home");
        if !home.exists() {
            other_home(&home);
        }
        let plain = two.command(&[&profile, "--threads=5", "--format=json"]);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "umask 077; exec \"$0\" \"$@\""])
            .arg(plain.get_program());
        shell.args(plain.get_args()).current_dir(two.path(""));
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell
            .env("CARGO_HOME", &home)
            .env("TZ", "Asia/Tokyo")
            .env("LANG", "tr_TR.UTF-8");
        let second = finish(&mut shell);
        assert_eq!(first["images"], second["images"], "{profile}");
        assert_eq!(first["digest"], second["digest"], "{profile}");
    }
}

/// A path that a crate writes by itself cannot be renamed, and is named instead.
#[test]
fn a_path_that_is_left_is_told() {
    let project = Project::new(&[
        (
            "Cargo.toml",
            "[package]\nname = 'leaky'\nversion = '0.1.0'\nedition = '2024'\n",
        ),
        (
            "src/main.rs",
            "fn main() { println!(\"{}\", env!(\"CARGO_MANIFEST_DIR\")); }\n",
        ),
    ]);
    let output = project.command(&[]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("warning: binary `leaky` names `"), "{said}");
}
