//! Results as text: the same tables in a terminal and in `docs/performance.md`.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::super::figures::count;
use super::super::machine::Machine;
use super::super::report::{Marks, machine, mebibytes, put, table, title};
use super::Measured;

/// All that one call measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    /// The least memory that can be told of a command, in bytes.
    pub(super) floor: u64,
    /// The stored length of the layer of `mix`, in bytes; none where it was not needed.
    pub(super) layer: Option<u64>,
    pub(super) measured: Vec<Measured>,
}

const MARKS: Marks = Marks {
    begin: "<!-- registries: `cargo xtask bench registry --save` writes what stands from here -->\n",
    end: "<!-- registries: to here -->\n",
};

/// Writes the results into the page, in the place of those before.
pub(super) fn save(results: &Results, page: &Path) -> anyhow::Result<()> {
    put(&markdown(results), &MARKS, page)
}

/// All tables.
pub(super) fn markdown(results: &Results) -> String {
    let mut out = String::new();
    machine(&results.machine, results.floor, &mut out);
    if let Some(layer) = results.layer {
        let megabytes = count(layer) / 1e6;
        let _ = writeln!(
            out,
            "The layer of `mix` is {megabytes:.0} MB as it is stored."
        );
    }
    let _ = writeln!(out, "Each of the ten layers is 1 MB.");
    for measured in &results.measured {
        deed(measured, &mut out);
    }
    out.trim_end().to_owned()
}

fn deed(measured: &Measured, out: &mut String) {
    let runs = measured.rows.first().map_or(0, |row| row.runs.len());
    let _ = writeln!(
        out,
        "\n### `{}`: {}\n\nMedians of {runs} interleaved runs.\n",
        measured.name, measured.about
    );
    let ours = measured.rows.iter().find(|row| row.is_ours);
    let mut head = ["tool", "wall ms", "CPU ms", "peak MiB", "requests"]
        .map(str::to_owned)
        .to_vec();
    head.extend(ours.map(|row| format!("{} is … times as fast (CPU)", row.tool)));
    let mut lines = vec![head];
    for (row, requests) in measured.rows.iter().zip(&measured.requests) {
        let mut cells = vec![
            title(row),
            format!("{:.1}", row.median(|sample| sample.wall) * 1e3),
            format!("{:.1}", row.median(|sample| sample.cpu) * 1e3),
            format!("{:.1}", row.median(|sample| mebibytes(sample.memory))),
            requests.to_string(),
        ];
        cells.extend(ours.map(|own| {
            let ratio = own.against(row);
            format!("{:.2} ({:.2})", ratio.wall, ratio.cpu)
        }));
        lines.push(cells);
    }
    table(&lines, out);
}
