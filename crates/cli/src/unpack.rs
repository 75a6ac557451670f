//! `cooperage unpack`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use cooperage_commit::LoadedLayer;
use cooperage_image_spec::Platform;
use cooperage_tarball::{Existing, LeftOut, Omission, Refused, UnpackOptions, overlay, unpack};
use cooperage_transport::{Layers, Location};
use serde_json::{Value, json};

use crate::context::{Context, Outcome};
use crate::media;
use crate::text::{bytes, count, printable};

/// Unpack an image's files into a directory
///
/// All layers are verified before anything is written. The directory must be empty or not there
/// yet; it appears when it is whole.
#[derive(Debug, Args)]
pub(crate) struct UnpackArgs {
    /// The image
    #[arg(value_name = "LOCATION")]
    location: Location,
    /// The directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Of an index, the image for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Leave out what the system refuses, such as owners and devices, and say what that was
    #[arg(long)]
    rootless: bool,
    /// Put the new directory in the place of one that holds something, which is removed
    #[arg(long)]
    replace: bool,
}

pub(crate) fn run(args: &UnpackArgs, context: &Context) -> Result<Outcome> {
    let options = options(args);
    options.check(&args.directory)?;
    let opened = context.open(&args.location, Layers::Kept)?;
    let source = opened.source();
    let image = media::image(source, &opened.root()?.descriptor, args.platform.as_ref())?;
    let layers = media::layers(source, &image, context)?;
    let tree = overlay(layers.iter().map(LoadedLayer::tree)).context(media::NO_TREE)?;

    let progress = context.progress();
    let id = progress.start(&format!("unpack {}", image.descriptor.digest.short()), None);
    let unpacked = unpack(&tree, &args.directory, &options, &mut |written| {
        progress.advance(id, written);
    });
    progress.finish(id);
    let unpacked =
        unpacked.with_context(|| format!("cannot unpack to `{}`", args.directory.display()))?;

    let left_out = by_kind(&unpacked.left_out);
    context.report(
        || {
            json!({
                "location": args.location.to_string(),
                "digest": image.descriptor.digest.as_str(),
                "platform": image.config.value().platform.to_string(),
                "directory": args.directory.to_string_lossy(),
                "entries": unpacked.entries,
                "bytes": unpacked.bytes,
                "left_out": left_out.iter().map(json_of).collect::<Vec<_>>(),
            })
        },
        || {
            let directory = printable(&args.directory.display().to_string());
            let size = bytes(unpacked.bytes);
            let entries = unpacked.entries;
            let mut out = format!("{entries} entries ({size}) in {directory}\n");
            for group in &left_out {
                text(&mut out, group);
            }
            out
        },
    )?;
    Ok(Outcome::Done)
}

fn options(args: &UnpackArgs) -> UnpackOptions {
    let existing = if args.replace {
        Existing::Replace
    } else {
        Existing::Keep
    };
    let refused = if args.rootless {
        Refused::LeaveOut
    } else {
        Refused::Fail
    };
    UnpackOptions { existing, refused }
}

/// What was left out of which paths.
type Group<'a> = (&'a Omission, Vec<String>);

fn by_kind(left_out: &[LeftOut]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<&Omission, Vec<String>> = BTreeMap::new();
    for LeftOut { path, what, .. } in left_out {
        groups.entry(what).or_default().push(path.display());
    }
    groups.into_iter().collect()
}

fn json_of((what, paths): &Group<'_>) -> Value {
    let kind = match what {
        Omission::Device => "device",
        Omission::Owner => "owner",
        Omission::SetId => "setid",
        Omission::Xattr { .. } => "xattr",
        _ => "other",
    };
    let mut value = json!({"what": kind, "paths": paths});
    if let Omission::Xattr { name } = what {
        value["name"] = String::from_utf8_lossy(name).into();
    }
    value
}

fn text(out: &mut String, (what, paths): &Group<'_>) {
    let first = paths
        .first()
        .map(|path| printable(path))
        .unwrap_or_default();
    let what = printable(&what.to_string());
    let _ = match paths.len() {
        1 => writeln!(out, "left out: {what} of {first}"),
        more => {
            let others = count(more - 1, "other");
            writeln!(out, "left out: {what} of {first} and {others}")
        }
    };
}
