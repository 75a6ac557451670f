//! Runs Bazel of the modern root offline: `cargo run -p cooperage-testkit --example bazel -- WORKSPACE ARGUMENTS…`
//!
//! Without arguments, a shell where `bazel` is told all that it must be told. With several commands
//! in one run, parted by `--then`, one server serves all.

use std::path::Path;
use std::process::ExitCode;

use cooperage_testkit::bazel::{Bazel, Options};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let workspace = arguments.next().expect("usage: bazel WORKSPACE ARGUMENTS…");
    let workspace = Path::new(&workspace)
        .canonicalize()
        .expect("the workspace is there");
    let arguments: Vec<String> = arguments.collect();
    let options = Options {
        sees: vec![workspace.clone()],
    };
    let Some(bazel) = Bazel::start(&options) else {
        return ExitCode::FAILURE;
    };
    let workspace = bazel.workspace(&workspace);
    for command in arguments.split(|argument| argument == "--then") {
        let status = workspace.command(command).status().expect("Bazel starts");
        if !status.success() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
