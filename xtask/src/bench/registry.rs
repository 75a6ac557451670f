//! `cargo xtask bench registry`: pushes, pulls and copies, beside skopeo and crane.

mod fixtures;
mod report;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use cooperage_testkit::faults::Proxy;
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry::{self, Registry};
use serde::Serialize;

use super::figures::Row;
use super::machine::Machine;
use super::measure::{Launcher, Sample};
use super::workloads::remove_all;
use super::{How, target_directory};
use crate::peers::shell;
use fixtures::Fixtures;
use report::Results;
use tools::Tool;

/// `cargo xtask bench registry`
///
/// The registry is CNCF distribution on the loopback interface, started anew for every run that
/// writes to it; see `cargo xtask peers install`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is done; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    deed: Vec<String>,
    #[command(flatten)]
    how: How,
}

/// What the tools are to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Deed {
    Push,
    Pull,
    PushNothing,
    PushLast,
    Across,
}

impl Deed {
    fn needs_mix(self) -> bool {
        !matches!(self, Self::PushNothing | Self::PushLast)
    }
}

/// Its name, and what it is, in a line.
const DEEDS: [(Deed, &str, &str); 5] = [
    (
        Deed::Push,
        "push",
        "the image of `mix`, one layer, from a layout to an empty registry",
    ),
    (
        Deed::Pull,
        "pull",
        "the same from a registry to a new layout",
    ),
    (
        Deed::PushNothing,
        "push-nothing",
        "an image of ten layers to where it is already, under the same tag",
    ),
    (
        Deed::PushLast,
        "push-last",
        "an image of ten layers to where nine of them are, under a tag that names another",
    ),
    (
        Deed::Across,
        "across",
        "the image of `mix` from one registry to another, which is empty",
    ),
];

/// What one deed took, tool by tool.
#[derive(Clone, Debug, Serialize)]
struct Measured {
    name: &'static str,
    about: &'static str,
    rows: Vec<Row>,
    /// Requests that each row's tool made, counted in a run of its own.
    requests: Vec<usize>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let how = &args.how;
    how.check()?;
    let deeds = chosen(&args.deed)?;
    let target = target_directory()?;
    let home = target.join("bench");
    let cooperage = how.cooperage(&target)?;
    let launcher = Launcher::build(&target)?;
    let mut fixtures = Fixtures::make(&cooperage, &home)?;
    if deeds.iter().any(|(deed, ..)| deed.needs_mix()) {
        fixtures = fixtures.with_mix(&cooperage, &home)?;
    }
    let mut tools = tools::all(&cooperage)?;
    tools.retain(|tool| how.takes(&tool.name));
    let source = start()?;
    let bench = Bench {
        launcher: &launcher,
        fixtures: &fixtures,
        source: &source,
        out: home.join("registry-out"),
    };
    if let Ok(mix) = fixtures.mix() {
        shell::run(tools::plain(&cooperage).push(mix, &bench.source_name()))?;
    }
    let measured = deeds
        .into_iter()
        .map(|(deed, name, about)| {
            let (rows, requests) = bench.measure(deed, name, &tools, how.runs)?;
            Ok(Measured {
                name,
                about,
                rows,
                requests,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let results = Results {
        machine: Machine::this(&home),
        floor: launcher.floor()?,
        layer: fixtures.layer()?,
        measured,
    };
    how.print(&results, report::markdown)?;
    if how.save {
        report::save(&results, &crate::root().join("docs/performance.md"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(names: &[String]) -> Result<Vec<(Deed, &'static str, &'static str)>> {
    let all = || DEEDS.iter().copied();
    let known: Vec<_> = all().map(|(_, name, _)| name).collect();
    let known = known.join(", ");
    for name in names {
        ensure!(
            all().any(|deed| deed.1 == name),
            "no deed `{name}`: expected one of {known}"
        );
    }
    let is_chosen = |name: &str| names.is_empty() || names.iter().any(|it| it == name);
    Ok(all().filter(|(_, name, _)| is_chosen(name)).collect())
}

fn start() -> Result<Registry> {
    registry::start(Generation::Stable)
        .context("a registry is needed: install it with `cargo xtask peers install`")
}

struct Bench<'a> {
    launcher: &'a Launcher,
    fixtures: &'a Fixtures,
    /// Has the image of `mix`.
    source: &'a Registry,
    out: PathBuf,
}

/// Where a command that is ready to be measured goes to.
struct Ready {
    command: Command,
    /// Kept until the command has ended.
    _registry: Option<Registry>,
}

/// Whether the requests are counted on their way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Counted {
    Yes,
    No,
}

impl Bench<'_> {
    fn source_name(&self) -> String {
        format!("{}/mix:1", self.source.address())
    }

    /// Every tool in every round, each round beginning with another.
    fn measure(
        &self,
        deed: Deed,
        name: &str,
        tools: &[Tool],
        runs: usize,
    ) -> Result<(Vec<Row>, Vec<usize>)> {
        let mut rows: Vec<_> = tools.iter().map(Tool::row).collect();
        for round in 0..runs {
            eprintln!("{name}: round {} of {runs}", round + 1);
            for at in 0..tools.len() {
                let at = (at + round) % tools.len();
                rows[at].runs.push(self.once(deed, &tools[at], round)?);
            }
        }
        let requests = tools
            .iter()
            .map(|tool| self.count(deed, tool))
            .collect::<Result<_>>()?;
        Ok((rows, requests))
    }

    fn once(&self, deed: Deed, tool: &Tool, round: usize) -> Result<Sample> {
        let (ready, _) = self.prepare(deed, tool, round, Counted::No)?;
        shell::run(shell::command("sync", [""; 0]))?;
        let sample = self
            .launcher
            .run(&ready.command)
            .with_context(|| format!("`{}`", tool.name))?;
        remove_all(&self.out)?;
        Ok(sample)
    }

    /// How many requests the deed takes.
    fn count(&self, deed: Deed, tool: &Tool) -> Result<usize> {
        let (ready, proxies) = self.prepare(deed, tool, 0, Counted::Yes)?;
        self.launcher.run(&ready.command)?;
        remove_all(&self.out)?;
        Ok(proxies.iter().map(|proxy| proxy.seen().len()).sum())
    }

    /// Does what is not measured and gives the command that is.
    fn prepare(
        &self,
        deed: Deed,
        tool: &Tool,
        round: usize,
        counted: Counted,
    ) -> Result<(Ready, Vec<Proxy>)> {
        remove_all(&self.out)?;
        fs::create_dir_all(&self.out)?;
        let mut proxies = Vec::new();
        let mut address = |registry: &Registry| match counted {
            Counted::Yes => {
                let proxy = Proxy::start(registry.address(), Vec::new());
                let address = proxy.address().to_owned();
                proxies.push(proxy);
                address
            }
            Counted::No => registry.address().to_owned(),
        };
        let fixtures = self.fixtures;
        let registry = (deed != Deed::Pull).then(start).transpose()?;
        let goal = |address: String| format!("{address}/goal:1");
        let directly = registry.as_ref().map(|it| goal(it.address().to_owned()));
        let before = |layout: &Path| {
            directly
                .as_deref()
                .map_or(Ok(String::new()), |to| shell::run(tool.push(layout, to)))
        };
        match deed {
            // The second time there is nothing to do, and the registry has been asked that once.
            Deed::PushNothing => {
                before(&fixtures.ten)?;
                before(&fixtures.ten)?;
            }
            Deed::PushLast => drop(before(&fixtures.ten)?),
            Deed::Push | Deed::Pull | Deed::Across => {}
        }
        let to = registry.as_ref().map(|registry| goal(address(registry)));
        let to = to.unwrap_or_default();
        let command = match deed {
            Deed::Push => tool.push(fixtures.mix()?, &to),
            Deed::PushNothing => tool.push(&fixtures.ten, &to),
            Deed::PushLast => tool.push(fixtures.changed(round), &to),
            Deed::Pull | Deed::Across => {
                let from = format!("{}/mix:1", address(self.source));
                match deed {
                    Deed::Across => tool.copy(&from, &to),
                    _ => tool.pull(&from, &self.out.join("layout")),
                }
            }
        };
        let ready = Ready {
            command,
            _registry: registry,
        };
        Ok((ready, proxies))
    }
}
