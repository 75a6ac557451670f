//! The lines that say what a layer holds.

#![expect(
    clippy::needless_pass_by_value,
    reason = "readers of members are all of one shape: some keep the value, some do not"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cooperage_image_spec::Json;
use cooperage_tarball::TreePath;

use crate::fields::{At, Fields};
use crate::{EntryAttributes, EntryKind, EntryPlan, PlanError};

/// The members of which an entry has exactly one.
const KINDS: [&str; 16] = [
    "file",
    "file_b64",
    "text",
    "base64",
    "dir",
    "symlink",
    "symlink_b64",
    "symlink_of",
    "symlink_of_b64",
    "hardlink",
    "hardlink_b64",
    "whiteout",
    "opaque",
    "fifo",
    "char_device",
    "block_device",
];

/// The other members of entries, and what begins a line that is none.
const OTHERS: [&str; 16] = [
    "path", "path_b64", "tree", "runtime", "dir_mode", "fold", "mode", "uid", "gid", "user",
    "group", "mtime", "xattrs", "origin", "match", "layer",
];

/// A line lacks a member, most often because that is misspelt.
fn missing(fields: &Fields, field: &str, expected: String) -> PlanError {
    let known = [&KINDS[..], &OTHERS, &["image"]].concat();
    let unknown = fields.refuse_unknown(&known).err();
    unknown.unwrap_or_else(|| PlanError::Missing {
        line: fields.line(),
        field: field.into(),
        expected,
    })
}

pub(crate) fn parse_entry(mut fields: Fields) -> Result<EntryPlan, PlanError> {
    let line = fields.line();
    if fields.has("runtime") {
        return parse_runtime(fields);
    }
    let path = parse_path(&mut fields)?;
    let what = if fields.has("tree") {
        parse_tree(&mut fields, path)?
    } else {
        let expected = "where the entry lies in the image, or `path_b64`";
        let path = path.ok_or_else(|| missing(&fields, "path", expected.into()))?;
        parse_kind(&mut fields, path)?
    };
    let attributes = parse_attributes(&mut fields)?;
    let origin = fields.string("origin")?;
    fields.end()?;
    Ok(EntryPlan {
        what,
        attributes,
        line,
        origin,
    })
}

fn parse_runtime(mut fields: Fields) -> Result<EntryPlan, PlanError> {
    let line = fields.line();
    let item = fields.read("runtime", |at, json| {
        at.string(json)?.parse().map_err(|error| at.invalid(error))
    })?;
    let origin = fields.string("origin")?;
    fields.end()?;
    let item = item.ok_or_else(|| PlanError::Missing {
        line,
        field: "runtime".into(),
        expected: "what to add".into(),
    })?;
    let attributes = EntryAttributes::default();
    Ok(EntryPlan {
        what: EntryKind::Runtime(item),
        attributes,
        line,
        origin,
    })
}

/// `path`, or `path_b64` where it is not UTF-8. One leading and trailing slash is allowed.
fn parse_path(fields: &mut Fields) -> Result<Option<TreePath>, PlanError> {
    let text = fields.read("path", |at, json| {
        tree_path(at, at.string(json)?.as_bytes())
    })?;
    let bytes = fields.read("path_b64", |at, json| tree_path(at, &decode(at, json)?))?;
    match (text, bytes) {
        (Some(_), Some(_)) => Err(PlanError::Order {
            line: fields.line(),
            found: "`path` together with `path_b64`".into(),
            expected: "one of them".into(),
        }),
        (text, bytes) => Ok(text.or(bytes)),
    }
}

fn tree_path(at: At<'_>, bytes: &[u8]) -> Result<TreePath, PlanError> {
    if matches!(bytes, b"" | b"/") {
        let found = Json::String(String::from_utf8_lossy(bytes).into_owned());
        return Err(at.expected("a path below the image's root", &found));
    }
    let relative = bytes.strip_prefix(b"/").unwrap_or(bytes);
    TreePath::new(relative).map_err(|mut error| {
        error.path = String::from_utf8_lossy(bytes).into_owned();
        at.invalid(error)
    })
}

fn decode(at: At<'_>, json: Json) -> Result<Vec<u8>, PlanError> {
    let text = at.string(json)?;
    let expected = "Base64 of RFC 4648 with its `=` at the end";
    STANDARD
        .decode(&text)
        .map_err(|_| at.expected(expected, &Json::String(text)))
}

fn decode_path(at: At<'_>, json: Json) -> Result<PathBuf, PlanError> {
    let bytes = decode(at, json)?;
    #[cfg(unix)]
    let name = <OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes);
    #[cfg(not(unix))]
    let name = OsString::from(String::from_utf8(bytes).map_err(|error| at.invalid(error))?);
    Ok(name.into())
}

fn parse_tree(fields: &mut Fields, path: Option<TreePath>) -> Result<EntryKind, PlanError> {
    let dir = fields.string("tree")?.unwrap_or_default().into();
    let dir_mode = fields.read("dir_mode", read_mode)?;
    Ok(EntryKind::Tree {
        path,
        dir,
        dir_mode,
    })
}

fn parse_kind(fields: &mut Fields, path: TreePath) -> Result<EntryKind, PlanError> {
    let line = fields.line();
    let given: Vec<_> = KINDS.into_iter().filter(|kind| fields.has(kind)).collect();
    let [kind] = given[..] else {
        return Err(match given[..] {
            [] => {
                let expected = format!("one of `{}`, `tree` or `runtime`", KINDS.join("`, `"));
                missing(fields, "file", expected)
            }
            _ => PlanError::Order {
                line,
                found: format!("`{}` together", given.join("` and `")),
                expected: "one of them".into(),
            },
        });
    };
    let set = |fields: &mut Fields| {
        fields.read(kind, |at, json| match json {
            Json::Bool(true) => Ok(()),
            other => Err(at.expected("`true`", &other)),
        })
    };
    Ok(match kind {
        "file" => EntryKind::File {
            path,
            file: fields.string("file")?.unwrap_or_default().into(),
            fold: fields.bool("fold")?.unwrap_or(true),
        },
        "file_b64" => EntryKind::File {
            path,
            file: fields.read("file_b64", decode_path)?.unwrap_or_default(),
            fold: fields.bool("fold")?.unwrap_or(true),
        },
        "text" => EntryKind::Bytes {
            path,
            bytes: fields.string("text")?.unwrap_or_default().into(),
        },
        "base64" => EntryKind::Bytes {
            path,
            bytes: fields.read("base64", decode)?.unwrap_or_default(),
        },
        "symlink" => EntryKind::Symlink {
            path,
            target: fields.string("symlink")?.unwrap_or_default().into(),
        },
        "symlink_b64" => EntryKind::Symlink {
            path,
            target: fields.read("symlink_b64", decode)?.unwrap_or_default(),
        },
        "symlink_of" => EntryKind::SymlinkOf {
            path,
            file: fields.string("symlink_of")?.unwrap_or_default().into(),
        },
        "symlink_of_b64" => EntryKind::SymlinkOf {
            path,
            file: fields
                .read("symlink_of_b64", decode_path)?
                .unwrap_or_default(),
        },
        "hardlink" => {
            let to = fields.read("hardlink", |at, json| {
                tree_path(at, at.string(json)?.as_bytes())
            });
            // `given` says that the member is there.
            EntryKind::HardLink {
                to: to?.unwrap_or_else(|| path.clone()),
                path,
            }
        }
        "hardlink_b64" => {
            let to = fields.read(kind, |at, json| tree_path(at, &decode(at, json)?))?;
            EntryKind::HardLink {
                to: to.unwrap_or_else(|| path.clone()),
                path,
            }
        }
        "char_device" => {
            let (major, minor) = fields.read(kind, read_device)?.unwrap_or_default();
            EntryKind::CharDevice { path, major, minor }
        }
        "block_device" => {
            let (major, minor) = fields.read(kind, read_device)?.unwrap_or_default();
            EntryKind::BlockDevice { path, major, minor }
        }
        _ => {
            set(fields)?;
            match kind {
                "dir" => EntryKind::Directory { path },
                "whiteout" => EntryKind::Whiteout { path },
                "opaque" => EntryKind::Opaque { path },
                _ => EntryKind::Fifo { path },
            }
        }
    })
}

fn read_device(at: At<'_>, json: Json) -> Result<(u32, u32), PlanError> {
    if let Json::Array(numbers) = &json
        && let [major, minor] = &numbers[..]
    {
        return Ok((at.number(major.clone())?, at.number(minor.clone())?));
    }
    Err(at.expected("major and minor, such as `[1, 3]`", &json))
}

/// Octal, as a string: a JSON number could be meant either way.
pub(crate) fn read_mode(at: At<'_>, json: Json) -> Result<u32, PlanError> {
    if let Json::String(text) = &json
        && !text.is_empty()
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'))
        && let Ok(mode) = u32::from_str_radix(text, 8)
        && mode <= 0o7777
    {
        return Ok(mode);
    }
    Err(at.expected(
        "an octal mode from \"0\" to \"7777\", as a string such as \"0755\"",
        &json,
    ))
}

pub(crate) fn parse_attributes(fields: &mut Fields) -> Result<EntryAttributes, PlanError> {
    let xattrs = fields.read("xattrs", |at, json| {
        at.object(json)?
            .into_iter()
            .map(|(name, value)| {
                let place = format!("{}.{name}", at.place);
                let value = decode(
                    At {
                        place: &place,
                        ..at
                    },
                    value,
                )?;
                Ok((name.into_bytes(), value))
            })
            .collect::<Result<BTreeMap<_, _>, _>>()
    })?;
    Ok(EntryAttributes {
        mode: fields.read("mode", read_mode)?,
        uid: fields.u64("uid")?,
        gid: fields.u64("gid")?,
        user: fields.string("user")?,
        group: fields.string("group")?,
        mtime: fields.read("mtime", |at, json| at.number(json))?,
        xattrs: xattrs.unwrap_or_default(),
    })
}
