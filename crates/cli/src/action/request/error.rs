//! What can be wrong with a request.

use cooperage_plan::PlanError;

/// Why a request could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// A line or a field, as in plans.
    #[error(transparent)]
    Line(#[from] PlanError),
    /// Nothing but empty lines.
    #[error("it is empty: expected a first line such as `{{\"action\":\"layer\",\"version\":1}}`")]
    Empty,
    /// No such action.
    #[error("line {line}: `action`: no action `{found}` is known here: {hint}")]
    Action {
        line: u64,
        found: String,
        hint: String,
    },
    /// A version that this program does not know.
    #[error(
        "line {line}: request version {found} is not known here: version 1 is read; use a newer cooperage"
    )]
    Version { line: u64, found: u64 },
    /// An output or an input that the action does not have.
    #[error("line {line}: `{action}` has no {kind} `{found}`: {hint}")]
    NoSuchFile {
        line: u64,
        action: &'static str,
        kind: &'static str,
        found: String,
        hint: String,
    },
    /// An output that is given twice.
    #[error("line {line}: the output `{name}` is given twice: line {first} names it too")]
    Twice { line: u64, name: String, first: u64 },
    /// An output or input that the action needs.
    #[error(
        "the {kind} `{name}` is missing: expected a line `{{\"{kind}\":\"{name}\",\"file\":…}}`"
    )]
    MissingFile {
        kind: &'static str,
        name: &'static str,
    },
    /// A line that the action needs.
    #[error("a line with `{name}` is missing: expected {expected}")]
    MissingLine {
        name: &'static str,
        expected: String,
    },
    /// A line that may stand once.
    #[error("line {line}: a line with `{name}` stands on line {first} already: expected one")]
    SecondLine {
        line: u64,
        name: &'static str,
        first: u64,
    },
    /// A line that the action does not know.
    #[error("line {line}: `{action}` has no such line: {hint}")]
    NoSuchLine {
        line: u64,
        action: &'static str,
        hint: String,
    },
    /// A plan where there should be none, or none where there should be one.
    #[error("line {line}: `{action}` expects {expected}, found {found}")]
    Plan {
        line: u64,
        action: &'static str,
        expected: &'static str,
        found: &'static str,
    },
}
