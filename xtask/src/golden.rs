//! Golden digests: what every stage's bytes are, in one place, `testkit/golden/`.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::test::{Step, cargo};

/// `cargo xtask golden`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Store what is made now as what is right. Say why in CHANGELOG.md, in bold: every digest
    /// that users have changes with it.
    #[arg(long)]
    bless: bool,
}

/// Runs the tests that compare with golden values; their names hold `golden`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let directory = crate::root().join("testkit/golden");
    let mut command = cargo(&["test", "--workspace", "--", "golden"]);
    if args.bless {
        // Other processors are compared with what this one stored: not before it has.
        command.args(["--skip", "processor"]);
        // A stage's file is written anew, so that values nobody asks for any more are gone.
        std::fs::remove_dir_all(&directory)
            .or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
            .with_context(|| format!("cannot remove `{}`", directory.display()))?;
        command.env("COOPERAGE_BLESS", "1");
    }
    Step::new("golden digests", command).run(std::time::Duration::from_secs(15 * 60))?;
    if args.bless {
        println!(
            "stored in {}: commit it with a line in bold in CHANGELOG.md",
            directory.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}
