//! The help, and its agreement with the keys and the manual.

use clap::{CommandFactory, Parser};
use cooperage_cargo::ImageArgs;
use cooperage_cargo::metadata::KEYS;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    args: ImageArgs,
}

/// Flags of keys whose plural would be odd, or that name one of several.
const SINGULAR: &[(&str, &str)] = &[
    ("annotations", "annotation"),
    ("args", "arg"),
    ("cmd", "cmd"),
    ("files", "file"),
    ("labels", "label"),
    ("layers", "layer"),
    ("libraries", "library"),
    ("platforms", "target"),
    ("ports", "port"),
    ("tags", "tag"),
    ("users", "add-user"),
    ("volumes", "volume"),
];

fn flag_of(key: &'static str) -> &'static str {
    SINGULAR
        .iter()
        .find(|(plural, _)| *plural == key)
        .map_or(key, |(_, flag)| flag)
}

#[test]
fn every_key_is_a_flag() {
    let command = Flags::command();
    for key in KEYS {
        let flag = flag_of(key);
        let known = command.get_arguments().any(|argument| {
            argument.get_long() == Some(flag)
                || argument
                    .get_all_aliases()
                    .is_some_and(|names| names.contains(&flag))
        });
        assert!(known, "key `{key}` has no flag `--{flag}`");
    }
}

#[test]
fn every_flag_is_explained() {
    let command = Flags::command();
    for argument in command.get_arguments() {
        assert!(argument.get_help().is_some(), "{:?}", argument.get_id());
    }
    command.debug_assert();
}

/// The manual lies in the repository, and not in the package.
#[test]
fn the_manual_has_every_key_and_flag() {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cargo.md");
    let manual = std::fs::read_to_string(manual).expect("docs/cargo.md is part of the repository");
    for key in KEYS {
        assert!(
            manual.contains(&format!("| `{key}` |")),
            "docs/cargo.md lacks key `{key}`"
        );
    }
    for argument in Flags::command().get_arguments() {
        let Some(flag) = argument.get_long().filter(|flag| *flag != "help") else {
            continue;
        };
        assert!(
            manual.contains(&format!("`--{flag}")),
            "docs/cargo.md lacks `--{flag}`"
        );
    }
}
