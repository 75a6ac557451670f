//! A packed layer.

use cooperage_compress::{BlockRecord, Encoding};
use cooperage_digest::Digest;
use cooperage_image_spec::Descriptor;

/// A packed layer: both of its names are known.
///
/// A *manifest* names a layer by the digest of the bytes that travel, usually compressed; a
/// *config* names it by its diff ID, the digest of the tar inside. What is still to be packed is
/// a [`Tree`](cooperage_tarball::Tree).
///
/// Spec: image-spec v1.1, `layer.md`; `config.md` § Layer `DiffID`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// What a manifest lists; its size is in bytes *as stored*.
    pub descriptor: Descriptor,
    /// What a config lists.
    pub diff_id: Digest,
    /// Length of the tar, in bytes.
    pub size: u64,
    /// How it was encoded; `None` if somebody else did it.
    pub encoding: Option<Encoding>,
    /// The blocks it was encoded in, in order; empty if somebody else did it.
    pub blocks: Vec<BlockRecord>,
    /// Number of tar entries.
    pub entries: u64,
}

impl Layer {
    /// Whether the stored bytes are the tar itself, so that both names agree.
    #[must_use]
    pub fn is_uncompressed(&self) -> bool {
        self.descriptor.digest == self.diff_id
    }
}
