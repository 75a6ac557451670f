//! `cargo xtask bench bazel`: the Bazel rules over a generated workspace, beside as many actions that
//! only copy their inputs.

mod deeds;
mod report;
mod workspace;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use cooperage_testkit::bazel::{Bazel, Options, Workspace};
use serde::Serialize;

use super::figures::median;
use super::machine::Machine;
use super::workloads::remove_all;
use super::{Format, target_directory};
use deeds::{DEEDS, Deed};
use report::Results;

/// `cargo xtask bench bazel`
///
/// A hundred images of three layers, one of ten thousand files and one of thirty thousand labels,
/// without a network, with the Bazel of `cargo xtask peers install`. Beside each figure stands that
/// of as many actions that copy the same inputs, from the same run, so that machines can be compared.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is done; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    deed: Vec<String>,
    /// Rounds, in each of which everything is done once in every way
    #[arg(long, default_value_t = 3, value_name = "N")]
    runs: usize,
    /// Only ways whose names begin so; may be given several times
    #[arg(long, value_name = "NAME")]
    way: Vec<String>,
    /// Another build of cooperage than the one of this checkout
    #[arg(long, value_name = "PROGRAM")]
    cooperage: Option<std::path::PathBuf>,
    /// What stands on standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Put the results into `docs/performance.md`
    #[arg(long)]
    save: bool,
}

/// What targets of ours are called, those that copy the same, and those that do so by a rule that
/// asks for a toolchain besides, as every rule does whose tool is not the machine's.
const OURS: &str = "image";
const COPIES: &str = "copy";
const COPIES_WITH_TOOLCHAIN: &str = "copy_with_toolchain";

/// How everything is built: by which targets, with which flags.
#[derive(Clone, Copy, Debug, Serialize)]
struct Way {
    name: &'static str,
    /// What the targets are called that are built so.
    target: &'static str,
    flags: &'static [&'static str],
}

const WAYS: [Way; 4] = [
    Way {
        name: "cooperage, as Bazel has it (worker)",
        target: OURS,
        flags: &[],
    },
    Way {
        name: "cooperage, in the sandbox",
        target: OURS,
        flags: &["--spawn_strategy=linux-sandbox"],
    },
    Way {
        name: "copies, in the sandbox",
        target: COPIES,
        flags: &["--spawn_strategy=linux-sandbox"],
    },
    Way {
        name: "copies, local, by a rule with a toolchain",
        target: COPIES_WITH_TOOLCHAIN,
        flags: &["--spawn_strategy=local"],
    },
];

impl Way {
    fn is_ours(&self) -> bool {
        self.target == OURS
    }
}

/// What one deed took in each way.
#[derive(Clone, Debug, Serialize)]
struct Measured {
    name: &'static str,
    about: &'static str,
    /// Seconds, run after run, a list for each way.
    seconds: Vec<Vec<f64>>,
    /// Actions that ran, and bytes that they wrote, in each way.
    actions: Vec<(usize, u64)>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let deeds = chosen(&args.deed)?;
    let ways: Vec<Way> = WAYS
        .into_iter()
        .filter(|way| args.way.is_empty() || super::begins(way.name, &args.way))
        .collect();
    let target = target_directory()?;
    let cooperage = match &args.cooperage {
        Some(program) => program.canonicalize()?,
        None => super::build(&target)?,
    };
    let home = target.join("bench");
    let directory = home.join("bazel");
    remove_all(&directory)?;
    workspace::make(&directory, &cooperage)?;
    let options = Options {
        sees: vec![home.clone()],
    };
    let bazel = Bazel::start(&options)
        .context("Bazel is needed: install it with `cargo xtask peers install`")?;
    let rules = format!("--override_module=cooperage={}", crate::root().display());
    let workspace = bazel.workspace(&directory).with_flags([rules]);
    let measured = measure(&workspace, &deeds, &ways, args.runs)?;
    let results = Results {
        machine: Machine::this(&home),
        runs: args.runs,
        ways,
        measured,
    };
    match args.format {
        Format::Text => println!("{}", report::markdown(&results)),
        Format::Json => println!("{}", serde_json::to_string_pretty(&results)?),
    }
    if args.save {
        report::save(&results, &crate::root().join("docs/performance.md"))?;
    }
    drop(workspace);
    remove_all(&directory)?;
    Ok(ExitCode::SUCCESS)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Deed>> {
    if names.is_empty() {
        return Ok(DEEDS.iter().collect());
    }
    let known: Vec<_> = DEEDS.iter().map(|deed| deed.name).collect();
    let find = |name: &String| {
        DEEDS
            .iter()
            .find(|deed| deed.name == name)
            .with_context(|| format!("no deed `{name}`: expected one of {}", known.join(", ")))
    };
    names.iter().map(find).collect()
}

/// Every way in every round, each round beginning with another; then each once more, to count.
fn measure(
    workspace: &Workspace<'_>,
    deeds: &[&'static Deed],
    ways: &[Way],
    runs: usize,
) -> Result<Vec<Measured>> {
    deeds
        .iter()
        .map(|deed| {
            let mut seconds = vec![Vec::new(); ways.len()];
            // Not counted: what Bazel and the machine do the first time, or times.
            for _ in 0..deed.warm() {
                for way in ways {
                    deed.run(workspace, way)?;
                }
            }
            for round in 0..runs {
                eprintln!("{}: round {} of {runs}", deed.name, round + 1);
                for at in 0..ways.len() {
                    let at = (at + round) % ways.len();
                    seconds[at].push(deed.run(workspace, &ways[at])?);
                }
            }
            let actions = ways.iter().map(|way| deed.count(workspace, way));
            Ok(Measured {
                name: deed.name,
                about: deed.about,
                seconds,
                actions: actions.collect::<Result<_>>()?,
            })
        })
        .collect()
}

impl Measured {
    /// The median of a way's runs, in seconds.
    fn median(&self, way: usize) -> f64 {
        median(self.seconds[way].clone())
    }

    /// What one way took over what another took, as the median of the ratios in each round.
    fn ratio(&self, way: usize, to: usize) -> f64 {
        let pairs = self.seconds[way].iter().zip(&self.seconds[to]);
        median(pairs.map(|(one, other)| one / other).collect())
    }
}
