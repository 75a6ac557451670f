//! What can be wrong with a plan.

use std::fmt;
use std::io;
use std::path::PathBuf;

use cooperage_commit::{AdoptError, BaseError, FormError, LayerError, PackError};
use cooperage_image_spec::json::ParseError;
use cooperage_image_spec::{Descriptor, Platform};
use cooperage_runtime::AddError;
use cooperage_tarball::{PathError, TreeError};

use crate::MetadataError;

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
        /// Why, and at which column.
        #[source]
        source: LineError,
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

/// Why a line is not JSON, by the column alone: the line that JSON's reader counts is always its
/// first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LineError(pub ParseError);

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        f.pad(text.strip_prefix("line 1, ").unwrap_or(&text))
    }
}

impl std::error::Error for LineError {}

/// Why a layer's lines make no tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreePlanError {
    /// A file that an entry names cannot be looked at.
    #[error("cannot read `{}` for layer entry `{entry}` ({origin})", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The entry.
        entry: String,
        /// Who asks for it.
        origin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file was named and something else found, or a directory.
    #[error("`{}` for layer entry `{entry}` ({origin}): expected {expected}, found {found}", file.display())]
    Type {
        /// What was named.
        file: PathBuf,
        /// The entry.
        entry: String,
        /// Who asks for it.
        origin: String,
        /// What was expected.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// No mode, and they are required.
    #[error("layer entry `{entry}` ({origin}) has no mode, and modes are required")]
    NoMode {
        /// The entry.
        entry: String,
        /// Who asks for it.
        origin: String,
    },
    /// A name below a directory cannot stand in a layer.
    #[error("`{}` ({origin}) cannot stand in a layer", file.display())]
    Name {
        /// The file.
        file: PathBuf,
        /// Who asks for it.
        origin: String,
        /// Why.
        #[source]
        source: PathError,
    },
    /// An entry could not be written to a layer, or not be read again.
    #[error("layer entry `{entry}` ({origin}) cannot stand in a layer")]
    Entry {
        /// The entry.
        entry: String,
        /// Who asks for it.
        origin: String,
        /// Why.
        #[source]
        source: TreeError,
    },
    /// A glob cannot be used.
    #[error("`match` `{glob}` ({origin}) cannot be used")]
    Glob {
        /// The glob.
        glob: String,
        /// Who asks for it.
        origin: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A glob that matches nothing, which is most often misspelt.
    #[error("`match` `{glob}` ({origin}) matches no entry of the layer")]
    NoMatch {
        /// The glob.
        glob: String,
        /// Who asks for it.
        origin: String,
    },
    /// The lines contradict each other.
    #[error("the layer's entries contradict each other")]
    Tree(#[from] TreeError),
    /// Something of the run time cannot be added.
    #[error("cannot add the run-time item `{item}` ({origin})")]
    Runtime {
        /// Which.
        item: String,
        /// Who asks for it.
        origin: String,
        /// Why.
        #[source]
        source: AddError,
    },
}

/// Why a plan could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// What a field of the plan asks for cannot be had.
    #[error("cannot use `{field}` (plan line {line})")]
    At {
        /// The line, from 1.
        line: u64,
        /// The field.
        field: &'static str,
        /// Why.
        #[source]
        source: Box<BuildError>,
    },
    /// A layer's lines make no tree.
    #[error("cannot plan layer `{layer}`")]
    Tree {
        /// The layer.
        layer: String,
        /// Why.
        #[source]
        source: TreePlanError,
    },
    /// A layer could not be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A tar could not be taken as a layer.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// A tar could not be read entry by entry.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A file that the plan names could not be read.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A layer's metadata is not valid.
    #[error("`{}` is no layer metadata", file.display())]
    Metadata {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: MetadataError,
    },
    /// A layer's blob is not the one that its metadata names.
    #[error("`{}` is not the blob that the layer's metadata names", file.display())]
    Blob {
        /// The file.
        file: PathBuf,
        /// What was expected, and what it is.
        #[source]
        source: cooperage_blob::Error,
    },
    /// The layer is there only as metadata, and the sink does not have it.
    #[error(
        "the image needs layer `{}`, whose metadata names no `blob`, and which is not there already", descriptor.digest
    )]
    NoBlob {
        /// The layer.
        descriptor: Box<Descriptor>,
    },
    /// The base could not be opened.
    #[error("cannot open the base `{reference}`")]
    Base {
        /// As the plan names it.
        reference: String,
        /// Why.
        #[source]
        source: cooperage_blob::Error,
    },
    /// The base cannot be built on.
    #[error("cannot build on `{reference}`")]
    OnBase {
        /// As the plan names it.
        reference: String,
        /// Why.
        #[source]
        source: BaseError,
    },
    /// Another base than the plan pins.
    #[error("the base `{reference}` is pinned to `{expected}`, found `{found}`")]
    Pin {
        /// As the plan names it.
        reference: String,
        /// The digest in the plan.
        expected: String,
        /// The digest found.
        found: String,
    },
    /// The documents could not be formed.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The sink failed.
    #[error("cannot store the image")]
    Store(#[from] cooperage_blob::Error),
    /// Two images of an index run on the same platform: which of them is meant?
    #[error("the index has two images for `{platform}`: expected one for each platform")]
    SamePlatform {
        /// The platform.
        platform: Platform,
    },
    /// An image plan without an image.
    #[error("the plan has no image: an index needs at least one `image` line")]
    NoImage,
}

impl BuildError {
    /// Names the line and the field, where the plan was read from a file.
    pub(crate) fn at(self, line: u64, field: &'static str) -> Self {
        if line == 0 {
            return self;
        }
        let source = Box::new(self);
        Self::At {
            line,
            field,
            source,
        }
    }
}
