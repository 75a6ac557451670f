//! The lines that say what an image is.

use std::collections::BTreeMap;

use cooperage_commit::{ConfigEdit, Edit, MapEdit, MediaTypes, SetEdit, check_time};
use cooperage_digest::Digest;
use cooperage_image_spec::{Healthcheck, Json, parse_port};

use crate::fields::{At, Fields};
use crate::{BaseFrom, BasePlan, ImagePlan, PlanError};

pub(crate) fn parse_image(fields: &mut Fields) -> Result<ImagePlan, PlanError> {
    Ok(ImagePlan {
        platform: fields.read("platform", |at, json| {
            at.string(json)?.parse().map_err(|e| at.invalid(e))
        })?,
        base: fields.read("base", parse_base)?,
        media_types: media_types(fields)?,
        created: created(fields)?,
        author: edit(fields, "author", |at, json| at.string(json))?,
        config: fields.read("config", parse_config)?.unwrap_or_default(),
        annotations: fields.string_map("annotations")?,
        layers: Vec::new(),
    })
}

/// A time; the engine would refuse another one, after all layers are packed.
pub(crate) fn created(fields: &mut Fields) -> Result<Option<String>, PlanError> {
    fields.read("created", |at, json| {
        let time = at.string(json)?;
        check_time(&time).map_err(|error| at.invalid(error))?;
        Ok(time)
    })
}

pub(crate) fn media_types(fields: &mut Fields) -> Result<MediaTypes, PlanError> {
    let parsed = fields.read("media_types", |at, json| match json.as_str() {
        Some("oci") => Ok(MediaTypes::Oci),
        Some("docker") => Ok(MediaTypes::Docker),
        _ => Err(at.expected("`oci` or `docker`", &json)),
    })?;
    Ok(parsed.unwrap_or_default())
}

fn parse_base(at: At<'_>, json: Json) -> Result<BasePlan, PlanError> {
    if let Json::String(reference) = json {
        return Ok(BasePlan {
            from: BaseFrom::Reference(reference),
            digest: None,
            line: at.line,
        });
    }
    let mut fields = Fields::new(at.line, at.place, json)?;
    let from = parse_base_from(&mut fields)?;
    let digest = fields.read("digest", |at, json| {
        let digest: Digest = at
            .string(json)?
            .parse()
            .map_err(|error| at.invalid(error))?;
        Ok(digest.to_string())
    })?;
    fields.end()?;
    Ok(BasePlan {
        from,
        digest,
        line: at.line,
    })
}

fn parse_base_from(fields: &mut Fields) -> Result<BaseFrom, PlanError> {
    let reference = fields.string("reference")?;
    let manifest = fields.string("manifest")?;
    let config = fields.string("config")?;
    if reference.is_some() && (manifest.is_some() || config.is_some()) {
        return Err(PlanError::Order {
            line: fields.line(),
            found: format!("`{}` together with `manifest`", fields.place("reference")),
            expected: "one of them".into(),
        });
    }
    if manifest.is_some() || config.is_some() {
        let manifest = fields.need("manifest", manifest, "the file with the base's manifest")?;
        let config = fields.need("config", config, "the file with the base's config")?;
        let (manifest, config) = (manifest.into(), config.into());
        return Ok(BaseFrom::Documents { manifest, config });
    }
    let expected = "where the base lies, such as `oci:DIR:NAME`, or its `manifest` and `config`";
    fields
        .need("reference", reference, expected)
        .map(BaseFrom::Reference)
}

fn parse_config(at: At<'_>, json: Json) -> Result<ConfigEdit, PlanError> {
    let mut fields = Fields::new(at.line, at.place, json)?;
    let config = ConfigEdit {
        user: edit(&mut fields, "user", |at, json| at.string(json))?,
        env: map_edit(&mut fields, "env")?,
        entrypoint: edit(&mut fields, "entrypoint", |at, json| at.strings(json))?,
        cmd: edit(&mut fields, "cmd", |at, json| at.strings(json))?,
        working_dir: edit(&mut fields, "working_dir", |at, json| at.string(json))?,
        exposed_ports: set_edit(&mut fields, "exposed_ports", |at, port| {
            parse_port(port)
                .map(drop)
                .map_err(|error| at.invalid(error))
        })?,
        volumes: set_edit(&mut fields, "volumes", |_, _| Ok(()))?,
        labels: map_edit(&mut fields, "labels")?,
        stop_signal: edit(&mut fields, "stop_signal", |at, json| at.string(json))?,
        healthcheck: edit(&mut fields, "healthcheck", parse_healthcheck)?,
    };
    fields.end()?;
    Ok(config)
}

/// Absent: inherited. `null`: unset. A value: set.
fn edit<T>(
    fields: &mut Fields,
    key: &'static str,
    read: impl FnOnce(At<'_>, Json) -> Result<T, PlanError>,
) -> Result<Edit<T>, PlanError> {
    let edit = fields.read(key, |at, json| match json {
        Json::Null => Ok(Edit::Unset),
        json => read(at, json).map(Edit::Set),
    })?;
    Ok(edit.unwrap_or_default())
}

/// `null` clears; so does the name `*` with `null`, for new values beside it.
fn map_edit(fields: &mut Fields, key: &'static str) -> Result<MapEdit, PlanError> {
    let edit = fields.read(key, |at, json| {
        let Some((clear, members)) = cleared(at, json)? else {
            return Ok(MapEdit {
                clear: true,
                set: BTreeMap::new(),
            });
        };
        let set = members
            .into_iter()
            .map(|(name, value)| {
                let place = format!("{}.{name}", at.place);
                let at = At {
                    place: &place,
                    ..at
                };
                if name.is_empty() || (key == "env" && name.contains(['=', '\0'])) {
                    let found = Json::String(name);
                    return Err(at.expected("a name that is not empty and has no `=`", &found));
                }
                match value {
                    Json::Null => Ok((name, None)),
                    Json::String(value) => Ok((name, Some(value))),
                    other => Err(at.expected("a string, or null to unset it", &other)),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(MapEdit { clear, set })
    })?;
    Ok(edit.unwrap_or_default())
}

/// Whether `*` clears, and the members beside it.
type Cleared = (bool, BTreeMap<String, Json>);

/// `None` for `null`; else whether `*` clears, and the other members.
fn cleared(at: At<'_>, json: Json) -> Result<Option<Cleared>, PlanError> {
    if json == Json::Null {
        return Ok(None);
    }
    let mut members = at.object(json)?;
    let clear = match members.remove("*") {
        None => false,
        Some(Json::Null) => true,
        Some(other) => return Err(at.expected("null for `*`, which unsets all", &other)),
    };
    Ok(Some((clear, members)))
}

/// A list adds; an object adds where the value is `true` and takes away where it is `null`. What is
/// added must pass `check`.
fn set_edit(
    fields: &mut Fields,
    key: &'static str,
    check: impl Fn(At<'_>, &str) -> Result<(), PlanError>,
) -> Result<SetEdit, PlanError> {
    let edit = fields.read(key, |at, json| {
        if matches!(json, Json::Array(_) | Json::String(_)) {
            let members = at.strings(json)?;
            for (index, member) in members.iter().enumerate() {
                at.member(index, |at| check(at, member))?;
            }
            let set = members.into_iter().map(|member| (member, true)).collect();
            return Ok(SetEdit { clear: false, set });
        }
        let Some((clear, members)) = cleared(at, json)? else {
            return Ok(SetEdit {
                clear: true,
                set: BTreeMap::new(),
            });
        };
        let set = members
            .into_iter()
            .map(|(member, value)| match value {
                Json::Bool(true) => check(at, &member).map(|()| (member, true)),
                Json::Null => Ok((member, false)),
                other => Err(at.expected("`true`, or null to unset it", &other)),
            })
            .collect::<Result<_, _>>()?;
        Ok(SetEdit { clear, set })
    })?;
    Ok(edit.unwrap_or_default())
}

fn parse_healthcheck(at: At<'_>, json: Json) -> Result<Healthcheck, PlanError> {
    let mut fields = Fields::new(at.line, at.place, json)?;
    let check = Healthcheck {
        test: fields.strings("test")?.unwrap_or_default(),
        interval: fields.read("interval", |at, json| at.number(json))?,
        timeout: fields.read("timeout", |at, json| at.number(json))?,
        start_period: fields.read("start_period", |at, json| at.number(json))?,
        start_interval: fields.read("start_interval", |at, json| at.number(json))?,
        retries: fields.read("retries", |at, json| at.number(json))?,
        ..Healthcheck::default()
    };
    fields.end()?;
    Ok(check)
}
