//! `cooperage commit`

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use cooperage_commit::Formed;
use cooperage_image_spec::{Descriptor, Document, Index, MediaType, ToJson};
use cooperage_plan::{
    BuildError, BuildOptions, ImagePlan, IndexPlan, LayerContent, Plan, build_image, build_index,
    layer_metadata, open_base,
};
use cooperage_staging::check_distinct;
use cooperage_transport::Layers;
use serde_json::json;

use crate::context::{Context, Outcome, warnings};
use crate::error::Hinted;
use crate::files::Staged;
use crate::plan_file::PlanArgs;

/// Form an image's documents from layers that are built already, for build systems
///
/// PLAN is an image plan each of whose layers is `metadata`, as `cooperage layer` writes it. No
/// layer's bytes are read, and of a base the documents alone.
#[derive(Debug, Args)]
pub(crate) struct CommitArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Where the config goes; given once for each image of an index, in the plan's order
    #[arg(long, value_name = "FILE", required = true)]
    config: Vec<PathBuf>,
    /// Where the manifest goes; given once for each image of an index, in the plan's order
    #[arg(long, value_name = "FILE", required = true)]
    manifest: Vec<PathBuf>,
    /// Where the descriptor of the manifest, or of the index, goes
    #[arg(long, value_name = "FILE")]
    descriptor: Option<PathBuf>,
    /// Where the index goes, if the plan describes one
    #[arg(long, value_name = "FILE")]
    index: Option<PathBuf>,
}

pub(crate) fn run(args: &CommitArgs, context: &Context) -> Result<Outcome> {
    let plan = args.plan.image_plan()?;
    check(args, &plan)?;
    let media = args.plan.media(context, Layers::Streamed);
    let options = args.plan.build_options(&media, context);

    let mut files = Staged::default();
    let mut images = Vec::new();
    let mut odd = Vec::new();
    let mut descriptors = Vec::new();
    for ((image, config), manifest) in plan.images.iter().zip(&args.config).zip(&args.manifest) {
        let formed = commit(image, &options)?;
        let descriptor = descriptor(&formed);
        odd.extend(warnings([&formed]));
        files.add(config, formed.config.raw())?;
        files.add(manifest, formed.manifest.raw())?;
        images.push(json!({
            "platform": formed.platform.to_string(),
            "digest": descriptor.digest.as_str(),
            "config_digest": formed.config.digest().as_str(),
        }));
        descriptors.push(descriptor);
    }
    let whole = match (&plan.index, &args.index, &descriptors[..]) {
        (Some(index), Some(file), _) => {
            let (document, whole) = index_of(index, descriptors)?;
            files.add(file, document.raw())?;
            whole
        }
        (_, _, [only, ..]) => only.clone(),
        _ => return Err(BuildError::NoImage.into()),
    };
    if let Some(file) = &args.descriptor {
        files.add(file, &descriptor_bytes(&whole))?;
    }
    files.keep()?;
    context.warn(&odd);
    context.report(
        || {
            json!({
                "digest": whole.digest.as_str(),
                "media_type": whole.media_type.as_str(),
                "size": whole.size,
                "images": images,
                "warnings": odd,
            })
        },
        || {
            let kind = if plan.index.is_some() {
                "index"
            } else {
                "image"
            };
            format!("{kind} {}\n", whole.digest)
        },
    )?;
    Ok(Outcome::Done)
}

/// The files fit the plan, and the plan this command.
fn check(args: &CommitArgs, plan: &Plan) -> Result<()> {
    match (&plan.index, &args.index) {
        (Some(_), None) => bail!("the plan describes an index: `--index FILE` says where it goes"),
        (None, Some(_)) => bail!("the plan describes an image and no index: leave `--index` out"),
        _ => {}
    }
    let images = plan.images.len();
    for (flag, files) in [("--config", &args.config), ("--manifest", &args.manifest)] {
        if files.len() != images {
            bail!(
                "the plan describes {images} images: expected `{flag}` as many times, found {}",
                files.len()
            );
        }
    }
    let others = args.descriptor.iter().chain(&args.index);
    let files = args.config.iter().chain(&args.manifest).chain(others);
    check_distinct(files.map(PathBuf::as_path))?;
    Ok(())
}

/// The documents of an image each of whose layers is built already.
pub(crate) fn commit(image: &ImagePlan, options: &BuildOptions<'_>) -> Result<Formed> {
    let mut layers = Vec::new();
    for (number, layer) in image.layers.iter().enumerate() {
        let LayerContent::Metadata { file, .. } = &layer.content else {
            let name = layer.name.as_deref().unwrap_or("without a name");
            let text = format!("layer {number} (`{name}`) is not built yet: expected `metadata`");
            bail!(Hinted::new(
                anyhow!(text),
                "`cooperage layer` builds it; `cooperage build` does all at once",
            ));
        };
        layers.push(layer_metadata(layer, file, options)?);
    }
    let base = match &image.base {
        Some(base) => Some(open_base(base, image.platform.as_ref(), options)?.1),
        None => None,
    };
    Ok(build_image(image, &layers, base.as_ref())?)
}

/// As the index, or the medium, will list it.
pub(crate) fn descriptor(formed: &Formed) -> Descriptor {
    let media_type = formed.manifest.value().media_type.clone();
    formed
        .manifest
        .descriptor(media_type.unwrap_or(MediaType::OCI_MANIFEST))
        .with(|descriptor| descriptor.platform = Some(formed.platform.clone()))
}

/// An index, and its own descriptor.
pub(crate) fn index_of(
    plan: &IndexPlan,
    images: Vec<Descriptor>,
) -> Result<(Document<Index>, Descriptor)> {
    let document = build_index(plan, images)?;
    let media_type = document.value().media_type.clone();
    let descriptor = document.descriptor(media_type.unwrap_or(MediaType::OCI_INDEX));
    Ok((document, descriptor))
}

/// A descriptor as a file holds it.
pub(crate) fn descriptor_bytes(descriptor: &Descriptor) -> Vec<u8> {
    let mut bytes = descriptor.to_json().to_canonical();
    bytes.push(b'\n');
    bytes
}
