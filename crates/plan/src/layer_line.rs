//! The lines that say what a layer is.

use cooperage_compress::{Codec, EncoderId, Encoding};
use cooperage_image_spec::Json;

use crate::fields::{At, Fields};
use crate::image::created;
use crate::parse::order;
use crate::{LayerContent, LayerPlan, PlanError, TarForm};

pub(crate) fn parse_layer(fields: &mut Fields) -> Result<LayerPlan, PlanError> {
    let has_fold = fields.has("fold");
    let layer = LayerPlan {
        name: fields.string("name")?,
        encoding: parse_encoding(fields)?,
        annotations: fields.string_map("annotations")?,
        created_by: fields.string("created_by")?,
        comment: fields.string("comment")?,
        created: created(fields)?,
        line: fields.line(),
        content: parse_content(fields)?,
        matches: Vec::new(),
    };
    let (what, encodes) = match &layer.content {
        LayerContent::Entries { .. } | LayerContent::Tree { .. } => return Ok(layer),
        LayerContent::Tar {
            form: TarForm::Recompress | TarForm::Canonical,
            ..
        } => ("tar", true),
        LayerContent::Tar { .. } => ("tar", false),
        LayerContent::Metadata { .. } => ("metadata", false),
    };
    let refuse = |member: &str| {
        Err(order(
            fields.line(),
            &format!("`{member}` together with `{what}`"),
            "it where a layer is packed or compressed",
        ))
    };
    match layer.encoding {
        _ if has_fold => refuse("fold"),
        Some(_) if !encodes => refuse("encoder"),
        _ => Ok(layer),
    }
}

fn parse_encoding(fields: &mut Fields) -> Result<Option<Encoding>, PlanError> {
    let line = fields.line();
    let encoder = fields.read("encoder", |at, json| {
        at.string(json)?
            .parse::<EncoderId>()
            .map_err(|error| at.invalid(error))
    })?;
    let level = fields.read("level", |at, json| at.number::<u8>(json))?;
    let block_size = fields.u64("block_size")?;
    if encoder.is_none() && level.is_none() && block_size.is_none() {
        return Ok(None);
    }
    let place = fields.place("encoder");
    let at = At {
        line,
        place: &place,
    };
    let encoder = encoder.unwrap_or(Codec::Gzip.encoder());
    let level = level.unwrap_or(encoder.default_level());
    let block_size = block_size.unwrap_or(encoder.default_block_size());
    let encoding = Encoding::new(encoder, level, block_size).map_err(|error| at.invalid(error))?;
    Ok(Some(encoding))
}

fn parse_content(fields: &mut Fields) -> Result<LayerContent, PlanError> {
    let fold = fields.bool("fold")?.unwrap_or(true);
    let form = fields.read("form", |at, json| match json.as_str() {
        Some("keep") => Ok(TarForm::Keep),
        Some("uncompress") => Ok(TarForm::Uncompress),
        Some("recompress") => Ok(TarForm::Recompress),
        Some("canonical") => Ok(TarForm::Canonical),
        _ => Err(at.expected("`keep`, `uncompress`, `recompress` or `canonical`", &json)),
    })?;
    let (line, place) = (fields.line(), fields.place("tar"));
    let tar = fields.string("tar")?;
    let metadata = fields.string("metadata")?;
    let blob = fields.string("blob")?;
    let clash = |what: &str| {
        let at = At {
            line,
            place: &place,
        };
        at.expected(what, &Json::Null)
    };
    match (tar, metadata, blob) {
        (None, None, None) if form.is_some() => Err(clash("a file, since `form` is given")),
        (None, None, None) => Ok(LayerContent::Entries {
            entries: Vec::new(),
            fold,
        }),
        (Some(tar), None, None) => Ok(LayerContent::Tar {
            file: tar.into(),
            form: form.unwrap_or_default(),
        }),
        (None, Some(file), blob) => Ok(LayerContent::Metadata {
            file: file.into(),
            blob: blob.map(Into::into),
        }),
        (None, None, Some(_)) => Err(PlanError::Missing {
            line,
            field: fields.place("metadata"),
            expected: "the metadata of the `blob`".into(),
        }),
        (Some(_), _, _) => Err(PlanError::Order {
            line,
            found: "`tar` together with `metadata` or `blob`".into(),
            expected: "one of them".into(),
        }),
    }
}
