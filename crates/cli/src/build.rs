//! `cooperage build`

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cooperage_cargo::check::Check;
use cooperage_cargo::once::Once;
use cooperage_cargo::write::{build_into, layers_for, lent};
use cooperage_image_spec::Platform;
use cooperage_plan::{BuildOptions, Built, BuiltImage, LayerMetadata, Plan, Trees};
use cooperage_staging::{Shown, StageError, StagedFile};
use cooperage_transport::{
    Completed, DestinationOptions, Destinations, Layers, Location, Medium, Output, Sent,
    check_outputs,
};
use serde_json::{Value, json};

use crate::archive_report;
use crate::context::{Context, Outcome, warnings};
use crate::files::Staged;
use crate::plan_file::PlanArgs;
use crate::text::{bytes, count, printable};

/// Build the image that a plan describes
///
/// The image is built once. With several outputs it is built into the first layout among them, else
/// for the first daemon or registry, else into the first, and copied to the others. All outputs appear at the
/// end: if the build fails, what was there before is still there, and no output that was not there
/// is left behind. Daemons and registries come last of all, since neither can be taken back.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Where the image goes; may be given several times. A name behind the path takes the place
    /// of the plan's names
    #[arg(short, long, value_name = "LOCATION", required = true)]
    output: Vec<Location>,
    /// Which image of an index goes into docker archives
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// First make sure that the plan's programs find all they need on their base
    #[arg(long)]
    check_base: bool,
    /// Write the digest of the image, or of the index, to this file
    #[arg(long, value_name = "FILE")]
    digest_file: Option<PathBuf>,
    /// Write what `--format json` prints to this file
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
}

pub(crate) fn run(args: &BuildArgs, context: &Context) -> Result<Outcome> {
    let files = args.digest_file.iter().chain(&args.metadata_file);
    check_outputs(&args.output, files.map(PathBuf::as_path))?;
    let plan = args.plan.loaded_image_plan()?;
    // Layers of a base are fetched for those outputs alone that hold them here.
    let layers = if args.check_base {
        Layers::Kept
    } else {
        layers_for(&args.output)
    };
    let media = args.plan.media(context, layers);
    let bases = Once::new(&media);
    let options = BuildOptions {
        bases: &bases,
        ..args.plan.build_options(&media, context)
    };
    note_names(&args.output, &plan, context);
    // Nothing is written before these are found good.
    let trees = Trees::of(&plan, &options)?;
    if args.check_base {
        check(&plan, &options, context)?;
    }

    let destinations = Destinations::create(
        &args.output,
        &DestinationOptions {
            platform: args.platform.clone(),
            network: context.network_for(&args.output)?,
            lent: Arc::new(lent(&plan, &args.output, &options)?),
            progress: context.shared_progress(),
            ..DestinationOptions::default()
        },
    )?;
    let digest_file = begin(args.digest_file.as_ref())?;
    let metadata_file = begin(args.metadata_file.as_ref())?;
    let built = build_into(&destinations, &plan, &trees, &options)?;
    let mut written = destinations.complete()?;

    let mut files = Staged::default();
    if let Some(file) = digest_file {
        files.put(file, built.descriptor.digest.as_str().as_bytes())?;
    }
    // What a registry is sent is known when it has it.
    let is_local = |at: &Location| at.medium().is_local();
    let (early, late) = match metadata_file {
        Some(file) if args.output.iter().all(is_local) => (Some(file), None),
        late => (None, late),
    };
    put_summary(&mut files, early, &plan, &built, &written)?;
    written.show()?;
    put_summary(&mut files, late, &plan, &built, &written)?;
    let files = files.show()?;
    context.warn(&warnings(built.images.iter().map(|image| &image.formed)));
    let json = || summary(&plan, &built, &written);
    context.report(json, || text(&plan, &built, &written))?;
    written.keep();
    files.into_iter().for_each(Shown::keep);
    Ok(Outcome::Done)
}

fn begin(file: Option<&PathBuf>) -> Result<Option<StagedFile>, StageError> {
    file.map(|file| StagedFile::new(file)).transpose()
}

/// Names in docker archives and daemons are image references: a bare tag would be one of another
/// image.
fn note_names(outputs: &[Location], plan: &Plan, context: &Context) {
    let archives = |output: &&Location| !takes_any_name(output.medium()) && !output.is_one_image();
    for output in outputs.iter().filter(archives) {
        for name in plan
            .names
            .iter()
            .filter(|name| !name.contains([':', '/', '@']))
        {
            let (output, name) = (output.to_string(), printable(name));
            context.note(&format!(
                "note: `{name}` is no image reference and names nothing in `{}`",
                printable(&output)
            ));
        }
    }
}

fn takes_any_name(medium: Medium) -> bool {
    !matches!(medium, Medium::DockerArchive | Medium::DockerDaemon)
}

/// Finds what the programs lack on their bases.
fn check(plan: &Plan, options: &BuildOptions<'_>, context: &Context) -> Result<()> {
    for image in &plan.images {
        let Some(base) = &image.base else {
            continue;
        };
        let location = base.from.reference().map(str::parse::<Location>);
        let is_remote = matches!(&location, Some(Ok(at)) if at.reference().is_some());
        let check = Check {
            lock: None,
            update: false,
            cache: if is_remote {
                context.network()?.cache()
            } else {
                None
            },
            options,
            warn: &|text| context.warn(&[text.to_owned()]),
            fetched: true,
        };
        let missing = check
            .missing(image)
            .with_context(|| format!("cannot check the base `{}`", base.from))?
            .unwrap_or_default();
        if !missing.is_empty() {
            let lines: Vec<String> = missing.iter().map(|m| format!("\n{m}")).collect();
            bail!(
                "the base `{}` lacks what the programs need:{}",
                base.from,
                lines.concat()
            );
        }
    }
    Ok(())
}

fn put_summary(
    files: &mut Staged,
    file: Option<StagedFile>,
    plan: &Plan,
    built: &Built,
    written: &Completed,
) -> Result<()> {
    if let Some(file) = file {
        let mut bytes = serde_json::to_vec_pretty(&summary(plan, built, written))?;
        bytes.push(b'\n');
        files.put(file, &bytes)?;
    }
    Ok(())
}

fn text(plan: &Plan, built: &Built, written: &Completed) -> String {
    let mut out = String::new();
    for image in &built.images {
        if plan.index.is_some() {
            let _ = writeln!(
                out,
                "{}  {}",
                image.formed.platform, image.descriptor.digest
            );
        }
        if image.base_layers > 0 {
            let _ = writeln!(out, "  on a base of {}", count(image.base_layers, "layer"));
        }
        for metadata in &image.layers {
            let layer = &metadata.layer;
            let _ = writeln!(
                out,
                "  {:<20} {:>9} → {:>9}  {}",
                printable(metadata.name.as_deref().unwrap_or("layer")),
                bytes(layer.size),
                bytes(layer.descriptor.size),
                layer.descriptor.digest
            );
        }
    }
    let kind = if plan.index.is_some() {
        "index"
    } else {
        "image"
    };
    let _ = writeln!(out, "{kind} {}", built.descriptor.digest);
    for output in written.outputs() {
        out.push_str(&output_text(&output));
    }
    out
}

/// Where an image went, and what of it had to.
pub(crate) fn output_text(output: &Output<'_>) -> String {
    let location = output.location.to_string();
    let mut out = format!("in {}{}\n", printable(&location), sent_text(output));
    if let Some(report) = output.report {
        out.push_str(&archive_report::text(report));
    }
    out
}

pub(crate) fn output_json(output: &Output<'_>) -> Value {
    json!({
        "location": output.location.to_string(),
        "archive": output.report.map(archive_report::json),
        "sent": output.sent.as_ref().map(sent_json),
    })
}

fn summary(plan: &Plan, built: &Built, written: &Completed) -> Value {
    let outputs: Vec<Value> = written
        .outputs()
        .map(|output| output_json(&output))
        .collect();
    json!({
        "names": plan.names,
        "digest": built.descriptor.digest.as_str(),
        "media_type": built.descriptor.media_type.as_str(),
        "size": built.descriptor.size,
        "images": built.images.iter().map(image_json).collect::<Vec<_>>(),
        "outputs": outputs,
        "warnings": warnings(built.images.iter().map(|image| &image.formed)),
    })
}

fn sent_text(output: &Output<'_>) -> String {
    let Some(sent) = &output.sent else {
        return String::new();
    };
    let there = match sent.skipped {
        0 => String::new(),
        skipped => format!("; {skipped} there already"),
    };
    let blobs = count(sent.blobs, "blob");
    format!(" ({blobs}, {} sent{there})", bytes(sent.bytes))
}

fn sent_json(sent: &Sent) -> Value {
    json!({"blobs": sent.blobs, "bytes": sent.bytes, "skipped": sent.skipped})
}

fn image_json(image: &BuiltImage) -> Value {
    json!({
        "platform": image.formed.platform.to_string(),
        "digest": image.descriptor.digest.as_str(),
        "config_digest": image.formed.config.digest().as_str(),
        "base_layers": image.base_layers,
        "layers": image.layers.iter().map(layer_json).collect::<Vec<_>>(),
    })
}

pub(crate) fn layer_json(metadata: &LayerMetadata) -> Value {
    let layer = &metadata.layer;
    json!({
        "name": metadata.name,
        "digest": layer.descriptor.digest.as_str(),
        "diff_id": layer.diff_id.as_str(),
        "media_type": layer.descriptor.media_type.as_str(),
        "entries": layer.entries,
        "size": layer.size,
        "stored_size": layer.descriptor.size,
    })
}
