//! What an image plan's first line takes from files: labels, annotations, variables and stamps.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cooperage_commit::epoch_to_rfc3339;
use cooperage_image_spec::{Json, MAX_DOCUMENT_SIZE};

use super::Request;
use super::stamp::{self, Stamps};

/// The inputs that hold them.
pub(crate) const INPUTS: &[&str] = &[LABELS, ANNOTATIONS, ENV, stamp::INPUT];

const LABELS: &str = "labels";
const ANNOTATIONS: &str = "annotations";
const ENV: &str = "env";

type Object = BTreeMap<String, Json>;

/// Puts the values of files under those that the line says itself, and stamps into all of them.
pub(crate) fn fill(request: &Request, line: &mut Object) -> Result<()> {
    let stamps = Stamps::of(request)?;
    let config = line.get("config").and_then(Json::as_object);
    let mut config = config.cloned().unwrap_or_default();
    let before = config.len();
    for name in [LABELS, ENV] {
        under(&mut config, name, read(request, name)?);
        stamp_all(&mut config, name, &stamps)?;
    }
    if before > 0 || !config.is_empty() {
        line.insert("config".into(), Json::Object(config));
    }
    under(line, ANNOTATIONS, read(request, ANNOTATIONS)?);
    stamp_all(line, ANNOTATIONS, &stamps)?;
    for member in ["author", "created"] {
        let Some(text) = line.get(member).and_then(Json::as_str) else {
            continue;
        };
        let stamped = stamps.apply(text).with_context(|| at(member))?;
        let is_time = member == "created" && stamped.as_deref() != Some(text);
        match stamped {
            None => drop(line.remove(member)),
            Some(text) => {
                let text = if is_time { time(&text) } else { text };
                line.insert(member.into(), Json::String(text));
            }
        }
    }
    Ok(())
}

/// Annotations with those of files under them, and stamps in them.
pub(crate) fn annotations(
    request: &Request,
    own: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let stamps = Stamps::of(request)?;
    let mut all = read(request, ANNOTATIONS)?;
    all.extend(own);
    let mut stamped = BTreeMap::new();
    for (key, text) in all {
        if let Some(text) = stamps.apply(&text).with_context(|| at(&key))? {
            stamped.insert(key, text);
        }
    }
    Ok(stamped)
}

/// Seconds since the epoch, as Bazel's `BUILD_TIMESTAMP` has them, become a time.
fn time(text: &str) -> String {
    let seconds = text.parse().ok().and_then(epoch_to_rfc3339);
    seconds.unwrap_or_else(|| text.to_owned())
}

fn at(member: &str) -> String {
    format!("cannot put stamps into `{member}`")
}

/// Adds values to an object's member, where that does not have them yet. One that is `null` says
/// that nothing of the base is to stay.
fn under(object: &mut Object, name: &str, values: BTreeMap<String, String>) {
    if values.is_empty() {
        return;
    }
    let mut members = match object.remove(name) {
        None => Object::new(),
        Some(Json::Null) => Object::from([("*".to_owned(), Json::Null)]),
        Some(Json::Object(members)) => members,
        // Of another type: the plan's own reader says so.
        Some(other) => return drop(object.insert(name.to_owned(), other)),
    };
    for (key, value) in values {
        members.entry(key).or_insert(Json::String(value));
    }
    object.insert(name.to_owned(), Json::Object(members));
}

/// Puts stamps into the values of a member; those without a value are left out.
fn stamp_all(object: &mut Object, name: &str, stamps: &Stamps) -> Result<()> {
    let Some(Json::Object(members)) = object.get_mut(name) else {
        return Ok(());
    };
    let mut stamped = Object::new();
    for (key, value) in std::mem::take(members) {
        let value = match value {
            Json::String(text) => {
                let failed = || at(&format!("{name}.{key}"));
                stamps.apply(&text).with_context(failed)?.map(Json::String)
            }
            other => Some(other),
        };
        stamped.extend(value.map(|value| (key, value)));
    }
    *members = stamped;
    Ok(())
}

/// The lines `KEY=VALUE` of all inputs of that name; the last one of a key counts.
fn read(request: &Request, name: &'static str) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for file in request.inputs(name)? {
        let text = text(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    values.insert(key.to_owned(), value.to_owned());
                }
                _ => bail!(
                    "`{}`: line {}: expected `KEY=VALUE`, found `{line}`",
                    file.display(),
                    number + 1
                ),
            }
        }
    }
    Ok(values)
}

fn text(file: &Path) -> Result<String> {
    let mut text = String::new();
    let file = File::open(file)?;
    file.take(MAX_DOCUMENT_SIZE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_DOCUMENT_SIZE {
        bail!("expected at most {MAX_DOCUMENT_SIZE} bytes");
    }
    Ok(text)
}
