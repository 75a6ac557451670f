//! An action sees names and bytes, and nothing else of a file.

use std::process::Command;

use cooperage_testkit::bazel::HttpCache;
use cooperage_testkit::program::run;

use crate::support::{files, outputs, runners, set_mode, workspace};

/// What the layer holds, whatever Bazel makes of modes and links.
const EXPECTED: [(&str, &str); 9] = [
    ("app/generated.txt", "0644"),
    ("app/[link]*", "0777"),
    ("app/program", "0755"),
    ("app/sources/a0644.txt", "0644"),
    ("app/sources/b0755.sh", "0644"),
    ("app/sources/c0600.txt", "0644"),
    ("app/tree/link", "0644"),
    ("app/tree/one.txt", "0644"),
    ("app/tree/sub/two.sh", "0644"),
];

#[test]
fn names_and_bytes_only() {
    let Some(workspace) = workspace() else { return };
    let mut flags: Vec<Vec<String>> = [
        &["--spawn_strategy=local"][..],
        &["--spawn_strategy=linux-sandbox"],
        &["--strategy=CooperageLayer=worker"],
    ]
    .iter()
    .map(|flags| flags.iter().map(ToString::to_string).collect())
    .collect();
    let cache = HttpCache::start();
    if let Some(cache) = &cache {
        let flag = vec![format!("--remote_cache={}", cache.url())];
        flags.extend([flag.clone(), flag]);
    }
    let mut digests = Vec::new();
    for (round, flags) in flags.iter().enumerate() {
        // Another mode each time, which is none of the layer's business.
        for (file, mode) in [
            ("a0644.txt", 0o644),
            ("b0755.sh", 0o755),
            ("c0600.txt", 0o600),
        ] {
            let mode = if round % 2 == 0 { mode } else { mode ^ 0o111 };
            set_mode(&workspace.path().join("names/data").join(file), mode);
        }
        workspace.run(&["clean"]).expect("it can be cleaned");
        let mut words = vec!["build", "//names:image"];
        words.extend(flags.iter().map(String::as_str));
        let spawns = workspace.spawns(&words).expect("it builds");
        if round == 4 {
            let by = runners(&spawns);
            assert_eq!(by.get("remote cache hit"), Some(&2), "{by:?}");
        }
        digests.push(outputs(&spawns));
    }
    assert!(
        digests.iter().all(|digest| *digest == digests[0]),
        "{digests:#?}"
    );
    assert_eq!(
        digests[0].len(),
        5,
        "a layer and its metadata; three documents"
    );

    workspace
        .run(&["build", "//names:layer"])
        .expect("it builds");
    let layer = files(&workspace, "//names:layer", &[]);
    let blob = layer
        .iter()
        .find(|path| path.extension().is_some_and(|it| it == "blob"));
    let listing = list(blob.expect("a layer has bytes"));
    for (path, mode) in EXPECTED {
        assert!(
            listing.contains(&(path.to_owned(), mode.to_owned())),
            "{path} {mode}: {listing:?}"
        );
    }
    assert!(
        listing.iter().any(|(path, _)| path == "app/tree/empty/"),
        "{listing:?}"
    );
}

/// Paths and modes of a layer, as GNU tar lists them.
fn list(layer: &std::path::Path) -> Vec<(String, String)> {
    let mut command = Command::new("tar");
    command
        .arg("--gzip")
        .arg("--list")
        .arg("--verbose")
        .arg("--numeric-owner")
        .arg("--file")
        .arg(layer);
    let said = run(&mut command, &[]).exits(0).text();
    said.lines()
        .map(|line| {
            let mode = octal(&line[1..10]);
            let path = line
                .split_whitespace()
                .nth(5)
                .expect("a path is the sixth column");
            (path.to_owned(), mode)
        })
        .collect()
}

/// `rwxr-xr-x` as digits.
fn octal(letters: &str) -> String {
    let digit = |three: &[u8]| {
        let bits = three
            .iter()
            .zip([4, 2, 1])
            .filter(|(letter, _)| **letter != b'-');
        bits.map(|(_, bit)| bit).sum::<u32>().to_string()
    };
    let digits: String = letters.as_bytes().chunks(3).map(digit).collect();
    format!("0{digits}")
}
