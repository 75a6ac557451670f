//! What a run of a target came to, as a line of a table.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};

/// One run.
pub(crate) struct Report {
    pub(crate) target: String,
    /// Whether nothing was found.
    pub(crate) clean: bool,
    seconds: u64,
    executions: u64,
    edges: u64,
    files: u64,
    bytes: u64,
    result: String,
}

pub(crate) const HEAD: &str =
    "| target | seconds | executions | per second | corpus: files | bytes | edges | result |";
const TABLE: &str = "docs/fuzzing.md";

impl Report {
    /// From what libFuzzer said and left.
    pub(crate) fn new(
        target: &str,
        log: &str,
        corpus: &Path,
        time: Duration,
        status: ExitStatus,
    ) -> Result<Self> {
        let statistic = |name: &str| {
            let line = log.lines().rev().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse().ok())
        };
        let (mut files, mut bytes) = (0, 0);
        #[expect(clippy::disallowed_methods, reason = "a sum is the same in any order")]
        for entry in fs::read_dir(corpus)? {
            files += 1;
            bytes += entry?.metadata()?.len();
        }
        let executions = statistic("stat::number_of_executed_units:");
        let clean = status.success() && executions.is_some();
        let summary = log.lines().rev().find(|line| line.starts_with("SUMMARY:"));
        let result = match (clean, summary) {
            (true, _) => "clean".to_owned(),
            (false, Some(summary)) => summary.to_owned(),
            (false, None) => format!("ended with {status}"),
        };
        Ok(Self {
            target: target.to_owned(),
            clean,
            seconds: time.as_secs(),
            executions: executions.unwrap_or(0),
            edges: edges(log),
            files,
            bytes,
            result,
        })
    }

    pub(crate) fn row(&self) -> String {
        let Self {
            target,
            seconds,
            executions,
            edges,
            files,
            bytes,
            result,
            ..
        } = self;
        let rate = executions / (*seconds).max(1);
        format!(
            "| {target} | {seconds} | {executions} | {rate} | {files} | {bytes} | {edges} | {result} |"
        )
    }
}

/// The last `cov: N`.
fn edges(log: &str) -> u64 {
    let after = log.rsplit(" cov: ").next().unwrap_or_default();
    let digits = after.split(' ').next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

/// Adds lines to the table, with the day and the commit.
pub(crate) fn record(reports: &[Report]) -> Result<()> {
    let table = crate::root().join(TABLE);
    let mut text =
        fs::read_to_string(&table).with_context(|| format!("cannot read `{}`", table.display()))?;
    let said = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(crate::root())
            .output()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let day = said("date", &["-u", "+%Y-%m-%d"])?;
    let commit = said("git", &["describe", "--always", "--dirty", "--abbrev=9"])?;
    let rows = reports.iter();
    text.extend(rows.map(|report| format!("| {day} | `{commit}` {}\n", report.row())));
    fs::write(&table, text).with_context(|| format!("cannot write `{}`", table.display()))
}
