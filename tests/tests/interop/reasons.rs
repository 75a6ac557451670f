//! Why a program would not have something, in words that stay the same from release to release.
//!
//! The reason in a cell is one that the program itself gave: what it said holds the words on the
//! left. A refusal in words that are not here fails the cell and shows them.

use cooperage_testkit::peers::Failed;

use crate::matrix::Otherwise;

const REASONS: &[(&str, &str)] = &[
    // skopeo
    (
        "Manifest list must be converted to type",
        "its layouts hold no list of Docker's",
    ),
    (
        "zstd compression is not officially supported for docker images",
        "it puts no zstd under Docker's media types",
    ),
    (
        "zstd compression is not supported for docker images",
        "it puts no zstd under Docker's media types",
    ),
    (
        "client version 1.22 is too old",
        "it is too old for this engine",
    ),
    // umoci
    (
        "not implemented: application/vnd.docker",
        "it reads no documents of Docker's",
    ),
    ("tag is ambiguous", "it takes no index of several platforms"),
    (
        "blob is not correct mediatype: application/vnd.oci.image.layer.v1.tar+zstd",
        "it reads no zstd",
    ),
    // Docker
    ("blobs/json: no such file", "it wants a `manifest.json`"),
    // cooperage
    ("is no image", "it is no image"),
    ("expected diff ID", "its layer is not what its diff ID says"),
    (
        "the config says diff ID",
        "its layer is not what its diff ID says",
    ),
    // Python
    ("file could not be opened successfully", "it reads no zstd"),
    // Docker 20.10, to which it is but a tar
    ("archive/tar: invalid tar header", "it reads no zstd"),
    // crane
    ("gzip: invalid header", "it validates gzip layers only"),
];

/// A refusal for the reason that `said` gives.
#[track_caller]
pub(crate) fn refusal(said: &str) -> Otherwise {
    let found = REASONS.iter().find(|(words, _)| said.contains(words));
    let Some((_, reason)) = found else {
        panic!("refused in words that `reasons.rs` does not know:\n{said}")
    };
    Otherwise::Refused(reason)
}

/// What came of asking a program.
pub(crate) trait Answer<T> {
    /// What it gave, or the end of the cell for the reason that it gave.
    fn or_refused(self) -> Result<T, Otherwise>;
}

impl<T> Answer<T> for Result<T, Failed> {
    #[track_caller]
    fn or_refused(self) -> Result<T, Otherwise> {
        self.map_err(|failed| refusal(&failed.to_string()))
    }
}
