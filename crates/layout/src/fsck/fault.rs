//! What can be wrong.

use std::fmt;
use std::io;
use std::path::PathBuf;

use cooperage_blob::Error;
use cooperage_digest::Digest;
use cooperage_image_spec::MediaType;

use crate::OpenError;
use crate::layout::INDEX_FILE;

/// One thing that is wrong, or worth knowing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file `oci-layout` is missing, damaged or of another version.
    #[error("the layout cannot be opened")]
    LayoutFile {
        /// What opening the layout says.
        source: OpenError,
    },
    /// `index.json` is missing, unreadable or no index.
    #[error("`index.json` cannot be read")]
    Index {
        /// Why not.
        source: Error,
    },
    /// A directory or a file cannot be looked at.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Its path below the layout.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A blob is not there.
    #[error("{from} refers to `{digest}` ({media_type}), which is missing")]
    Missing {
        /// The blob.
        digest: Digest,
        /// What it was to be.
        media_type: MediaType,
        /// What refers to it.
        from: Referrer,
        /// An error, or a notice where it may well be missing: a subject, or a layer that is not to
        /// be distributed.
        severity: Severity,
    },
    /// A blob is not as long as it is said to be.
    #[error("{from} says that `{digest}` has {expected} bytes, found {actual}")]
    Size {
        /// The blob.
        digest: Digest,
        /// Length in bytes by the descriptor.
        expected: u64,
        /// Length of its file in bytes.
        actual: u64,
        /// What refers to it.
        from: Referrer,
    },
    /// A blob's bytes are not those that its name says.
    #[error("blob `{digest}` is damaged: its {size} bytes are `{actual}`")]
    Digest {
        /// Its name.
        digest: Digest,
        /// What its bytes are.
        actual: Digest,
        /// How many there are.
        size: u64,
    },
    /// A manifest, index or config breaks its format.
    #[error("{from} calls `{digest}` a `{media_type}`, which it is not")]
    Malformed {
        /// The blob.
        digest: Digest,
        /// What it was to be.
        media_type: MediaType,
        /// What refers to it.
        from: Referrer,
        /// Where and why.
        source: Error,
    },
    /// A document and its descriptor differ in what it is.
    #[error("{from} calls `{digest}` a `{expected}`, it calls itself a `{actual}`")]
    MediaType {
        /// The document.
        digest: Digest,
        /// By the descriptor.
        expected: MediaType,
        /// By itself.
        actual: MediaType,
        /// What refers to it.
        from: Referrer,
    },
    /// A notice: a blob of an algorithm that cannot be computed.
    #[error("blob `{digest}` cannot be verified: only sha256 and sha512 can be computed")]
    Unverifiable {
        /// Its name.
        digest: Digest,
    },
    /// A notice: several entries of `index.json` have the same name and are different.
    #[error("`index.json` has several entries of the name `{name}`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A notice: a file that is no part of a layout, or what a killed writer left.
    #[error("`{}` is no part of an image layout", path.display())]
    Stray {
        /// Its path below the layout.
        path: PathBuf,
    },
}

/// How bad a [`Fault`] is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// All images are whole.
    Notice,
    /// Something is broken.
    Error,
}

/// What refers to a blob.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Referrer {
    /// An entry of `index.json`.
    Index,
    /// A manifest or an index.
    Document(Digest),
}

impl fmt::Display for Referrer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index => write!(f, "`{INDEX_FILE}`"),
            Self::Document(digest) => write!(f, "`{digest}`"),
        }
    }
}

impl Fault {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Missing { severity, .. } => *severity,
            Self::Unverifiable { .. } | Self::DuplicateName { .. } | Self::Stray { .. } => {
                Severity::Notice
            }
            _ => Severity::Error,
        }
    }
}
