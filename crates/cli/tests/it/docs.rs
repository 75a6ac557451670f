//! The manual names what there is.

use std::collections::BTreeSet;

use crate::support::{Project, names};

const MANUAL: &str = include_str!("../../../../docs/cli.md");

#[test]
fn the_manual_has_a_section_for_each_command() {
    let project = Project::new();
    project.run(&["man", "pages", "-q"]).exits(0);
    // One page for each command; those that only group others have no section, and `cargo image`
    // has a manual of its own.
    let groups = [
        "cooperage",
        "cooperage cache",
        "cooperage layout",
        "cooperage plan",
        "cargo image",
    ];
    let commands: BTreeSet<String> = names(&project.path("pages"))
        .iter()
        .map(|page| page.trim_end_matches(".1").replace('-', " "))
        .map(|command| command.replace("list tags", "list-tags"))
        .filter(|command| !groups.contains(&command.as_str()))
        .collect();
    let sections: BTreeSet<String> = MANUAL
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .map(str::to_owned)
        .collect();
    assert_eq!(commands, sections);
}

#[test]
fn the_manual_has_every_flag_in_the_section_of_its_command() {
    let project = Project::new();
    for section in MANUAL.split("\n### `").skip(1) {
        let (command, text) = section
            .split_once('`')
            .expect("a heading has two backticks");
        let words: Vec<&str> = command.split(' ').skip(1).chain(["--help"]).collect();
        let help = project.run(&words).exits(0).text();
        let own = help
            .split("Options of every command")
            .next()
            .unwrap_or_default();
        // A flag's own lines begin with it: `-o, --output <LOCATION>`.
        let lines = own
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with('-'));
        let mut flags = 0;
        for flag in lines.flat_map(|line| line.split([' ', ','])) {
            if flag.starts_with("--") && !["--help", "--version"].contains(&flag) {
                let written = format!("`{flag}");
                assert!(
                    text.contains(&written),
                    "`{flag}` of `{command}` is not in docs/cli.md"
                );
                flags += 1;
            }
        }
        let without = ["man", "verify", "layout fsck", "list-tags", "cache usage"];
        let name = command.trim_start_matches("cooperage ");
        assert!(
            flags > 0 || without.contains(&name),
            "no flag of `{command}` was found"
        );
    }
}

#[test]
fn examples_of_the_manual_are_commands_that_exist() {
    let project = Project::new();
    let lines = MANUAL.lines().filter(|line| line.starts_with("cooperage "));
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let command: Vec<&str> = words
            .iter()
            .copied()
            .take(if ["cache", "layout", "plan"].contains(&words[0]) {
                2
            } else {
                1
            })
            .chain(["--help"])
            .collect();
        let help = project.run(&command).exits(0).text();
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "`{flag}` in `{line}`");
        }
    }
}

#[test]
fn exit_codes_are_the_same_in_help_and_manual() {
    let project = Project::new();
    let help = project.run(&["--help"]).exits(0).text();
    let codes = help
        .lines()
        .skip_while(|line| *line != "Exit codes:")
        .skip(1);
    for line in codes.take_while(|line| !line.is_empty()) {
        let (code, meaning) = line
            .trim()
            .split_once("  ")
            .expect("a code and its meaning");
        let row = format!("| {code} | {meaning} |");
        assert!(MANUAL.contains(&row), "`{row}` is not in docs/cli.md");
    }
}
