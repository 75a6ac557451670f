//! `cooperage build`

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use cooperage_blob::{Root, Source, copy};
use cooperage_daemon_archive::Report;
use cooperage_image_spec::{Descriptor, Platform};
use cooperage_layout::{GcOptions, Layout};
use cooperage_plan::{
    BuildOptions, Built, BuiltImage, LayerMetadata, Plan, Trees, build_trees, check_base,
};
use cooperage_transport::{DestinationOptions, Location, Medium};
use serde_json::{Value, json};

use crate::archive_report;
use crate::context::{Context, Outcome, warnings};
use crate::error::Hinted;
use crate::files::Staged;
use crate::plan_file::PlanArgs;
use crate::text::{bytes, count, printable};

/// Build the image that a plan describes
///
/// The image is built once. With several outputs it is built into the first layout among them, or
/// into a temporary one, and copied to the others. If the build fails, an archive that was there
/// before is still there, and no output that was not there is left behind.
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

/// An output that was written.
struct Written {
    location: Location,
    report: Option<Report>,
}

pub(crate) fn run(args: &BuildArgs, context: &Context) -> Result<Outcome> {
    check_outputs(&args.output)?;
    let plan = args.plan.loaded_image_plan()?;
    let media = args.plan.media();
    let options = args.plan.build_options(&media, context);
    note_names(&args.output, &plan, context);
    // Nothing is written before these are found good.
    let trees = Trees::of(&plan, &options)?;
    check(&plan, args.check_base, &options)?;

    let (built, written) = write_all(args, &plan, &trees, &options)?;
    let json = || summary(&plan, &built, &written);
    let mut files = Staged::default();
    if let Some(file) = &args.digest_file {
        files.add(file, built.descriptor.digest.as_str().as_bytes())?;
    }
    if let Some(file) = &args.metadata_file {
        let mut bytes = serde_json::to_vec_pretty(&json())?;
        bytes.push(b'\n');
        files.add(file, &bytes)?;
    }
    files.show()?;
    context.warn(&warnings(built.images.iter().map(|image| &image.formed)));
    context.report(json, || text(&plan, &built, &written))?;
    Ok(Outcome::Done)
}

/// What would only be found when the work is done.
fn check_outputs(outputs: &[Location]) -> Result<()> {
    for output in outputs {
        if output.digest().is_some() {
            bail!("`{output}` names a digest: an output takes a name, or none");
        }
        if output.path() == Path::new("-") {
            bail!(Hinted::new(
                anyhow!("`{output}`: an image is not built to standard output"),
                "`cooperage copy oci:DIR docker-archive:-` writes to it",
            ));
        }
    }
    Ok(())
}

/// A docker archive's names are image references: a bare tag would be one of another image.
fn note_names(outputs: &[Location], plan: &Plan, context: &Context) {
    let archives =
        |output: &&Location| output.medium() == Medium::DockerArchive && output.name().is_none();
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

/// Finds what the programs lack on their bases, if that is asked for.
fn check(plan: &Plan, with_base: bool, options: &BuildOptions<'_>) -> Result<()> {
    for image in &plan.images {
        let (true, Some(base)) = (with_base, &image.base) else {
            continue;
        };
        let missing = check_base(image, options)
            .with_context(|| format!("cannot check the base `{}`", base.reference))?;
        if !missing.is_empty() {
            let lines: Vec<String> = missing.iter().map(|m| format!("\n{m}")).collect();
            bail!(
                "the base `{}` lacks what the programs need:{}",
                base.reference,
                lines.concat()
            );
        }
    }
    Ok(())
}

fn write_all(
    args: &BuildArgs,
    plan: &Plan,
    trees: &Trees,
    options: &BuildOptions<'_>,
) -> Result<(Built, Vec<Written>)> {
    let first = match &args.output[..] {
        [only] => Some(only),
        all => all.iter().find(|output| output.medium() == Medium::Oci),
    };
    let Some(first) = first else {
        let directory = tempfile::Builder::new()
            .prefix("cooperage-build-")
            .tempdir()
            .context("cannot make a temporary image layout")?;
        let layout = Layout::create(directory.path())?;
        let built = build_trees(&unnamed(plan), trees, &layout, options)?;
        let mut written = Vec::new();
        for output in &args.output {
            written.push(copy_to(&layout, &built, output, args, plan, options)?);
        }
        return Ok((built, written));
    };
    let (built, at_first) = build_to(first, args, plan, trees, options)?;
    let mut written = vec![at_first];
    if args.output.len() > 1 {
        let layout = Layout::open(first.path())?;
        for output in args.output.iter().filter(|output| *output != first) {
            written.push(copy_to(&layout, &built, output, args, plan, options)?);
        }
    }
    Ok((built, written))
}

fn unnamed(plan: &Plan) -> Plan {
    Plan {
        names: Vec::new(),
        ..plan.clone()
    }
}

fn destination_options(args: &BuildArgs) -> DestinationOptions {
    DestinationOptions {
        platform: args.platform.clone(),
        ..DestinationOptions::default()
    }
}

/// The names that the image gets in a destination.
fn names(sink: &cooperage_transport::Destination, location: &Location, plan: &Plan) -> Vec<String> {
    if let Some(name) = location.name() {
        return vec![name.to_owned()];
    }
    let at = |name: &String| sink.name_for(&Root::named(name, Descriptor::empty()));
    plan.names.iter().filter_map(at).collect()
}

fn build_to(
    location: &Location,
    args: &BuildArgs,
    plan: &Plan,
    trees: &Trees,
    options: &BuildOptions<'_>,
) -> Result<(Built, Written)> {
    let is_new = location.medium() == Medium::Oci && !location.path().join("oci-layout").exists();
    let sink = location.create(&destination_options(args))?;
    let plan = Plan {
        names: names(&sink, location, plan),
        ..plan.clone()
    };
    match build_trees(&plan, trees, &sink, options) {
        Ok(built) => {
            let written = Written {
                report: sink.finish()?.report,
                location: location.clone(),
            };
            Ok((built, written))
        }
        Err(error) => {
            drop(sink);
            if is_new {
                withdraw(location.path());
            }
            Err(error.into())
        }
    }
}

/// Takes a layout away that a failed build has begun, unless somebody else has put an image there
/// since. Only what is known is removed, file by file: a directory that holds more stays.
fn withdraw(path: &Path) {
    let is_empty = |layout: &Layout| layout.roots().is_ok_and(|roots| roots.is_empty());
    let Ok(layout) = Layout::open(path) else {
        return;
    };
    if !is_empty(&layout) || layout.gc(&GcOptions::default()).is_err() {
        return;
    }
    let blobs = path.join("blobs");
    let gone = fs::remove_dir(blobs.join("sha256")).and_then(|()| fs::remove_dir(&blobs));
    if gone.is_ok() && is_empty(&layout) {
        for name in [
            "oci-layout",
            "index.json",
            ".cooperage.blobs",
            ".cooperage.index",
        ] {
            let _ = fs::remove_file(path.join(name));
        }
        let _ = fs::remove_dir(path);
    }
}

fn copy_to(
    from: &Layout,
    built: &Built,
    location: &Location,
    args: &BuildArgs,
    plan: &Plan,
    options: &BuildOptions<'_>,
) -> Result<Written> {
    let sink = location.create(&destination_options(args))?;
    let mut roots: Vec<Root> = names(&sink, location, plan)
        .into_iter()
        .map(|name| Root::named(name, built.descriptor.clone()))
        .collect();
    if roots.is_empty() {
        roots.push(Root::unnamed(built.descriptor.clone()));
    }
    let copying = cooperage_blob::CopyOptions {
        jobs: options.threads,
        progress: options.progress,
    };
    for root in &roots {
        copy(from, root, &sink, &copying).with_context(|| format!("cannot write `{location}`"))?;
    }
    Ok(Written {
        report: sink.finish()?.report,
        location: location.clone(),
    })
}

fn text(plan: &Plan, built: &Built, written: &[Written]) -> String {
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
    for output in written {
        let _ = writeln!(out, "in {}", printable(&output.location.to_string()));
        if let Some(report) = &output.report {
            out.push_str(&archive_report::text(report));
        }
    }
    out
}

fn summary(plan: &Plan, built: &Built, written: &[Written]) -> Value {
    let outputs: Vec<Value> = written
        .iter()
        .map(|output| {
            json!({
                "location": output.location.to_string(),
                "archive": output.report.as_ref().map(archive_report::json),
            })
        })
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
