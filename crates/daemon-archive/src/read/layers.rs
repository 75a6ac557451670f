//! What a layer's file is: its digest as stored, its codec, its diff ID.

use std::io::{self, Read};

use cooperage_compress::{Codec, decoder};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, MediaType};

use super::archive::{Archive, Span};
use super::spool::codec_of;
use super::{EntryProblem, ManifestForm, ReadError};
use crate::hashing::HashingReader;

/// A layer that was read from end to end.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) digest: Digest,
    pub(super) diff_id: Digest,
    pub(super) size: u64,
    pub(super) codec: Codec,
}

impl Measured {
    pub(super) fn descriptor(&self, form: ManifestForm) -> Descriptor {
        let media_type = match (form, self.codec) {
            (ManifestForm::Oci, Codec::None) => MediaType::OCI_LAYER,
            (ManifestForm::Oci, Codec::Gzip) => MediaType::OCI_LAYER_GZIP,
            (ManifestForm::Oci, Codec::Zstd) => MediaType::OCI_LAYER_ZSTD,
            (ManifestForm::Docker, Codec::None) => MediaType::DOCKER_LAYER,
            (ManifestForm::Docker, Codec::Gzip) => MediaType::DOCKER_LAYER_GZIP,
            (ManifestForm::Docker, Codec::Zstd) => MediaType::DOCKER_LAYER_ZSTD,
        };
        Descriptor::new(media_type, self.digest.clone(), self.size)
    }
}

/// The codec that a layer's first bytes show.
pub(super) fn codec(archive: &Archive, entry: &str, span: Span) -> Result<Codec, ReadError> {
    let mut head = Vec::new();
    archive
        .reader(span)
        .take(16)
        .read_to_end(&mut head)
        .map_err(|source| archive.io(source))?;
    codec_of(&head)
        .map_err(|codec| archive.problem(entry.as_bytes(), EntryProblem::Compression { codec }))
}

/// Reads a layer once and computes both of its names.
pub(super) fn measure(archive: &Archive, entry: &str, span: Span) -> Result<Measured, ReadError> {
    let codec = codec(archive, entry, span)?;
    let failed = |source| ReadError::Layer {
        place: archive.place().into(),
        entry: entry.into(),
        source,
    };
    let mut stored = HashingReader::new(archive.reader(span));
    let diff_id = match codec {
        Codec::None => None,
        _ => Some(
            HashingReader::new(decoder(codec, &mut stored))
                .finish()
                .map_err(failed)?
                .0,
        ),
    };
    let (digest, size) = stored.finish().map_err(failed)?;
    if size != span.len {
        return Err(failed(io::ErrorKind::UnexpectedEof.into()));
    }
    let diff_id = diff_id.unwrap_or_else(|| digest.clone());
    Ok(Measured {
        digest,
        diff_id,
        size,
        codec,
    })
}
