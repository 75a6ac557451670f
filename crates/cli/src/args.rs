//! The command line.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use cooperage_cargo::NetworkArgs;

/// What `--help` and each man page end with.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed; what was there before is still there
  2  the command line means nothing
  3  checked, and found faults (verify, layout fsck, plan check)

Locations:
  oci:DIR[:NAME], oci:DIR@DIGEST     an image layout
  oci-archive:FILE[:NAME]            an image layout in a tar
  docker-archive:FILE[:REFERENCE]    what docker save writes and docker load reads
  docker://REFERENCE                 an image of a registry
  docker-daemon:REFERENCE            an image of the Docker Engine, or of podman's service

An archive's FILE may be `-`: standard input, or standard output for copy.";

/// What was asked for.
pub(crate) struct Cli {
    pub(crate) global: Global,
    pub(crate) command: Command,
}

/// Build, copy, inspect and verify container images, without a daemon
#[derive(Debug, Parser)]
#[command(
    name = "cooperage",
    version,
    after_help = EXIT_CODES,
    disable_help_subcommand = true,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Frame {
    #[command(flatten)]
    global: Global,
}

impl Cli {
    /// The whole command line, with every command.
    pub(crate) fn command() -> clap::Command {
        Command::augment_subcommands(Frame::command())
    }

    /// Ends the program for what means nothing, and for `--help`.
    pub(crate) fn parse(args: &[OsString]) -> Self {
        let mut command = Self::command_for(args);
        let parsed = command.try_get_matches_from_mut(args).and_then(|matches| {
            Ok(Self {
                global: Global::from_arg_matches(&matches)?,
                command: Command::from_arg_matches(&matches)?,
            })
        });
        let parsed = parsed.unwrap_or_else(|error| error.format(&mut command).exit());
        // Taken to pieces it would cost as much again as to read the command line.
        std::mem::forget(command);
        parsed
    }

    /// The command line with the one command that `args` begin with: most of the time that it takes
    /// to read one goes into those that nobody asked for.
    fn command_for(args: &[OsString]) -> clap::Command {
        let name = args.get(1).and_then(|name| name.to_str());
        let mut all = Command::augment_subcommands(clap::Command::default());
        let asked = all
            .get_subcommands_mut()
            .find(|command| Some(command.get_name()) == name);
        let Some(command) = asked else {
            return Self::command();
        };
        let command = Frame::command().subcommand(std::mem::take(command));
        // As in `parse`.
        std::mem::forget(all);
        command
    }
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// What stands on standard output
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) format: Format,
    /// No progress, no notes, nothing but results and errors
    #[arg(short, long, global = true, help_heading = "Options of every command")]
    pub(crate) quiet: bool,
    /// Blocks compressed, and blobs moved, at once [default: one for each processor]
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Options of every command",
        value_name = "N"
    )]
    pub(crate) jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for people
    #[default]
    Text,
    /// One JSON document
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Action(crate::action::ActionArgs),
    Build(crate::build::BuildArgs),
    Layer(crate::layer::LayerArgs),
    Commit(crate::commit::CommitArgs),
    Copy(crate::copy::CopyArgs),
    Inspect(crate::inspect::InspectArgs),
    ListTags(crate::list_tags::ListTagsArgs),
    Ls(crate::ls::LsArgs),
    Unpack(crate::unpack::UnpackArgs),
    Verify(crate::verify::VerifyArgs),
    /// Look after the cache of registries' blobs
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Look after an image layout
    #[command(subcommand)]
    Layout(LayoutCommand),
    /// Check plans, and help to write them
    #[command(subcommand)]
    Plan(PlanCommand),
    Completions(crate::generate::CompletionsArgs),
    Man(crate::generate::ManArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    Usage(crate::cache::UsageArgs),
    Prune(crate::cache::PruneArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LayoutCommand {
    Gc(crate::layout::GcArgs),
    Fsck(crate::layout::FsckArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    Check(crate::plan::CheckArgs),
    Closure(crate::closure::ClosureArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_the_same_whether_it_is_alone_or_among_all() {
        let mut all = Cli::command();
        all.build();
        assert!(all.get_subcommands().count() > 10);
        for expected in all.get_subcommands() {
            let name = expected.get_name();
            let mut alone = Cli::command_for(&["cooperage".into(), name.into()]);
            alone.build();
            assert_eq!(alone.get_subcommands().count(), 1, "{name}");
            let found = alone.find_subcommand(name).expect("what was asked for");
            assert_same(found, expected);
        }
    }

    fn assert_same(found: &clap::Command, expected: &clap::Command) {
        let help = |command: &clap::Command| command.clone().render_long_help().to_string();
        assert_eq!(help(found), help(expected));
        let below = |command: &clap::Command| command.get_subcommands().cloned().collect();
        let (found, expected): (Vec<_>, Vec<_>) = (below(found), below(expected));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_same(found, expected);
        }
    }

    #[test]
    fn what_is_no_command_is_looked_for_among_all() {
        for args in [
            &["cooperage"][..],
            &["cooperage", "cpoy"],
            &["cooperage", "-q", "copy"],
        ] {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            let found = Cli::command_for(&args).get_subcommands().count();
            assert_eq!(found, Cli::command().get_subcommands().count(), "{args:?}");
        }
    }
}
