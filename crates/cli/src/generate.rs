//! `cooperage completions` and `cooperage man`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::args::{Cli, EXIT_CODES};
use crate::context::{Context, Outcome};
use crate::files::Staged;
use crate::text::count;

/// Print the completions of a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
    /// The program whose command line is completed
    #[arg(long, value_enum, default_value_t, value_name = "PROGRAM")]
    program: Program,
}

/// The programs of this package.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Program {
    /// `cooperage`
    #[default]
    Cooperage,
    /// `cargo-image`, which cargo runs as `cargo image`
    CargoImage,
}

/// Write a man page for each command, and one for `cargo image`
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The directory that the pages go to; made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs, context: &Context) -> Result<Outcome> {
    let mut script = Vec::new();
    let (mut command, name) = match args.program {
        Program::Cooperage => (Cli::command(), "cooperage"),
        Program::CargoImage => (cooperage_cargo::cargo_image_command(), "cargo-image"),
    };
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let text = String::from_utf8(script).context("a script is text")?;
    context.answer(
        || json!({"shell": args.shell.to_string(), "script": text}),
        || text.clone(),
    )?;
    Ok(Outcome::Done)
}

pub(crate) fn man(args: &ManArgs, context: &Context) -> Result<Outcome> {
    std::fs::create_dir_all(&args.directory)
        .with_context(|| format!("cannot make `{}`", args.directory.display()))?;
    let mut root = Cli::command();
    root.build();
    let mut cargo = cooperage_cargo::cargo_image_command();
    cargo.build();
    let mut files = Staged::default();
    let mut names = Vec::new();
    let mut add = |name: &str, page: &[u8]| {
        names.push(name.to_owned());
        files.add(&args.directory.join(name), page)
    };
    pages(&root, "cooperage", &mut add)?;
    for command in cargo.get_subcommands() {
        let name = format!("cargo-{}", command.get_name());
        if command.get_name() != "help" {
            page(command.clone(), &name, &mut add)?;
        }
    }
    files.keep()?;
    context.report(
        || json!({"directory": args.directory.to_string_lossy(), "pages": names}),
        || {
            let pages = count(names.len(), "man page");
            format!("{pages} in {}\n", args.directory.display())
        },
    )?;
    Ok(Outcome::Done)
}

/// A page for each command and those below it.
fn pages(command: &Command, name: &str, add: &mut AddPage<'_>) -> Result<()> {
    page(command.clone().after_help(EXIT_CODES), name, add)?;
    for below in command.get_subcommands() {
        pages(below, &format!("{name}-{}", below.get_name()), add)?;
    }
    Ok(())
}

/// Takes a page, by its file's name.
type AddPage<'a> = dyn FnMut(&str, &[u8]) -> Result<()> + 'a;

fn page(command: Command, name: &str, add: &mut AddPage<'_>) -> Result<()> {
    let mut roff = Vec::new();
    // The page's title; the usage in it goes by the name with spaces.
    clap_mangen::Man::new(command.display_name(name.to_owned()))
        .source(concat!("cooperage ", env!("CARGO_PKG_VERSION")))
        .render(&mut roff)?;
    add(&format!("{name}.1"), &roff)
}
