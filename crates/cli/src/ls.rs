//! `cooperage ls`

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use cooperage_commit::LoadedLayer;
use cooperage_image_spec::{Descriptor, Platform};
use cooperage_tarball::{Entry, Kind, Tree, TreePath, overlay};
use cooperage_transport::{Layers, Location};
use serde_json::{Value, json};

use crate::context::{Context, Outcome};
use crate::media;
use crate::text::printable;

/// List an image's files, each with the layer it comes from
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// The image
    #[arg(value_name = "LOCATION")]
    location: Location,
    /// Of an index, the image for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Show mode, owner, size and link target, as `ls -l` does
    #[arg(short, long)]
    long: bool,
}

/// A file of the image.
struct Listed<'a> {
    path: TreePath,
    entry: Entry,
    /// The layer's number from 0, and its blob; none for a directory that no layer says anything of.
    layer: Option<(usize, &'a Descriptor)>,
}

pub(crate) fn run(args: &LsArgs, context: &Context) -> Result<Outcome> {
    let opened = context.open(&args.location, Layers::Kept)?;
    let source = opened.source();
    let image = media::image(source, &opened.root()?.descriptor, args.platform.as_ref())?;
    let blobs = &image.manifest.value().layers;
    let layers = media::layers(source, &image, context)?;
    let tree = overlay(layers.iter().map(LoadedLayer::tree)).context(media::NO_TREE)?;
    let listed: Vec<Listed<'_>> = tree
        .iter()
        .map(|(path, entry)| Listed {
            layer: origin(&layers, &path).map(|number| (number, &blobs[number])),
            path,
            entry,
        })
        .collect();
    context.answer(
        || {
            json!({
                "location": args.location.to_string(),
                "digest": image.descriptor.digest.as_str(),
                "platform": image.config.value().platform.to_string(),
                "files": listed.iter().map(json_of).collect::<Vec<_>>(),
            })
        },
        || text(&listed, args.long),
    )?;
    Ok(Outcome::Done)
}

/// The layer that a file comes from: the highest that has it.
fn origin(layers: &[LoadedLayer], path: &TreePath) -> Option<usize> {
    let has = |tree: &Tree| {
        let entry = tree.get(path);
        entry.is_some_and(|entry| entry.kind != Kind::Whiteout)
    };
    layers.iter().rposition(|layer| has(layer.tree()))
}

fn text(listed: &[Listed<'_>], long: bool) -> String {
    let owner = |entry: &Entry| format!("{}:{}", entry.attributes.uid, entry.attributes.gid);
    let width = |of: &dyn Fn(&Entry) -> String| {
        let lengths = listed.iter().map(|listed| of(&listed.entry).len());
        lengths.max().unwrap_or(0)
    };
    let (owners, sizes) = (width(&owner), width(&size));
    let mut out = String::new();
    for Listed { path, entry, layer } in listed {
        if long {
            let _ = write!(
                out,
                "{} {:>owners$} {:>sizes$} ",
                mode(entry),
                owner(entry),
                size(entry)
            );
        }
        let _ = match layer {
            Some((number, blob)) => write!(out, "{number:>3} {}  ", blob.digest.short()),
            None => write!(out, "{:>3} {:12}  ", "-", ""),
        };
        out.push_str(&printable(&path.display()));
        match &entry.kind {
            Kind::Symlink { target } if long => {
                let _ = write!(out, " -> {}", printable(&String::from_utf8_lossy(target)));
            }
            Kind::HardLink { to } if long => {
                let _ = write!(out, " link to {}", printable(&to.display()));
            }
            _ => {}
        }
        out.push('\n');
    }
    out
}

fn size(entry: &Entry) -> String {
    match &entry.kind {
        Kind::File { content, .. } => content.len().to_string(),
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            format!("{major},{minor}")
        }
        _ => "0".into(),
    }
}

/// As `ls -l` writes it.
fn mode(entry: &Entry) -> String {
    let kind = match &entry.kind {
        Kind::Directory => 'd',
        Kind::Symlink { .. } => 'l',
        Kind::Fifo => 'p',
        Kind::CharDevice { .. } => 'c',
        Kind::BlockDevice { .. } => 'b',
        Kind::HardLink { .. } => 'h',
        _ => '-',
    };
    let mode = entry.attributes.mode;
    let mut out = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        out.push(if bits & 4 == 0 { '-' } else { 'r' });
        out.push(if bits & 2 == 0 { '-' } else { 'w' });
        out.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    out
}

fn json_of(listed: &Listed<'_>) -> Value {
    let (attributes, kind) = (&listed.entry.attributes, &listed.entry.kind);
    let mut value = json!({
        "path": listed.path.display(),
        "type": kind_name(kind),
        "mode": format!("{:04o}", attributes.mode),
        "uid": attributes.uid,
        "gid": attributes.gid,
        "layer": listed.layer.map(|(number, _)| number),
        "layer_digest": listed.layer.map(|(_, blob)| blob.digest.as_str()),
    });
    if std::str::from_utf8(listed.path.as_bytes()).is_err() {
        value["path_b64"] = STANDARD.encode(listed.path.as_bytes()).into();
    }
    match kind {
        Kind::File { content, .. } => value["size"] = content.len().into(),
        Kind::Symlink { target } => {
            value["target"] = String::from_utf8_lossy(target).into();
            if std::str::from_utf8(target).is_err() {
                value["target_b64"] = STANDARD.encode(target).into();
            }
        }
        Kind::HardLink { to } => value["target"] = to.display().into(),
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            value["device"] = json!([major, minor]);
        }
        _ => {}
    }
    value
}

fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::File { .. } => "file",
        Kind::Directory => "directory",
        Kind::Symlink { .. } => "symlink",
        Kind::HardLink { .. } => "hardlink",
        Kind::Fifo => "fifo",
        Kind::CharDevice { .. } => "char_device",
        Kind::BlockDevice { .. } => "block_device",
        Kind::Whiteout => "whiteout",
    }
}
