//! `cargo xtask fuzz`: every parser under libFuzzer, with what this toolchain brings.
//!
//! Nothing is installed: the compiler's own passes instrument the code, and libFuzzer is built from
//! the crate `libfuzzer-sys`.

mod build;
mod report;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
pub(crate) use build::wrap;
use build::{Depth, build};
use report::Report;

use crate::test::cargo;

/// `cargo xtask fuzz`
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are flags of a command line"
)]
pub(crate) struct Args {
    /// Which targets; none lists them.
    #[arg(value_name = "TARGET", conflicts_with = "all")]
    targets: Vec<String>,
    /// All targets.
    #[arg(long)]
    all: bool,
    /// How long each target runs.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// How long all targets together run, instead of `--seconds`; building does not count.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    total: Option<u64>,
    /// How many targets run at a time.
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// Instrument this workspace alone, over dependencies as tests have them, and leave the address
    /// sanitizer out: builds in a fraction of the time.
    #[arg(long)]
    quick: bool,
    /// Add a line for each target to `docs/fuzzing.md`.
    #[arg(long)]
    record: bool,
    /// Compare the tar reader, for `--seconds`, with Python's tarfile and libarchive instead, the
    /// readers of gzip and zstd with zlib and the zstd tool, and have what `gzip-2` writes read by
    /// zlib, libdeflate, igzip and Go.
    #[arg(long, conflicts_with_all = ["targets", "all", "total", "quick", "record"])]
    differential: bool,
}

const DIRECTORY: &str = "fuzz";
/// The most that one allocation, and all of them, may take, in MiB: zstd has a window of 128.
const MOST_AT_ONCE: u32 = 160;
const MOST: u32 = 1024;
/// No input may take longer, in seconds.
const PATIENCE: u32 = 10;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.differential {
        return differential(args.seconds);
    }
    let known = targets()?;
    if args.targets.is_empty() && !args.all {
        println!("targets, for `cargo xtask fuzz TARGET` or `--all`:");
        for target in &known {
            println!("  {target}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = if args.all { &known } else { &args.targets };
    for target in chosen {
        ensure!(
            known.contains(target),
            "there is no target `{target}`, only {}",
            known.join(", ")
        );
    }
    let place = Place::new()?;
    let depth = if args.quick { Depth::Own } else { Depth::All };
    let program = build(&place, depth)?;
    let jobs = args.jobs.clamp(1, chosen.len());
    let seconds = match args.total {
        None => args.seconds,
        Some(total) => (total * jobs as u64 / chosen.len() as u64).max(1),
    };
    println!(
        "{} targets, {seconds} s each, {jobs} at a time",
        chosen.len()
    );
    let reports = run_all(&place, &program, chosen, seconds, jobs)?;
    if args.record {
        report::record(&reports)?;
    }
    let failed: Vec<_> = reports.iter().filter(|report| !report.clean).collect();
    for report in &failed {
        show_failure(&place, report)?;
    }
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The names of the targets: each has its directory of seeds, as a test of theirs ensures.
fn targets() -> Result<Vec<String>> {
    let corpus = crate::root().join(DIRECTORY).join("corpus");
    #[expect(clippy::disallowed_methods, reason = "sorted before anyone sees it")]
    let listed =
        fs::read_dir(&corpus).with_context(|| format!("cannot list `{}`", corpus.display()))?;
    let mut names = Vec::new();
    for entry in listed {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Where everything lies that is made here.
struct Place {
    /// The target directory of the workspace.
    target: PathBuf,
    /// Below it, so that a clean build is clean here too.
    root: PathBuf,
    /// Files and directories that the targets themselves make: in memory, where the system has it.
    scratch: PathBuf,
}

impl Place {
    fn new() -> Result<Self> {
        let metadata = cargo_metadata::MetadataCommand::new()
            .current_dir(crate::root())
            .no_deps()
            .exec()?;
        let target = metadata.target_directory.into_std_path_buf();
        let root = target.join("fuzz");
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory } else { &root };
        let scratch = parent.join(format!("cooperage-fuzz-{}", std::process::id()));
        for directory in [&root, &scratch] {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot make `{}`", directory.display()))?;
        }
        Ok(Self {
            target,
            root,
            scratch,
        })
    }

    fn sub(&self, kind: &str, target: &str) -> Result<PathBuf> {
        let directory = self.root.join(kind).join(target);
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    fn log(&self, target: &str) -> Result<PathBuf> {
        Ok(self.sub("logs", "")?.join(format!("{target}.log")))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

fn start(place: &Place, program: &Path, target: &str, seconds: u64) -> Result<Child> {
    let log = File::create(place.log(target)?)?;
    let mut command = Command::new(program);
    command.arg(format!("--target={target}"));
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-max_len={}", longest(target)?));
    command.arg(format!("-timeout={PATIENCE}"));
    command.arg(format!("-rss_limit_mb={MOST}"));
    command.arg(format!("-malloc_limit_mb={MOST_AT_ONCE}"));
    command.args(["-print_final_stats=1", "-reload=0"]);
    let artifacts = place.sub("artifacts", target)?;
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    let fuzz = crate::root().join(DIRECTORY);
    let words = fuzz.join("dictionaries").join(format!("{target}.dict"));
    if words.exists() {
        command.arg(format!("-dict={}", words.display()));
    }
    // What is found goes into the first.
    command.arg(place.sub("corpus", target)?);
    for kind in ["corpus", "regressions"] {
        let seeds = fuzz.join(kind).join(target);
        if seeds.is_dir() {
            command.arg(seeds);
        }
    }
    // Leaks are no faults, and looking for them wants rights that containers lack.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    command.env("TMPDIR", &place.scratch);
    command.env("RUST_BACKTRACE", "1");
    command.stdin(Stdio::null());
    command.stdout(log.try_clone()?).stderr(log);
    command
        .spawn()
        .with_context(|| format!("cannot start `{}`", program.display()))
}

/// As long as the longest of its seeds, and longer.
fn longest(target: &str) -> Result<u64> {
    const LEAST: u64 = 512;
    let seeds = crate::root().join(DIRECTORY).join("corpus").join(target);
    let mut longest = 0;
    #[expect(
        clippy::disallowed_methods,
        reason = "the longest is the same in any order"
    )]
    for entry in fs::read_dir(seeds)? {
        longest = longest.max(entry?.metadata()?.len());
    }
    Ok((2 * longest).max(LEAST).next_power_of_two())
}

fn run_all(
    place: &Place,
    program: &Path,
    targets: &[String],
    seconds: u64,
    jobs: usize,
) -> Result<Vec<Report>> {
    let mut waiting = targets.iter().rev().collect::<Vec<_>>();
    let mut running: BTreeMap<&str, (Child, Instant)> = BTreeMap::new();
    let mut reports = Vec::new();
    println!("{}", report::HEAD);
    while !(waiting.is_empty() && running.is_empty()) {
        while running.len() < jobs
            && let Some(target) = waiting.pop()
        {
            let child = start(place, program, target, seconds)?;
            running.insert(target, (child, Instant::now()));
        }
        std::thread::sleep(Duration::from_millis(100));
        let mut ended = Vec::new();
        for (target, (child, began)) in &mut running {
            if let Some(status) = child.try_wait()? {
                let log = fs::read(place.log(target)?)?;
                let corpus = place.sub("corpus", target)?;
                let log = String::from_utf8_lossy(&log);
                let report = Report::new(target, &log, &corpus, began.elapsed(), status)?;
                println!("{}", report.row());
                reports.push(report);
                ended.push(*target);
            }
        }
        for target in ended {
            running.remove(target);
        }
    }
    Ok(reports)
}

/// The end of what was said, and what to do with the input.
fn show_failure(place: &Place, report: &Report) -> Result<()> {
    const LINES: usize = 60;
    let (log, target) = (place.log(&report.target)?, &report.target);
    let text = fs::read(&log)?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    println!("== {target} failed; the end of `{}`:", log.display());
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        println!("{line}");
    }
    println!(
        "the input is in `{}`: copy it to `{DIRECTORY}/regressions/{target}/`, and \
         `cargo test --package cooperage-fuzz` fails until the fault is mended",
        place.sub("artifacts", target)?.display()
    );
    Ok(())
}

fn differential(seconds: u64) -> Result<ExitCode> {
    let mut command = cargo(&["test", "--package", "cooperage-fuzz", "--test", "it", "--"]);
    command.args(["differential", "--nocapture"]);
    command.env("COOPERAGE_DIFFERENTIAL_SECONDS", seconds.to_string());
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the readers differ: {status}");
    }
    Ok(ExitCode::SUCCESS)
}
