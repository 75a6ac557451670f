//! `cooperage list-tags`

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cooperage_image_spec::Reference;
use serde_json::json;

use crate::context::{Context, Outcome};
use crate::text::printable;

/// List the tags of a repository of a registry
#[derive(Debug, Args)]
pub(crate) struct ListTagsArgs {
    /// The repository: `docker://REGISTRY/PATH`, or without `docker://`
    #[arg(value_name = "REPOSITORY")]
    repository: String,
}

pub(crate) fn run(args: &ListTagsArgs, context: &Context) -> Result<Outcome> {
    let bare = args.repository.strip_prefix("docker://");
    let reference: Reference = bare.unwrap_or(&args.repository).parse()?;
    if reference.tag().is_some() || reference.digest().is_some() {
        bail!("`{reference}` names an image: leave its tag and digest out");
    }
    let repository = context.network()?.repository(&reference)?;
    let tags = repository
        .tags()
        .with_context(|| format!("cannot list the tags of `{reference}`"))?;
    let json = || json!({"repository": reference.repository(), "tags": tags});
    let text = || {
        let lines = tags.iter().map(|tag| format!("{}\n", printable(tag)));
        lines.collect()
    };
    context.answer(json, text)?;
    Ok(Outcome::Done)
}
