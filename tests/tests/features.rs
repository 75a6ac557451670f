//! Features that other crates of a program switch on in codec libraries do not reach our bytes.
//!
//! Cargo unifies features: one crate of a user's graph that asks for `flate2/zlib-ng` exchanges
//! the library below all of them. `tests/features` is such a program.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cooperage_testkit::program::target_of;
use cooperage_testkit::{golden, peers};

/// What the program prints with some features on, built as `more` has it: the digest of flate2's
/// bytes, after the digests of ours were compared with the workspace's own.
fn check(features: &str, more: &[&str]) -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("features/Cargo.toml");
    let tmp = env!("CARGO_TARGET_TMPDIR");
    let target = Path::new(tmp).join("features");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--features", features])
        .args(more)
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        // What no feature reaches was built for this workspace already.
        .env("CARGO_BUILD_BUILD_DIR", target_of(tmp))
        // What is switched on is what a user's crates ask for, not what this run was started with.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .output()
        .expect("cargo can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "with `{features}` {more:?}: {}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let mut flate2 = None;
    let mut ours = 0;
    for line in text.lines() {
        let (name, digest) = line.split_once(": ").expect("a name and a digest");
        if name == "flate2" {
            flate2 = Some(digest.to_owned());
        } else {
            golden::check(&format!("compress/{name}"), digest);
            ours += 1;
        }
    }
    assert_eq!(
        ours,
        1 + 9 + 9 + 19,
        "every level was printed, with `{features}`"
    );
    flate2.expect("flate2's digest was printed")
}

#[test]
fn features_of_other_crates_do_not_reach_our_bytes() {
    // Those of zstd are in all sets, so that its library is not built twice; without them is how
    // this workspace itself is built.
    let mut sets = vec![
        "zstd-features",
        "zlib,zstd-features",
        "zlib-rs-features,zstd-features",
    ];
    // zlib-ng is built by CMake.
    if peers::tool("cmake").is_some() {
        sets.extend([
            "zlib-ng,zlib-rs,zstd-features",
            "zlib-ng-compat,cloudflare_zlib,zstd-features",
        ]);
    }
    let foreign: BTreeSet<String> = sets.into_iter().map(|set| check(set, &[])).collect();
    // miniz_oxide, zlib and zlib-rs at least: were they one, no feature would have been on.
    assert!(
        foreign.len() >= 3,
        "flate2's own bytes never changed: {foreign:?}"
    );
}

/// The workspace's own tests are built without.
#[test]
fn optimisation_does_not_reach_our_bytes() {
    check("zstd-features", &["--release"]);
}
