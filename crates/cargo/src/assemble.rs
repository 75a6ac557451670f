//! A built binary and its settings as an image plan.

use std::collections::BTreeMap;

use cooperage_commit::{ConfigEdit, Edit, MapEdit, MediaTypes, SetEdit};
use cooperage_compress::Encoding;
use cooperage_plan::{
    BaseFrom, BasePlan, EntryAttributes, EntryKind, EntryPlan, ImagePlan, LayerContent, LayerPlan,
};
use cooperage_tarball::TreePath;

use crate::build::Binary;
use crate::files::{self, FilesError};
use crate::settings::{FileRule, Mtime, Part, Settings, Vocabulary};
use crate::surroundings::{self, SurroundingsError};

/// Who runs the program from scratch: numbers, so that Kubernetes can see it is not root.
pub const NON_ROOT: &str = "65532:65532";

/// Where the binary lies in an image, unless `bin-path` says otherwise.
pub const BIN_DIRECTORY: &str = "/usr/local/bin/";

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Layers of files that no key names, lowest first.
const WORKSPACE_FILES: &str = "workspace files";
const DEPENDENCY_FILES: &str = "dependencies' files";
const FILES: &str = "files";

/// Why no plan could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// Files are not there or cannot be packed.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// What the program needs around it was not found.
    #[error(transparent)]
    Surroundings(#[from] SurroundingsError),
    /// The time that entries are to have is not known.
    #[error("`mtime = \"source-date-epoch\"` needs the variable `SOURCE_DATE_EPOCH`")]
    NoSourceDateEpoch,
    /// A layer is named into which nothing goes.
    #[error("no file goes into layer `{name}`: expected one of {}", known(names))]
    EmptyLayer {
        /// The layer.
        name: String,
        /// Those that files go into.
        names: Vec<String>,
    },
    /// The binary's place is no path.
    #[error("`{path}` cannot be the binary's path in the image")]
    BinPath {
        /// What was given.
        path: String,
        /// Why not.
        source: cooperage_tarball::PathError,
    },
}

/// Where rules for files come from, which is where they go by default.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// From the workspace's manifest.
    pub workspace: Vec<FileRule>,
    /// From manifests of libraries of this machine that the program uses.
    pub dependencies: Vec<FileRule>,
    /// From the package's own manifest and from flags.
    pub own: Vec<FileRule>,
}

fn known(names: &[String]) -> String {
    match names {
        [] => "none, since there are no `files`".to_owned(),
        names => format!("`{}`", names.join("`, `")),
    }
}

impl Rules {
    /// The rules, each group with the layer it goes into where a rule names none.
    fn groups(&self) -> [(&[FileRule], &'static str); 3] {
        [
            (&self.workspace, WORKSPACE_FILES),
            (&self.dependencies, DEPENDENCY_FILES),
            (&self.own, FILES),
        ]
    }

    /// Refuses names of layers that no rule goes into. What a workspace says of all its packages
    /// need not fit each of them, so its `layers` are not meant.
    ///
    /// # Errors
    ///
    /// [`AssembleError::EmptyLayer`].
    pub fn check_layers(&self, wanted: &[String]) -> Result<(), AssembleError> {
        let mut names = Vec::new();
        for (rules, default) in self.groups() {
            names.extend(
                rules
                    .iter()
                    .map(|rule| rule.layer.as_deref().unwrap_or(default)),
            );
        }
        names.sort_unstable();
        names.dedup();
        match wanted.iter().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(AssembleError::EmptyLayer {
                name: name.clone(),
                names: names.into_iter().map(str::to_owned).collect(),
            }),
        }
    }
}

/// All that an image plan is made from.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// From all places, flags on top; its `files` are not looked at.
    pub settings: &'a Settings,
    /// The files.
    pub rules: &'a Rules,
    /// The program.
    pub binary: &'a Binary,
    /// Labels that nobody had to write.
    pub labels: &'a BTreeMap<String, String>,
    /// `SOURCE_DATE_EPOCH`, in seconds.
    pub source_date_epoch: Option<i64>,
}

/// The plan of one image.
///
/// Its layers go from what changes seldom to what changes with each build: the system's run
/// time, files of workspace and dependencies, the package's files, the binary. Layers without
/// entries are left out.
///
/// # Errors
///
/// See [`AssembleError`].
pub fn image_plan(inputs: &Inputs<'_>) -> Result<ImagePlan, AssembleError> {
    let settings = inputs.settings;
    let bin_path = bin_path(settings, &inputs.binary.name);
    let from_epoch = inputs
        .source_date_epoch
        .and_then(cooperage_commit::epoch_to_rfc3339);
    let mut config = config(settings, &bin_path);
    let derived = inputs
        .labels
        .iter()
        .filter(|(key, _)| !is_put_aside(settings, "labels", key));
    for (key, value) in derived {
        config
            .labels
            .set
            .entry(key.clone())
            .or_insert_with(|| Some(value.clone()));
    }
    Ok(ImagePlan {
        platform: Some(inputs.binary.platform.clone()),
        base: settings.base.as_ref().map(|reference| BasePlan {
            from: BaseFrom::Reference(reference.clone()),
            digest: settings.base_digest.clone(),
            line: 0,
        }),
        media_types: media_types(settings),
        created: settings.created.clone().or(from_epoch),
        author: edit(settings, "author", settings.author.clone()),
        config,
        annotations: settings.annotations.clone(),
        layers: layers(inputs, &bin_path)?,
    })
}

/// The media types that the settings ask for.
#[must_use]
pub fn media_types(settings: &Settings) -> MediaTypes {
    match settings.media_types.unwrap_or_default() {
        Vocabulary::Oci => MediaTypes::Oci,
        Vocabulary::Docker => MediaTypes::Docker,
    }
}

fn bin_path(settings: &Settings, name: &str) -> String {
    let path = settings.bin_path.as_deref().unwrap_or(BIN_DIRECTORY);
    if path.ends_with('/') {
        format!("{path}{name}")
    } else {
        path.to_owned()
    }
}

fn layers(inputs: &Inputs<'_>, bin_path: &str) -> Result<Vec<LayerPlan>, AssembleError> {
    let settings = inputs.settings;
    let mtime = match settings.mtime.unwrap_or_default() {
        Mtime::Epoch => None,
        Mtime::SourceDateEpoch => Some(
            inputs
                .source_date_epoch
                .ok_or(AssembleError::NoSourceDateEpoch)?,
        ),
        Mtime::At(seconds) => Some(seconds),
    };
    let mut layers = vec![(
        "run time".to_owned(),
        surroundings::entries(settings, inputs.binary, bin_path)?,
    )];
    layers.extend(file_layers(settings, inputs.rules)?);
    layers.push((
        "binary".to_owned(),
        vec![binary_entry(inputs.binary, bin_path)?],
    ));
    let encoding = settings.compression.unwrap_or_default();
    let layer = |(name, mut entries): (String, Vec<EntryPlan>)| {
        for entry in &mut entries {
            if !matches!(entry.what, EntryKind::Runtime(_)) {
                entry.attributes.mtime = entry.attributes.mtime.or(mtime);
            }
        }
        layer_plan(name, entries, encoding, settings.fold.unwrap_or(true))
    };
    Ok(layers
        .into_iter()
        .filter(|(_, entries)| !entries.is_empty())
        .map(layer)
        .collect())
}

fn layer_plan(name: String, entries: Vec<EntryPlan>, encoding: Encoding, fold: bool) -> LayerPlan {
    LayerPlan {
        created_by: Some(format!("cooperage: {name}")),
        name: Some(name),
        content: LayerContent::Entries { entries, fold },
        encoding: Some(encoding),
        ..LayerPlan::default()
    }
}

/// Layers that keys name come first, in the order of `layers`; then those without a name.
fn file_layers(
    settings: &Settings,
    rules: &Rules,
) -> Result<Vec<(String, Vec<EntryPlan>)>, FilesError> {
    let mut layers: Vec<(String, Vec<EntryPlan>)> = settings
        .layers
        .iter()
        .map(|name| (name.clone(), Vec::new()))
        .collect();
    let mut unnamed = Vec::new();
    for (rules, default) in rules.groups() {
        for rule in rules {
            let name = rule.layer.as_deref().unwrap_or(default);
            let entries = files::entries(rule)?;
            let known = layers.iter().position(|(known, _)| known == name);
            match known {
                Some(at) => layers[at].1.extend(entries),
                None if rule.layer.is_some() => layers.push((name.to_owned(), entries)),
                None => unnamed.push((name, entries)),
            }
        }
    }
    for (name, entries) in unnamed {
        match layers.iter_mut().find(|(known, _)| known == name) {
            Some((_, all)) => all.extend(entries),
            None => layers.push((name.to_owned(), entries)),
        }
    }
    Ok(layers)
}

fn binary_entry(binary: &Binary, bin_path: &str) -> Result<EntryPlan, AssembleError> {
    let path = TreePath::parse(bin_path.trim_start_matches('/')).map_err(|source| {
        AssembleError::BinPath {
            path: bin_path.to_owned(),
            source,
        }
    })?;
    Ok(EntryPlan {
        what: EntryKind::File {
            path,
            file: binary.file.clone(),
            fold: true,
        },
        attributes: EntryAttributes {
            mode: Some(0o755),
            ..EntryAttributes::default()
        },
        line: 0,
        origin: Some(format!("binary `{}`", binary.name)),
    })
}

/// Whether the user unset a part or has it inherited, so that no default takes its place.
fn is_put_aside(settings: &Settings, name: &'static str, key: &str) -> bool {
    let parts = [Part::All(name), Part::One(name, key.to_owned())];
    parts
        .iter()
        .any(|part| settings.unset.contains(part) || settings.inherit.contains(part))
}

fn config(settings: &Settings, bin_path: &str) -> ConfigEdit {
    let scratch = settings.base.is_none();
    let mut env = map_edit(settings, "env", &settings.env);
    let certificates = settings.certificates.unwrap_or(scratch);
    let defaults = [
        (scratch, "PATH", PATH),
        (certificates, "SSL_CERT_FILE", surroundings::CERTIFICATES),
    ];
    for (wanted, name, value) in defaults {
        if wanted && !is_put_aside(settings, "env", name) {
            env.set
                .entry(name.to_owned())
                .or_insert_with(|| Some(value.to_owned()));
        }
    }
    let user = settings
        .user
        .clone()
        .or_else(|| scratch.then(|| NON_ROOT.to_owned()));
    let entrypoint = settings
        .entrypoint
        .clone()
        .unwrap_or_else(|| vec![bin_path.to_owned()]);
    ConfigEdit {
        user: edit(settings, "user", user),
        env,
        entrypoint: edit(settings, "entrypoint", Some(entrypoint)),
        cmd: edit(settings, "args", settings.args.clone()),
        working_dir: edit(settings, "working-dir", settings.working_dir.clone()),
        exposed_ports: set_edit(settings, "ports", settings.ports.iter()),
        volumes: set_edit(settings, "volumes", settings.volumes.iter()),
        labels: map_edit(settings, "labels", &settings.labels),
        stop_signal: edit(settings, "stop-signal", settings.stop_signal.clone()),
        healthcheck: edit(settings, "healthcheck", settings.healthcheck.clone()),
    }
}

fn edit<T>(settings: &Settings, name: &'static str, value: Option<T>) -> Edit<T> {
    let part = Part::Value(name);
    match value {
        _ if settings.unset.contains(&part) => Edit::Unset,
        _ if settings.inherit.contains(&part) => Edit::Inherit,
        Some(value) => Edit::Set(value),
        None => Edit::Inherit,
    }
}

fn map_edit(settings: &Settings, name: &'static str, values: &BTreeMap<String, String>) -> MapEdit {
    let unset = settings.unset.iter().filter_map(|part| match part {
        Part::One(of, key) if *of == name => Some((key.clone(), None)),
        _ => None,
    });
    let mut set: BTreeMap<String, Option<String>> = unset.collect();
    set.extend(
        values
            .iter()
            .map(|(key, value)| (key.clone(), Some(value.clone()))),
    );
    MapEdit {
        clear: settings.unset.contains(&Part::All(name)),
        set,
    }
}

fn set_edit<'a>(
    settings: &Settings,
    name: &'static str,
    values: impl Iterator<Item = &'a String>,
) -> SetEdit {
    let unset = settings.unset.iter().filter_map(|part| match part {
        Part::One(of, key) if *of == name => Some((key.clone(), false)),
        _ => None,
    });
    let mut set: BTreeMap<String, bool> = unset.collect();
    set.extend(values.map(|value| (value.clone(), true)));
    SetEdit {
        clear: settings.unset.contains(&Part::All(name)),
        set,
    }
}
