//! Results as text: the same table in a terminal and in `docs/performance.md`.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::super::figures::count;
use super::super::machine::Machine;
use super::super::report::{Marks, put};
use super::{Measured, Way};

/// All that one call measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) runs: usize,
    pub(super) ways: Vec<Way>,
    pub(super) measured: Vec<Measured>,
}

const MARKS: Marks = Marks {
    begin: "<!-- bazel: `cargo xtask bench bazel --save` writes what stands from here -->\n",
    end: "<!-- bazel: to here -->\n",
};

/// Writes the results into the page, in the place of those before.
pub(super) fn save(results: &Results, page: &Path) -> anyhow::Result<()> {
    put(&markdown(results), &MARKS, page)
}

/// The table.
pub(super) fn markdown(results: &Results) -> String {
    let mut out = String::new();
    let machine = &results.machine;
    let _ = writeln!(
        out,
        "Measured on {} ({} cores), {:.0} GiB of memory, Linux {}, {}.",
        machine.processor,
        machine.cores,
        count(machine.memory) / f64::from(1 << 30),
        machine.kernel,
        machine.file_system
    );
    let _ = writeln!(
        out,
        "Seconds; medians of {} interleaved runs.\n",
        results.runs
    );
    let reference = results.ways.iter().position(|way| !way.is_ours());
    header(results, reference, &mut out);
    for measured in &results.measured {
        row(results, measured, reference, &mut out);
    }
    out.push('\n');
    for measured in &results.measured {
        let _ = writeln!(out, "- `{}`: {}.", measured.name, measured.about);
    }
    out.trim_end().to_owned()
}

fn header(results: &Results, reference: Option<usize>, out: &mut String) {
    let mut line = "| deed |".to_owned();
    let mut rule = "|---|".to_owned();
    for way in &results.ways {
        let _ = write!(line, " {} |", way.name);
        rule.push_str("---:|");
        if way.is_ours() && reference.is_some() {
            line.push_str(" times the copies |");
            rule.push_str("---:|");
        }
    }
    let _ = writeln!(out, "{line} actions | MB written |\n{rule}---:|---:|");
}

fn row(results: &Results, measured: &Measured, reference: Option<usize>, out: &mut String) {
    let mut line = format!("| `{}` |", measured.name);
    for (at, way) in results.ways.iter().enumerate() {
        let _ = write!(line, " {:.2} |", measured.median(at));
        if let Some(to) = reference.filter(|_| way.is_ours()) {
            let _ = write!(line, " {:.2} |", measured.ratio(at, to));
        }
    }
    let (actions, bytes) = measured.actions.first().copied().unwrap_or_default();
    let _ = writeln!(out, "{line} {actions} | {:.1} |", count(bytes) / 1e6);
}
