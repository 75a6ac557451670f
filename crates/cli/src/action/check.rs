//! The action `check`: whether an image's programs can run on its base.

use std::fs;

use anyhow::{Context as _, Result, anyhow, bail};
use cooperage_plan::{check_facts, facts_from_bytes};
use cooperage_runtime::BaseFacts;
use cooperage_transport::Layers;
use serde_json::json;

use super::{Action, PlanKind, Request, Setting};
use crate::error::Hinted;
use crate::files::Staged;

pub(crate) const ACTION: Action = Action {
    name: "check",
    about: "make sure that an image's programs find all they need on its base",
    outputs: &["report"],
    inputs: &["facts"],
    lines: &[],
    plan: PlanKind::Image,
    run: Some(run),
    launch: None,
};

fn run(request: &Request, setting: &Setting<'_>) -> Result<()> {
    let report = request.output("report")?;
    let plan = request.loaded_image_plan()?;
    let image = plan.images.first().context("the plan has no image")?;
    let facts = match (&request.inputs("facts")?[..], &image.base) {
        ([], None) => BaseFacts::default(),
        ([], Some(_)) => bail!(Hinted::new(
            anyhow!(
                "{}: the plan has a base, and no facts of it",
                request.label()
            ),
            "the action `facts` makes them: `{\"input\":\"facts\",\"file\":…}`",
        )),
        ([file], _) => {
            let failed = || format!("cannot read `{}`", file.display());
            facts_from_bytes(&fs::read(file).with_context(failed)?).with_context(failed)?
        }
        (several, _) => bail!(
            "{}: expected one input `facts`, found {}",
            request.label(),
            several.len()
        ),
    };
    let media = request.media(setting.context, Layers::Streamed);
    let options = request.build_options(&media, setting.context);
    setting.cancel.check()?;
    // Where the plan's layers remove or hide files of the base, its facts alone do not tell.
    let missing = check_facts(image, &facts, &options)?;
    let is_checked = missing.is_some();
    let missing = missing.unwrap_or_default();
    if !missing.is_empty() {
        let lines: Vec<String> = missing
            .iter()
            .map(|missing| format!("\n{missing}"))
            .collect();
        let base = match &image.base {
            Some(base) => format!("the base `{}`", base.from),
            None => "an image from scratch".to_owned(),
        };
        bail!("{base} lacks what the programs need:{}", lines.concat());
    }
    let mut bytes = serde_json::to_vec(&json!({"checked": is_checked, "missing": []}))?;
    bytes.push(b'\n');
    let mut files = Staged::default();
    files.add(&report, &bytes)?;
    setting.keep(files)
}
