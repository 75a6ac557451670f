//! `cargo xtask bench`: cooperage and its peers over workloads that anyone can make.

mod bazel;
mod figures;
mod machine;
mod measure;
mod packages;
mod registry;
mod report;
mod tools;
mod workloads;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::MetadataCommand;
use serde::Serialize;

use crate::test::{Step, cargo};
use figures::Row;
use machine::Machine;
use measure::Launcher;
use report::{Measured, Results};
use tools::Tool;
use workloads::{WORKLOADS, Workload};

/// `cargo xtask bench`
///
/// Packages come once, by Python's pip, and stay in `target/bench` with what is made of them:
/// about 5 GB. The machine should have nothing else to do.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// What is packed; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    workload: Vec<String>,
    /// No tools whose names begin so for the largest workload, which they would take minutes for
    #[arg(long, value_name = "NAME")]
    not_mix: Vec<String>,
    /// One more tool: a line for bash that packs `$SRC` to a file or files below `$OUT`
    #[arg(long, value_name = "NAME=COMMAND")]
    peer: Vec<String>,
    #[command(flatten)]
    how: How,
    /// Make the workloads and measure nothing
    #[arg(long)]
    prepare: bool,
}

/// What is said of any measuring.
#[derive(Debug, clap::Args)]
struct How {
    /// Rounds, in each of which every tool runs once
    #[arg(long, default_value_t = 5, value_name = "N")]
    runs: usize,
    /// Only tools whose names begin so; may be given several times
    #[arg(long, value_name = "NAME")]
    tool: Vec<String>,
    /// Another build of cooperage than the one of this checkout
    #[arg(long, value_name = "PROGRAM")]
    cooperage: Option<PathBuf>,
    /// What stands on standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Put the results into `docs/performance.md`
    #[arg(long)]
    save: bool,
}

impl How {
    fn check(&self) -> Result<()> {
        ensure!(self.runs > 0, "`--runs 0` measures nothing");
        Ok(())
    }

    /// The program that is measured.
    fn cooperage(&self, target: &Path) -> Result<PathBuf> {
        match &self.cooperage {
            Some(program) => Ok(program.canonicalize()?),
            None => build(target),
        }
    }

    fn takes(&self, tool: &str) -> bool {
        self.tool.is_empty() || begins(tool, &self.tool)
    }

    fn print<T: Serialize>(&self, results: &T, text: impl Fn(&T) -> String) -> Result<()> {
        match self.format {
            Format::Text => println!("{}", text(results)),
            Format::Json => println!("{}", serde_json::to_string_pretty(results)?),
        }
        Ok(())
    }
}

#[derive(Debug, clap::Subcommand)]
enum Other {
    /// Measure pushes, pulls and copies between registries instead
    Registry(registry::Args),
    /// Measure builds with the Bazel rules instead
    Bazel(bazel::Args),
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
enum Format {
    /// Tables
    #[default]
    Text,
    /// Every figure of every run
    Json,
}

const TWO_HOURS: std::time::Duration = std::time::Duration::from_secs(2 * 60 * 60);

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.other {
        Some(Other::Registry(args)) => return registry::run(args),
        Some(Other::Bazel(args)) => return bazel::run(args),
        None => {}
    }
    let how = &args.how;
    how.check()?;
    let chosen = chosen(&args.workload)?;
    let target = target_directory()?;
    let home = target.join("bench");
    let cooperage = how.cooperage(&target)?;
    if args.prepare {
        for workload in chosen {
            let made = workload.make(&home)?;
            println!(
                "{}: {} files, {} bytes",
                workload.name, made.files, made.bytes
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    let launcher = Launcher::build(&target)?;
    let mut tools = tools::all(&cooperage, &home, &args.peer)?;
    tools.retain(|tool| how.takes(&tool.name));
    let workloads = chosen
        .into_iter()
        .map(|workload| {
            let is_out = |tool: &Tool| workload.name == "mix" && begins(&tool.name, &args.not_mix);
            let (out, tools): (Vec<Tool>, Vec<Tool>) = tools.iter().cloned().partition(is_out);
            let mut measured = measure_one(workload, &tools, how.runs, &launcher, &home)?;
            measured.left_out = out.into_iter().map(|tool| tool.name).collect();
            Ok(measured)
        })
        .collect::<Result<Vec<_>>>()?;
    let results = Results {
        machine: Machine::this(&home),
        floor: launcher.floor()?,
        workloads,
        commit: tools::commit(&cooperage, &launcher, &home, how.runs)?,
    };
    how.print(&results, report::markdown)?;
    if how.save {
        report::save(&results, &crate::root().join("docs/performance.md"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds cooperage as it is released.
fn build(target: &Path) -> Result<PathBuf> {
    let build = "build --quiet --release --package cooperage-cli --bin cooperage".split(' ');
    let build: Vec<_> = build.collect();
    Step::new("cooperage, as it is released", cargo(&build)).run(TWO_HOURS)?;
    Ok(target.join("release/cooperage"))
}

/// Every tool in every round, each round beginning with another.
fn measure_one(
    workload: &'static Workload,
    tools: &[Tool],
    runs: usize,
    launcher: &Launcher,
    home: &Path,
) -> Result<Measured> {
    let made = workload.make(home)?;
    let mut rows: Vec<_> = tools
        .iter()
        .map(|tool| Row {
            tool: tool.name.clone(),
            version: tool.version.clone(),
            is_ours: tool.is_ours(),
            runs: Vec::new(),
        })
        .collect();
    for round in 0..runs {
        eprintln!("{}: round {} of {runs}", workload.name, round + 1);
        for at in 0..tools.len() {
            let at = (at + round) % tools.len();
            rows[at].runs.push(tools[at].run(&made, launcher, home)?);
        }
    }
    Ok(Measured {
        name: workload.name.to_owned(),
        about: workload.about.to_owned(),
        files: made.files,
        bytes: made.bytes,
        rows,
        left_out: Vec::new(),
    })
}

fn begins(name: &str, with: &[String]) -> bool {
    with.iter().any(|begin| name.starts_with(begin.as_str()))
}

fn chosen(names: &[String]) -> Result<Vec<&'static Workload>> {
    if names.is_empty() {
        return Ok(WORKLOADS.iter().collect());
    }
    let known: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
    let known = known.join(", ");
    let find = |name: &String| {
        WORKLOADS
            .iter()
            .find(|workload| workload.name == name)
            .with_context(|| format!("no workload `{name}`: expected one of {known}"))
    };
    names.iter().map(find).collect()
}

fn target_directory() -> Result<PathBuf> {
    let metadata = MetadataCommand::new()
        .manifest_path(crate::root().join("Cargo.toml"))
        .no_deps()
        .exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
}
