//! Changes to an image's configuration: each part inherited, overridden or unset.

use std::collections::{BTreeMap, BTreeSet};

use cooperage_image_spec::{ContainerConfig, Healthcheck};

/// What becomes of one value of the base's configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Edit<T> {
    /// It stays as the base has it.
    #[default]
    Inherit,
    /// The image has none.
    Unset,
    /// The image has this one.
    Set(T),
}

impl<T: Clone> Edit<T> {
    pub(crate) fn apply(&self, value: &mut Option<T>) {
        match self {
            Self::Inherit => {}
            Self::Unset => *value = None,
            Self::Set(new) => *value = Some(new.clone()),
        }
    }

    /// This edit, or `other` where this one inherits.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Inherit => other,
            _ => self,
        }
    }
}

/// What becomes of a collection of named values: environment variables, labels.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MapEdit {
    /// Begin with none instead of the base's.
    pub clear: bool,
    /// New values by name; `None` takes the base's away.
    pub set: BTreeMap<String, Option<String>>,
}

impl MapEdit {
    fn apply(&self, map: &mut BTreeMap<String, String>) {
        if self.clear {
            map.clear();
        }
        for (key, value) in &self.set {
            match value {
                Some(value) => map.insert(key.clone(), value.clone()),
                None => map.remove(key),
            };
        }
    }

    /// Variables keep the base's order; new ones follow, sorted by name.
    fn apply_env(&self, env: &mut Vec<String>) {
        if self.clear {
            env.clear();
        }
        let mut left: BTreeMap<&str, &Option<String>> = self
            .set
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        let mut kept = Vec::with_capacity(env.len() + left.len());
        for variable in env.drain(..) {
            let name = variable.split('=').next().unwrap_or_default();
            match self.set.get(name) {
                None => kept.push(variable),
                // The first of several keeps the place, the others go: a variable has one value.
                Some(value) => {
                    if let (Some(_), Some(value)) = (left.remove(name), value) {
                        kept.push(format!("{name}={value}"));
                    }
                }
            }
        }
        let new = left
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_ref()?)));
        kept.extend(new.map(|(key, value)| format!("{key}={value}")));
        *env = kept;
    }
}

/// What becomes of a set: exposed ports, volumes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SetEdit {
    /// Begin with none instead of the base's.
    pub clear: bool,
    /// `true` adds a member, `false` takes the base's away.
    pub set: BTreeMap<String, bool>,
}

impl SetEdit {
    fn apply(&self, set: &mut BTreeSet<String>) {
        if self.clear {
            set.clear();
        }
        for (member, keep) in &self.set {
            if *keep {
                set.insert(member.clone());
            } else {
                set.remove(member);
            }
        }
    }
}

/// Changes to the part of a config that says how to run a container.
///
/// The default inherits everything. Setting an entrypoint while the command is inherited drops
/// the base's command, as Docker's builder does: it was written for another program.
///
/// Spec: image-spec v1.1, `config.md` § Properties.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConfigEdit {
    /// User, or `user:group`, by name or number.
    pub user: Edit<String>,
    /// Environment variables.
    pub env: MapEdit,
    /// What is run.
    pub entrypoint: Edit<Vec<String>>,
    /// Default arguments of the entrypoint, or what is run without one.
    pub cmd: Edit<Vec<String>>,
    /// Directory in which it is run.
    pub working_dir: Edit<String>,
    /// Ports listened on: `8080`, `8080/tcp`, `53/udp`.
    pub exposed_ports: SetEdit,
    /// Directories for data that outlives the container.
    pub volumes: SetEdit,
    /// Labels.
    pub labels: MapEdit,
    /// Signal that asks the program to end: `SIGTERM`, or a number.
    pub stop_signal: Edit<String>,
    /// How to find out whether the program is well (Docker's; OCI run times ignore it).
    pub healthcheck: Edit<Healthcheck>,
}

impl ConfigEdit {
    /// Applies the changes; fields that are not named here stay as they are.
    pub fn apply(&self, config: &mut ContainerConfig) {
        self.user.apply(&mut config.user);
        self.env.apply_env(&mut config.env);
        if matches!(
            (&self.entrypoint, &self.cmd),
            (Edit::Set(_) | Edit::Unset, Edit::Inherit)
        ) {
            config.cmd = None;
        }
        self.entrypoint.apply(&mut config.entrypoint);
        self.cmd.apply(&mut config.cmd);
        self.working_dir.apply(&mut config.working_dir);
        self.exposed_ports.apply(&mut config.exposed_ports);
        self.volumes.apply(&mut config.volumes);
        self.labels.apply(&mut config.labels);
        self.stop_signal.apply(&mut config.stop_signal);
        self.healthcheck.apply(&mut config.healthcheck);
    }
}
