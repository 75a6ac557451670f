//! The action `image`: layers' metadata become an image's documents.

use anyhow::Result;
use cooperage_plan::BuildError;
use cooperage_staging::check_distinct;
use cooperage_transport::Layers;

use super::{Action, PlanKind, Request, Setting, values};
use crate::commit::{commit, descriptor, descriptor_bytes};
use crate::files::Staged;

pub(crate) const ACTION: Action = Action {
    name: "image",
    about: "form an image's documents of layers' metadata; no layer is read",
    outputs: &["config", "manifest", "descriptor"],
    inputs: values::INPUTS,
    lines: &[],
    plan: PlanKind::Image,
    run: Some(run),
    launch: None,
};

fn run(request: &Request, setting: &Setting<'_>) -> Result<()> {
    let config = request.output("config")?;
    let manifest = request.output("manifest")?;
    let file = request.maybe_output("descriptor")?;
    check_distinct([&*config, &*manifest].into_iter().chain(file.as_deref()))?;
    let plan = request.filled_image_plan(|line| values::fill(request, line))?;
    let image = plan.images.first().ok_or(BuildError::NoImage)?;
    let media = request.media(setting.context, Layers::Streamed);
    let formed = commit(image, &request.build_options(&media, setting.context))?;
    let mut files = Staged::default();
    files.add(&config, formed.config.raw())?;
    files.add(&manifest, formed.manifest.raw())?;
    if let Some(file) = file {
        files.add(&file, &descriptor_bytes(&descriptor(&formed)))?;
    }
    setting.keep(files)
}
