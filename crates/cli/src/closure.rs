//! `cooperage plan closure`

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use clap::Args;
use cooperage_plan::{EntryAttributes, EntryKind, EntryPlan, LayerContent, LayerPlan};
use cooperage_runtime::{Binary, Closure, ClosureKind, Sysroot, closure};
use cooperage_tarball::TreePath;
use serde_json::{Value, json};

use crate::context::{Context, Outcome};

/// Print the plan lines of the shared libraries that programs need
///
/// ELF is read as the loader reads it and nothing is run. The lines go below a `layer` line of a
/// plan; the programs themselves are not among them. A static program needs none.
#[derive(Debug, Args)]
pub(crate) struct ClosureArgs {
    /// A program, and where it will lie in the image
    #[arg(value_name = "BINARY=IMAGE_PATH", required = true)]
    binaries: Vec<Placed>,
    /// The root of the file system that the libraries come from
    #[arg(long, value_name = "DIR")]
    sysroot: Option<PathBuf>,
    /// A library that is opened at run time, by name or absolute path; may be given several times
    #[arg(long, value_name = "NAME")]
    library: Vec<String>,
}

#[derive(Clone, Debug)]
struct Placed(Binary);

impl FromStr for Placed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('=') {
            Some((file, image_path)) if !file.is_empty() && !image_path.is_empty() => {
                Ok(Self(Binary {
                    file: file.into(),
                    image_path: image_path.to_owned(),
                }))
            }
            _ => Err("expected a file and its image path, such as `target/app=/app`".into()),
        }
    }
}

pub(crate) fn run(args: &ClosureArgs, context: &Context) -> Result<Outcome> {
    let sysroot = match &args.sysroot {
        None => Sysroot::default(),
        Some(root) => Sysroot::new(root)
            .with_context(|| format!("cannot use the sysroot `{}`", root.display()))?,
    };
    let binaries: Vec<Binary> = args
        .binaries
        .iter()
        .map(|placed| placed.0.clone())
        .collect();
    let found = closure(&binaries, &sysroot, &args.library)
        .context("cannot find the libraries that the programs need")?;
    let lines = lines(&found)?;
    context.answer(
        || {
            let lines: Vec<Value> = lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            json!({ "entries": lines })
        },
        || lines.iter().flat_map(|line| [line, "\n"]).collect(),
    )?;
    Ok(Outcome::Done)
}

/// As [`cooperage_runtime::add_closure`] would put them into a tree.
fn entries(closure: &Closure) -> Result<Vec<EntryPlan>> {
    let mut entries = Vec::new();
    let mut add = |what: EntryKind, mode: Option<u32>, origin: String| {
        entries.push(EntryPlan {
            what,
            attributes: EntryAttributes {
                mode,
                ..EntryAttributes::default()
            },
            line: 0,
            origin: Some(origin),
        });
    };
    for file in &closure.files {
        let mode = match file.kind {
            ClosureKind::Interpreter => 0o755,
            _ => 0o644,
        };
        let what = EntryKind::File {
            path: TreePath::parse(&file.image_path)?,
            file: file.file.clone(),
            fold: true,
        };
        let origin = format!("the run-time closure of `/{}`", file.needed_by);
        add(what, Some(mode), origin);
    }
    let origin = || "the run-time closure".to_owned();
    for link in &closure.links {
        let what = EntryKind::Symlink {
            path: TreePath::parse(&link.image_path)?,
            target: link.target.clone().into_bytes(),
        };
        add(what, None, origin());
    }
    if let Some(config) = &closure.loader_config {
        let what = EntryKind::Bytes {
            path: TreePath::parse(&config.image_path)?,
            bytes: config.bytes.clone(),
        };
        add(what, Some(0o644), origin());
    }
    Ok(entries)
}

fn lines(closure: &Closure) -> Result<Vec<String>> {
    let layer = LayerPlan {
        content: LayerContent::Entries {
            entries: entries(closure)?,
            fold: true,
        },
        ..LayerPlan::default()
    };
    let mut file = Vec::new();
    layer.write_to(&mut file)?;
    let text = String::from_utf8(file).context("a plan is text")?;
    // The first line makes it a plan of its own.
    Ok(text.lines().skip(1).map(str::to_owned).collect())
}
