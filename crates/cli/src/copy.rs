//! `cooperage copy`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cooperage_blob::{Copied, Root, Source};
use cooperage_daemon_archive::{
    Image, LayerForm, Report, WriteOptions, write as write_docker, write_oci,
};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Platform, Reference};
use cooperage_transport::{DestinationOptions, Layers, Location, Medium};
use serde_json::{Value, json};

use crate::archive_report;
use crate::context::{Context, Outcome};
use crate::error::Hinted;
use crate::media;
use crate::text::{bytes, count, printable};

/// Copy an image from one place to another
///
/// Every byte is verified, what is there already is not moved again, and the name comes last.
/// An index is copied whole unless `--platform` takes one image of it.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// Where the image lies
    #[arg(value_name = "FROM")]
    from: Location,
    /// Where it goes; a name behind the path takes the place of its own
    #[arg(value_name = "TO")]
    to: Location,
    /// Of an index, copy only the image for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Copy all that FROM holds, under its own names
    #[arg(long)]
    all: bool,
    /// Leave zstd layers as they are in a docker archive, for engines that can read them
    #[arg(long)]
    keep_zstd: bool,
}

/// What was copied under one name.
struct Moved {
    root: Root,
    copied: Option<Copied>,
}

pub(crate) fn run(args: &CopyArgs, context: &Context) -> Result<Outcome> {
    if args.all && args.from.is_one_image() {
        bail!(
            "`--all` copies every image: leave the name in `{}` out",
            args.from
        );
    }
    if args.all && args.to.is_one_image() {
        bail!(
            "`--all` copies under their own names: leave the name in `{}` out",
            args.to
        );
    }
    // A layer that goes where it stays is not kept twice, unless that is asked for.
    let layers = match context.network_args().cache_dir {
        Some(_) => Layers::Kept,
        None => Layers::Streamed,
    };
    let opened = context.open(&args.from, layers)?;
    let mut roots = if args.all {
        opened.roots()?
    } else {
        vec![opened.root()?]
    };
    if roots.is_empty() {
        bail!("there is no image in `{}`", args.from);
    }
    let source = opened.source();
    if args.platform.is_some() {
        for root in &mut roots {
            let image = media::image(source, &root.descriptor, args.platform.as_ref())?;
            root.descriptor = image.descriptor;
        }
    }
    if args.to.path() == Path::new("-") {
        let (roots, report) = to_stdout(source, roots, args)?;
        let moved: Vec<Moved> = roots
            .into_iter()
            .map(|root| Moved { root, copied: None })
            .collect();
        context.note(text(args, &moved, report.as_ref()).trim_end());
        return Ok(Outcome::Done);
    }
    let (moved, report) = to_medium(source, roots, args, context)?;
    context.report(
        || json(args, &moved, report.as_ref()),
        || text(args, &moved, report.as_ref()),
    )?;
    Ok(Outcome::Done)
}

fn to_medium(
    source: &dyn Source,
    roots: Vec<Root>,
    args: &CopyArgs,
    context: &Context,
) -> Result<(Vec<Moved>, Option<Report>)> {
    let options = DestinationOptions {
        platform: args.platform.clone(),
        layers: layer_form(args),
        network: context.network_for(std::slice::from_ref(&args.to))?,
        ..DestinationOptions::default()
    };
    let sink = args.to.create(&options)?;
    let mut moved = Vec::new();
    for root in roots {
        let name = args.to.name_for(&root);
        if let (None, Some(lost)) = (&name, &root.name) {
            context.note(&format!(
                "note: `{}` is no image reference and names nothing in `{}`",
                printable(lost),
                args.to.medium().as_str()
            ));
        }
        let root = Root {
            name,
            descriptor: root.descriptor,
        };
        let copied = sink
            .copy_from(source, &root, &context.copy_options())
            .with_context(|| format!("cannot copy `{}` to `{}`", args.from, args.to))?;
        moved.push(Moved {
            root,
            copied: Some(copied),
        });
    }
    let report = sink.finish()?.report;
    Ok((moved, report))
}

fn layer_form(args: &CopyArgs) -> LayerForm {
    if args.keep_zstd {
        LayerForm::Keep
    } else {
        LayerForm::Gzip
    }
}

/// Writes the archive as it is made: standard output cannot be replaced at the end.
fn to_stdout(
    source: &dyn Source,
    mut roots: Vec<Root>,
    args: &CopyArgs,
) -> Result<(Vec<Root>, Option<Report>)> {
    let mut out = io::BufWriter::with_capacity(256 << 10, io::stdout().lock());
    let report = match args.to.medium() {
        Medium::OciArchive => {
            if let Some(name) = args.to.name() {
                for root in &mut roots {
                    root.name = Some(name.to_owned());
                }
            }
            write_oci(source, &roots, &mut out)?;
            None
        }
        Medium::DockerArchive => {
            let images = docker_images(&mut roots, &args.to)?;
            let mut options = WriteOptions::default();
            options.platform.clone_from(&args.platform);
            options.layers = layer_form(args);
            Some(write_docker(source, &images, &mut out, &options)?)
        }
        _ => bail!(Hinted::new(
            anyhow::anyhow!(
                "`{}`: a layout is a directory and cannot go to standard output",
                args.to
            ),
            "`oci-archive:-` is a layout in a tar",
        )),
    };
    io::Write::flush(&mut out).context("cannot write to standard output")?;
    Ok((roots, report))
}

/// The roots by digest, with those of their names that are references.
fn docker_images(roots: &mut [Root], to: &Location) -> Result<Vec<Image>> {
    let mut images: BTreeMap<Digest, (Descriptor, Vec<Reference>)> = BTreeMap::new();
    for root in roots {
        let own = root
            .name
            .take()
            .filter(|name| name.contains([':', '/', '@']));
        root.name = to.name().map(str::to_owned).or(own);
        let (_, names) = images
            .entry(root.descriptor.digest.clone())
            .or_insert_with(|| (root.descriptor.clone(), Vec::new()));
        if let Some(name) = &root.name {
            let reference: Reference = name
                .parse()
                .with_context(|| format!("`{name}` cannot name an image of a docker archive"))?;
            names.push(reference.with_default_tag());
        }
    }
    let image = |(descriptor, names)| Image { descriptor, names };
    Ok(images.into_values().map(image).collect())
}

fn text(args: &CopyArgs, moved: &[Moved], report: Option<&Report>) -> String {
    let mut out = String::new();
    for Moved { root, copied } in moved {
        let name = root.name.as_deref().unwrap_or("without a name");
        let _ = write!(out, "copied {} {}", printable(name), root.descriptor.digest);
        if let Some(copied) = copied {
            let blobs = count(copied.blobs, "blob");
            let _ = write!(out, " ({blobs}, {}", bytes(copied.bytes));
            if copied.skipped > 0 {
                let _ = write!(out, "; {} there already", copied.skipped);
            }
            out.push(')');
        }
        out.push('\n');
    }
    let _ = writeln!(out, "to {}", printable(&args.to.to_string()));
    if let Some(report) = report {
        out.push_str(&archive_report::text(report));
    }
    out
}

fn json(args: &CopyArgs, moved: &[Moved], report: Option<&Report>) -> Value {
    let images: Vec<Value> = moved
        .iter()
        .map(|moved| {
            let copied = moved.copied.unwrap_or_default();
            json!({
                "name": moved.root.name,
                "digest": moved.root.descriptor.digest.as_str(),
                "blobs": copied.blobs,
                "bytes": copied.bytes,
                "skipped": copied.skipped,
            })
        })
        .collect();
    json!({
        "from": args.from.to_string(),
        "to": args.to.to_string(),
        "images": images,
        "archive": report.map(archive_report::json),
    })
}
