//! Cargo's configuration files, as far as flags for compilers are concerned.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// How deep `include` may nest; cargo itself has no cycle to follow.
const MAX_INCLUDES: usize = 8;

/// The configuration files in force, lowest precedence first.
///
/// A file that cannot be read or parsed is left out: cargo itself will say so, and better.
#[derive(Clone, Debug, Default)]
pub struct CargoConfig {
    tables: Vec<Table>,
}

/// A list of flags as a configuration has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FlagList {
    /// The flags, joined over all files.
    pub flags: Vec<String>,
    /// Whether some file writes it as one string: cargo refuses to join that with an array.
    pub as_string: bool,
}

impl CargoConfig {
    /// What cargo would read when started in `dir` with `cargo_home` and `--config` arguments.
    ///
    /// Spec: The Cargo Book § Configuration, *Hierarchical structure*.
    #[must_use]
    pub fn find(dir: &Path, cargo_home: Option<&Path>, arguments: &[String]) -> Self {
        let mut files: Vec<PathBuf> = Vec::new();
        let homes = cargo_home.map(Path::to_path_buf);
        let dirs = dir.ancestors().map(|dir| dir.join(".cargo")).chain(homes);
        for file in dirs.filter_map(|dir| config_file(&dir)) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files.reverse();
        let mut config = Self::default();
        for file in files {
            config.load(&file, MAX_INCLUDES);
        }
        for argument in arguments {
            match argument.parse::<Table>() {
                Ok(table) if argument.contains('=') => config.tables.push(table),
                _ => config.load(&dir.join(argument), MAX_INCLUDES),
            }
        }
        config
    }

    /// Configuration from TOML texts, lowest precedence first.
    ///
    /// # Errors
    ///
    /// When a text is not TOML.
    pub fn from_texts(texts: &[&str]) -> Result<Self, toml::de::Error> {
        let tables = texts
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, _>>()?;
        Ok(Self { tables })
    }

    fn load(&mut self, file: &Path, depth: usize) {
        let Some(table) = fs::read_to_string(file)
            .ok()
            .and_then(|text| text.parse::<Table>().ok())
        else {
            return;
        };
        if depth > 0 {
            for included in includes(&table) {
                self.load(
                    &file.parent().unwrap_or(Path::new("")).join(included),
                    depth - 1,
                );
            }
        }
        self.tables.push(table);
    }

    fn values<'a>(&'a self, path: &'a [&'a str]) -> impl Iterator<Item = &'a Value> {
        self.tables.iter().filter_map(|table| {
            let (first, rest) = path.split_first()?;
            rest.iter()
                .try_fold(table.get(*first)?, |value, key| value.get(*key))
        })
    }

    /// The flags under a key, joined as cargo joins them: arrays one after the other, a string in
    /// place of a string.
    #[must_use]
    pub fn flags(&self, path: &[&str]) -> FlagList {
        let mut list = FlagList::default();
        for value in self.values(path) {
            match value {
                Value::String(text) => {
                    list.flags = text.split_whitespace().map(String::from).collect();
                    list.as_string = true;
                }
                Value::Array(items) => {
                    list.flags
                        .extend(items.iter().filter_map(Value::as_str).map(String::from));
                }
                _ => {}
            }
        }
        list
    }

    /// The names under `target`: triples and `cfg(..)` expressions, sorted.
    #[must_use]
    pub fn target_names(&self) -> BTreeSet<&str> {
        self.values(&["target"])
            .filter_map(Value::as_table)
            .flat_map(Table::keys)
            .map(String::as_str)
            .collect()
    }

    /// What `[env]` gives a variable, and whether it does so by force.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<(String, bool)> {
        self.values(&["env", name])
            .filter_map(|value| match value {
                Value::String(text) => Some((text.clone(), false)),
                Value::Table(table) => {
                    let force = table
                        .get("force")
                        .and_then(Value::as_bool)
                        .unwrap_or_default();
                    Some((table.get("value")?.as_str()?.to_owned(), force))
                }
                _ => None,
            })
            .last()
    }
}

fn config_file(dir: &Path) -> Option<PathBuf> {
    // Where both names exist cargo takes the one without an extension.
    ["config", "config.toml"]
        .iter()
        .map(|name| dir.join(name))
        .find(|file| file.is_file())
}

fn includes(table: &Table) -> Vec<&str> {
    match table.get("include") {
        Some(Value::String(file)) => vec![file],
        Some(Value::Array(files)) => files
            .iter()
            .filter_map(|file| file.as_str().or_else(|| file.get("path")?.as_str()))
            .collect(),
        _ => Vec::new(),
    }
}
