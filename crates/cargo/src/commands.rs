//! The programs that are nothing but this front.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::stderr::say;
use crate::{ImageArgs, advice, image, signals};

/// What a workspace does to itself.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

/// Build packages and make container images of them
// Cargo hands its own subcommand's name on, so that is a command of this program.
#[derive(Debug, Parser)]
#[command(name = "cargo", bin_name = "cargo", version, styles = clap::builder::Styles::styled())]
struct Cargo {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build a package and make a container image of it, without a daemon
    Image(Box<ImageArgs>),
}

/// The whole of a workspace's `xtask`: `cargo xtask image`.
///
/// Exits with 0 when the image is made, 1 when it cannot be, 2 when the flags mean nothing.
#[must_use]
pub fn xtask_main() -> ExitCode {
    let Command::Image(args) = Xtask::parse().command;
    run(&args)
}

/// The whole of the program `cargo-image`, which cargo runs as `cargo image`.
///
/// Exits like [`xtask_main`].
#[must_use]
pub fn cargo_image_main() -> ExitCode {
    let Command::Image(args) = Cargo::parse().command;
    run(&args)
}

/// The command line of the program `cargo-image`, for completions and man pages: `image` is the only
/// command below it, as cargo calls it.
#[must_use]
pub fn cargo_image_command() -> clap::Command {
    Cargo::command()
}

/// [`image()`] as a program: an error is printed with its causes.
///
/// For an `xtask` that has more commands and flattens [`ImageArgs`] into one of them. Exits like
/// [`xtask_main`].
#[must_use]
pub fn run(args: &ImageArgs) -> ExitCode {
    signals::handle();
    match image(args) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("error: {error:#}"));
            if let Some(hint) = advice::of(error.as_ref()) {
                say(format_args!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}
