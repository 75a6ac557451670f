//! The action `index`: images' descriptors become an index.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cooperage_image_spec::{Descriptor, FromJson as _, Json, MAX_DOCUMENT_SIZE};
use cooperage_plan::IndexPlan;
use cooperage_plan::fields::Fields;
use cooperage_staging::check_distinct;

use super::{Action, PlanKind, Request, Setting, values};
use crate::commit::{descriptor_bytes, index_of};
use crate::files::Staged;

pub(crate) const ACTION: Action = Action {
    name: "index",
    about: "form an index of images' descriptors",
    outputs: &["index", "descriptor"],
    inputs: &["annotations", "stamp"],
    lines: &["index", "image"],
    plan: PlanKind::None,
    run: Some(run),
    launch: None,
};

fn run(request: &Request, setting: &Setting<'_>) -> Result<()> {
    let index = request.output("index")?;
    let file = request.maybe_output("descriptor")?;
    check_distinct([&*index].into_iter().chain(file.as_deref()))?;
    let plan = request.maybe_one("index", |fields| {
        fields.read("index", |at, json| {
            let mut fields = Fields::new(at.line, at.place, json)?;
            let plan = IndexPlan::read(&mut fields)?;
            fields.end()?;
            Ok(plan)
        })
    })?;
    let images = request.each("image", |fields| {
        Ok(PathBuf::from(fields.string("image")?.unwrap_or_default()))
    })?;
    if images.is_empty() {
        bail!("an index needs at least one image: expected lines `{{\"image\":FILE}}`");
    }
    let images = images
        .iter()
        .map(|image| read_descriptor(&request.base.file(image)?))
        .collect::<Result<_>>()?;
    let mut plan = plan.flatten().unwrap_or_default();
    plan.annotations = values::annotations(request, plan.annotations)?;
    let (document, whole) = index_of(&plan, images)?;
    let mut files = Staged::default();
    files.add(&index, document.raw())?;
    if let Some(file) = file {
        files.add(&file, &descriptor_bytes(&whole))?;
    }
    setting.keep(files)
}

/// Reads a descriptor that an action wrote.
pub(crate) fn read_descriptor(file: &Path) -> Result<Descriptor> {
    let read = || format!("cannot read the descriptor `{}`", file.display());
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(MAX_DOCUMENT_SIZE + 1).read_to_end(&mut bytes))
        .with_context(read)?;
    let json = Json::parse(&bytes).with_context(read)?;
    Descriptor::from_json(&json).with_context(read)
}
