//! Image configs.

use std::collections::{BTreeMap, BTreeSet};

use cooperage_digest::Digest;

use crate::fields::{At, Fields, Members, Read};
use crate::{DocumentError, Json, Platform, ToJson};

/// What an image runs on, how it is run, and which layers it is made of.
///
/// Reads OCI's and Docker's: what only Docker knows (`container_config`, `docker_version`, …) is
/// in `extra`. A member that is `null` counts as not there, since Go writes one for the other.
/// An image whose platform is not said has empty strings there.
///
/// Spec: image-spec v1.1, `config.md`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ImageConfig {
    /// The members `os`, `architecture`, `variant`, `os.version` and `os.features`. Its own
    /// `extra` is neither read nor written.
    pub platform: Platform,
    /// When it was made, RFC 3339. Not checked.
    pub created: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// How it is run.
    pub config: ContainerConfig,
    /// Which layers it is made of.
    pub rootfs: RootFs,
    /// How each layer came to be, lowest first. Either empty, or with as many entries that are
    /// not `empty_layer` as there are layers; not checked here.
    pub history: Vec<History>,
    /// All other members, kept as they came.
    pub extra: BTreeMap<String, Json>,
}

/// The layers of an image by diff ID.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RootFs {
    /// The digests of the layers' tars, not compressed, lowest first.
    pub diff_ids: Vec<Digest>,
    /// All other members, kept as they came.
    pub extra: BTreeMap<String, Json>,
}

/// How a container of an image is run. Everything can be overridden when it is.
///
/// What only Docker knows (`OnBuild`, `Shell`, `ArgsEscaped`, …) is in `extra`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ContainerConfig {
    /// `User`: who runs it, `user`, `uid`, `user:group`, `uid:gid`, …; empty or none for root.
    pub user: Option<String>,
    /// `ExposedPorts`: `8080/tcp`, `53/udp`, `8080`.
    pub exposed_ports: BTreeSet<String>,
    /// `Env`: `NAME=value`, in order.
    pub env: Vec<String>,
    /// `Entrypoint`: the command that always runs. `Some` of an empty list is kept as such.
    pub entrypoint: Option<Vec<String>>,
    /// `Cmd`: the default arguments, or the command where there is no entry point.
    pub cmd: Option<Vec<String>>,
    /// `Volumes`: paths that hold data of the container's own.
    pub volumes: BTreeSet<String>,
    /// `WorkingDir`: where it starts; empty or none for `/`.
    pub working_dir: Option<String>,
    /// `Labels`
    pub labels: BTreeMap<String, String>,
    /// `StopSignal`: `SIGTERM`, `SIGRTMIN+3`, `15`.
    pub stop_signal: Option<String>,
    /// `Healthcheck`: Docker's; OCI has no such member.
    pub healthcheck: Option<Healthcheck>,
    /// All other members, kept as they came.
    pub extra: BTreeMap<String, Json>,
}

/// How Docker finds out whether a container is well. Not in OCI's spec, and ignored elsewhere.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Healthcheck {
    /// `Test`: empty to inherit, `["NONE"]` for none, `["CMD", args…]`, `["CMD-SHELL", command]`.
    pub test: Vec<String>,
    /// `Interval`: nanoseconds between two checks; 0 or none to inherit.
    pub interval: Option<i64>,
    /// `Timeout`: nanoseconds that one check may take; 0 or none to inherit.
    pub timeout: Option<i64>,
    /// `StartPeriod`: nanoseconds in which a failed check does not count; 0 or none to inherit.
    pub start_period: Option<i64>,
    /// `StartInterval`: nanoseconds between two checks in that time; 0 or none to inherit.
    pub start_interval: Option<i64>,
    /// `Retries`: failed checks in a row until it is unwell; 0 or none to inherit.
    pub retries: Option<i64>,
    /// All other members, kept as they came.
    pub extra: BTreeMap<String, Json>,
}

/// How a layer came to be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct History {
    /// When, RFC 3339. Not checked.
    pub created: Option<String>,
    /// By which command.
    pub created_by: Option<String>,
    /// By whom.
    pub author: Option<String>,
    /// Anything else said of it.
    pub comment: Option<String>,
    /// No layer belongs to this entry.
    pub empty_layer: bool,
    /// All other members, kept as they came.
    pub extra: BTreeMap<String, Json>,
}

impl Read for ImageConfig {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let mut fields = Fields::new(json, at)?;
        Ok(Self {
            platform: Platform {
                os: fields.or_default("os")?,
                architecture: fields.or_default("architecture")?,
                variant: fields.optional("variant")?,
                os_version: fields.optional("os.version")?,
                os_features: fields.or_default("os.features")?,
                extra: BTreeMap::new(),
            },
            created: fields.optional("created")?,
            author: fields.optional("author")?,
            config: fields.or_default("config")?,
            rootfs: fields.required("rootfs", "an object")?,
            history: fields.or_default("history")?,
            extra: fields.extra(),
        })
    }
}

impl ToJson for ImageConfig {
    fn to_json(&self) -> Json {
        let mut members = Members::new(&self.extra);
        self.platform.set_members(&mut members);
        members.set_some("created", self.created.as_ref());
        members.set_some("author", self.author.as_ref());
        members.set("config", self.config.to_json());
        members.set("rootfs", self.rootfs.to_json());
        let history = || self.history.iter().map(ToJson::to_json).collect::<Json>();
        members.set_some("history", (!self.history.is_empty()).then(history));
        members.finish()
    }
}

impl Read for RootFs {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let mut fields = Fields::new(json, at)?;
        if let Some(found) = fields
            .raw("type")
            .filter(|json| json.as_str() != Some("layers"))
        {
            return Err(at.key("type").expected("\"layers\"", found));
        }
        Ok(Self {
            diff_ids: fields.or_default("diff_ids")?,
            extra: fields.extra(),
        })
    }
}

impl ToJson for RootFs {
    fn to_json(&self) -> Json {
        let mut members = Members::new(&self.extra);
        members.set("type", "layers");
        members.set(
            "diff_ids",
            self.diff_ids.iter().map(Digest::as_str).collect::<Json>(),
        );
        members.finish()
    }
}

/// A list of arguments; Docker reads one string as a list of one (`strslice`), so we do too.
struct Arguments(Vec<String>);

impl Read for Arguments {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        match json {
            Json::String(argument) => Ok(Self(vec![argument.clone()])),
            _ => Vec::read(json, at).map(Self),
        }
    }
}

impl Read for ContainerConfig {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let mut fields = Fields::new(json, at)?;
        Ok(Self {
            user: fields.optional("User")?,
            exposed_ports: fields.or_default("ExposedPorts")?,
            env: fields.or_default("Env")?,
            entrypoint: fields
                .optional::<Arguments>("Entrypoint")?
                .map(|list| list.0),
            cmd: fields.optional::<Arguments>("Cmd")?.map(|list| list.0),
            volumes: fields.or_default("Volumes")?,
            working_dir: fields.optional("WorkingDir")?,
            labels: fields.or_default("Labels")?,
            stop_signal: fields.optional("StopSignal")?,
            healthcheck: fields.optional("Healthcheck")?,
            extra: fields.extra(),
        })
    }
}

impl ToJson for ContainerConfig {
    fn to_json(&self) -> Json {
        let mut members = Members::new(&self.extra);
        members.set_some("User", self.user.as_ref());
        members.set_set("ExposedPorts", &self.exposed_ports);
        members.set_strings("Env", &self.env);
        members.set_some("Entrypoint", self.entrypoint.clone());
        members.set_some("Cmd", self.cmd.clone());
        members.set_set("Volumes", &self.volumes);
        members.set_some("WorkingDir", self.working_dir.as_ref());
        members.set_map("Labels", &self.labels);
        members.set_some("StopSignal", self.stop_signal.as_ref());
        members.set_some(
            "Healthcheck",
            self.healthcheck.as_ref().map(ToJson::to_json),
        );
        members.finish()
    }
}

impl Read for Healthcheck {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let mut fields = Fields::new(json, at)?;
        Ok(Self {
            test: fields.or_default("Test")?,
            interval: fields.optional("Interval")?,
            timeout: fields.optional("Timeout")?,
            start_period: fields.optional("StartPeriod")?,
            start_interval: fields.optional("StartInterval")?,
            retries: fields.optional("Retries")?,
            extra: fields.extra(),
        })
    }
}

impl ToJson for Healthcheck {
    fn to_json(&self) -> Json {
        let mut members = Members::new(&self.extra);
        members.set_strings("Test", &self.test);
        members.set_some("Interval", self.interval);
        members.set_some("Timeout", self.timeout);
        members.set_some("StartPeriod", self.start_period);
        members.set_some("StartInterval", self.start_interval);
        members.set_some("Retries", self.retries);
        members.finish()
    }
}

impl Read for History {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let mut fields = Fields::new(json, at)?;
        Ok(Self {
            created: fields.optional("created")?,
            created_by: fields.optional("created_by")?,
            author: fields.optional("author")?,
            comment: fields.optional("comment")?,
            empty_layer: fields.or_default("empty_layer")?,
            extra: fields.extra(),
        })
    }
}

impl ToJson for History {
    fn to_json(&self) -> Json {
        let mut members = Members::new(&self.extra);
        members.set_some("created", self.created.as_ref());
        members.set_some("created_by", self.created_by.as_ref());
        members.set_some("author", self.author.as_ref());
        members.set_some("comment", self.comment.as_ref());
        members.set_some("empty_layer", self.empty_layer.then_some(true));
        members.finish()
    }
}
