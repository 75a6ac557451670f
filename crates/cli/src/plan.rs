//! `cooperage plan check`

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::slice;

use anyhow::Result;
use clap::Args;
use cooperage_plan::{
    BuildOptions, ImagePlan, LayerContent, LayerPlan, PlanFile, check_base, layer_tree, open_base,
};
use cooperage_tarball::{FoldOptions, fold};
use serde_json::{Value, json};

use crate::commit::metadata;
use crate::context::{Context, Outcome};
use crate::plan_file::PlanArgs;
use crate::text::{bytes, chain, count, printable};

/// Check a plan without building it, and say what it describes
///
/// Every file that the plan names is looked for, every layer's entries must make a tree, and bases
/// must be there. All faults are reported, but for those of the plan's syntax, of which the first
/// is. Exits with 3 if there are faults.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Make sure that the programs find all they need on their base, too; reads the base's layers
    #[arg(long)]
    base: bool,
}

struct Checker<'a> {
    options: BuildOptions<'a>,
    with_base: bool,
    faults: Vec<String>,
}

pub(crate) fn run(args: &CheckArgs, context: &Context) -> Result<Outcome> {
    let media = args.plan.media();
    let mut checker = Checker {
        options: args.plan.build_options(&media, context),
        with_base: args.base,
        faults: Vec::new(),
    };
    let described = match args.plan.parse()? {
        Ok(PlanFile::Layer(layer)) => {
            json!({"kind": "layer", "layers": [checker.layer(0, &layer)]})
        }
        Ok(PlanFile::Plan(plan)) => {
            if plan.images.is_empty() {
                checker.faults.push("the plan has no image".into());
            }
            let images: Vec<Value> = plan
                .images
                .iter()
                .map(|image| checker.image(image))
                .collect();
            let kind = if plan.index.is_some() {
                "index"
            } else {
                "image"
            };
            json!({"kind": kind, "names": plan.names, "images": images})
        }
        Err(error) => {
            checker.faults.push(chain(&error));
            Value::Null
        }
    };
    let faults = checker.faults;
    let json = || json!({"plan": described, "faults": faults});
    let text = || text(&described, &faults);
    if faults.is_empty() {
        context.report(json, text)?;
        return Ok(Outcome::Done);
    }
    context.answer(json, text)?;
    Ok(Outcome::Faults)
}

impl Checker<'_> {
    fn fault(&mut self, place: &str, error: &(dyn std::error::Error + 'static)) {
        self.faults.push(format!("{place}: {}", chain(error)));
    }

    fn image(&mut self, image: &ImagePlan) -> Value {
        if let Some(base) = &image.base {
            let place = format!("base `{}`", base.reference);
            match open_base(base, image.platform.as_ref(), &self.options) {
                Err(error) => self.fault(&place, &error),
                Ok(_) if !self.with_base => {}
                Ok(_) => match check_base(image, &self.options) {
                    Err(error) => self.fault(&place, &error),
                    Ok(missing) => {
                        let lines = missing.iter().map(|missing| format!("{place}: {missing}"));
                        self.faults.extend(lines);
                    }
                },
            }
        }
        let layers = image.layers.iter().enumerate();
        let layers: Vec<Value> = layers
            .map(|(number, layer)| self.layer(number, layer))
            .collect();
        json!({
            "platform": image.platform.as_ref().map(ToString::to_string),
            "base": image.base.as_ref().map(|base| &base.reference),
            "layers": layers,
        })
    }

    fn layer(&mut self, number: usize, layer: &LayerPlan) -> Value {
        let name = layer.name.as_deref();
        let place = match name {
            Some(name) => format!("layer {number} (`{name}`)"),
            None => format!("layer {number}"),
        };
        let mut value = json!({"name": name});
        match &layer.content {
            LayerContent::Entries { .. } | LayerContent::Tree { .. } => {
                if let Some((entries, size)) = self.entries(&place, layer) {
                    value["entries"] = entries.into();
                    value["size"] = size.into();
                }
            }
            LayerContent::Tar { file, .. } => {
                value["tar"] = file.to_string_lossy().into();
                self.file(&place, file);
            }
            LayerContent::Metadata { file, blob } => {
                value["metadata"] = file.to_string_lossy().into();
                if let Err(error) = metadata(&self.options.root.join(file)) {
                    self.fault(&place, error.as_ref());
                }
                if let Some(blob) = blob {
                    self.file(&place, blob);
                }
            }
        }
        value
    }

    /// Entries and length of the tar. Each line by itself first, so that every fault shows.
    fn entries(&mut self, place: &str, layer: &LayerPlan) -> Option<(usize, u64)> {
        let LayerContent::Entries { entries, .. } = &layer.content else {
            return None;
        };
        let (root, modes) = (self.options.root, self.options.modes);
        let before = self.faults.len();
        for entry in entries {
            if let Err(error) = layer_tree(slice::from_ref(entry), root, modes) {
                self.fault(place, &error);
            }
        }
        if self.faults.len() > before {
            return None;
        }
        let tree = match layer_tree(entries, root, modes) {
            Ok(tree) => tree,
            Err(error) => {
                self.fault(place, &error);
                return None;
            }
        };
        // Without folding no file is read: links are resolved and lengths summed up.
        let options = FoldOptions {
            fold: false,
            threads: Some(self.options.threads),
        };
        match fold(&tree, &options) {
            Ok(resolved) => Some((resolved.len(), resolved.tar_len())),
            Err(error) => {
                self.fault(place, &error);
                None
            }
        }
    }

    fn file(&mut self, place: &str, file: &Path) {
        let path = self.options.root.join(file);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => self
                .faults
                .push(format!("{place}: `{}` is no file", path.display())),
            Err(error) => self.faults.push(format!(
                "{place}: cannot read `{}`: {error}",
                path.display()
            )),
        }
    }
}

fn text(described: &Value, faults: &[String]) -> String {
    let mut out = String::new();
    let said = |value: &Value| value.as_str().map(printable);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    if let Some(kind) = said(&described["kind"]) {
        let names: Vec<String> = list(&described["names"]).iter().filter_map(said).collect();
        let _ = writeln!(out, "{kind} {}", names.join(", "));
    }
    let images = list(&described["images"]);
    for image in images
        .iter()
        .chain([described].into_iter().filter(|_| images.is_empty()))
    {
        if let Some(platform) = said(&image["platform"]) {
            let _ = writeln!(out, "  platform {platform}");
        }
        if let Some(base) = said(&image["base"]) {
            let _ = writeln!(out, "  base {base}");
        }
        for layer in list(&image["layers"]) {
            let name = said(&layer["name"]).unwrap_or_else(|| "without a name".into());
            let _ = write!(out, "  layer {name}");
            if let (Some(entries), Some(size)) = (layer["entries"].as_u64(), layer["size"].as_u64())
            {
                let entries = usize::try_from(entries).unwrap_or(usize::MAX);
                let _ = write!(out, ": {entries} tar entries, {}", bytes(size));
            }
            for kind in ["tar", "metadata"] {
                if let Some(file) = said(&layer[kind]) {
                    let _ = write!(out, ": {kind} {file}");
                }
            }
            out.push('\n');
        }
    }
    for fault in faults {
        let _ = writeln!(out, "fault: {}", printable(fault));
    }
    let _ = match faults.len() {
        0 => writeln!(out, "no fault"),
        faults => writeln!(out, "{}", count(faults, "fault")),
    };
    out
}
