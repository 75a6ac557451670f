//! `cooperage inspect`

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use cooperage_blob::{Source, read};
use cooperage_commit::Base;
use cooperage_image_spec::{
    ContainerConfig, Descriptor, Document, History, ImageConfig, Manifest, Platform, ToJson,
};
use cooperage_transport::{Layers, Location};
use serde_json::{Value, json};

use crate::context::{Context, Outcome};
use crate::media;
use crate::text::{bytes, chain, printable};

/// Show what an image is: names, digests, platforms, configuration, layers
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The image
    #[arg(value_name = "LOCATION")]
    location: Location,
    /// Of an index, show only the image for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Print a document's bytes as they are
    #[arg(long, value_enum, value_name = "DOCUMENT")]
    raw: Option<Raw>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Raw {
    /// The image's manifest
    Manifest,
    /// The image's config
    Config,
    /// The index of several images
    Index,
}

/// One manifest that was looked at.
struct Found {
    descriptor: Descriptor,
    what: What,
}

enum What {
    Image(Box<Base>),
    Artifact(Box<Document<Manifest>>),
    /// It cannot be read, as where only some platforms of an index were copied.
    Unreadable(String),
}

pub(crate) fn run(args: &InspectArgs, context: &Context) -> Result<Outcome> {
    let opened = context.open(&args.location, Layers::Streamed)?;
    let root = opened.root()?;
    let source = opened.source();
    if let Some(raw) = args.raw {
        let bytes = document(raw, source, &root.descriptor, args)?;
        cooperage_cargo::stdout::print(&bytes)?;
        return Ok(Outcome::Done);
    }
    let names: Vec<String> = opened
        .roots()?
        .into_iter()
        .filter(|other| other.descriptor.digest == root.descriptor.digest)
        .filter_map(|other| other.name)
        .collect();
    let found: Vec<Found> = match &args.platform {
        Some(_) => {
            let image = media::image(source, &root.descriptor, args.platform.as_ref())?;
            let descriptor = image.descriptor.clone();
            let what = What::Image(image.into());
            vec![Found { descriptor, what }]
        }
        None => media::manifests(source, &root.descriptor)?
            .into_iter()
            .map(|descriptor| look(source, descriptor))
            .collect(),
    };
    context.answer(
        || {
            json!({
                "location": args.location.to_string(),
                "names": names,
                "digest": root.descriptor.digest.as_str(),
                "media_type": root.descriptor.media_type.as_str(),
                "size": root.descriptor.size,
                "images": found.iter().map(json_of).collect::<Vec<_>>(),
            })
        },
        || text(&names, &root.descriptor, &found),
    )?;
    Ok(Outcome::Done)
}

fn document(
    raw: Raw,
    source: &dyn Source,
    root: &Descriptor,
    args: &InspectArgs,
) -> Result<Vec<u8>> {
    if let Raw::Index = raw {
        if !root.media_type.is_index() {
            bail!(
                "`{}` is no index but `{}`",
                args.location,
                root.media_type.as_str()
            );
        }
        return Ok(read(source, root)?);
    }
    if let (Raw::Manifest, true, None) = (raw, root.media_type.is_manifest(), &args.platform) {
        return Ok(read(source, root)?);
    }
    let image = media::image(source, root, args.platform.as_ref())?;
    Ok(match raw {
        Raw::Config => image.config.into_parts().0,
        _ => image.manifest.into_parts().0,
    })
}

fn look(source: &dyn Source, descriptor: Descriptor) -> Found {
    let what = match image_or_artifact(source, &descriptor) {
        Ok(what) => what,
        Err(error) => What::Unreadable(chain(error.as_ref())),
    };
    Found { descriptor, what }
}

fn image_or_artifact(source: &dyn Source, descriptor: &Descriptor) -> Result<What> {
    if !descriptor.media_type.is_manifest() {
        bail!("`{}` is no manifest", descriptor.media_type.as_str());
    }
    let manifest: Document<Manifest> = Document::parse(read(source, descriptor)?)
        .with_context(|| format!("`{}` is not a valid manifest", descriptor.digest))?;
    if !manifest.value().config.media_type.is_config() {
        return Ok(What::Artifact(manifest.into()));
    }
    let image = Base::read(source, descriptor, &Platform::linux_amd64())?;
    Ok(What::Image(image.into()))
}

/// The history entry of each layer: those that are not empty, in order.
fn layer_history(config: &ImageConfig) -> impl Iterator<Item = Option<&History>> {
    let entries = config.history.iter().filter(|entry| !entry.empty_layer);
    entries.map(Some).chain(std::iter::repeat(None))
}

fn json_of(found: &Found) -> Value {
    let mut value = match &found.what {
        What::Image(image) => image_json(image),
        What::Artifact(manifest) => {
            let manifest = manifest.value();
            let config_type = || manifest.config.media_type.as_str().to_owned();
            json!({
                "kind": "artifact",
                "artifact_type": manifest.artifact_type.clone().unwrap_or_else(config_type),
                "annotations": manifest.annotations,
                "blobs": manifest.layers.iter().map(blob_json).collect::<Vec<_>>(),
            })
        }
        What::Unreadable(error) => json!({"kind": "unreadable", "error": error}),
    };
    value["digest"] = found.descriptor.digest.as_str().into();
    value["size"] = found.descriptor.size.into();
    value["media_type"] = found.descriptor.media_type.as_str().into();
    if value.get("platform").is_none() {
        let platform = found.descriptor.platform.as_ref();
        value["platform"] = platform.map(ToString::to_string).into();
    }
    value
}

fn blob_json(blob: &Descriptor) -> Value {
    json!({
        "digest": blob.digest.as_str(),
        "media_type": blob.media_type.as_str(),
        "size": blob.size,
        "annotations": blob.annotations,
    })
}

fn image_json(image: &Base) -> Value {
    let (manifest, config) = (image.manifest.value(), image.config.value());
    let layers: Vec<Value> = manifest
        .layers
        .iter()
        .zip(&config.rootfs.diff_ids)
        .zip(layer_history(config))
        .map(|((layer, diff_id), history)| {
            let mut value = blob_json(layer);
            value["diff_id"] = diff_id.as_str().into();
            value["created_by"] = history.and_then(|entry| entry.created_by.clone()).into();
            value["comment"] = history.and_then(|entry| entry.comment.clone()).into();
            value
        })
        .collect();
    json!({
        "kind": "image",
        "platform": config.platform.to_string(),
        "config_digest": image.config.digest().as_str(),
        "created": config.created,
        "author": config.author,
        "config": foreign(&config.config),
        "annotations": manifest.annotations,
        "layers": layers,
        "history": config.history.iter().map(foreign).collect::<Vec<_>>(),
    })
}

/// A part of a document as it would be written, its unknown members too.
fn foreign(part: &impl ToJson) -> Value {
    serde_json::from_slice(&part.to_json().to_canonical()).unwrap_or_default()
}

fn text(names: &[String], root: &Descriptor, found: &[Found]) -> String {
    let mut out = String::new();
    line(&mut out, "names", &names.join(", "));
    line(&mut out, "digest", root.digest.as_str());
    line(&mut out, "media type", root.media_type.as_str());
    for found in found {
        if root.media_type.is_index() {
            out.push('\n');
            line(&mut out, "manifest", found.descriptor.digest.as_str());
        }
        match &found.what {
            What::Image(image) => image_text(&mut out, image),
            What::Artifact(manifest) => {
                let manifest = manifest.value();
                let kind = manifest.artifact_type.as_deref();
                let kind = kind.unwrap_or(manifest.config.media_type.as_str());
                line(&mut out, "artifact", kind);
                manifest
                    .layers
                    .iter()
                    .for_each(|blob| blob_text(&mut out, blob));
            }
            What::Unreadable(error) => {
                let platform = found.descriptor.platform.as_ref();
                line(
                    &mut out,
                    "platform",
                    &platform.map(ToString::to_string).unwrap_or_default(),
                );
                line(&mut out, "unreadable", error);
            }
        }
    }
    out
}

fn blob_text(out: &mut String, blob: &Descriptor) {
    let kind = printable(blob.media_type.as_str());
    let _ = writeln!(out, "  {}  {:>9}  {kind}", blob.digest, bytes(blob.size));
}

/// A field, left out where there is nothing to say.
fn line(out: &mut String, key: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(out, "{key:<12} {}", printable(value));
    }
}

fn image_text(out: &mut String, image: &Base) {
    let (manifest, config) = (image.manifest.value(), image.config.value());
    line(out, "platform", &config.platform.to_string());
    line(out, "config", image.config.digest().as_str());
    line(
        out,
        "created",
        config.created.as_deref().unwrap_or_default(),
    );
    line(out, "author", config.author.as_deref().unwrap_or_default());
    config_text(out, &config.config);
    for (key, value) in &manifest.annotations {
        line(out, "annotation", &format!("{key}={value}"));
    }
    let _ = writeln!(out, "layers       {}", manifest.layers.len());
    let layers = manifest.layers.iter().zip(&config.rootfs.diff_ids);
    for (number, ((layer, diff_id), history)) in layers.zip(layer_history(config)).enumerate() {
        let made = history
            .and_then(|entry| entry.created_by.as_deref())
            .unwrap_or_default();
        let size = bytes(layer.size);
        let _ = writeln!(
            out,
            "  {number:>3}  {}  {size:>9}  {}",
            layer.digest,
            printable(made)
        );
        let _ = writeln!(out, "       {diff_id}  diff ID");
    }
}

fn config_text(out: &mut String, config: &ContainerConfig) {
    let words = |words: &Option<Vec<String>>| {
        let quoted = words.as_ref().map(|words| json!(words).to_string());
        quoted.unwrap_or_default()
    };
    line(out, "user", config.user.as_deref().unwrap_or_default());
    line(out, "entrypoint", &words(&config.entrypoint));
    line(out, "cmd", &words(&config.cmd));
    line(
        out,
        "workdir",
        config.working_dir.as_deref().unwrap_or_default(),
    );
    config.env.iter().for_each(|value| line(out, "env", value));
    config
        .exposed_ports
        .iter()
        .for_each(|value| line(out, "port", value));
    config
        .volumes
        .iter()
        .for_each(|value| line(out, "volume", value));
    for (key, value) in &config.labels {
        line(out, "label", &format!("{key}={value}"));
    }
    line(
        out,
        "stop signal",
        config.stop_signal.as_deref().unwrap_or_default(),
    );
    if let Some(check) = &config.healthcheck {
        line(out, "healthcheck", &json!(check.test).to_string());
    }
}
