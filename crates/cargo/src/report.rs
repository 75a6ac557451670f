//! What is said of an image when it is made.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Result;
use cargo_metadata::Package;
use cooperage_blob::{NoProgress, Progress};
use cooperage_plan::{Built, BuiltImage, LayerMetadata, Plan};
use cooperage_transport::{Location, Sent};
use serde::Serialize;

use crate::args::{Format, OutputArgs};
use crate::progress::Bars;
use crate::stderr::say;
use crate::stdout::print;

/// What was made.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The binary.
    pub bin: String,
    /// The names the image is published under.
    pub names: Vec<String>,
    /// The digest of the manifest, or of the index; empty if nothing was built.
    pub digest: String,
    /// The media type of what that digest names.
    pub media_type: String,
    /// The images: one, or one for each platform.
    pub images: Vec<ImageSummary>,
    /// Where it was written, as `cooperage copy` names it.
    pub outputs: Vec<String>,
    /// What was sent to registries and daemons.
    pub pushed: Vec<PushSummary>,
    /// What may be an oversight.
    pub warnings: Vec<String>,
}

/// One push, or one load.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PushSummary {
    /// Where to.
    pub location: String,
    /// What the name means there now.
    pub digest: String,
    /// Blobs that were sent, documents among them; of a daemon layers alone.
    pub blobs: usize,
    /// Their length in bytes.
    pub bytes: u64,
    /// Blobs that were there, or that the registry took from another of its repositories; 1 for an
    /// image that a daemon had whole.
    pub skipped: usize,
}

/// One image.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ImageSummary {
    /// What it runs on.
    pub platform: String,
    /// The manifest's digest.
    pub digest: String,
    /// The config's digest, which Docker's older store calls the image's ID.
    pub config_digest: String,
    /// Number of layers that are the base's.
    pub base_layers: usize,
    /// The layers over those, lowest first.
    pub layers: Vec<LayerSummary>,
}

/// One layer.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct LayerSummary {
    /// What it holds.
    pub name: String,
    /// Number of entries.
    pub entries: u64,
    /// Length of the tar, in bytes.
    pub size: u64,
    /// Length as stored, in bytes.
    pub stored_size: u64,
    /// The digest of the stored bytes.
    pub digest: String,
    /// The digest of the tar.
    pub diff_id: String,
    /// The media type.
    pub media_type: String,
}

impl Summary {
    pub(crate) fn new(package: &Package, bin: &str, plan: &Plan) -> Self {
        Self {
            package: package.name.to_string(),
            version: package.version.to_string(),
            bin: bin.to_owned(),
            names: plan.names.clone(),
            ..Self::default()
        }
    }

    pub(crate) fn record(&mut self, built: &Built) {
        self.digest = built.descriptor.digest.to_string();
        built
            .descriptor
            .media_type
            .as_str()
            .clone_into(&mut self.media_type);
        self.images = built.images.iter().map(image).collect();
        let warnings = built
            .images
            .iter()
            .flat_map(|image| image.formed.warnings());
        self.warnings = warnings.map(|warning| warning.to_string()).collect();
    }
}

impl Summary {
    /// That the image is in a registry now.
    pub(crate) fn record_push(&mut self, location: &Location, sent: &Sent) {
        self.pushed.push(PushSummary {
            location: location.to_string(),
            digest: self.digest.clone(),
            blobs: sent.blobs,
            bytes: sent.bytes,
            skipped: sent.skipped,
        });
    }
}

fn image(built: &BuiltImage) -> ImageSummary {
    ImageSummary {
        platform: built.formed.platform.to_string(),
        digest: built.descriptor.digest.to_string(),
        config_digest: built.formed.config.digest().to_string(),
        base_layers: built.base_layers,
        layers: built.layers.iter().map(layer).collect(),
    }
}

fn layer(metadata: &LayerMetadata) -> LayerSummary {
    let layer = &metadata.layer;
    LayerSummary {
        name: metadata.name.clone().unwrap_or_default(),
        entries: layer.entries,
        size: layer.size,
        stored_size: layer.descriptor.size,
        digest: layer.descriptor.digest.to_string(),
        diff_id: layer.diff_id.to_string(),
        media_type: layer.descriptor.media_type.as_str().to_owned(),
    }
}

/// Says things in the form asked for.
#[derive(Debug)]
pub(crate) struct Reporter {
    format: Format,
    quiet: bool,
    bars: Option<Arc<Bars>>,
}

impl Reporter {
    pub(crate) fn new(args: &OutputArgs) -> Self {
        let bars = if args.quiet {
            None
        } else {
            Bars::for_terminal().map(Arc::new)
        };
        Self {
            format: args.format,
            quiet: args.quiet,
            bars,
        }
    }

    pub(crate) fn progress(&self) -> &dyn Progress {
        match &self.bars {
            Some(bars) => &**bars,
            None => &NoProgress,
        }
    }

    /// The same, for what outlives a call.
    pub(crate) fn shared_progress(&self) -> Arc<dyn Progress> {
        match &self.bars {
            Some(bars) => Arc::clone(bars) as _,
            None => Arc::new(NoProgress),
        }
    }

    pub(crate) fn warn(&self, message: &str) {
        if !self.quiet {
            say(format_args!("warning: {message}"));
        }
    }

    /// Something worth knowing that is no oversight.
    pub(crate) fn note(&self, message: &str) {
        if !self.quiet {
            say(format_args!("note: {message}"));
        }
    }

    pub(crate) fn done(&self, summary: &Summary) -> Result<()> {
        for warning in &summary.warnings {
            self.warn(warning);
        }
        let mut out = Vec::new();
        match self.format {
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, summary)?;
                out.push(b'\n');
            }
            Format::Text if self.quiet => {}
            Format::Text => text(summary, &mut out)?,
        }
        print(&out)
    }
}

fn text(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let several = summary.images.len() > 1;
    for image in &summary.images {
        if several {
            writeln!(out, "{}  {}", image.platform, image.digest)?;
        }
        if image.base_layers > 0 {
            writeln!(out, "  base             {} layers", image.base_layers)?;
        }
        for layer in &image.layers {
            writeln!(
                out,
                "  {:<20} {:>10} → {:>10}  {}",
                layer.name,
                bytes(layer.size),
                bytes(layer.stored_size),
                layer.digest
            )?;
        }
    }
    let kind = if several { "index" } else { "image" };
    writeln!(
        out,
        "{kind} {} {}",
        summary.names.join(", "),
        summary.digest
    )?;
    for output in &summary.outputs {
        writeln!(out, "in    {output}")?;
    }
    for pushed in &summary.pushed {
        writeln!(
            out,
            "sent  {} ({} bytes) in {} blobs to {}; {} were there",
            bytes(pushed.bytes),
            pushed.bytes,
            pushed.blobs,
            pushed.location,
            pushed.skipped
        )?;
    }
    next(summary, out)
}

/// What can be done now.
fn next(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let name = summary
        .names
        .first()
        .map_or(summary.package.as_str(), String::as_str);
    writeln!(out, "next:")?;
    for output in &summary.outputs {
        match output.split_once(':') {
            Some(("docker-archive", rest)) => {
                let file = rest.split(':').next().unwrap_or(rest);
                writeln!(out, "  docker load -i {file}")?;
                writeln!(out, "  docker run --rm {name}")?;
            }
            Some(("docker-daemon", rest)) => {
                writeln!(out, "  docker run --rm {rest}")?;
            }
            Some(("docker", rest)) => {
                writeln!(out, "  docker run --rm {}", rest.trim_start_matches('/'))?;
            }
            Some(("oci", _)) => {
                let tar = format!("{}.tar", summary.package);
                writeln!(out, "  cooperage inspect {output}")?;
                writeln!(out, "  skopeo inspect {output}")?;
                // Docker loads one platform.
                let platform = match &summary.images[..] {
                    [first, _, ..] => format!(" --platform {}", first.platform),
                    _ => String::new(),
                };
                writeln!(
                    out,
                    "  cooperage copy {output} docker-archive:{tar}{platform}"
                )?;
                writeln!(out, "  docker load -i {tar} && docker run --rm {name}")?;
            }
            _ => writeln!(out, "  cooperage inspect {output}")?,
        }
    }
    Ok(())
}

/// A length as people read it, in multiples of 1000.
fn bytes(length: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if length < 1000 {
        return format!("{length} B");
    }
    let mut unit = 0;
    let mut scale = 1000;
    while unit + 1 < UNITS.len() && length / scale >= 1000 {
        scale *= 1000;
        unit += 1;
    }
    // Tenths, rounded down: no floating point, so the same text everywhere.
    let tenths = u128::from(length) * 10 / u128::from(scale);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}
