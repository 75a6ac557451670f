//! What an image is to be, from all places that may say so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cooperage_compress::Encoding;
use cooperage_image_spec::Healthcheck;

/// What one place (workspace, package, flags) says of an image.
///
/// [`Settings::overlay`] lays one over another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The package whose binary is packed; for workspaces with several.
    pub package: Option<String>,
    /// The binary that is packed; for packages with several.
    pub bin: Option<String>,
    /// The image it stands on: an image reference, `oci:DIR[:NAME]`, `oci-archive:FILE`,
    /// `docker-archive:FILE`, `docker-daemon:REFERENCE`.
    pub base: Option<String>,
    /// What the digest of the base's manifest or index must be.
    pub base_digest: Option<String>,
    /// Where the binary lies in the image; below it, if it ends in `/`.
    pub bin_path: Option<String>,
    /// Who runs it.
    pub user: Option<String>,
    /// What is run, instead of the binary alone.
    pub entrypoint: Option<Vec<String>>,
    /// Default arguments.
    pub args: Option<Vec<String>>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Ports listened on.
    pub ports: BTreeSet<String>,
    /// Directories for data that outlives the container.
    pub volumes: BTreeSet<String>,
    /// Where it runs.
    pub working_dir: Option<String>,
    /// What asks it to end.
    pub stop_signal: Option<String>,
    /// How to find out whether it is well.
    pub healthcheck: Option<Healthcheck>,
    /// Files that go in.
    pub files: Vec<FileRule>,
    /// Names of layers of files, lowest first.
    pub layers: Vec<String>,
    /// Cargo targets, each a platform.
    pub platforms: Option<Vec<String>>,
    /// Names the image is published under.
    pub tags: Option<Vec<String>>,
    /// How layers are stored.
    pub compression: Option<Encoding>,
    /// Whether identical files become hard links.
    pub fold: Option<bool>,
    /// Times of all entries.
    pub mtime: Option<Mtime>,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Whether CA certificates go in.
    pub certificates: Option<bool>,
    /// Whether the time-zone database goes in.
    pub time_zones: Option<bool>,
    /// Libraries that the program opens at run time: names or paths.
    pub libraries: BTreeSet<String>,
    /// Where libraries come from: the root of a file system of the target.
    pub sysroot: Option<PathBuf>,
    /// Users beside root and the default one.
    pub users: Vec<UserRule>,
    /// Whether paths of this machine are renamed in the binary.
    pub remap_paths: Option<bool>,
    /// Whether labels from git are written.
    pub stamp: Option<bool>,
    /// Whether the documents are Docker's instead of OCI's.
    pub media_types: Option<Vocabulary>,
    /// Parts that are taken away: `args`, `env.PATH`, `labels.*`.
    pub unset: BTreeSet<Part>,
    /// Parts that stay as the base has them.
    pub inherit: BTreeSet<Part>,
}

/// The media types of an image's documents.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Vocabulary {
    /// OCI's.
    #[default]
    Oci,
    /// Docker's (image manifest version 2, schema 2).
    Docker,
}

/// Times of entries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mtime {
    /// The epoch.
    #[default]
    Epoch,
    /// `SOURCE_DATE_EPOCH`, which then reaches every layer.
    SourceDateEpoch,
    /// Seconds since the epoch.
    At(i64),
}

/// Files that go into the image.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FileRule {
    /// A file, a directory or a glob.
    pub from: String,
    /// Where it goes.
    pub to: String,
    /// Mode of the files, instead of 0755 for executable ones and 0644 for others.
    pub mode: Option<u32>,
    /// Mode of the directories, instead of 0755.
    pub dir_mode: Option<u32>,
    /// Owner, instead of root.
    pub uid: Option<u64>,
    /// Group, instead of root's.
    pub gid: Option<u64>,
    /// Globs of what stays out, relative to the directory that is packed.
    pub exclude: Vec<String>,
    /// The layer it goes into.
    pub layer: Option<String>,
    /// What a relative `from` is relative to.
    pub root: PathBuf,
    /// Who said so, for messages.
    pub origin: String,
}

/// A user of the image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserRule {
    /// Name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Number of its group, which has its name too.
    pub gid: u32,
    /// Home directory.
    pub home: Option<String>,
    /// Shell.
    pub shell: Option<String>,
}

/// A part of an image's configuration that can be unset or inherited.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// `author`, `user`, `entrypoint`, `args`, `working-dir`, `stop-signal`, `healthcheck`.
    Value(&'static str),
    /// All of `env`, `labels`, `annotations`, `ports`, `volumes`.
    All(&'static str),
    /// One of them: `env.PATH`.
    One(&'static str, String),
}

const VALUES: [&str; 7] = [
    "author",
    "user",
    "entrypoint",
    "args",
    "working-dir",
    "stop-signal",
    "healthcheck",
];
const COLLECTIONS: [&str; 5] = ["env", "labels", "annotations", "ports", "volumes"];

impl Part {
    /// Reads a part as `unset` and `inherit` name it.
    ///
    /// # Errors
    ///
    /// What was expected, if there is no such part.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value = if text == "cmd" { "args" } else { text };
        if let Some(name) = VALUES.into_iter().find(|name| *name == value) {
            return Ok(Self::Value(name));
        }
        let (head, member) = text.split_once('.').unwrap_or((text, ""));
        let Some(name) = COLLECTIONS.into_iter().find(|name| *name == head) else {
            let names: Vec<&str> = VALUES.into_iter().chain(COLLECTIONS).collect();
            let example = "a member of a collection, such as `env.PATH`";
            return Err(format!(
                "expected one of `{}`, or {example}",
                names.join("`, `")
            ));
        };
        match member {
            "" | "*" => Ok(Self::All(name)),
            member if name == "ports" => Ok(Self::One(name, crate::value::port(member)?)),
            member => Ok(Self::One(name, member.to_owned())),
        }
    }
}

impl Settings {
    /// These settings with `over` laid over them.
    ///
    /// A value replaces a value; tables and sets are joined, member by member. What `over`
    /// unsets or inherits is gone from these; what it sets is no longer unset or inherited.
    #[must_use]
    pub fn overlay(mut self, over: Self) -> Self {
        for part in over.unset.iter().chain(&over.inherit) {
            self.forget(part);
        }
        self.unset
            .retain(|part| !over.sets(part) && !over.inherit.contains(part));
        self.inherit
            .retain(|part| !over.sets(part) && !over.unset.contains(part));
        self.unset.extend(over.unset);
        self.inherit.extend(over.inherit);
        self.env.extend(over.env);
        self.labels.extend(over.labels);
        self.annotations.extend(over.annotations);
        self.ports.extend(over.ports);
        self.volumes.extend(over.volumes);
        self.libraries.extend(over.libraries);
        self.files.extend(over.files);
        for user in over.users {
            self.users.retain(|known| known.name != user.name);
            self.users.push(user);
        }
        for layer in over.layers {
            if !self.layers.contains(&layer) {
                self.layers.push(layer);
            }
        }
        Self {
            package: over.package.or(self.package),
            bin: over.bin.or(self.bin),
            // A digest belongs to the base beside which it stands.
            base_digest: match over.base {
                Some(_) => over.base_digest,
                None => over.base_digest.or(self.base_digest),
            },
            base: over.base.or(self.base),
            bin_path: over.bin_path.or(self.bin_path),
            user: over.user.or(self.user),
            entrypoint: over.entrypoint.or(self.entrypoint),
            args: over.args.or(self.args),
            working_dir: over.working_dir.or(self.working_dir),
            stop_signal: over.stop_signal.or(self.stop_signal),
            healthcheck: merge_checks(self.healthcheck, over.healthcheck),
            platforms: over.platforms.or(self.platforms),
            tags: over.tags.or(self.tags),
            compression: over.compression.or(self.compression),
            fold: over.fold.or(self.fold),
            mtime: over.mtime.or(self.mtime),
            created: over.created.or(self.created),
            author: over.author.or(self.author),
            certificates: over.certificates.or(self.certificates),
            time_zones: over.time_zones.or(self.time_zones),
            sysroot: over.sysroot.or(self.sysroot),
            remap_paths: over.remap_paths.or(self.remap_paths),
            stamp: over.stamp.or(self.stamp),
            media_types: over.media_types.or(self.media_types),
            ..self
        }
    }

    fn forget(&mut self, part: &Part) {
        match part {
            Part::Value("author") => self.author = None,
            Part::Value("user") => self.user = None,
            Part::Value("entrypoint") => self.entrypoint = None,
            Part::Value("args") => self.args = None,
            Part::Value("working-dir") => self.working_dir = None,
            Part::Value("stop-signal") => self.stop_signal = None,
            Part::Value(_) => self.healthcheck = None,
            Part::All("ports") => self.ports.clear(),
            Part::All("volumes") => self.volumes.clear(),
            Part::All(name) => {
                if let Some(map) = self.map_mut(name) {
                    map.clear();
                }
            }
            Part::One("ports", number) => {
                self.ports.remove(number);
            }
            Part::One("volumes", volume) => {
                self.volumes.remove(volume);
            }
            Part::One(name, key) => {
                if let Some(map) = self.map_mut(name) {
                    map.remove(key);
                }
            }
        }
    }

    /// Whether these settings give this very part.
    #[must_use]
    pub fn sets(&self, part: &Part) -> bool {
        match part {
            Part::Value("author") => self.author.is_some(),
            Part::Value("user") => self.user.is_some(),
            Part::Value("entrypoint") => self.entrypoint.is_some(),
            Part::Value("args") => self.args.is_some(),
            Part::Value("working-dir") => self.working_dir.is_some(),
            Part::Value("stop-signal") => self.stop_signal.is_some(),
            Part::Value(_) => self.healthcheck.is_some(),
            // Unsetting all and then giving some says: these, and not the base's.
            Part::All(_) => false,
            Part::One("ports", number) => self.ports.contains(number),
            Part::One("volumes", volume) => self.volumes.contains(volume),
            Part::One("env", key) => self.env.contains_key(key),
            Part::One("labels", key) => self.labels.contains_key(key),
            Part::One(_, key) => self.annotations.contains_key(key),
        }
    }

    fn map_mut(&mut self, name: &str) -> Option<&mut BTreeMap<String, String>> {
        match name {
            "env" => Some(&mut self.env),
            "labels" => Some(&mut self.labels),
            "annotations" => Some(&mut self.annotations),
            _ => None,
        }
    }
}

/// A check without a command changes the times of the other.
fn merge_checks(under: Option<Healthcheck>, over: Option<Healthcheck>) -> Option<Healthcheck> {
    match (under, over) {
        (Some(under), Some(over)) if over.test.is_empty() => Some(Healthcheck {
            test: under.test,
            interval: over.interval.or(under.interval),
            timeout: over.timeout.or(under.timeout),
            start_period: over.start_period.or(under.start_period),
            start_interval: over.start_interval.or(under.start_interval),
            retries: over.retries.or(under.retries),
            extra: under.extra,
        }),
        (under, over) => over.or(under),
    }
}
