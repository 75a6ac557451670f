//! What can be wrong with a plan file.

use std::io;

use crate::TreePlanError;

/// Why a plan could not be read: the line (from 1), the field, what was expected and found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file could not be read.
    #[error("line {line}: cannot read the plan")]
    Read {
        /// The line that could not be read.
        line: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is longer than any may be.
    #[error("line {line}: expected at most {limit} bytes on a line")]
    TooLong {
        /// The line.
        line: u64,
        /// The most that a line may have, in bytes.
        limit: u64,
    },
    /// A line is not JSON.
    #[error("line {line}: expected a JSON object on a line of its own")]
    Json {
        /// The line.
        line: u64,
        /// Why.
        #[source]
        source: cooperage_image_spec::json::ParseError,
    },
    /// A value of the wrong type.
    #[error("line {line}: {field}: expected {expected}, found {found}")]
    Expected {
        /// The line.
        line: u64,
        /// The field, as `` `config.env` ``.
        field: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A value of the right type that is not possible.
    #[error("line {line}: `{field}` is not valid")]
    Invalid {
        /// The line.
        line: u64,
        /// The field.
        field: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A field that is needed.
    #[error("line {line}: `{field}` is missing: expected {expected}")]
    Missing {
        /// The line.
        line: u64,
        /// The field.
        field: String,
        /// What should stand there.
        expected: String,
    },
    /// A field nobody knows.
    #[error("line {line}: unknown field `{field}`: {hint}")]
    UnknownField {
        /// The line.
        line: u64,
        /// The field.
        field: String,
        /// What may have been meant.
        hint: String,
    },
    /// A line where it cannot stand.
    #[error("line {line}: {found} cannot stand here: expected {expected}")]
    Order {
        /// The line.
        line: u64,
        /// What kind of line it is.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// A version that this program does not know.
    #[error(
        "line {line}: plan version {found} is not known here: version 1 is read; use a newer cooperage"
    )]
    Version {
        /// The line.
        line: u64,
        /// The version found.
        found: u64,
    },
    /// Nothing but empty lines.
    #[error(
        "the plan is empty: expected a first line such as `{{\"plan\":\"image\",\"version\":1}}`"
    )]
    Empty,
}

/// Why a plan file and the trees of its layers could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The plan itself is at fault.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A layer's lines make no tree.
    #[error("cannot plan layer `{layer}`")]
    Tree {
        /// The layer.
        layer: String,
        /// Why.
        #[source]
        source: TreePlanError,
    },
}
