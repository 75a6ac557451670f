//! Images, layers and streams that cross between cooperage and the other programs of its field, in
//! both directions: each cell of `docs/interop.md` is a test, and the page is made of what they saw.

#![expect(
    clippy::print_stdout,
    reason = "it is a test harness; what became of the page is for the terminal"
)]

mod command;
mod debian;
mod folding;
mod forms;
mod http;
mod images;
mod kinds;
mod matrix;
mod ours;
mod page;
mod reasons;
mod room;
mod servers;
mod streams;
mod theirs;
mod unpackers;
mod whiteouts;

fn main() -> std::process::ExitCode {
    let tables = [
        ours::tables(),
        unpackers::tables(),
        theirs::tables(),
        debian::tables(),
        streams::tables(),
    ];
    matrix::run(&tables.into_iter().flatten().collect::<Vec<_>>())
}
