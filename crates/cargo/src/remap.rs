//! Makes a binary the same wherever it is built: machine paths are renamed for every compiler.
//!
//! `rustc` writes absolute paths into panic messages, `file!()` and debug information; a C
//! compiler does so through `__FILE__`. Both take a flag that renames a prefix. The flags are
//! *added* to the user's own, whichever of cargo's places those come from; cargo reads one place
//! only, so they go into that one ([`rust_changes`]).
//!
//! A `RUSTC_WRAPPER` would compose too, but it would have to carry the user's own wrapper
//! (sccache) inside it, and would turn every program that links this crate into that wrapper.

use std::collections::BTreeMap;
use std::str::FromStr;

use cargo_metadata::cargo_platform::{Cfg, Platform};

use crate::cargo_config::CargoConfig;

/// A key of cargo's `target` table that holds for every target, and that nobody else writes.
const OUR_TARGET_KEY: &str = "cfg(not(cooperage))";

/// Prefixes of paths and what they are called in the binary.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Renames {
    pairs: Vec<(String, String)>,
    toolchain: Vec<(String, String)>,
}

impl Renames {
    /// Adds a prefix. A path below several prefixes gets the name of the longest.
    pub fn add(&mut self, from: &str, to: &str) {
        add(&mut self.pairs, from, to);
    }

    /// Adds a prefix that only `rustc` writes. A distribution's toolchain lies in `/usr`, of which
    /// C compilers and programs speak too.
    pub fn add_toolchain(&mut self, from: &str, to: &str) {
        add(&mut self.toolchain, from, to);
    }

    /// The prefixes that a binary should not name: all but the toolchain's, and but those that are
    /// another's new name.
    #[must_use]
    pub fn unwanted(&self) -> Vec<&str> {
        let is_name = |from: &str| self.pairs.iter().any(|(_, to)| to == from);
        let prefixes = self.pairs.iter().map(|(from, _)| from.as_str());
        prefixes.filter(|from| !is_name(from)).collect()
    }

    /// Flags for `rustc`, the longest prefix last, since of several that fit it takes the last.
    #[must_use]
    pub fn rust_flags(&self) -> Vec<String> {
        let mut pairs: Vec<_> = self.toolchain.iter().chain(&self.pairs).collect();
        pairs.sort_by_key(|(from, _)| from.len());
        pairs
            .into_iter()
            .map(|(from, to)| format!("--remap-path-prefix={from}={to}"))
            .collect()
    }

    /// Flags for C compilers (GCC 8, Clang 10 and later). A prefix with white space is left out:
    /// the variables that carry these flags have no quoting.
    #[must_use]
    pub fn c_flags(&self) -> Vec<String> {
        self.pairs
            .iter()
            .filter(|(from, _)| !from.contains(char::is_whitespace))
            .map(|(from, to)| format!("-ffile-prefix-map={from}={to}"))
            .collect()
    }
}

fn add(pairs: &mut Vec<(String, String)>, from: &str, to: &str) {
    let from = from.trim_end_matches('/');
    if from.is_empty() || pairs.iter().any(|(known, _)| known == from) {
        return;
    }
    pairs.push((from.to_owned(), to.to_owned()));
    pairs.sort_by(|a, b| a.0.len().cmp(&b.0.len()).then_with(|| a.cmp(b)));
}

/// What is done to a `cargo build` so that flags reach the compilers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A variable is set for cargo.
    Env {
        /// Its name.
        name: String,
        /// Its whole value, the user's part included.
        value: String,
    },
    /// `--config` is passed to cargo.
    Config(String),
}

/// The target that is built for, as cargo's configuration speaks of it.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The triple.
    pub triple: String,
    /// What `rustc --print cfg` says of it.
    pub cfgs: Vec<Cfg>,
}

/// The environment, by name.
pub type Vars = BTreeMap<String, String>;

/// How flags for `rustc` are added to the user's.
///
/// Cargo takes flags from the first of four places that has any: `CARGO_ENCODED_RUSTFLAGS`,
/// `RUSTFLAGS`, all fitting `target.*.rustflags` together, `build.rustflags`. Where the place is
/// a variable, it is extended; where it is configuration, `--config` joins ours to it.
///
/// If the user renames paths too, ours come first, so that theirs win.
///
/// Spec: The Cargo Book § Configuration, `build.rustflags`.
#[must_use]
pub fn rust_changes(
    flags: &[String],
    vars: &Vars,
    config: &CargoConfig,
    target: &Target,
) -> Change {
    let split = |text: &String| {
        text.split_whitespace()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    if let Some(encoded) = vars.get("CARGO_ENCODED_RUSTFLAGS") {
        let user = encoded
            .split('\u{1f}')
            .filter(|flag| !flag.is_empty())
            .map(String::from);
        return encoded_env(flags, &user.collect::<Vec<_>>());
    }
    if let Some(user) = vars
        .get("RUSTFLAGS")
        .map(split)
        .filter(|user| !user.is_empty())
    {
        return encoded_env(flags, &user);
    }
    let user = target_flags(vars, config, target);
    if !user.is_empty() {
        return if renames(&user) {
            encoded_env(flags, &user)
        } else {
            config_change(&format!("target.'{OUR_TARGET_KEY}'.rustflags"), flags)
        };
    }
    let mut user = config.flags(&["build", "rustflags"]);
    user.flags.extend(
        vars.get("CARGO_BUILD_RUSTFLAGS")
            .map(split)
            .unwrap_or_default(),
    );
    if user.as_string || renames(&user.flags) {
        encoded_env(flags, &user.flags)
    } else {
        config_change("build.rustflags", flags)
    }
}

/// The user's flags from all `target.*.rustflags` that fit.
fn target_flags(vars: &Vars, config: &CargoConfig, target: &Target) -> Vec<String> {
    let mut flags = config.flags(&["target", &target.triple, "rustflags"]).flags;
    let screaming = target.triple.to_uppercase().replace(['-', '.'], "_");
    if let Some(text) = vars.get(&format!("CARGO_TARGET_{screaming}_RUSTFLAGS")) {
        flags.extend(text.split_whitespace().map(String::from));
    }
    for name in config.target_names() {
        let fits = name.starts_with("cfg(")
            && Platform::from_str(name)
                .is_ok_and(|platform| platform.matches(&target.triple, &target.cfgs));
        if fits {
            flags.extend(config.flags(&["target", name, "rustflags"]).flags);
        }
    }
    flags
}

fn renames(flags: &[String]) -> bool {
    flags
        .iter()
        .any(|flag| flag.starts_with("--remap-path-prefix"))
}

fn encoded_env(ours: &[String], user: &[String]) -> Change {
    let all: Vec<&str> = ours.iter().chain(user).map(String::as_str).collect();
    Change::Env {
        name: "CARGO_ENCODED_RUSTFLAGS".to_owned(),
        value: all.join("\u{1f}"),
    }
}

fn config_change(key: &str, flags: &[String]) -> Change {
    let array = toml::Value::from(flags.to_vec());
    Change::Config(format!("{key}={array}"))
}

/// How flags for C and C++ are added to the user's.
///
/// The `cc` crate looks for `CFLAGS_<triple>`, `CFLAGS_<triple_with_underscores>`,
/// `TARGET_CFLAGS` and `CFLAGS`; older releases of it take the first alone, so every one that is
/// set is extended, and `CFLAGS` is set if none is. Values from `[env]` of cargo's
/// configuration count as set.
#[must_use]
pub fn c_changes(
    flags: &[String],
    vars: &Vars,
    config: &CargoConfig,
    target: &Target,
) -> Vec<Change> {
    let mut changes = Vec::new();
    if flags.is_empty() {
        return changes;
    }
    let ours = flags.join(" ");
    let (triple, under) = (&target.triple, target.triple.replace('-', "_"));
    for plain in ["CFLAGS", "CXXFLAGS"] {
        let names = [
            format!("{plain}_{triple}"),
            format!("{plain}_{under}"),
            format!("TARGET_{plain}"),
            plain.to_owned(),
        ];
        let before = changes.len();
        for name in &names {
            changes.extend(c_change(name, &ours, vars, config));
        }
        if changes.len() == before {
            changes.push(Change::Env {
                name: plain.to_owned(),
                value: ours.clone(),
            });
        }
    }
    changes
}

fn c_change(name: &str, ours: &str, vars: &Vars, config: &CargoConfig) -> Option<Change> {
    // Ours come first: of several maps that fit, compilers take the last.
    let join = |user: &str| format!("{ours} {user}").trim_end().to_owned();
    let configured = config.env(name);
    if let Some((user, true)) = &configured {
        let value = toml::Value::from(join(user));
        return Some(Change::Config(format!(
            "env.{name}={{value={value},force=true}}"
        )));
    }
    let user = vars
        .get(name)
        .cloned()
        .or(configured.map(|(user, _)| user))?;
    Some(Change::Env {
        name: name.to_owned(),
        value: join(&user),
    })
}
