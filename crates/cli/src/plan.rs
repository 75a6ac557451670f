//! `cooperage plan check`

use std::fmt::Write as _;

use anyhow::Result;
use clap::Args;
use cooperage_commit::Base;
use cooperage_image_spec::Descriptor;
use cooperage_plan::{
    BasePlan, BuildError, BuildOptions, CheckError, ImagePlan, LayerContent, LayerMetadata,
    LayerPlan, Plan, PlanFile, build_image, build_index, check_base, open_base, survey_layer,
};
use cooperage_transport::Layers;
use serde_json::{Value, json};

use crate::commit::descriptor;
use crate::context::{Context, Outcome};
use crate::plan_file::PlanArgs;
use crate::text::{bytes, chain, count, printable};

/// Check a plan without building it, and say what it describes
///
/// Every file that the plan names is looked for, every layer's entries must make a tree, tars and
/// blobs are read through, bases must be there, and the images' documents are formed. All faults
/// are reported, but for those of the plan's syntax, of which the first is. Exits with 3 if there
/// are faults.
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
    /// The documents that come of the images, as an index would list them.
    manifests: Vec<Descriptor>,
    faults: Vec<String>,
}

pub(crate) fn run(args: &CheckArgs, context: &Context) -> Result<Outcome> {
    let media = args.plan.media(context, Layers::Streamed);
    let mut checker = Checker {
        options: args.plan.build_options(&media, context),
        with_base: args.base,
        manifests: Vec::new(),
        faults: Vec::new(),
    };
    let described = match args.plan.parse()? {
        Ok(PlanFile::Layer(layer)) => {
            json!({"kind": "layer", "layers": [checker.layer(0, &layer).0]})
        }
        Ok(PlanFile::Plan(plan)) => checker.plan(&plan),
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

    fn plan(&mut self, plan: &Plan) -> Value {
        let images = plan.images.iter().enumerate();
        let images: Vec<Value> = images
            .map(|(number, image)| match plan.index {
                Some(_) => self.image(&format!("image {number}"), image),
                None => self.image("image", image),
            })
            .collect();
        let kind = match &plan.index {
            Some(index) => {
                if let Err(error) = build_index(index, std::mem::take(&mut self.manifests)) {
                    self.fault("index", &error);
                }
                "index"
            }
            None => "image",
        };
        json!({"kind": kind, "names": plan.names, "images": images})
    }

    fn image(&mut self, place: &str, image: &ImagePlan) -> Value {
        let base = image
            .base
            .as_ref()
            .map(|base| (base, self.base(image, base)));
        let (mut layers, mut known) = (Vec::new(), Vec::new());
        for (number, layer) in image.layers.iter().enumerate() {
            let (value, metadata) = self.layer(number, layer);
            layers.push(value);
            known.extend(metadata);
        }
        // The documents of what is known: a layer at fault changes nothing of what can be wrong
        // with them.
        let opened = base.as_ref().and_then(|(_, base)| base.as_ref());
        match build_image(image, &known, opened) {
            Err(error) => self.fault(place, &error),
            Ok(_) if base.is_some() && opened.is_none() => {}
            Ok(formed) => self.manifests.push(descriptor(&formed)),
        }
        json!({
            "platform": image.platform.as_ref().map(ToString::to_string),
            "base": image.base.as_ref().map(|base| base.from.to_string()),
            "layers": layers,
        })
    }

    fn base(&mut self, image: &ImagePlan, base: &BasePlan) -> Option<Base> {
        let place = format!("base `{}`", base.from);
        let opened = match open_base(base, image.platform.as_ref(), &self.options) {
            Err(error) => {
                self.fault(&place, &error);
                return None;
            }
            Ok((_, opened)) => opened,
        };
        if self.with_base {
            match check_base(image, &self.options) {
                // Of layers all faults are reported, which this one is of.
                Err(CheckError::Base(BuildError::Tree { .. })) => {}
                Err(error) => self.fault(&place, &error),
                Ok(missing) => {
                    let lines = missing.iter().map(|missing| format!("{place}: {missing}"));
                    self.faults.extend(lines);
                }
            }
        }
        Some(opened)
    }

    fn layer(&mut self, number: usize, layer: &LayerPlan) -> (Value, Option<LayerMetadata>) {
        let name = layer.name.as_deref();
        let place = match name {
            Some(name) => format!("layer {number} (`{name}`)"),
            None => format!("layer {number}"),
        };
        let mut value = json!({"name": name});
        match &layer.content {
            LayerContent::Entries { .. } | LayerContent::Tree { .. } => {}
            LayerContent::Tar { file, .. } => value["tar"] = file.to_string_lossy().into(),
            LayerContent::Metadata { file, blob } => {
                value["metadata"] = file.to_string_lossy().into();
                value["blob"] = blob.as_ref().map(|blob| blob.to_string_lossy()).into();
            }
        }
        match survey_layer(layer, &self.options) {
            Ok(metadata) => {
                value["entries"] = metadata.layer.entries.into();
                value["size"] = metadata.layer.size.into();
                (value, Some(metadata))
            }
            Err(errors) => {
                for error in errors {
                    self.fault(&place, &error);
                }
                (value, None)
            }
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
            for kind in ["tar", "metadata"] {
                if let Some(file) = said(&layer[kind]) {
                    let _ = write!(out, ": {kind} {file}");
                }
            }
            if layer.get("blob").is_some_and(Value::is_null) {
                out.push_str(" without its blob");
            }
            if let (Some(entries), Some(size)) = (layer["entries"].as_u64(), layer["size"].as_u64())
            {
                let _ = write!(out, ": {entries} tar entries, {}", bytes(size));
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
