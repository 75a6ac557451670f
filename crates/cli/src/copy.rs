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
use cooperage_transport::{DestinationOptions, Layers, Location, Medium, TemporaryBlobs};
use serde_json::{Value, json};

use crate::archive_report;
use crate::context::{Context, Outcome};
use crate::error::Hinted;
use crate::media;
use crate::recompress::{self, CompressionArgs, Form, Over};
use crate::text::{bytes, count, printable};

/// Copy an image from one place to another
///
/// Every byte is verified, what is there already is not moved again, and the name comes last.
/// An index is copied whole unless `--platform` takes one image of it. Layers stay as they are,
/// and so do digests, but for `--compression`.
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
    #[command(flatten)]
    compression: CompressionArgs,
}

/// What was copied under one name.
struct Moved {
    root: Root,
    copied: Option<Copied>,
}

/// What there is to tell.
struct Told {
    moved: Vec<Moved>,
    /// What became of images in an archive.
    archive: Option<Report>,
    recompressed: Option<recompress::Report>,
}

pub(crate) fn run(args: &CopyArgs, context: &Context) -> Result<Outcome> {
    check(args)?;
    let form = args.compression.form(&args.to)?;
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
    if args.platform.is_some() {
        for root in &mut roots {
            let source = opened.source();
            let image = media::image(source, &root.descriptor, args.platform.as_ref())?;
            root.descriptor = image.descriptor;
        }
    }
    let blobs = TemporaryBlobs::default();
    let recompressed = recompress::prepare(&opened, &mut roots, form, &args.to, &blobs, context)?;
    let source = Over {
        blobs: &blobs,
        source: opened.source(),
    };
    let to_stdout = args.to.path() == Path::new("-");
    let (moved, archive) = if to_stdout {
        stream(&source, roots, args)?
    } else {
        to_medium(&source, roots, args, context)?
    };
    let told = Told {
        moved,
        archive,
        recompressed,
    };
    if to_stdout {
        context.note(text(args, &told).trim_end());
    } else {
        context.report(|| json(args, &told), || text(args, &told))?;
    }
    Ok(Outcome::Done)
}

fn check(args: &CopyArgs) -> Result<()> {
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
    Ok(())
}

fn to_medium(
    source: &dyn Source,
    roots: Vec<Root>,
    args: &CopyArgs,
    context: &Context,
) -> Result<(Vec<Moved>, Option<Report>)> {
    let to = std::slice::from_ref(&args.to);
    let network = if args.from.medium().is_local() {
        context.network_to_send(to)?
    } else {
        context.network_for(to)?
    };
    let options = DestinationOptions {
        platform: args.platform.clone(),
        layers: layer_form(args)?,
        network,
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

/// What becomes of zstd layers in a docker archive.
fn layer_form(args: &CopyArgs) -> Result<LayerForm> {
    Ok(match args.compression.form(&args.to)? {
        Form::Usual if !args.keep_zstd => LayerForm::Gzip,
        Form::Usual | Form::Keep | Form::All(_) => LayerForm::Keep,
    })
}

/// Writes the archive as it is made: standard output cannot be replaced at the end.
fn stream(
    source: &dyn Source,
    mut roots: Vec<Root>,
    args: &CopyArgs,
) -> Result<(Vec<Moved>, Option<Report>)> {
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
            options.layers = layer_form(args)?;
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
    let moved = |root| Moved { root, copied: None };
    Ok((roots.into_iter().map(moved).collect(), report))
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

fn text(args: &CopyArgs, told: &Told) -> String {
    let mut out = String::new();
    for Moved { root, copied } in &told.moved {
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
        if let Some(source) = source(told, root) {
            let _ = writeln!(out, "  it was {source} before its layers were recompressed");
        }
    }
    let _ = writeln!(out, "to {}", printable(&args.to.to_string()));
    if let Some(report) = &told.recompressed {
        out.push_str(&report.text());
    }
    if let Some(report) = &told.archive {
        out.push_str(&archive_report::text(report));
    }
    out
}

/// What an image's digest was, if it is another now.
fn source<'a>(told: &'a Told, root: &Root) -> Option<&'a Digest> {
    told.recompressed.as_ref()?.source(&root.descriptor.digest)
}

fn json(args: &CopyArgs, told: &Told) -> Value {
    let images: Vec<Value> = told
        .moved
        .iter()
        .map(|moved| {
            let copied = moved.copied.unwrap_or_default();
            json!({
                "name": moved.root.name,
                "digest": moved.root.descriptor.digest.as_str(),
                "source": source(told, &moved.root).unwrap_or(&moved.root.descriptor.digest).as_str(),
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
        "archive": told.archive.as_ref().map(archive_report::json),
        "recompressed": told.recompressed.as_ref().map(recompress::Report::json),
    })
}
