//! Lines that say what is expected.

use cooperage_digest::Digest;
use cooperage_image_spec::{Json, Platform};
use cooperage_plan::PlanError;
use cooperage_plan::fields::{At, Fields, near};
use cooperage_tarball::{PathGlob, TreePath};

use super::documents;

/// What such lines are known by.
pub(crate) const LINE: &str = "expect";

const KINDS: [&str; 8] = [
    "config",
    "platform",
    "file",
    "absent",
    "size",
    "layers",
    "label",
    "annotation",
];

/// The types that a file may have.
pub(crate) const TYPES: [&str; 7] = [
    "file",
    "dir",
    "symlink",
    "hardlink",
    "fifo",
    "char_device",
    "block_device",
];

/// What one line expects.
pub(crate) enum Expectation {
    /// A subset of the config's `config`; `null` for what must not be there.
    Config(Json),
    Platform(Platform),
    File(Box<FileExpectation>),
    /// Nothing whose path fits this glob.
    Absent(PathGlob),
    /// All layers together, in bytes as stored.
    Size {
        max: u64,
    },
    Layers(Bound),
    /// Without a value it must not be there.
    Label {
        name: String,
        value: Option<String>,
    },
    Annotation {
        name: String,
        value: Option<String>,
    },
}

pub(crate) enum Bound {
    Exactly(u64),
    AtMost(u64),
}

/// Everything but the path may be left open.
pub(crate) struct FileExpectation {
    pub(crate) path: TreePath,
    pub(crate) kind: Option<&'static str>,
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) sha256: Option<Digest>,
    pub(crate) text: Option<String>,
    pub(crate) target: Option<String>,
}

/// Reads one, with its line.
pub(crate) fn read(fields: &mut Fields) -> Result<(u64, Expectation), PlanError> {
    let line = fields.line();
    let kind = fields.string(LINE)?.unwrap_or_default();
    let expectation = match kind.as_str() {
        "config" => {
            let config = fields.read("config", config)?;
            Expectation::Config(fields.need(
                "config",
                config,
                "an object of the config's members",
            )?)
        }
        "platform" => Expectation::Platform(documents::platform(fields)?),
        "file" => Expectation::File(Box::new(file(fields)?)),
        "absent" => {
            let glob = fields.read("match", |at, json| {
                let text = at.string(json)?;
                PathGlob::new(&text).map_err(|error| at.invalid(error))
            })?;
            Expectation::Absent(fields.need("match", glob, "a glob of paths in the image")?)
        }
        "size" => {
            let max = fields.u64("max")?;
            let max = fields.need("max", max, "the most bytes that all layers may have")?;
            Expectation::Size { max }
        }
        "layers" => Expectation::Layers(bound(fields)?),
        "label" => {
            let (name, value) = named(fields)?;
            Expectation::Label { name, value }
        }
        "annotation" => {
            let (name, value) = named(fields)?;
            Expectation::Annotation { name, value }
        }
        other => {
            let hint = near(other, &KINDS);
            let at = At { line, place: LINE };
            return Err(at.invalid(format!("`{other}` cannot be expected: {hint}")));
        }
    };
    Ok((line, expectation))
}

/// An object, in which the environment may be one too, of strings and `null`.
fn config(at: At<'_>, json: Json) -> Result<Json, PlanError> {
    let Json::Object(members) = &json else {
        return Err(at.expected("an object", &json));
    };
    if let Some(Json::Object(variables)) = members.get("Env") {
        let is_value = |value: &&Json| !matches!(value, Json::String(_) | Json::Null);
        if let Some(other) = variables.values().find(is_value) {
            return Err(at.expected("strings and `null` in `Env`", other));
        }
    }
    Ok(json)
}

fn bound(fields: &mut Fields) -> Result<Bound, PlanError> {
    let (count, max) = (fields.u64("count")?, fields.u64("max")?);
    match (count, max) {
        (Some(count), None) => Ok(Bound::Exactly(count)),
        (None, Some(max)) => Ok(Bound::AtMost(max)),
        (None, None) => fields.need("count", None, "`count` or `max`"),
        (Some(_), Some(_)) => {
            let line = fields.line();
            let at = At { line, place: "max" };
            Err(at.invalid("expected `count` or `max`, found both"))
        }
    }
}

/// `null` as the value says that there must be none.
fn named(fields: &mut Fields) -> Result<(String, Option<String>), PlanError> {
    let name = fields.string("name")?;
    let name = fields.need("name", name, "its name")?;
    let value = fields.read("value", |at, json| match json {
        Json::Null => Ok(None),
        other => at.string(other).map(Some),
    })?;
    let value = fields.need("value", value, "a string, or `null` for none")?;
    Ok((name, value))
}

fn file(fields: &mut Fields) -> Result<FileExpectation, PlanError> {
    let line = fields.line();
    let path = fields.read("path", |at, json| {
        let text = at.string(json)?;
        let text = text.strip_prefix('/').unwrap_or(&text);
        TreePath::parse(text).map_err(|error| at.invalid(error))
    })?;
    let path = fields.need("path", path, "the path in the image")?;
    let kind = fields.read("type", |at, json| {
        let text = at.string(json)?;
        let known = |kind: &&&str| **kind == text || (**kind == "dir" && text == "directory");
        let kind = TYPES.iter().find(known).copied();
        kind.ok_or_else(|| {
            at.invalid(format!(
                "no type `{text}` is known: {}",
                near(&text, &TYPES)
            ))
        })
    })?;
    let mode = fields.read("mode", |at, json| {
        let text = at.string(json)?;
        let mode = u32::from_str_radix(&text, 8).ok();
        mode.filter(|mode| *mode <= 0o7777)
            .ok_or_else(|| at.invalid(format!("`{text}` is no octal mode such as `0755`")))
    })?;
    let (uid, gid) = (fields.u64("uid")?, fields.u64("gid")?);
    let size = fields.u64("size")?;
    let sha256 = fields.string("sha256")?;
    let digest = sha256.map(|hex| {
        let hex = hex.strip_prefix("sha256:").unwrap_or(&hex).to_owned();
        let at = At {
            line,
            place: "sha256",
        };
        let digest: Result<Digest, _> = format!("sha256:{hex}").parse();
        digest.map_err(|error| at.invalid(error))
    });
    Ok(FileExpectation {
        path,
        kind,
        mode,
        uid,
        gid,
        size,
        sha256: digest.transpose()?,
        text: fields.string("text")?,
        target: fields.string("target")?,
    })
}
