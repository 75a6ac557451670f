//! The matrix: tables of cells, each a test of its own, and the page that says what they saw.
//!
//! A cell ends in `equal`, `refused` or `not applicable`, by what its test sees; anything else
//! fails it. `docs/interop.md` holds all cells and is made from them alone, so that a cell that is
//! missing, too many or different fails the run.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial};

use crate::page::{self, Page};
use crate::room;

/// What a cell's test saw: all is equal, or why not.
pub(crate) type Seen = Result<(), Otherwise>;

/// Why a cell is not `equal`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Otherwise {
    /// A peer is not on this machine, which the test kit has said aloud: the cell is not compared.
    Absent,
    /// A program would not have it, for a reason that it gave and that `reasons` knows.
    Refused(&'static str),
    /// There is no such thing to be seen.
    NotApplicable(&'static str),
}

/// A cell as the page has it; nothing for one that was not seen.
pub(crate) fn text(seen: &Seen) -> Option<String> {
    match seen {
        Ok(()) => Some("equal".to_owned()),
        Err(Otherwise::Refused(reason)) => Some(format!("refused: {reason}")),
        Err(Otherwise::NotApplicable(reason)) => Some(format!("not applicable: {reason}")),
        Err(Otherwise::Absent) => None,
    }
}

/// A peer that may not be there.
pub(crate) trait Here<T> {
    /// The peer, or the end of the cell.
    fn here(self) -> Result<T, Otherwise>;
}

impl<T> Here<T> for Option<T> {
    fn here(self) -> Result<T, Otherwise> {
        self.ok_or(Otherwise::Absent)
    }
}

type Cell = Arc<dyn Fn() -> Seen + Send + Sync>;

/// Rows of cells under the same columns.
pub(crate) struct Table {
    /// What the names of its tests begin with.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Sentences under the title, one a line.
    pub(crate) about: &'static str,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// A line of a table.
pub(crate) struct Row {
    pub(crate) name: String,
    cells: Vec<Cell>,
}

/// A table whose columns are values of one type.
pub(crate) struct Rows<C> {
    table: Table,
    columns: Vec<C>,
}

impl<C: Copy + fmt::Display + Send + Sync + 'static> Rows<C> {
    pub(crate) fn new(
        name: &'static str,
        title: &'static str,
        about: &'static str,
        columns: &[C],
    ) -> Self {
        Self {
            table: Table {
                name,
                title,
                about,
                columns: columns.iter().map(ToString::to_string).collect(),
                rows: Vec::new(),
            },
            columns: columns.to_vec(),
        }
    }

    /// A line whose cells are `see`, each with its own column.
    pub(crate) fn row(
        &mut self,
        name: impl fmt::Display,
        see: impl Fn(C) -> Seen + Send + Sync + 'static,
    ) {
        let see = Arc::new(see);
        let cells = self.columns.iter().map(|column| {
            let (see, column) = (Arc::clone(&see), *column);
            Arc::new(move || see(column)) as Cell
        });
        let row = Row {
            name: name.to_string(),
            cells: cells.collect(),
        };
        assert!(
            self.table.rows.iter().all(|other| other.name != row.name),
            "two rows `{}`",
            row.name
        );
        self.table.rows.push(row);
    }

    pub(crate) fn finish(self) -> Table {
        self.table
    }
}

/// What was seen, by the name of the cell's test.
pub(crate) type Cells = BTreeMap<String, String>;

/// The name of a cell's test.
pub(crate) fn cell_name(table: &str, row: &str, column: &str) -> String {
    format!("{table}/{row}/{column}")
}

/// Runs the cells as tests and compares, or stores, the page.
pub(crate) fn run(tables: &[Table]) -> ExitCode {
    let arguments = Arguments::from_args();
    let page = Arc::new(Page::read());
    let seen = Arc::new(Mutex::new(Cells::new()));
    let conclusion = libtest_mimic::run(&arguments, trials(tables, &page, &seen));
    room::clear();
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    let seen = std::mem::take(&mut *seen.lock().expect("no cell ends while it is held"));
    finish(tables, &page, seen, &conclusion)
}

fn trials(tables: &[Table], page: &Arc<Page>, seen: &Arc<Mutex<Cells>>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for table in tables {
        for row in &table.rows {
            for (column, cell) in table.columns.iter().zip(&row.cells) {
                let name = cell_name(table.name, &row.name, column);
                let (page, seen, cell) = (Arc::clone(page), Arc::clone(seen), Arc::clone(cell));
                trials.push(Trial::ignorable_test(name.clone(), move || {
                    let saw = in_thread(&name, &cell)?;
                    let Some(text) = text(&saw) else {
                        return Ok(Completion::ignored_with("a peer is missing"));
                    };
                    let result = page.compare(&name, &text);
                    seen.lock()
                        .expect("no cell ends while it is held")
                        .insert(name, text);
                    result.map_err(Failed::from)?;
                    Ok(Completion::Completed)
                }));
            }
        }
    }
    trials
}

/// Runs a cell in a thread of its name: what is said there, of missing peers too, names the test.
fn in_thread(name: &str, cell: &Cell) -> Result<Seen, Failed> {
    let cell = Arc::clone(cell);
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || cell())
        .expect("a thread can be started");
    thread.join().map_err(|why| {
        let why = why
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| why.downcast_ref::<&str>().copied());
        Failed::from(why.unwrap_or("it panicked"))
    })
}

/// What became of the whole page.
fn finish(tables: &[Table], page: &Page, seen: Cells, conclusion: &Conclusion) -> ExitCode {
    if conclusion.has_failed() || conclusion.num_filtered_out > 0 {
        // Cells were compared one by one; the page is compared when all of them ran.
        return conclusion.exit_code();
    }
    let unseen = conclusion.num_ignored;
    if unseen > 0 {
        println!(
            "{unseen} cells of docs/interop.md were LEFT UNCOMPARED: their peers are missing, see \
             the lines SKIPPED"
        );
    }
    match page.settle(tables, seen) {
        Ok(what) => {
            println!("docs/interop.md: {what}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("docs/interop.md: {why}\n{}", page::HOW);
            ExitCode::FAILURE
        }
    }
}
