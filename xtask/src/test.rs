//! `cargo xtask test`: every check there is, in three tiers, each within its time.

mod advisories;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// `cargo xtask test`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fail where a real counterpart is missing, instead of listing it at the end.
    #[arg(long)]
    require_peers: bool,
    /// Only the first tier: no fuzzing and no end-to-end tests.
    #[arg(long)]
    core: bool,
    /// A copy of the advisory database that `cargo audit` reads; else where it keeps its own.
    #[arg(long, value_name = "DIR")]
    advisories: Option<PathBuf>,
}

/// What each tier is to take on two quiet cores, the building of all it runs included.
const CORE_BUDGET: Duration = Duration::from_secs(10 * 60);
const FUZZ_BUDGET: Duration = Duration::from_secs(5 * 60);
const END_TO_END_BUDGET: Duration = Duration::from_secs(15 * 60);
/// A tier is ended after so many times its budget: machines of CI are shared, and a slow one says
/// nothing of the code. What is over its budget says so.
const PATIENCE: u32 = 3;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let missing = MissingPeers::new()?;
    let with_peers = |mut command: Command| {
        command.env("COOPERAGE_MISSING_PEERS_FILE", &missing.0);
        if args.require_peers {
            command.env("COOPERAGE_REQUIRE_PEERS", "1");
        }
        command
    };
    let warnings_are_errors = |mut command: Command| {
        command.env("RUSTDOCFLAGS", "-D warnings");
        command
    };
    let mut core = vec![Step::new("format", cargo(&["fmt", "--all", "--check"]))];
    core.extend(APART.map(format_apart));
    core.push(Step::new(
        "lints",
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    ));
    core.extend(APART.map(lint_apart));
    core.extend([
        Step::new(
            "documentation",
            warnings_are_errors(cargo(&["doc", "--workspace", "--no-deps"])),
        ),
        Step::new(
            "unit, property, golden, documentation and interop tests",
            with_peers(cargo(&[
                "test",
                "--workspace",
                "--exclude",
                "cooperage-tests",
            ])),
        ),
    ]);
    let end_to_end = vec![Step::new(
        "end-to-end tests",
        with_peers(cargo(&["test", "--package", "cooperage-tests"])),
    )];
    tier("core", core, CORE_BUDGET)?;
    let advisories = advisories::check(args.advisories.as_deref())?;
    if !args.core {
        tier("fuzzing", vec![fuzzing()?], FUZZ_BUDGET)?;
        tier("end to end", end_to_end, END_TO_END_BUDGET)?;
    }
    missing.report()?;
    println!("{advisories}");
    Ok(ExitCode::SUCCESS)
}

/// Workspaces of their own, as users have them: what is said to this one does not reach them.
const APART: [&str; 2] = ["examples/own-xtask/Cargo.toml", "tests/features/Cargo.toml"];

fn format_apart(manifest: &str) -> Step {
    let command = cargo(&["fmt", "--all", "--check", "--manifest-path", manifest]);
    Step::new("format of a workspace apart", command)
}

fn lint_apart(manifest: &str) -> Step {
    let mut command = cargo(&["clippy", "--workspace", "--all-targets", "--locked"]);
    // What is built for this workspace need not be built again.
    command.args(["--target-dir", "target", "--manifest-path", manifest]);
    command.args(["--", "-D", "warnings"]);
    Step::new("lints of a workspace apart", command)
}

/// All targets together for two minutes, and their building.
fn fuzzing() -> Result<Step> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["fuzz", "--quick", "--all", "--total", "120"]);
    command.current_dir(crate::root());
    Ok(Step::new("every parser, two minutes in all", command))
}

fn tier(name: &str, steps: Vec<Step>, budget: Duration) -> Result<()> {
    let began = Instant::now();
    println!("== {name}: up to {} minutes", budget.as_secs() / 60);
    for step in steps {
        step.run((budget * PATIENCE).saturating_sub(began.elapsed()))?;
    }
    let spent = began.elapsed();
    println!("== {name}: passed in {} s", spent.as_secs());
    if spent > budget {
        println!(
            "== {name}: over its budget of {} minutes",
            budget.as_secs() / 60
        );
    }
    Ok(())
}

/// A cargo command in the workspace's root.
pub(crate) fn cargo(args: &[&str]) -> Command {
    // Inside `cargo run` this names the very cargo that runs us.
    #[expect(clippy::disallowed_methods, reason = "xtask may read the environment")]
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(crate::root());
    command
}

/// One command with a name.
pub(crate) struct Step {
    name: &'static str,
    command: Command,
}

impl Step {
    pub(crate) fn new(name: &'static str, command: Command) -> Self {
        Self { name, command }
    }

    /// Runs it; what it prints goes to the terminal. Ends it when `time` is over.
    pub(crate) fn run(mut self, time: Duration) -> Result<()> {
        println!("-- {}", self.name);
        let began = Instant::now();
        let mut child = self
            .command
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if began.elapsed() > time {
                child.kill()?;
                child.wait()?;
                bail!("{}: stopped, the time of its tier is over", self.name);
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        if !status.success() {
            bail!("{}: {status}", self.name);
        }
        println!(
            "-- {}: passed in {} s",
            self.name,
            began.elapsed().as_secs()
        );
        Ok(())
    }
}

/// The file in which tests note what they could not find.
struct MissingPeers(PathBuf);

impl MissingPeers {
    fn new() -> Result<Self> {
        let directory = crate::root().join("target");
        std::fs::create_dir_all(&directory)?;
        let file = directory.join("missing-peers.txt");
        std::fs::write(&file, "").with_context(|| format!("cannot write `{}`", file.display()))?;
        Ok(Self(file))
    }

    fn report(&self) -> Result<()> {
        let text = std::fs::read_to_string(&self.0)?;
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        if lines.is_empty() {
            println!("every real counterpart was there");
            return Ok(());
        }
        println!("missing counterparts, and the tests that went without them:");
        for line in &lines {
            println!("  {line}");
        }
        println!("`cargo xtask peers install` puts them on a Debian machine");
        Ok(())
    }
}
