//! `cooperage completions` and `cooperage man`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command, CommandFactory};
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
}

/// Write a man page for each command
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The directory that the pages go to; made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs, context: &Context) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cooperage", &mut script);
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
    let mut files = Staged::default();
    let mut names = Vec::new();
    pages(&root, "cooperage", &mut |name, page| {
        names.push(name.to_owned());
        files.add(&args.directory.join(name), page)
    })?;
    files.show()?;
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
fn pages(
    command: &Command,
    name: &str,
    page: &mut dyn FnMut(&str, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut roff = Vec::new();
    // The page's title; the usage in it goes by the name with spaces.
    let titled = command
        .clone()
        .display_name(name.to_owned())
        .after_help(EXIT_CODES);
    clap_mangen::Man::new(titled)
        .source(concat!("cooperage ", env!("CARGO_PKG_VERSION")))
        .render(&mut roff)?;
    page(&format!("{name}.1"), &roff)?;
    for below in command.get_subcommands() {
        pages(below, &format!("{name}-{}", below.get_name()), page)?;
    }
    Ok(())
}
