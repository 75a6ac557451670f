//! `cooperage layer`

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use cooperage_plan::{BuildOptions, LayerMetadata, LayerPlan, build_layer};
use cooperage_staging::{StagedFile, check_distinct};
use cooperage_transport::Layers;

use crate::action::Cancel;
use crate::build::layer_json;
use crate::context::{Context, Outcome};
use crate::files::{BlobFile, Staged};
use crate::plan_file::PlanArgs;
use crate::text::bytes;

/// Build one layer to a file, for build systems
///
/// PLAN is a layer plan, whose first line says `"plan":"layer"`. Both files appear when the layer
/// is whole; `cooperage commit` makes an image of the metadata alone.
#[derive(Debug, Args)]
pub(crate) struct LayerArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Where the layer's blob goes
    #[arg(long, value_name = "FILE")]
    blob: PathBuf,
    /// Where the layer's metadata goes
    #[arg(long, value_name = "FILE")]
    metadata: PathBuf,
}

pub(crate) fn run(args: &LayerArgs, context: &Context) -> Result<Outcome> {
    check_distinct([&*args.blob, &*args.metadata])?;
    let plan = args.plan.loaded_layer_plan()?;
    let media = args.plan.media(context, Layers::Streamed);
    let options = args.plan.build_options(&media, context);
    let (built, files) = stage(&plan, &args.blob, &args.metadata, &options, None)?;
    files.keep()?;
    context.report(
        || layer_json(&built),
        || {
            let layer = &built.layer;
            format!(
                "layer {} ({} → {})\ndiff ID {}\n",
                layer.descriptor.digest,
                bytes(layer.size),
                bytes(layer.descriptor.size),
                layer.diff_id
            )
        },
    )?;
    Ok(Outcome::Done)
}

/// Builds a layer to two files that are still to be shown, unless `cancel` is set before.
pub(crate) fn stage(
    plan: &LayerPlan,
    blob: &Path,
    metadata: &Path,
    options: &BuildOptions<'_>,
    cancel: Option<&Cancel>,
) -> Result<(LayerMetadata, Staged)> {
    let sink = BlobFile::new(StagedFile::new(blob)?).until(cancel);
    let metadata = StagedFile::new(metadata)?;
    let built = build_layer(plan, &sink, options)?;
    let blob = sink
        .into_file()
        .context("the layer's blob was not written")?;
    let mut files = Staged::default();
    files.push(blob);
    files.put(metadata, &built.to_bytes())?;
    Ok((built, files))
}
