//! `cargo xtask test`: every check there is, in three tiers, each within its time.

mod advisories;

use std::fs::File;
use std::io::{Seek, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::MetadataCommand;

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
    tier("core", one_by_one(core), CORE_BUDGET)?;
    let advisories = advisories::check(args.advisories.as_deref())?;
    if !args.core {
        if has_cpp_compiler() {
            tier("fuzzing", one_by_one(vec![fuzzing()?]), FUZZ_BUDGET)?;
        } else {
            missing.note_cpp_compiler(args.require_peers)?;
        }
        let end_to_end = end_to_end()?.map(|group| {
            let with_peers = |step: Step| Step::new(step.name, with_peers(step.command));
            group.into_iter().map(with_peers).collect()
        });
        tier("end to end", end_to_end.into(), END_TO_END_BUDGET)?;
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

/// Whether there is what libFuzzer is built with: Rust itself asks for a linker alone.
fn has_cpp_compiler() -> bool {
    #[expect(clippy::disallowed_methods, reason = "xtask may read the environment")]
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let asked = Command::new(compiler).arg("--version").output();
    asked.is_ok_and(|output| output.status.success())
}

/// All targets together for two minutes, and their building.
fn fuzzing() -> Result<Step> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["fuzz", "--quick", "--all", "--total", "120"]);
    command.current_dir(crate::root());
    Ok(Step::new("every parser, two minutes in all", command))
}

/// The end-to-end tests, all of them: those of the front, which build programs and keep every
/// processor busy, beside those of the Bazel rules, which wait for Bazel, and all others, which
/// mostly wait for servers.
fn end_to_end() -> Result<[Vec<Step>; 2]> {
    const PACKAGE: [&str; 3] = ["test", "--package", "cooperage-tests"];
    const ALONE: [&str; 2] = ["front", "bazel"];
    let metadata = MetadataCommand::new()
        .manifest_path(crate::root().join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let package = metadata
        .packages
        .iter()
        .find(|package| package.name == "cooperage-tests")
        .context("there is no package `cooperage-tests`")?;
    let (apart, others): (Vec<_>, Vec<_>) = package
        .targets
        .iter()
        .filter(|target| target.is_test())
        .partition(|target| ALONE.contains(&&*target.name));
    ensure!(apart.len() == ALONE.len(), "not all of {ALONE:?} are tests");
    let mut rest = cargo(&PACKAGE);
    rest.args(["--no-fail-fast", "--lib"]);
    for target in others {
        rest.args(["--test", &target.name]);
    }
    let build = cargo(&[&PACKAGE[..], &["--no-run"]].concat());
    let [front, bazel] = ALONE.map(|name| cargo(&[&PACKAGE[..], &["--test", name]].concat()));
    Ok([
        vec![Step::new("building the end-to-end tests", build)],
        vec![
            Step::new("end-to-end tests of the front", front),
            Step::new("end-to-end tests of the Bazel rules", bazel),
            Step::new("end-to-end tests of all else", rest),
        ],
    ])
}

/// Each a group of its own.
fn one_by_one(steps: Vec<Step>) -> Vec<Vec<Step>> {
    steps.into_iter().map(|step| vec![step]).collect()
}

/// Runs group by group; the steps of a group run at the same time.
fn tier(name: &str, groups: Vec<Vec<Step>>, budget: Duration) -> Result<()> {
    let began = Instant::now();
    println!("== {name}: up to {} minutes", budget.as_secs() / 60);
    for group in groups {
        together(group, (budget * PATIENCE).saturating_sub(began.elapsed()))?;
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

/// Runs steps at the same time. What the first prints goes to the terminal at once, what the others
/// print when they have ended.
fn together(mut steps: Vec<Step>, time: Duration) -> Result<()> {
    let logs = steps
        .iter_mut()
        .skip(1)
        .map(Step::print_later)
        .collect::<Result<Vec<_>>>()?;
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let run = |step: Step| scope.spawn(move || step.run(time));
        let running: Vec<_> = steps.into_iter().map(run).collect();
        let end = |step: ScopedJoinHandle<'_, Result<()>>| match step.join() {
            Ok(result) => result,
            Err(_) => bail!("a step panicked"),
        };
        running.into_iter().map(end).collect()
    });
    for mut log in logs {
        log.rewind()?;
        std::io::copy(&mut log, &mut std::io::stdout())?;
    }
    results.into_iter().collect()
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

    /// Has what it prints go to a temporary file, which is given.
    fn print_later(&mut self) -> Result<File> {
        let log = tempfile::tempfile().context("cannot make a temporary file")?;
        self.command.stdout(log.try_clone()?);
        self.command.stderr(log.try_clone()?);
        Ok(log)
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

    /// Notes that nothing is fuzzed for want of a compiler, or fails where it must not be missing.
    fn note_cpp_compiler(&self, required: bool) -> Result<()> {
        ensure!(
            !required,
            "a C++ compiler is missing, with which libFuzzer is built: install it with \
             `cargo xtask peers install`"
        );
        let line = "fuzzing: a C++ compiler is missing; seeds alone were tried, by plain tests\n";
        let mut file = File::options().append(true).open(&self.0)?;
        file.write_all(line.as_bytes())?;
        Ok(())
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
