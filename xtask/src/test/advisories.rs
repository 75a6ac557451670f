//! Known faults of the crates that are built in: only where there is a copy of the database.
//!
//! The database, `RustSec`'s, is a git repository. No registry carries it, so that where registries
//! alone can be reached nothing can be checked; that is said then, and never passed over.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::cargo;

/// Asks `cargo audit`, and gives the sentence that says what came of it.
///
/// # Errors
///
/// An advisory about a crate of `Cargo.lock`; a given directory that is none, and a copy without
/// the program that reads it.
pub(super) fn check(given: Option<&Path>) -> Result<String> {
    let Some(database) = given.map(Path::to_owned).or_else(usual) else {
        return Ok(
            "NOT CHECKED: advisories. There is no copy of RustSec's database here; with one, \
             `cargo xtask test --advisories DIR`, or `cargo audit` where it can be fetched"
                .to_owned(),
        );
    };
    ensure!(
        database.join("crates").is_dir(),
        "`{}` is no copy of RustSec's database: it has no directory `crates`",
        database.display()
    );
    let mut command = cargo(&[
        "audit",
        "--no-fetch",
        "--stale",
        "--deny",
        "warnings",
        "--db",
    ]);
    let status = command.arg(&database).status();
    let status = status.context("cannot start `cargo audit`")?;
    ensure!(
        status.success(),
        "`cargo audit` with the database in `{}`: {status}",
        database.display()
    );
    Ok(format!(
        "no crate of Cargo.lock has an advisory in `{}`",
        database.display()
    ))
}

/// Where `cargo audit` keeps what it fetched.
fn usual() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "xtask may read the environment")]
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cargo = home("CARGO_HOME").or_else(|| Some(home("HOME")?.join(".cargo")))?;
    let database = cargo.join("advisory-db");
    database.is_dir().then_some(database)
}
