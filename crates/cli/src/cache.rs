//! `cooperage cache`

use std::fmt::Write as _;

use anyhow::Result;
use clap::Args;
use cooperage_cache::Cache;
use serde_json::json;

use crate::context::{Context, Outcome};
use crate::text::{bytes, count, printable};

/// Say how much the cache of registries' blobs holds
#[derive(Debug, Args)]
pub(crate) struct UsageArgs {}

/// Remove from the cache what was used longest ago
///
/// Without `--keep` everything goes, but for what others read or fetch at this moment.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// How much may stay, in bytes, or with `k`, `M`, `G`
    #[arg(long, value_name = "SIZE", value_parser = cooperage_cargo::network::size, default_value = "0")]
    keep: u64,
}

fn cache(context: &Context) -> Result<Cache> {
    let found = context.network_args().cache(&|text| {
        context.warn(&[text.to_owned()]);
    })?;
    found.ok_or_else(|| anyhow::anyhow!("there is no cache; `--cache-dir` names one"))
}

pub(crate) fn usage(_args: &UsageArgs, context: &Context) -> Result<Outcome> {
    let cache = cache(context)?;
    let usage = cache.usage()?;
    let directory = cache.directory().display().to_string();
    let text = || {
        let mut text = format!(
            "{} in {} and {} in {}\n",
            bytes(usage.bytes),
            count(usage.blobs, "blob"),
            count(usage.facts, "document"),
            printable(&directory),
        );
        if usage.partial > 0 {
            let _ = writeln!(
                text,
                "{} in {} that are being fetched, or were",
                bytes(usage.partial_bytes),
                count(usage.partial, "blob"),
            );
        }
        let _ = writeln!(text, "at most {} are kept", bytes(cache.limit()));
        text
    };
    let json = || {
        json!({
            "directory": directory,
            "limit": cache.limit(),
            "blobs": usage.blobs,
            "facts": usage.facts,
            "bytes": usage.bytes,
            "partial": usage.partial,
            "partial_bytes": usage.partial_bytes,
        })
    };
    context.answer(json, text)?;
    Ok(Outcome::Done)
}

pub(crate) fn prune(args: &PruneArgs, context: &Context) -> Result<Outcome> {
    let pruned = cache(context)?.prune(args.keep)?;
    let text = || {
        let mut text = format!(
            "removed {} in {}; {} are left\n",
            bytes(pruned.bytes),
            count(pruned.removed, "file"),
            bytes(pruned.left),
        );
        if pruned.in_use > 0 {
            let _ = writeln!(
                text,
                "{} stayed, since others use them",
                count(pruned.in_use, "file")
            );
        }
        text
    };
    let json = || {
        json!({
            "removed": pruned.removed,
            "bytes": pruned.bytes,
            "in_use": pruned.in_use,
            "left": pruned.left,
        })
    };
    context.report(json, text)?;
    Ok(Outcome::Done)
}
