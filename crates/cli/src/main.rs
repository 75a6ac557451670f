//! The cooperage command: build, copy, inspect and verify container images.
//!
//! Thin over functions of the crates: each command reads its arguments, calls them and says what
//! came of it. `docs/cli.md` describes every command, exit codes and JSON.

mod args;

mod action;
mod build;
mod cache;
mod closure;
mod commit;
mod copy;
mod generate;
mod inspect;
mod layer;
mod layout;
mod list_tags;
mod ls;
mod plan;
mod unpack;
mod verify;

mod archive_report;
mod context;
mod error;
mod files;
mod media;
mod plan_file;
mod progress;
mod recompress;
mod text;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::args::{CacheCommand, Cli, Command, LayoutCommand, PlanCommand};
use crate::context::{Context, Outcome};

fn main() -> ExitCode {
    cooperage_cargo::signals::handle();
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = action::start(&args) {
        return code;
    }
    let cli = Cli::parse(&args);
    let context = Context::new(&cli.global);
    let code = context.finish(run(&cli.command, &context));
    // The system takes all of it back at once.
    std::mem::forget((cli, context));
    code
}

fn run(command: &Command, context: &Context) -> anyhow::Result<Outcome> {
    match command {
        Command::Action(args) => action::run(args, context),
        Command::Build(args) => build::run(args, context),
        Command::Layer(args) => layer::run(args, context),
        Command::Commit(args) => commit::run(args, context),
        Command::Copy(args) => copy::run(args, context),
        Command::Inspect(args) => inspect::run(args, context),
        Command::ListTags(args) => list_tags::run(args, context),
        Command::Ls(args) => ls::run(args, context),
        Command::Verify(args) => verify::run(args, context),
        Command::Unpack(args) => unpack::run(args, context),
        Command::Cache(CacheCommand::Usage(args)) => cache::usage(args, context),
        Command::Cache(CacheCommand::Prune(args)) => cache::prune(args, context),
        Command::Layout(LayoutCommand::Gc(args)) => layout::gc(args, context),
        Command::Layout(LayoutCommand::Fsck(args)) => layout::fsck(args, context),
        Command::Plan(PlanCommand::Check(args)) => plan::run(args, context),
        Command::Plan(PlanCommand::Closure(args)) => closure::run(args, context),
        Command::Completions(args) => generate::completions(args, context),
        Command::Man(args) => generate::man(args, context),
    }
}
