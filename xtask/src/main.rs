//! What the workspace does to itself: `cargo xtask image`, `test`, `bench`, `dist`, `fuzz`, `golden`, `peers`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program for a terminal"
)]

mod bazel_docs;
mod bench;
mod dist;
mod fuzz;
mod golden;
mod peers;
mod test;
#[cfg(test)]
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Builds, tests and packs cooperage itself"
)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build a program with cargo and pack it into an OCI image
    Image(Box<cooperage_cargo::ImageArgs>),
    /// Run every check: format, lints, structure, unit, property, golden, documentation and end-to-end tests
    Test(test::Args),
    /// Measure cooperage and its peers, from workloads that anyone can make
    Bench(bench::Args),
    /// Build the command for others to download, the same bytes wherever it is built
    Dist(dist::Args),
    /// Give every parser hostile bytes, and look for what they break
    Fuzz(fuzz::Args),
    /// Write the reference of the Bazel rules in docs/bazel.md anew, from the Starlark
    BazelDocs,
    /// Compare the golden digests, or store new ones
    Golden(golden::Args),
    /// The real engines, registries and tools that the tests compare with
    #[command(subcommand)]
    Peers(peers::Command),
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::wrap() {
        return code;
    }
    let result = match Xtask::parse().command {
        Command::Image(args) => return cooperage_cargo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Dist(args) => dist::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::BazelDocs => bazel_docs::run(),
        Command::Golden(args) => golden::run(&args),
        Command::Peers(command) => peers::run(command),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's root directory.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask
        .parent()
        .map_or_else(|| xtask.to_owned(), Path::to_owned)
}
