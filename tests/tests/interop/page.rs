//! `docs/interop.md`, read and written.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::matrix::{Cells, Table, cell_name};

/// How the page is made again.
pub(crate) const HOW: &str =
    "If that is meant: `COOPERAGE_BLESS=1 cargo test -p cooperage-tests --test interop`";

const HEAD: &str = include_str!("page.md");

/// The page as it is stored.
pub(crate) struct Page {
    text: String,
    cells: Cells,
    is_blessed: bool,
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/interop.md")
}

impl Page {
    /// The page, empty if there is none.
    pub(crate) fn read() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "whether the page is compared or stored, as with golden values"
        )]
        let bless = std::env::var_os("COOPERAGE_BLESS");
        let text = fs::read_to_string(path()).unwrap_or_default();
        Self {
            cells: cells(&text),
            text,
            is_blessed: bless.is_some_and(|value| !value.is_empty() && value != "0"),
        }
    }

    /// Compares one cell with the page.
    pub(crate) fn compare(&self, name: &str, seen: &str) -> Result<(), String> {
        if self.is_blessed {
            return Ok(());
        }
        match self.cells.get(name).map(String::as_str) {
            Some(stored) if stored == seen => Ok(()),
            Some(stored) => Err(format!(
                "docs/interop.md says `{stored}`, and `{seen}` was seen. {HOW}"
            )),
            None => Err(format!(
                "docs/interop.md has no such cell, and `{seen}` was seen. {HOW}"
            )),
        }
    }

    /// Compares the whole page, or stores it; cells that were not seen stay as they are.
    pub(crate) fn settle(&self, tables: &[Table], mut seen: Cells) -> Result<String, String> {
        for (name, stored) in &self.cells {
            seen.entry(name.clone()).or_insert_with(|| stored.clone());
        }
        let text = written(tables, &seen)?;
        let count = cells(&text).len();
        if text == self.text {
            return Ok(format!("all {count} cells are there"));
        }
        if self.is_blessed {
            fs::write(path(), text).map_err(|why| format!("cannot be written: {why}"))?;
            return Ok(format!("stored, {count} cells"));
        }
        Err(difference(&self.text, &text))
    }
}

/// The page of these cells.
fn written(tables: &[Table], seen: &Cells) -> Result<String, String> {
    let mut text = HEAD.to_owned();
    for table in tables {
        write!(
            text,
            "\n## {}\n\n{}\n\n| test |",
            table.title,
            table.about.trim()
        )
        .expect(INFALLIBLE);
        for column in &table.columns {
            write!(text, " `{column}` |").expect(INFALLIBLE);
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(table.columns.len()));
        text.push('\n');
        for row in &table.rows {
            write!(text, "| `{}/{}` |", table.name, row.name).expect(INFALLIBLE);
            for column in &table.columns {
                let name = cell_name(table.name, &row.name, column);
                let cell = seen.get(&name).ok_or_else(|| {
                    format!("`{name}` was not seen, as its peer is missing, nor is it stored")
                })?;
                write!(text, " {cell} |").expect(INFALLIBLE);
            }
            text.push('\n');
        }
    }
    Ok(text)
}

const INFALLIBLE: &str = "a string takes all";

/// The cells of a page.
fn cells(text: &str) -> Cells {
    let mut cells = Cells::new();
    let mut columns = Vec::new();
    for line in text.lines() {
        let Some(line) = line.strip_prefix("| ").and_then(|it| it.strip_suffix(" |")) else {
            continue;
        };
        let mut parts = line.split(" | ");
        let first = parts.next().unwrap_or_default();
        let parts: Vec<_> = parts.map(str::to_owned).collect();
        if first == "test" {
            columns = parts;
        } else if let Some(row) = bare(first) {
            for (column, cell) in columns.iter().zip(parts) {
                let column = bare(column).unwrap_or(column);
                cells.insert(format!("{row}/{column}"), cell);
            }
        }
    }
    cells
}

/// Text without the backticks around it.
fn bare(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.strip_suffix('`')
}

/// The lines that one page has and the other has not.
fn difference(stored: &str, made: &str) -> String {
    let mut text = String::from("it differs from what was seen (- stored, + seen)");
    for (sign, some, others) in [('-', stored, made), ('+', made, stored)] {
        for line in some.lines() {
            if !others.lines().any(|other| other == line) {
                write!(text, "\n{sign} {line}").expect(INFALLIBLE);
            }
        }
    }
    text
}
