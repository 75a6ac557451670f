//! A plan becomes a plan file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use cooperage_commit::{ConfigEdit, Edit, MapEdit, MediaTypes, SetEdit};
use cooperage_image_spec::{Healthcheck, Json};

use crate::{BaseFrom, ImagePlan, LayerContent, LayerPlan, Plan, TarForm};

mod entry;

use entry::{entry_members, match_members};

type Object = BTreeMap<String, Json>;

impl Plan {
    /// Writes the plan as a plan file: one canonical JSON object a line, the first saying what it
    /// is. What it writes reads back as the same plan, but for line numbers.
    ///
    /// # Errors
    ///
    /// Those of `out`, and [`io::ErrorKind::Unsupported`] for a [`LayerContent::Tree`].
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut head = Object::new();
        put(&mut head, "version", 1);
        strings(&mut head, "names", &self.names);
        match &self.index {
            None => {
                put(&mut head, "plan", "image");
                if let Some(image) = self.images.first() {
                    image_members(&mut head, image);
                }
                line(out, head)?;
                if let Some(image) = self.images.first() {
                    layers(out, &image.layers)?;
                }
            }
            Some(index) => {
                put(&mut head, "plan", "index");
                map(&mut head, "annotations", &index.annotations);
                media_types(&mut head, index.media_types);
                line(out, head)?;
                for image in &self.images {
                    let mut members = Object::new();
                    image_members(&mut members, image);
                    line(out, one("image", Json::Object(members)))?;
                    layers(out, &image.layers)?;
                }
            }
        }
        Ok(())
    }
}

impl LayerPlan {
    /// Writes the layer as a plan file of its own, `{"plan":"layer"}`.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut head = Object::new();
        put(&mut head, "plan", "layer");
        put(&mut head, "version", 1);
        layer_members(&mut head, self);
        line(out, head)?;
        entries(out, self)
    }
}

fn line(out: &mut dyn Write, object: Object) -> io::Result<()> {
    out.write_all(&Json::Object(object).to_canonical())?;
    out.write_all(b"\n")
}

fn one(key: &str, value: Json) -> Object {
    Object::from([(key.to_owned(), value)])
}

fn put(object: &mut Object, key: &str, value: impl Into<Json>) {
    object.insert(key.to_owned(), value.into());
}

fn maybe(object: &mut Object, key: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        put(object, key, value);
    }
}

fn strings(object: &mut Object, key: &str, values: &[String]) {
    if !values.is_empty() {
        put(object, key, list(values));
    }
}

fn list(values: &[String]) -> Json {
    Json::Array(
        values
            .iter()
            .map(|value| Json::String(value.clone()))
            .collect(),
    )
}

fn map(object: &mut Object, key: &str, values: &BTreeMap<String, String>) {
    if !values.is_empty() {
        let members = values
            .iter()
            .map(|(k, v)| (k.clone(), Json::String(v.clone())))
            .collect();
        put(object, key, Json::Object(members));
    }
}

fn media_types(object: &mut Object, media_types: MediaTypes) {
    if media_types == MediaTypes::Docker {
        put(object, "media_types", "docker");
    }
}

fn image_members(object: &mut Object, image: &ImagePlan) {
    maybe(
        object,
        "platform",
        image.platform.as_ref().map(ToString::to_string),
    );
    if let Some(base) = &image.base {
        let mut members = match &base.from {
            BaseFrom::Reference(reference) => one("reference", reference.clone().into()),
            BaseFrom::Documents { manifest, config } => {
                let mut members = one("manifest", text(manifest).into());
                put(&mut members, "config", text(config));
                members
            }
        };
        maybe(&mut members, "digest", base.digest.clone());
        put(object, "base", Json::Object(members));
    }
    media_types(object, image.media_types);
    maybe(object, "created", image.created.clone());
    edit(object, "author", &image.author, |text| text.clone().into());
    map(object, "annotations", &image.annotations);
    let config = config_members(&image.config);
    if !config.is_empty() {
        put(object, "config", Json::Object(config));
    }
}

fn config_members(config: &ConfigEdit) -> Object {
    let mut object = Object::new();
    edit(&mut object, "user", &config.user, |text| {
        text.clone().into()
    });
    map_edit(&mut object, "env", &config.env);
    edit(&mut object, "entrypoint", &config.entrypoint, |words| {
        list(words)
    });
    edit(&mut object, "cmd", &config.cmd, |words| list(words));
    edit(&mut object, "working_dir", &config.working_dir, |text| {
        text.clone().into()
    });
    set_edit(&mut object, "exposed_ports", &config.exposed_ports);
    set_edit(&mut object, "volumes", &config.volumes);
    map_edit(&mut object, "labels", &config.labels);
    edit(&mut object, "stop_signal", &config.stop_signal, |text| {
        text.clone().into()
    });
    edit(&mut object, "healthcheck", &config.healthcheck, healthcheck);
    object
}

fn edit<T>(object: &mut Object, key: &str, value: &Edit<T>, json: impl FnOnce(&T) -> Json) {
    match value {
        Edit::Inherit => {}
        Edit::Unset => put(object, key, Json::Null),
        Edit::Set(value) => put(object, key, json(value)),
    }
}

fn members(object: &mut Object, key: &str, clear: bool, mut members: Object) {
    if clear && members.is_empty() {
        put(object, key, Json::Null);
    } else if clear || !members.is_empty() {
        if clear {
            put(&mut members, "*", Json::Null);
        }
        put(object, key, Json::Object(members));
    }
}

fn map_edit(object: &mut Object, key: &str, edit: &MapEdit) {
    let value = |value: &Option<String>| value.clone().map_or(Json::Null, Json::String);
    let set = edit
        .set
        .iter()
        .map(|(name, v)| (name.clone(), value(v)))
        .collect();
    members(object, key, edit.clear, set);
}

fn set_edit(object: &mut Object, key: &str, edit: &SetEdit) {
    let value = |keep: bool| if keep { Json::Bool(true) } else { Json::Null };
    let set = edit
        .set
        .iter()
        .map(|(name, keep)| (name.clone(), value(*keep)))
        .collect();
    members(object, key, edit.clear, set);
}

fn healthcheck(check: &Healthcheck) -> Json {
    let mut object = Object::new();
    strings(&mut object, "test", &check.test);
    maybe(&mut object, "interval", check.interval);
    maybe(&mut object, "timeout", check.timeout);
    maybe(&mut object, "start_period", check.start_period);
    maybe(&mut object, "start_interval", check.start_interval);
    maybe(&mut object, "retries", check.retries);
    Json::Object(object)
}

fn layers(out: &mut dyn Write, layers: &[LayerPlan]) -> io::Result<()> {
    for layer in layers {
        let mut members = Object::new();
        layer_members(&mut members, layer);
        line(out, one("layer", Json::Object(members)))?;
        entries(out, layer)?;
    }
    Ok(())
}

fn layer_members(object: &mut Object, layer: &LayerPlan) {
    maybe(object, "name", layer.name.clone());
    let encodes = match &layer.content {
        LayerContent::Entries { .. } | LayerContent::Tree { .. } => true,
        LayerContent::Tar { form, .. } => {
            matches!(form, TarForm::Recompress | TarForm::Canonical)
        }
        LayerContent::Metadata { .. } => false,
    };
    if let (Some(encoding), true) = (&layer.encoding, encodes) {
        put(object, "encoder", encoding.encoder().as_str());
        put(object, "level", u64::from(encoding.level()));
        put(object, "block_size", encoding.block_size());
    }
    map(object, "annotations", &layer.annotations);
    maybe(object, "created_by", layer.created_by.clone());
    maybe(object, "comment", layer.comment.clone());
    maybe(object, "created", layer.created.clone());
    match &layer.content {
        LayerContent::Entries { fold, .. } | LayerContent::Tree { fold, .. } => {
            if !fold {
                put(object, "fold", false);
            }
        }
        LayerContent::Tar { file, form } => {
            put(object, "tar", text(file));
            let form = match form {
                TarForm::Keep => "keep",
                TarForm::Uncompress => "uncompress",
                TarForm::Recompress => "recompress",
                TarForm::Canonical => "canonical",
            };
            put(object, "form", form);
        }
        LayerContent::Metadata { file, blob } => {
            put(object, "metadata", text(file));
            maybe(object, "blob", blob.as_deref().map(text));
        }
    }
}

/// A file's name where only text can stand; those of entries have `file_b64` for the others.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn entries(out: &mut dyn Write, layer: &LayerPlan) -> io::Result<()> {
    match &layer.content {
        LayerContent::Entries { entries, .. } => entries
            .iter()
            .map(entry_members)
            .chain(layer.matches.iter().map(match_members))
            .try_for_each(|members| line(out, members)),
        LayerContent::Tree { .. } => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a layer whose tree is made already cannot be written as a plan",
        )),
        LayerContent::Tar { .. } | LayerContent::Metadata { .. } => Ok(()),
    }
}
