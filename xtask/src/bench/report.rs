//! Results as text: the same tables in a terminal and in `docs/performance.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use super::figures::{Row, count, median};
use super::machine::Machine;
use super::measure::Sample;

/// All that one call measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    /// The least memory that can be told of a command, in bytes.
    pub(super) floor: u64,
    pub(super) workloads: Vec<Measured>,
    /// Commits of ten layers that are built already.
    pub(super) commit: Vec<Sample>,
}

/// One workload with every tool's figures.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) rows: Vec<Row>,
    /// The names of the tools that were not asked to do it.
    pub(super) left_out: Vec<String>,
}

/// Lines of a page between which results stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub(super) begin: &'static str,
    pub(super) end: &'static str,
}

const MARKS: Marks = Marks {
    begin: "<!-- results: `cargo xtask bench --save` writes what stands from here -->\n",
    end: "<!-- to here -->\n",
};

/// Writes the results into the page, in the place of those before.
pub(super) fn save(results: &Results, page: &Path) -> anyhow::Result<()> {
    put(&markdown(results), &MARKS, page)
}

/// Writes results between their marks.
pub(super) fn put(results: &str, marks: &Marks, page: &Path) -> anyhow::Result<()> {
    let Marks { begin, end } = marks;
    let text = fs::read_to_string(page)?;
    let ends = text
        .split_once(begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) =
        ends.with_context(|| format!("`{}` has lost its marks", page.display()))?;
    ensure!(
        !after.contains(begin),
        "`{}` has its marks twice",
        page.display()
    );
    let text = format!("{before}{begin}\n{results}\n{end}{after}");
    fs::write(page, text)?;
    Ok(())
}

/// All tables.
pub(super) fn markdown(results: &Results) -> String {
    let mut out = String::new();
    machine(&results.machine, results.floor, &mut out);
    let _ = writeln!(
        out,
        "A tool that keeps every core busy all the time takes 1.00 of its bound, the CPU time divided by the cores."
    );
    for measured in &results.workloads {
        workload(measured, results.machine.cores, &mut out);
    }
    let cpu = median(results.commit.iter().map(|sample| sample.cpu).collect());
    if cpu.is_finite() {
        let wall = median(results.commit.iter().map(|sample| sample.wall).collect());
        let _ = writeln!(
            out,
            "\n### A commit that packs nothing\n\n\
             `cooperage commit` of an image with ten layers that are built already: {:.1} ms of CPU, {:.1} ms of time.",
            cpu * 1e3,
            wall * 1e3
        );
    }
    out.trim_end().to_owned()
}

/// The machine, and the least memory that can be told of a command, in bytes.
pub(super) fn machine(machine: &Machine, floor: u64, out: &mut String) {
    let _ = writeln!(
        out,
        "Measured on {} ({} cores), {:.0} GiB of memory, Linux {}, {}.",
        machine.processor,
        machine.cores,
        gibibytes(machine.memory),
        machine.kernel,
        machine.file_system
    );
    let _ = writeln!(
        out,
        "Peak memory is that of a tool's largest process; a process that does nothing shows {:.1} MiB.",
        mebibytes(floor)
    );
}

fn workload(measured: &Measured, cores: usize, out: &mut String) {
    let runs = measured.rows.first().map_or(0, |row| row.runs.len());
    let _ = writeln!(
        out,
        "\n### `{}`: {}\n\n{} files, {:.1} MB; medians of {runs} interleaved runs.\n",
        measured.name,
        measured.about,
        measured.files,
        count(measured.bytes) / 1e6
    );
    let ours: Vec<_> = measured.rows.iter().filter(|row| row.is_ours).collect();
    let mut head = [
        "tool",
        "wall s",
        "CPU s",
        "of its bound",
        "peak MiB",
        "size MB",
    ]
    .map(str::to_owned)
    .to_vec();
    for row in ours.iter().take(2) {
        head.push(format!(
            "{} is … times as fast (CPU), … of its size",
            row.tool
        ));
    }
    let mut lines = vec![head];
    for row in &measured.rows {
        let figure = |figure: fn(&Sample) -> f64| row.median(figure);
        let mut cells = vec![
            title(row),
            format!("{:.3}", figure(|sample| sample.wall)),
            format!("{:.2}", figure(|sample| sample.cpu)),
            format!(
                "{:.2}",
                row.median(|sample| sample.wall * count(cores as u64) / sample.cpu)
            ),
            format!("{:.1}", figure(|sample| mebibytes(sample.memory))),
            format!("{:.2}", figure(|sample| count(sample.size) / 1e6)),
        ];
        for own in ours.iter().take(2) {
            let ratio = own.against(row);
            cells.push(format!(
                "{:.2} ({:.2}), {:.3}",
                ratio.wall,
                ratio.cpu,
                1.0 / ratio.size
            ));
        }
        lines.push(cells);
    }
    table(&lines, out);
    if !measured.left_out.is_empty() {
        let _ = writeln!(
            out,
            "\nNot measured with it, since they would take minutes: {}.",
            measured.left_out.join("; ")
        );
    }
}

pub(super) fn title(row: &Row) -> String {
    if row.is_ours || row.version.is_empty() {
        return row.tool.clone();
    }
    // `umoci version 0.6.0`: the number is what the name lacks.
    let number = row.version.split([' ', ',']).find(|word| {
        word.trim_start_matches('v')
            .starts_with(|c: char| c.is_ascii_digit())
    });
    number.map_or_else(
        || row.tool.clone(),
        |number| format!("{} ({number})", row.tool),
    )
}

/// A Markdown table, its columns as wide as they need to be.
pub(super) fn table(lines: &[Vec<String>], out: &mut String) {
    let columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            let cells = lines.iter().filter_map(|line| line.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    for (number, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(at, (cell, width))| {
            if at == 0 {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        let _ = writeln!(out, "| {} |", cells.collect::<Vec<_>>().join(" | "));
        if number == 0 {
            let rules = widths.iter().enumerate().map(|(at, width)| {
                let rule = "-".repeat(*width);
                if at == 0 { rule + "-" } else { rule + ":" }
            });
            let _ = writeln!(out, "|-{}|", rules.collect::<Vec<_>>().join("|-"));
        }
    }
}

pub(super) fn mebibytes(bytes: u64) -> f64 {
    count(bytes) / f64::from(1 << 20)
}

fn gibibytes(bytes: u64) -> f64 {
    count(bytes) / f64::from(1 << 30)
}
