//! The action `fetch`: one blob from where it lies.

use anyhow::{Context as _, Result};
use cooperage_blob::transfer;
use cooperage_image_spec::{Descriptor, MediaType};
use cooperage_staging::StagedFile;
use cooperage_transport::Layers;

use super::{Action, PlanKind, Request, Setting, parts};
use crate::files::{BlobFile, Staged};

pub(crate) const ACTION: Action = Action {
    name: "fetch",
    about: "fetch one blob from where it lies, verified",
    outputs: &["blob"],
    inputs: &[],
    lines: &["reference", "digest"],
    plan: PlanKind::None,
    run: Some(run),
    launch: None,
};

fn run(request: &Request, setting: &Setting<'_>) -> Result<()> {
    let file = request.output("blob")?;
    let reference = request.one("reference", "`{\"reference\":\"docker://…\"}`", |fields| {
        Ok(fields.string("reference")?.unwrap_or_default())
    })?;
    let expected = "`{\"digest\":\"sha256:…\",\"size\":…}`";
    let descriptor = request.one("digest", expected, |fields| {
        let line = fields.line();
        let digest = parts::digest(line, &fields.string("digest")?.unwrap_or_default())?;
        let size = fields.u64("size")?;
        let size = fields.need("size", size, "the blob's length in bytes")?;
        let media_type = fields.string("media_type")?;
        let media_type = media_type.unwrap_or_else(|| "application/octet-stream".into());
        Ok(Descriptor::new(MediaType::new(media_type), digest, size))
    })?;
    let location = request.base.location(&reference)?;
    let opened = setting.context.open(&location, Layers::Streamed)?;
    setting.cancel.check()?;
    let sink = BlobFile::new(StagedFile::new(&file)?).until(Some(setting.cancel));
    transfer(opened.source(), &descriptor, &sink, &mut |_| {})
        .with_context(|| format!("cannot fetch `{}` from `{location}`", descriptor.digest))?;
    let mut files = Staged::default();
    files.push(sink.into_file().context("the blob was not written")?);
    setting.keep(files)
}
