//! Which package and which binary are packed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, Node, Package, PackageId};

use crate::settings::Settings;
use crate::table::nearest;

/// Why there is nothing to pack, or too much.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// No package of that name.
    #[error("there is no package `{name}` in this workspace{}", hint(suggestion.as_deref()))]
    NoPackage {
        /// What was asked for.
        name: String,
        /// A package that is called much like it.
        suggestion: Option<String>,
    },
    /// Several packages have binaries.
    #[error("several packages have binaries (`{}`): choose one with `-p`, or set `package` in `[workspace.metadata.image]`", names.join("`, `"))]
    SeveralPackages {
        /// Their names.
        names: Vec<String>,
    },
    /// A package has no binary.
    #[error("package `{package}` has no binary: an image needs a program, such as `src/main.rs`")]
    NoBinary {
        /// The package.
        package: String,
    },
    /// No package has a binary.
    #[error(
        "no package of this workspace has a binary: an image needs a program, such as `src/main.rs`"
    )]
    NoBinaries,
    /// A package has no binary of that name.
    #[error("package `{package}` has no binary `{name}`; it has `{}`", names.join("`, `"))]
    UnknownBinary {
        /// The package.
        package: String,
        /// What was asked for.
        name: String,
        /// The binaries it has.
        names: Vec<String>,
    },
    /// A package has several binaries.
    #[error("package `{package}` has several binaries (`{}`): choose one with `--bin`, or set `bin` in `[package.metadata.image]`", names.join("`, `"))]
    SeveralBinaries {
        /// The package.
        package: String,
        /// Their names.
        names: Vec<String>,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The package that is packed.
///
/// The one that `-p` or `package` names; else the one whose directory cargo is run in; else the
/// only one that has a binary, among the workspace's default members. `asking` is the directory
/// of the package that is running (an xtask), which is never meant itself.
///
/// # Errors
///
/// When there is none, or several.
pub fn select_package<'a>(
    metadata: &'a Metadata,
    flags: &Settings,
    workspace: &Settings,
    asking: Option<&Path>,
) -> Result<&'a Package, SelectError> {
    if let Some(name) = &flags.package {
        return named_package(metadata, name);
    }
    let root = metadata.root_package();
    if let Some(root) = root.filter(|root| !binaries(root).is_empty() && !is_in(root, asking)) {
        return Ok(root);
    }
    if let Some(name) = &workspace.package {
        return named_package(metadata, name);
    }
    let members = if metadata.workspace_default_members.is_available() {
        metadata.workspace_default_packages()
    } else {
        metadata.workspace_packages()
    };
    let wanted = |package: &&Package| match &flags.bin {
        Some(bin) => binaries(package).contains(&bin.as_str()),
        None => !binaries(package).is_empty() && !is_in(package, asking),
    };
    let mut fit: Vec<&Package> = members.into_iter().filter(wanted).collect();
    fit.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    match (&fit[..], root) {
        ([package], _) => Ok(package),
        ([], Some(root)) => Err(SelectError::NoBinary {
            package: root.name.to_string(),
        }),
        ([], None) => Err(SelectError::NoBinaries),
        _ => Err(SelectError::SeveralPackages {
            names: fit.iter().map(|package| package.name.to_string()).collect(),
        }),
    }
}

fn is_in(package: &Package, dir: Option<&Path>) -> bool {
    dir.is_some_and(|dir| {
        package
            .manifest_path
            .parent()
            .is_some_and(|own| own.as_std_path() == dir)
    })
}

fn named_package<'a>(metadata: &'a Metadata, spec: &str) -> Result<&'a Package, SelectError> {
    let (name, version) = match spec.rsplit_once('@').or_else(|| spec.rsplit_once(':')) {
        Some((name, version)) if !spec.contains("://") => (name, Some(version)),
        _ => (spec, None),
    };
    let fits = |package: &&Package| {
        package.id.repr == spec
            || (package.name.as_str() == name
                && version.is_none_or(|version| package.version.to_string() == version))
    };
    let members = metadata.workspace_packages();
    members
        .iter()
        .find(|package| fits(package))
        .copied()
        .ok_or_else(|| {
            let names: Vec<&str> = members
                .iter()
                .map(|package| package.name.as_str())
                .collect();
            let suggestion = nearest(name, &names).map(String::from);
            SelectError::NoPackage {
                name: spec.to_owned(),
                suggestion,
            }
        })
}

/// The names of a package's binaries, sorted.
fn binaries(package: &Package) -> Vec<&str> {
    let bins = package.targets.iter().filter(|target| target.is_bin());
    let mut names: Vec<&str> = bins.map(|target| target.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// The binary that is packed: the one named, the package's `default-run`, or its only one.
///
/// # Errors
///
/// When there is none, or several.
pub fn select_binary(package: &Package, wanted: Option<&str>) -> Result<String, SelectError> {
    let names = binaries(package);
    let owned = || {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let name = package.name.to_string();
    match (wanted.or(package.default_run.as_deref()), &names[..]) {
        (_, []) => Err(SelectError::NoBinary { package: name }),
        (Some(wanted), _) if names.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => Err(SelectError::UnknownBinary {
            package: name,
            name: wanted.to_owned(),
            names: owned(),
        }),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => Err(SelectError::SeveralBinaries {
            package: name,
            names: owned(),
        }),
    }
}

/// Packages that lie outside the workspace root, with their directories.
///
/// Cargo names these by their absolute path, so the names of their symbols depend on the place.
#[must_use]
pub fn strays(metadata: &Metadata) -> Vec<(&Package, PathBuf)> {
    let local = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_none());
    let dirs = local.filter_map(|package| Some((package, package.manifest_path.parent()?)));
    dirs.filter(|(_, dir)| !dir.starts_with(&metadata.workspace_root))
        .map(|(package, dir)| (package, dir.as_std_path().to_path_buf()))
        .collect()
}

/// A package and all that it is built from: its dependencies and theirs, but not what only tests
/// use.
#[must_use]
pub fn needed<'a>(metadata: &'a Metadata, package: &'a Package) -> BTreeSet<&'a PackageId> {
    let nodes: BTreeMap<&PackageId, &Node> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| resolve.nodes.iter().map(|node| (&node.id, node)))
        .collect();
    let mut needed = BTreeSet::from([&package.id]);
    let mut left = vec![&package.id];
    while let Some(node) = left.pop().and_then(|id| nodes.get(id)) {
        for dependency in &node.deps {
            let kinds = &dependency.dep_kinds;
            let built = kinds
                .iter()
                .any(|kind| kind.kind != DependencyKind::Development);
            if built && needed.insert(&dependency.pkg) {
                left.push(&dependency.pkg);
            }
        }
    }
    needed
}

/// Libraries of this machine that a package uses, sorted by name.
///
/// One that has binaries too is left out: its image settings are about those.
#[must_use]
pub fn local_libraries<'a>(metadata: &'a Metadata, package: &'a Package) -> Vec<&'a Package> {
    let needed = needed(metadata, package);
    let mut found: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|other| other.id != package.id && other.source.is_none())
        .filter(|other| needed.contains(&other.id) && binaries(other).is_empty())
        .collect();
    found.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    found
}
