//! The image layout inside of an archive.

use cooperage_digest::{Digest, VerifyingReader};
use cooperage_image_spec::{Descriptor, Document, Index, Json, MAX_DOCUMENT_SIZE, Manifest};
use std::io::Read;

use super::archive::{Archive, Span};
use super::{EntryProblem, ReadError};

/// How deep indexes may nest.
const MAX_DEPTH: usize = 8;
/// How many manifests and indexes of one archive are looked at.
const MAX_DOCUMENTS: usize = 10_000;

/// Where a layout keeps a blob.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm_name(), digest.encoded())
}

/// The `index.json` of the archive, if it is an image layout.
pub(super) fn layout_index(archive: &Archive) -> Result<Option<Document<Index>>, ReadError> {
    let (Some(layout), Some(index)) = (
        archive.find_optional("oci-layout")?,
        archive.find_optional("index.json")?,
    ) else {
        return Ok(None);
    };
    let layout = archive.document::<Json>("oci-layout", archive.read("oci-layout", layout)?)?;
    let version = layout
        .value()
        .get("imageLayoutVersion")
        .and_then(Json::as_str);
    if version != Some("1.0.0") {
        let found = version.unwrap_or_default().chars().take(64).collect();
        return Err(archive.problem(b"oci-layout", EntryProblem::LayoutVersion { found }));
    }
    archive
        .document("index.json", archive.read("index.json", index)?)
        .map(Some)
}

/// A manifest of the layout.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) descriptor: Descriptor,
    pub(super) manifest: Manifest,
}

/// All image manifests that the layout has, those of nested indexes too. What its index names
/// and the archive does not hold, as other platforms of an image, is left out.
pub(super) fn image_manifests(archive: &Archive) -> Result<Vec<Found>, ReadError> {
    let mut found = Vec::new();
    if let Some(index) = layout_index(archive)? {
        let mut seen = 0;
        for descriptor in &index.value().manifests {
            visit(archive, descriptor, 0, &mut seen, &mut found)?;
        }
    }
    Ok(found)
}

fn visit(
    archive: &Archive,
    descriptor: &Descriptor,
    depth: usize,
    seen: &mut usize,
    found: &mut Vec<Found>,
) -> Result<(), ReadError> {
    *seen += 1;
    let path = blob_path(&descriptor.digest);
    let is_index = descriptor.media_type.is_index();
    if depth > MAX_DEPTH || *seen > MAX_DOCUMENTS {
        return Ok(());
    }
    if !(is_index || descriptor.media_type.is_manifest()) {
        return Ok(());
    }
    let Some(span) = archive.find_optional(&path)? else {
        return Ok(());
    };
    let bytes = verified(archive, &path, span, descriptor)?;
    if is_index {
        for child in &archive.document::<Index>(&path, bytes)?.value().manifests {
            visit(archive, child, depth + 1, seen, found)?;
        }
        return Ok(());
    }
    let (_, manifest) = archive.document::<Manifest>(&path, bytes)?.into_parts();
    found.push(Found {
        descriptor: descriptor.clone(),
        manifest,
    });
    Ok(())
}

fn verified(
    archive: &Archive,
    path: &str,
    span: Span,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, ReadError> {
    let size = span.len.max(descriptor.size);
    if size > MAX_DOCUMENT_SIZE {
        let problem = EntryProblem::TooLarge {
            size,
            limit: MAX_DOCUMENT_SIZE,
        };
        return Err(archive.problem(path.as_bytes(), problem));
    }
    let mut bytes = Vec::new();
    VerifyingReader::new(
        archive.reader(span),
        descriptor.digest.clone(),
        descriptor.size,
    )
    .read_to_end(&mut bytes)
    .map_err(|error| ReadError::Blob {
        place: archive.place().into(),
        source: cooperage_blob::Error::read(descriptor, error),
    })?;
    Ok(bytes)
}
