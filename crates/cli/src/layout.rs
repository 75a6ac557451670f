//! `cooperage layout`

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use cooperage_layout::{GcMode, GcOptions, Layout, Missing, Patience, Severity, fsck as check};
use serde_json::{Value, json};

use crate::context::{Context, Outcome};
use crate::text::{bytes, chain, count, printable};

/// Remove what nothing in an image layout refers to
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// The layout
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Only say what would be removed
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Wait for others that write to the layout
    #[arg(long)]
    wait: bool,
    /// Take manifests that are not there as never copied, instead of giving up
    #[arg(long)]
    skip_missing: bool,
}

/// Report everything that is wrong with an image layout
///
/// Every file is looked at and every blob hashed, whether something refers to it or not. Exits with
/// 3 if something is broken; notices alone are none.
#[derive(Debug, Args)]
pub(crate) struct FsckArgs {
    /// The layout
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn gc(args: &GcArgs, context: &Context) -> Result<Outcome> {
    let layout = Layout::open(&args.directory)
        .with_context(|| format!("cannot open `{}`", args.directory.display()))?;
    let options = GcOptions {
        mode: if args.dry_run {
            GcMode::DryRun
        } else {
            GcMode::Remove
        },
        patience: if args.wait {
            Patience::Wait
        } else {
            Patience::GiveUp
        },
        missing: if args.skip_missing {
            Missing::Skip
        } else {
            Missing::Refuse
        },
    };
    let report = layout
        .gc(&options)
        .with_context(|| format!("cannot collect `{}`", args.directory.display()))?;
    context.report(
        || {
            let removed: Vec<Value> = report
                .removed
                .iter()
                .map(|blob| json!({"digest": blob.digest.as_str(), "size": blob.size}))
                .collect();
            json!({
                "dry_run": args.dry_run,
                "removed": removed,
                "temporary": report.temporary.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
                "kept": report.kept,
                "freed": report.freed,
            })
        },
        || {
            let mut out = String::new();
            let verb = if args.dry_run { "would remove" } else { "removed" };
            for blob in &report.removed {
                let _ = writeln!(out, "{verb} {}  {:>9}", blob.digest, bytes(blob.size));
            }
            for path in &report.temporary {
                let _ = writeln!(out, "{verb} {}", printable(&path.to_string_lossy()));
            }
            let removed = count(report.removed.len(), "blob");
            let _ = writeln!(
                out,
                "{verb} {removed} ({}), {} stay",
                bytes(report.freed),
                report.kept
            );
            out
        },
    )?;
    Ok(Outcome::Done)
}

pub(crate) fn fsck(args: &FsckArgs, context: &Context) -> Result<Outcome> {
    std::fs::metadata(&args.directory)
        .with_context(|| format!("cannot read `{}`", args.directory.display()))?;
    let found = check(&args.directory);
    let errors = found
        .iter()
        .filter(|fault| fault.severity() == Severity::Error)
        .count();
    let severity = |severity| match severity {
        Severity::Notice => "notice",
        Severity::Error => "fault",
    };
    let json = || {
        let faults: Vec<Value> = found
            .iter()
            .map(|fault| json!({"severity": severity(fault.severity()), "message": chain(fault)}))
            .collect();
        json!({"faults": faults, "errors": errors, "notices": found.len() - errors})
    };
    let text = || {
        let mut out = String::new();
        for fault in &found {
            let _ = writeln!(
                out,
                "{}: {}",
                severity(fault.severity()),
                printable(&chain(fault))
            );
        }
        let notices = count(found.len() - errors, "notice");
        let _ = writeln!(out, "{}, {notices}", count(errors, "fault"));
        out
    };
    if found.is_empty() {
        context.report(json, text)?;
    } else {
        context.answer(json, text)?;
    }
    Ok(if errors == 0 {
        Outcome::Done
    } else {
        Outcome::Faults
    })
}
