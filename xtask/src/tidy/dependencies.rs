//! What `deny.toml` says of licences, of crates in two versions and of where crates come from.
//!
//! `cargo deny check licenses bans sources` asks the same and more; this needs nothing installed,
//! and so is asked every time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};
use toml::{Table, Value};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// All packages that any feature on any platform brings in.
fn everything() -> Metadata {
    MetadataCommand::new()
        .manifest_path(crate::root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo metadata")
}

fn foreign(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    let own = &metadata.workspace_members;
    metadata
        .packages
        .iter()
        .filter(|package| !own.contains(&package.id))
}

fn deny() -> Table {
    let text = fs::read_to_string(crate::root().join("deny.toml")).expect("deny.toml");
    text.parse().expect("deny.toml is TOML")
}

fn section<'a>(table: &'a Table, name: &str) -> &'a Table {
    table
        .get(name)
        .and_then(Value::as_table)
        .unwrap_or_else(|| panic!("deny.toml has no section `{name}`"))
}

fn list<'a>(table: &'a Table, key: &str) -> &'a [Value] {
    let value = table.get(key).and_then(Value::as_array);
    value.map_or(&[], Vec::as_slice)
}

fn strings(values: &[Value]) -> BTreeSet<String> {
    values
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Whether licences that are allowed satisfy an SPDX expression, `/` of old meaning `OR`.
fn satisfies(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let holds = any_of(&mut words, allowed);
    holds && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut holds = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        holds |= all_of(words, allowed);
    }
    holds
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut holds = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        holds &= one(words, allowed);
    }
    holds
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let holds = any_of(words, allowed);
        return words.next() == Some(")") && holds;
    }
    let Some(name) = words.next() else {
        return false;
    };
    let exception = words.next_if_eq(&"WITH").and_then(|_| words.next());
    match exception {
        None => allowed.contains(name),
        Some(exception) => allowed.contains(&format!("{name} WITH {exception}")),
    }
}

#[test]
fn every_licence_is_one_that_deny_toml_allows() {
    let deny = deny();
    let licences = section(&deny, "licenses");
    let allowed = strings(list(licences, "allow"));
    let metadata = everything();
    let mut found = Vec::new();
    for package in foreign(&metadata) {
        let mut allowed = allowed.clone();
        for exception in list(licences, "exceptions")
            .iter()
            .filter_map(Value::as_table)
        {
            if exception["name"].as_str() == Some(package.name.as_str()) {
                allowed.extend(strings(list(exception, "allow")));
            }
        }
        let licence = package.license.as_deref().unwrap_or("none");
        if !satisfies(licence, &allowed) {
            found.push(format!("{} {}: {licence}", package.name, package.version));
        }
    }
    assert!(
        found.is_empty(),
        "licences that deny.toml does not allow: {found:#?}"
    );
    // What nothing has any more is taken out.
    let unused = allowed.iter().filter(|licence| {
        let uses = |package: &Package| {
            let text = package.license.as_deref().unwrap_or_default();
            text.contains(licence.as_str())
        };
        !foreign(&metadata).any(uses)
    });
    let unused: Vec<_> = unused.collect();
    assert!(unused.is_empty(), "nothing has the licences {unused:?}");
}

#[test]
fn a_crate_comes_in_one_version_or_deny_toml_says_why_not() {
    let deny = deny();
    let skipped = list(section(&deny, "bans"), "skip");
    let skipped: BTreeSet<_> = skipped
        .iter()
        .filter_map(|skip| {
            Some((
                skip.get("name")?.as_str()?,
                skip.get("version")?.as_str()?.to_owned(),
            ))
        })
        .collect();
    let metadata = everything();
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in &metadata.packages {
        let versions = versions.entry(package.name.as_str()).or_default();
        versions.insert(package.version.to_string());
    }
    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    for (name, versions) in &versions {
        if versions.len() == 1 {
            continue;
        }
        let mut left = versions.clone();
        left.retain(|version| {
            let skip = skipped.iter().find(|(skip, of)| {
                skip == name && (version == of || version.starts_with(&format!("{of}.")))
            });
            used.extend(skip.cloned());
            skip.is_none()
        });
        if left.len() > 1 {
            found.push(format!("{name} {versions:?}"));
        }
    }
    assert!(found.is_empty(), "crates in several versions: {found:#?}");
    let unused: Vec<_> = skipped.difference(&used).collect();
    assert!(unused.is_empty(), "not needed any more: {unused:?}");
}

#[test]
fn crates_come_from_crates_io_alone() {
    let metadata = everything();
    let mut count = 0;
    for package in foreign(&metadata) {
        let source = package.source.as_ref().map(|source| source.repr.as_str());
        assert_eq!(
            source,
            Some(CRATES_IO),
            "{} {} comes from elsewhere",
            package.name,
            package.version
        );
        count += 1;
    }
    assert!(count > 100, "only {count} packages were found");
    let lock = fs::read_to_string(crate::root().join("Cargo.lock")).expect("Cargo.lock");
    let lock: Table = lock.parse().expect("Cargo.lock is TOML");
    for package in list(&lock, "package").iter().filter_map(Value::as_table) {
        assert!(
            package.contains_key("source") == package.contains_key("checksum"),
            "{} has no checksum",
            package["name"]
        );
    }
}

#[test]
fn expressions_of_licences() {
    let allowed = strings(&["MIT".into(), "Zlib".into()]);
    for (expression, holds) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Zlib", true),
        ("(MIT OR GPL-3.0) AND NCSA", false),
        ("GPL-3.0 OR Zlib AND MIT", true),
        ("MIT WITH LLVM-exception", false),
        ("(MIT", false),
        ("MIT)", false),
        ("", false),
        ("none", false),
    ] {
        assert_eq!(satisfies(expression, &allowed), holds, "{expression}");
    }
}
