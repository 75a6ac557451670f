//! The lines of a layer.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cooperage_image_spec::Json;
use cooperage_tarball::TreePath;

use super::{Object, maybe, one, put, text};
use crate::{EntryAttributes, EntryKind, EntryPlan, MatchPlan};

pub(super) fn entry_members(entry: &EntryPlan) -> Object {
    let mut object = Object::new();
    let o = &mut object;
    match &entry.what {
        EntryKind::File { path, file, fold } => {
            put_path(o, "path", path);
            put_name(o, "file", file);
            if !fold {
                put(o, "fold", false);
            }
        }
        EntryKind::Bytes { path, bytes } => {
            put_path(o, "path", path);
            match std::str::from_utf8(bytes) {
                Ok(text) => put(o, "text", text),
                Err(_) => put(o, "base64", STANDARD.encode(bytes)),
            }
        }
        EntryKind::Directory { path } => put_kind(o, path, "dir", true),
        EntryKind::Symlink { path, target } => {
            put_path(o, "path", path);
            match std::str::from_utf8(target) {
                Ok(text) => put(o, "symlink", text),
                Err(_) => put(o, "symlink_b64", STANDARD.encode(target)),
            }
        }
        EntryKind::SymlinkOf { path, file } => {
            put_path(o, "path", path);
            put_name(o, "symlink_of", file);
        }
        EntryKind::HardLink { path, to } => {
            put_path(o, "path", path);
            put_path(o, "hardlink", to);
        }
        EntryKind::Whiteout { path } => put_kind(o, path, "whiteout", true),
        EntryKind::Opaque { path } => put_kind(o, path, "opaque", true),
        EntryKind::Fifo { path } => put_kind(o, path, "fifo", true),
        EntryKind::CharDevice { path, major, minor } => {
            put_kind(o, path, "char_device", device(*major, *minor));
        }
        EntryKind::BlockDevice { path, major, minor } => {
            put_kind(o, path, "block_device", device(*major, *minor));
        }
        EntryKind::Tree {
            path,
            dir,
            dir_mode,
        } => {
            if let Some(path) = path {
                put_path(o, "path", path);
            }
            put(o, "tree", text(dir));
            maybe(o, "dir_mode", dir_mode.map(|mode| format!("{mode:04o}")));
        }
        EntryKind::Runtime(item) => put(o, "runtime", item.to_string()),
    }
    attribute_members(o, &entry.attributes);
    maybe(o, "origin", entry.origin.clone());
    object
}

pub(super) fn match_members(matched: &MatchPlan) -> Object {
    let mut object = one("match", matched.glob.clone().into());
    let dir_mode = matched.dir_mode.map(|mode| format!("{mode:04o}"));
    maybe(&mut object, "dir_mode", dir_mode);
    attribute_members(&mut object, &matched.attributes);
    maybe(&mut object, "origin", matched.origin.clone());
    object
}

fn put_kind(object: &mut Object, path: &TreePath, key: &str, value: impl Into<Json>) {
    put_path(object, "path", path);
    put(object, key, value);
}

fn device(major: u32, minor: u32) -> Json {
    Json::Array(vec![u64::from(major).into(), u64::from(minor).into()])
}

fn put_path(object: &mut Object, key: &str, path: &TreePath) {
    match std::str::from_utf8(path.as_bytes()) {
        Ok(text) => put(object, key, text),
        Err(_) => put(
            object,
            &format!("{key}_b64"),
            STANDARD.encode(path.as_bytes()),
        ),
    }
}

/// The name of a file on this machine.
fn put_name(object: &mut Object, key: &str, file: &Path) {
    match file.to_str() {
        Some(name) => put(object, key, name),
        None => put(
            object,
            &format!("{key}_b64"),
            STANDARD.encode(file.as_os_str().as_encoded_bytes()),
        ),
    }
}

fn attribute_members(object: &mut Object, attributes: &EntryAttributes) {
    maybe(
        object,
        "mode",
        attributes.mode.map(|mode| format!("{mode:04o}")),
    );
    maybe(object, "uid", attributes.uid);
    maybe(object, "gid", attributes.gid);
    maybe(object, "user", attributes.user.clone());
    maybe(object, "group", attributes.group.clone());
    maybe(object, "mtime", attributes.mtime);
    if !attributes.xattrs.is_empty() {
        let text = |(name, value): (&Vec<u8>, &Vec<u8>)| {
            let name = String::from_utf8_lossy(name).into_owned();
            (name, Json::String(STANDARD.encode(value)))
        };
        put(
            object,
            "xattrs",
            Json::Object(attributes.xattrs.iter().map(text).collect()),
        );
    }
}
