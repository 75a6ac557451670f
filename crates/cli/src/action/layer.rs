//! The action `layer`: files become a layer's blob and its metadata.

use anyhow::Result;
use cooperage_staging::check_distinct;
use cooperage_transport::Layers;

use super::{Action, PlanKind, Request, Setting};
use crate::layer::stage;

pub(crate) const ACTION: Action = Action {
    name: "layer",
    about: "pack the layer that a plan describes",
    outputs: &["blob", "metadata"],
    inputs: &[],
    lines: &[],
    plan: PlanKind::Layer,
    run: Some(run),
    launch: None,
};

fn run(request: &Request, setting: &Setting<'_>) -> Result<()> {
    let (blob, metadata) = (request.output("blob")?, request.output("metadata")?);
    check_distinct([&*blob, &*metadata])?;
    let plan = request.layer_plan()?;
    let media = request.media(setting.context, Layers::Streamed);
    let options = request.build_options(&media, setting.context);
    setting.cancel.check()?;
    let (_, files) = stage(&plan, &blob, &metadata, &options, Some(setting.cancel))?;
    setting.keep(files)
}
