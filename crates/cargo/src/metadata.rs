//! `[workspace.metadata.image]` and `[package.metadata.image]`.

use std::collections::BTreeSet;
use std::path::Path;

use cooperage_image_spec::Healthcheck;
use serde_json::Value;

use crate::settings::{FileRule, Mtime, Part, Settings, UserRule, Vocabulary};
use crate::table::{MetadataError, Reader};
use crate::value;

/// Where a table of metadata stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// `[workspace.metadata.image]`: defaults of all packages.
    Workspace,
    /// `[package.metadata.image]`.
    Package,
}

/// Keys of `[package.metadata.image]`.
pub const KEYS: &[&str] = &[
    "annotations",
    "args",
    "author",
    "base",
    "base-digest",
    "bin",
    "bin-path",
    "certificates",
    "cmd",
    "compression",
    "created",
    "entrypoint",
    "env",
    "files",
    "fold",
    "healthcheck",
    "inherit",
    "labels",
    "layers",
    "libraries",
    "media-types",
    "mtime",
    "platforms",
    "ports",
    "remap-paths",
    "stamp",
    "stop-signal",
    "sysroot",
    "tags",
    "time-zones",
    "unset",
    "user",
    "users",
    "volumes",
    "working-dir",
];

const FILE_KEYS: &[&str] = &[
    "dir-mode", "exclude", "from", "gid", "layer", "mode", "to", "uid",
];
const USER_KEYS: &[&str] = &["gid", "home", "name", "shell", "uid"];
const HEALTH_KEYS: &[&str] = &[
    "cmd",
    "interval",
    "retries",
    "shell",
    "start-interval",
    "start-period",
    "timeout",
];
const COMPRESSION_KEYS: &[&str] = &["block-size", "codec", "level"];

/// Reads the `image` table of a manifest's `metadata`, as `cargo metadata` prints it.
///
/// `manifest` is named in errors, and relative paths are taken from its directory.
///
/// # Errors
///
/// An unknown key, or a value of another type or form than its key takes.
pub fn read(metadata: &Value, manifest: &Path, scope: Scope) -> Result<Settings, MetadataError> {
    let Some(image) = metadata.get("image") else {
        return Ok(Settings::default());
    };
    let (place, known) = match scope {
        Scope::Workspace => ("workspace.metadata.image", [KEYS, &["package"]].concat()),
        Scope::Package => ("package.metadata.image", KEYS.to_vec()),
    };
    let table = Reader::new(manifest, place.to_owned(), image, &known)?;
    let mut settings = Settings {
        package: table.string("package")?,
        bin: table.string("bin")?,
        base: table
            .string("base")?
            .map(|base| crate::base::rebase(&base, manifest.parent().unwrap_or(Path::new("")))),
        base_digest: table.string("base-digest")?,
        bin_path: table.parsed("bin-path", value::image_path)?,
        stamp: table.bool("stamp")?,
        platforms: table.list("platforms", string)?,
        tags: table.list("tags", string)?,
        remap_paths: table.bool("remap-paths")?,
        created: table.parsed("created", value::timestamp)?,
        author: table.string("author")?,
        media_types: table.parsed("media-types", vocabulary)?,
        annotations: table.strings("annotations")?,
        unset: set(table.list("unset", Part::parse)?),
        inherit: set(table.list("inherit", Part::parse)?),
        ..Settings::default()
    };
    read_run(&table, &mut settings)?;
    read_layers(&table, &mut settings)?;
    check_twice(&table, &settings)?;
    Ok(settings)
}

/// What a container is run with.
fn read_run(table: &Reader<'_>, settings: &mut Settings) -> Result<(), MetadataError> {
    settings.user = table.parsed_or_number("user", value::user)?;
    settings.entrypoint = table.list("entrypoint", string)?;
    settings.args = match (table.list("args", string)?, table.list("cmd", string)?) {
        (Some(_), Some(_)) => {
            let value = table.value("cmd").unwrap_or(&Value::Null);
            let expected = "expected either `args` or `cmd`, which mean the same";
            return Err(table.wrong(table.place_of("cmd"), expected, value));
        }
        (args, cmd) => args.or(cmd),
    };
    settings.env = table.strings("env")?;
    for name in settings.env.keys() {
        value::env_name(name)
            .map_err(|expected| table.wrong(table.place_of("env"), &expected, &name[..].into()))?;
    }
    settings.labels = table.strings("labels")?;
    settings.ports = set(table.list("ports", value::port)?);
    settings.volumes = set(table.list("volumes", value::image_path)?);
    settings.working_dir = table.parsed("working-dir", value::image_path)?;
    settings.stop_signal = table.parsed_or_number("stop-signal", value::signal)?;
    settings.healthcheck = table
        .value("healthcheck")
        .map(|value| healthcheck(table, value))
        .transpose()?;
    Ok(())
}

/// What layers hold, and how.
fn read_layers(table: &Reader<'_>, settings: &mut Settings) -> Result<(), MetadataError> {
    settings.fold = table.bool("fold")?;
    settings.mtime = table.parsed_or_number("mtime", mtime)?;
    settings.certificates = table.bool("certificates")?;
    settings.time_zones = table.bool("time-zones")?;
    settings.libraries = set(table.list("libraries", string)?);
    let root = table.file.parent().unwrap_or(Path::new(""));
    settings.sysroot = table.string("sysroot")?.map(|path| root.join(path));
    settings.layers = table.list("layers", string)?.unwrap_or_default();
    settings.compression = match table.value("compression") {
        Some(value @ Value::Object(_)) => Some(compression(table, value)?),
        _ => table.parsed("compression", value::compression)?,
    };
    for (place, item) in table.tables("files")? {
        settings.files.push(file(table.file, place, item)?);
    }
    for (place, item) in table.tables("users")? {
        settings.users.push(user(table.file, place, item)?);
    }
    Ok(())
}

fn file(manifest: &Path, place: String, item: &Value) -> Result<FileRule, MetadataError> {
    let table = Reader::new(manifest, place, item, FILE_KEYS)?;
    Ok(FileRule {
        from: table.string("from")?.ok_or_else(|| table.missing("from"))?,
        to: table
            .parsed("to", value::image_path)?
            .ok_or_else(|| table.missing("to"))?,
        mode: table.parsed("mode", value::mode)?,
        dir_mode: table.parsed("dir-mode", value::mode)?,
        uid: table.number("uid", u64::from(u32::MAX))?,
        gid: table.number("gid", u64::from(u32::MAX))?,
        exclude: table.list("exclude", string)?.unwrap_or_default(),
        layer: table.string("layer")?,
        root: manifest.parent().unwrap_or(Path::new("")).to_path_buf(),
        origin: format!("`{}` in `{}`", table.place, manifest.display()),
    })
}

fn user(manifest: &Path, place: String, item: &Value) -> Result<UserRule, MetadataError> {
    let table = Reader::new(manifest, place, item, USER_KEYS)?;
    let number = |key| {
        let number = table.number(key, u64::from(u32::MAX))?;
        Ok::<_, MetadataError>(number.and_then(|number| u32::try_from(number).ok()))
    };
    let uid = number("uid")?.ok_or_else(|| table.missing("uid"))?;
    Ok(UserRule {
        name: table
            .parsed("name", value::account_name)?
            .ok_or_else(|| table.missing("name"))?,
        uid,
        gid: number("gid")?.unwrap_or(uid),
        home: table.parsed("home", value::image_path)?,
        shell: table.parsed("shell", value::image_path)?,
    })
}

fn healthcheck(parent: &Reader<'_>, value: &Value) -> Result<Healthcheck, MetadataError> {
    let table = match value {
        Value::Object(_) => Reader::new(
            parent.file,
            parent.place_of("healthcheck"),
            value,
            HEALTH_KEYS,
        )?,
        Value::Array(_) => {
            let words = parent.list("healthcheck", string)?.unwrap_or_default();
            return Ok(command(words));
        }
        _ => {
            let expected = "expected an array with the command, or a table with the key `cmd`";
            return Err(parent.wrong(parent.place_of("healthcheck"), expected, value));
        }
    };
    let test = match (table.list("cmd", string)?, table.string("shell")?) {
        (Some(words), None) => command(words).test,
        (None, Some(line)) => vec!["CMD-SHELL".to_owned(), line],
        (None, None) => return Err(table.missing("cmd")),
        (Some(_), Some(_)) => {
            let expected = "expected either `cmd` or `shell`";
            return Err(table.wrong(table.place.clone(), expected, value));
        }
    };
    Ok(Healthcheck {
        test,
        interval: table.parsed("interval", value::duration)?,
        timeout: table.parsed("timeout", value::duration)?,
        start_period: table.parsed("start-period", value::duration)?,
        start_interval: table.parsed("start-interval", value::duration)?,
        retries: table
            .number("retries", i32::MAX as u64)?
            .and_then(|n| i64::try_from(n).ok()),
        ..Healthcheck::default()
    })
}

/// A check that runs these words.
pub(crate) fn command(words: Vec<String>) -> Healthcheck {
    let test = std::iter::once("CMD".to_owned()).chain(words).collect();
    Healthcheck {
        test,
        ..Healthcheck::default()
    }
}

fn compression(
    parent: &Reader<'_>,
    value: &Value,
) -> Result<cooperage_compress::Encoding, MetadataError> {
    let place = parent.place_of("compression");
    let table = Reader::new(parent.file, place.clone(), value, COMPRESSION_KEYS)?;
    let codec = |text: &str| {
        value::compression(text).and_then(|encoding| {
            if text.contains(':') {
                Err("expected a codec alone".to_owned())
            } else {
                Ok(encoding)
            }
        })
    };
    let mut encoding = table
        .parsed("codec", codec)?
        .ok_or_else(|| table.missing("codec"))?;
    let refuse = |error: cooperage_compress::EncodingError| {
        parent.wrong(place.clone(), &error.to_string(), value)
    };
    if let Some(level) = table.number("level", u64::from(u8::MAX))? {
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        encoding = encoding.with_level(level).map_err(refuse)?;
    }
    if let Some(size) = table.number("block-size", u64::MAX)? {
        encoding = encoding.with_block_size(size).map_err(refuse)?;
    }
    Ok(encoding)
}

/// A part both unset and given in one place is a mistake.
fn check_twice(table: &Reader<'_>, settings: &Settings) -> Result<(), MetadataError> {
    for (key, parts) in [("unset", &settings.unset), ("inherit", &settings.inherit)] {
        let value = table.value(key).unwrap_or(&Value::Null);
        let place = || table.place_of(key);
        if parts.iter().any(|part| settings.sets(part)) {
            let expected = "expected no part that is also given here";
            return Err(table.wrong(place(), expected, value));
        }
        if settings
            .unset
            .intersection(&settings.inherit)
            .next()
            .is_some()
        {
            let expected = "expected a part either in `unset` or in `inherit`";
            return Err(table.wrong(place(), expected, value));
        }
    }
    Ok(())
}

pub(crate) fn mtime(text: &str) -> Result<Mtime, String> {
    const EXPECTED: &str = "expected `epoch`, `source-date-epoch` or seconds since the epoch";
    match text {
        "epoch" => Ok(Mtime::Epoch),
        "source-date-epoch" => Ok(Mtime::SourceDateEpoch),
        _ => text.parse().map(Mtime::At).map_err(|_| EXPECTED.to_owned()),
    }
}

pub(crate) fn vocabulary(text: &str) -> Result<Vocabulary, String> {
    match text {
        "oci" => Ok(Vocabulary::Oci),
        "docker" => Ok(Vocabulary::Docker),
        _ => Err("expected `oci` or `docker`".to_owned()),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands where parsers that can fail stand"
)]
fn string(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn set<T: Ord>(list: Option<Vec<T>>) -> BTreeSet<T> {
    list.unwrap_or_default().into_iter().collect()
}
