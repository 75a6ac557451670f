//! `cargo xtask peers`: the real counterparts that images are tested against, most from Debian.
//!
//! Those of the machine's own release are installed on it; those of a newer one live in a
//! root of their own, the *modern root*, which outlives checkouts. The test kit finds both.

#![expect(
    clippy::print_stdout,
    reason = "what was done and found is what the command is for"
)]

mod debian;
mod modern;
mod packages;
mod place;
mod registries;
pub(crate) mod shell;
mod stable;
mod table;

use std::process::ExitCode;

use anyhow::Context as _;

use modern::Root;
use place::Place;

/// The exit code that says: all is there but the modern root, which could not be made today.
const WITHOUT_MODERN_ROOT: u8 = 3;

/// What to do about the counterparts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Command {
    /// Install what is missing, as root on Debian; nothing is done twice.
    ///
    /// Ends with 3 when all is there but the modern root, which could not be made on this day.
    Install,
    /// Show what is there, and in which version.
    List,
}

/// Does what `command` says.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Install => match install()? {
            Outcome::Complete => Ok(ExitCode::SUCCESS),
            Outcome::WithoutModernRoot => Ok(ExitCode::from(WITHOUT_MODERN_ROOT)),
        },
        Command::List => list().map(|()| ExitCode::SUCCESS),
    }
}

/// How an installation went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Everything is there.
    Complete,
    /// The machine's own peers are there; the modern root could not be made, and a note says so.
    WithoutModernRoot,
}

/// Installs the counterparts of both generations, as far as they are missing, and lists them.
///
/// # Errors
///
/// When one of the machine's own release cannot be installed. That the *modern* root cannot be
/// made is no error but an outcome: its suite moves, and some days it does not fit together.
pub(crate) fn install() -> anyhow::Result<Outcome> {
    shell::require_root()?;
    let place = Place::from_environment()?;
    let _held = place.lock()?;
    stable::install().context("the machine's own peers are not complete")?;
    debian::install(&place).context("the Debian root is not complete")?;
    registries::install(&place)?;
    let result = modern::install(&place);
    let root = place.note(result.as_ref().err())?;
    table::print(&place, root.as_ref())?;
    let Err(why) = result else {
        return Ok(Outcome::Complete);
    };
    println!("\nThe modern root could not be made today: {why:#}");
    println!("Tests go on without it. Untested with it:");
    for peer in packages::PEERS.iter().filter(|peer| peer.modern.is_some()) {
        println!("  {}", peer.title);
    }
    Ok(Outcome::WithoutModernRoot)
}

/// Lists the counterparts with what is installed of them.
pub(crate) fn list() -> anyhow::Result<()> {
    let place = Place::from_environment()?;
    table::print(&place, Root::complete(&place).as_ref())?;
    if let Some(reason) = place.unavailable() {
        println!("\nThe modern root could not be made when last tried: {reason}");
    }
    Ok(())
}
