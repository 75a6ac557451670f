//! Labels that Cargo's metadata and git already know.
//!
//! Spec: image-spec v1.1, `annotations.md` § Pre-Defined Annotation Keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cargo_metadata::Package;

const PREFIX: &str = "org.opencontainers.image.";

/// Labels from a package's manifest: title, version, description, licences, authors, addresses.
#[must_use]
pub fn from_package(package: &Package) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut put = |key: &str, value: Option<&str>| {
        // Descriptions in manifests are often folded over several lines.
        let value = value.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "));
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            labels.insert(format!("{PREFIX}{key}"), value);
        }
    };
    let version = package.version.to_string();
    let authors = package.authors.join(", ");
    // `MIT/Apache-2.0` is how Cargo wrote it before SPDX expressions.
    let licenses = package
        .license
        .as_ref()
        .map(|license| license.replace('/', " OR "));
    let home = package
        .homepage
        .as_deref()
        .or(package.repository.as_deref());
    put("title", Some(package.name.as_str()));
    put("version", Some(&version));
    put("description", package.description.as_deref());
    put("licenses", licenses.as_deref());
    put("authors", Some(&authors));
    put("url", home);
    put("documentation", package.documentation.as_deref());
    put("source", package.repository.as_deref());
    labels
}

/// Why git could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StampError {
    /// It is not there.
    #[error("cannot run `git`, which `--stamp` asks for the commit")]
    Run(#[source] std::io::Error),
    /// It has no answer.
    #[error("`git {arguments}` failed: {message}")]
    Git {
        /// What it was asked.
        arguments: String,
        /// What it said.
        message: String,
    },
}

/// Labels from git, which change with each commit: the revision, `-dirty` if files of the
/// working tree differ from it, and the tag that names it, if one does.
///
/// # Errors
///
/// When `dir` is in no repository, or git is missing.
pub fn from_git(dir: &Path) -> Result<BTreeMap<String, String>, StampError> {
    let revision = git(dir, &["rev-parse", "HEAD"])?;
    let dirty = !git(dir, &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let revision = if dirty {
        format!("{revision}-dirty")
    } else {
        revision
    };
    let mut labels = BTreeMap::from([(format!("{PREFIX}revision"), revision)]);
    if let (false, Ok(tag)) = (
        dirty,
        git(dir, &["describe", "--tags", "--exact-match", "HEAD"]),
    ) {
        labels.insert(format!("{PREFIX}ref.name"), tag);
    }
    Ok(labels)
}

fn git(dir: &Path, arguments: &[&str]) -> Result<String, StampError> {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(arguments)
        .output()
        .map_err(StampError::Run)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(StampError::Git {
        arguments: arguments.join(" "),
        message,
    })
}
