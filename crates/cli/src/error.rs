//! How errors are shown: the fault, its causes, and what to do.

use std::fmt;
use std::io::ErrorKind;

use cooperage_cargo::stderr::say;
use cooperage_commit::BaseError;
use cooperage_daemon_archive::WriteError;
use cooperage_layout::{GcError, OpenError};
use cooperage_plan::{BuildError, PlanError, TreePlanError};
use cooperage_tarball::UnpackError;
use cooperage_transport::FindError;

use crate::action::RequestError;
use crate::text::printable;

/// An error with advice that only the place where it arose could give.
#[derive(Debug)]
pub(crate) struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl Hinted {
    pub(crate) fn new(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

pub(crate) fn print(error: &anyhow::Error) {
    for line in lines(error) {
        say(line);
    }
}

/// What is said of an error: a line each.
pub(crate) fn lines(error: &anyhow::Error) -> Vec<String> {
    let mut out = Vec::new();
    let mut last = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let text = cause.to_string();
        // Some errors tell their cause in their own text already.
        if depth > 0 && last.ends_with(&text) {
            continue;
        }
        let label = if depth == 0 { "error" } else { "  caused by" };
        for (number, line) in text.lines().enumerate() {
            match number {
                0 => out.push(format!("{label}: {}", printable(line))),
                _ => out.push(format!("  {}", printable(line))),
            }
        }
        last = text;
    }
    let general = || cooperage_cargo::advice::of(error.as_ref()).map(str::to_owned);
    if let Some(hint) = error.chain().find_map(hint).or_else(general) {
        out.push(format!("hint: {}", printable(&hint)));
    }
    out
}

/// What can be done about it, where the error itself does not say so.
fn hint(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(hinted) = error.downcast_ref::<Hinted>() {
        return Some(hinted.hint.clone());
    }
    let hint = match error.downcast_ref::<FindError>() {
        Some(FindError::NotFound { .. } | FindError::Ambiguous { .. }) => {
            "an image is chosen by a name behind the path, `oci:DIR:NAME`, or by `oci:DIR@DIGEST`"
        }
        _ if error.is::<PlanError>() => {
            "docs/plan-format.md describes plans; `cooperage plan check` checks one"
        }
        _ if error.is::<RequestError>() => "docs/actions.md describes requests, line by line",
        _ => build_hint(error).or_else(|| media_hint(error))?,
    };
    Some(hint.to_owned())
}

fn build_hint(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    // Boxed where the line and the field are named.
    let build: Option<&BuildError> = error
        .downcast_ref()
        .or_else(|| error.downcast_ref::<Box<BuildError>>().map(AsRef::as_ref));
    if let Some(BuildError::NoBlob { .. }) = build {
        return Some("name the layer's `blob` beside its `metadata` in the plan");
    }
    match error.downcast_ref::<TreePlanError>()? {
        TreePlanError::File { file, source, .. }
            if source.kind() == ErrorKind::NotFound && file.is_symlink() =>
        {
            Some("`symlink_of` instead of `file` takes a symlink as it is, wherever it leads")
        }
        TreePlanError::File { source, .. } if source.kind() == ErrorKind::NotFound => {
            Some("relative names start from the plan's own directory; `--root` names another one")
        }
        TreePlanError::Type { expected, .. } if *expected == "a symlink" => {
            Some("`file` instead of `symlink_of` takes a file's bytes")
        }
        TreePlanError::Type { found, .. } if *found == "a directory" => {
            Some("`tree` instead of `file` takes all that lies below a directory")
        }
        TreePlanError::NoMode { .. } => {
            Some("give the entry a `mode`, or leave `--require-modes` out")
        }
        _ => None,
    }
}

fn media_hint(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    const PLATFORM: &str = "`--platform OS/ARCHITECTURE` chooses one";
    // Boxed where it is the cause of another error.
    let write: Option<&WriteError> = error
        .downcast_ref()
        .or_else(|| error.downcast_ref::<Box<WriteError>>().map(AsRef::as_ref));
    if let Some(WriteError::SeveralPlatforms { .. } | WriteError::NoSuchPlatform { .. }) = write {
        return Some(PLATFORM);
    }
    if let Some(BaseError::NoPlatform { .. }) = error.downcast_ref() {
        return Some(PLATFORM);
    }
    if let Some(OpenError::Occupied { .. }) = error.downcast_ref() {
        return Some("choose an empty or a new directory");
    }
    match error.downcast_ref() {
        Some(UnpackError::Occupied { .. }) => {
            return Some("choose an empty or a new directory, or `--replace` this one");
        }
        Some(UnpackError::Refused { .. }) => {
            return Some("`--rootless` leaves out what the system refuses, and says what that was");
        }
        _ => {}
    }
    match error.downcast_ref::<GcError>()? {
        GcError::Busy { .. } => Some("`--wait` waits for the others"),
        GcError::Unreadable { .. } => Some(
            "`cooperage layout fsck` tells all that is wrong; \
             `--skip-missing` takes what is missing as never copied",
        ),
        _ => None,
    }
}
