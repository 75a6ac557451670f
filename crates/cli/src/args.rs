//! The command line.

use std::num::NonZeroUsize;

use clap::{Args, Parser, Subcommand, ValueEnum};
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

/// Build, copy, inspect and verify container images, without a daemon
#[derive(Debug, Parser)]
#[command(
    name = "cooperage",
    version,
    after_help = EXIT_CODES,
    disable_help_subcommand = true,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
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
