//! What is wrong with an archive.

use std::io;
use std::path::PathBuf;

use cooperage_digest::Digest;
use cooperage_image_spec::DocumentError;

use crate::ManifestJsonError;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot read {place}")]
    Io {
        /// Which archive.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be kept in a temporary file.
    #[error("cannot keep {place} in a temporary file in `{}`", directory.display())]
    Spool {
        /// Which archive.
        place: String,
        /// [`ReadOptions::spool_dir`](crate::ReadOptions::spool_dir), or where temporary files go.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no tar, or a broken one.
    #[error("{place} is not a tar that can be read")]
    Tar {
        /// Which archive.
        place: String,
        /// Where and why.
        source: cooperage_tarball::TarError,
    },
    /// It is compressed with something that is not read here.
    #[error("{place} is compressed with {codec}: unpack it first, gzip and zstd alone are read")]
    Compression {
        /// Which archive.
        place: String,
        /// The name of the codec.
        codec: &'static str,
    },
    /// It has more bytes than may be spooled.
    #[error("{place} is longer than the {limit} bytes that may be spooled: raise the limit")]
    SpoolFull {
        /// Which archive.
        place: String,
        /// [`ReadOptions::spool_limit`](crate::ReadOptions::spool_limit).
        limit: u64,
    },
    /// It has more entries, or longer names, than any archive of images.
    #[error("{place} has too many entries: at most {limit} bytes of names are read")]
    TooManyEntries {
        /// Which archive.
        place: String,
        /// The limit.
        limit: usize,
    },
    /// One entry is not what it must be.
    #[error("entry `{entry}` of {place} {problem}")]
    Entry {
        /// Which archive.
        place: String,
        /// Its path in the archive.
        entry: String,
        /// What is wrong.
        problem: EntryProblem,
    },
    /// `manifest.json` is malformed.
    #[error("the `manifest.json` of {place} cannot be used")]
    ManifestJson {
        /// Which archive.
        place: String,
        /// Where and why.
        source: Box<ManifestJsonError>,
    },
    /// A config, a manifest or an index is malformed.
    #[error("entry `{entry}` of {place} is not a valid document")]
    Document {
        /// Which archive.
        place: String,
        /// Its path in the archive.
        entry: String,
        /// Where and why.
        source: Box<DocumentError>,
    },
    /// A name in `RepoTags` is none.
    #[error("`{name}` in the `manifest.json` of {place} is not an image's name")]
    Name {
        /// Which archive.
        place: String,
        /// What stands there.
        name: String,
        /// Why.
        source: Box<cooperage_image_spec::ParseReferenceError>,
    },
    /// Two images have the same name.
    #[error("two images of {place} are named `{name}`")]
    NameTwice {
        /// Which archive.
        place: String,
        /// The full name.
        name: String,
    },
    /// An image's layers are not those of its config.
    #[error(
        "image `{config}` of {place} has {layers} layers, but its config has {diff_ids} diff IDs"
    )]
    LayerCount {
        /// Which archive.
        place: String,
        /// The config's path in the archive.
        config: String,
        /// Layers in `manifest.json`.
        layers: usize,
        /// Diff IDs in the config.
        diff_ids: usize,
    },
    /// A layer is not the one that the config names.
    #[error("layer `{entry}` of {place}: the config says diff ID {expected}, found {actual}")]
    DiffId {
        /// Which archive.
        place: String,
        /// Its path in the archive.
        entry: String,
        /// What the config says.
        expected: Digest,
        /// What it is.
        actual: Digest,
    },
    /// A layer cannot be decompressed.
    #[error("layer `{entry}` of {place} cannot be unpacked")]
    Layer {
        /// Which archive.
        place: String,
        /// Its path in the archive.
        entry: String,
        /// What the decoder, or the system, said.
        source: io::Error,
    },
    /// A blob is not what its name says.
    #[error("a blob of {place} is not what it is named")]
    Blob {
        /// Which archive.
        place: String,
        /// Which, and why.
        source: cooperage_blob::Error,
    },
}

/// What is wrong with one entry of an archive.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryProblem {
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It stands there twice: readers differ in which one they take.
    #[error("is there twice")]
    Twice,
    /// It is no file.
    #[error("is a {kind}, not a file")]
    NotAFile {
        /// What it is.
        kind: &'static str,
    },
    /// Its path, or that of a link on the way, is absolute or leaves the archive by `..`.
    #[error("lies outside of the archive: `{path}`")]
    Outside {
        /// The path or link target.
        path: String,
    },
    /// A link leads to itself.
    #[error("is a link that leads through more than {limit} others")]
    TooManyLinks {
        /// How many are followed.
        limit: usize,
    },
    /// A document that is larger than any.
    #[error("has {size} bytes, and a document at most {limit}")]
    TooLarge {
        /// Its length.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The layer is compressed in a way that no media type exists for.
    #[error("is compressed with {codec}, for which no media type exists: recompress it")]
    Compression {
        /// The name of the codec.
        codec: &'static str,
    },
    /// `oci-layout` names another version.
    #[error("names image layout version `{found}`, only `1.0.0` is read")]
    LayoutVersion {
        /// What stands there.
        found: String,
    },
}

impl From<ReadError> for cooperage_blob::Error {
    fn from(error: ReadError) -> Self {
        Self::malformed("the archive cannot be read").with_source(error)
    }
}
