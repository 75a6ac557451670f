//! The program of the tests itself once more, as a process of its own that can be killed or limited.
//!
//! A test that begins with [`told`] is what such a process runs: there it does what it was told, and
//! everywhere else it is a test like any other.

use std::process::Command;

use crate::settings;

const TOLD: &str = "COOPERAGE_TEST_TOLD";

/// The words for this process, if [`command`] started it.
#[must_use]
pub fn told() -> Option<Vec<String>> {
    let words = settings::text(TOLD)?;
    Some(words.split('\n').map(str::to_owned).collect())
}

/// This program, to run `test`, whose whole name it is, with these words.
#[must_use]
pub fn command(test: &str, words: &[&str]) -> Command {
    command_under(&this_program(), &[], test, words)
}

/// As [`command`], by another program: its arguments end with the path of this one, or of a copy.
#[must_use]
pub fn command_under(program: &str, arguments: &[&str], test: &str, words: &[&str]) -> Command {
    assert!(
        !words.iter().any(|word| word.contains('\n')),
        "a word is a line: {words:?}"
    );
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(TOLD, words.join("\n"));
    command
}

/// The path of this program.
#[must_use]
pub fn this_program() -> String {
    let path = std::env::current_exe().expect("a test has a path");
    let path = path.into_os_string().into_string();
    path.expect("the path of a test is text")
}
