//! The action `facts`: what a base offers to programs.

use anyhow::Result;
use cooperage_plan::{facts_to_bytes, image_facts};
use cooperage_transport::Layers;

use super::parts::Scattered;
use super::{Action, PlanKind, Request, Setting, documents, parts};
use crate::files::Staged;
use crate::media;

pub(crate) const ACTION: Action = Action {
    name: "facts",
    about: "find out what an image offers to programs; reads all its layers",
    outputs: &["facts"],
    inputs: &[],
    lines: &[parts::LINE, "platform"],
    plan: PlanKind::None,
    run: Some(run),
    launch: None,
};

fn run(request: &Request, setting: &Setting<'_>) -> Result<()> {
    let file = request.output("facts")?;
    let platform = request.maybe_one("platform", documents::platform)?;
    let image = Scattered::open(request, setting.context, Layers::Kept)?;
    let (root, hint) = (image.parts.root(), documents::CHOOSE);
    let base = media::image_for(&image.parts, root, platform.as_ref(), hint)?;
    setting.cancel.check()?;
    let facts = image_facts(&image.parts, &base).map_err(|error| image.blame(error.into()))?;
    let mut files = Staged::default();
    files.add(&file, &facts_to_bytes(&facts)?)?;
    setting.keep(files)
}
