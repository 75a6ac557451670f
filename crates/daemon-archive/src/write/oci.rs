//! OCI archives.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use cooperage_blob::{Root, Source};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Index, ToJson, annotations};

use super::tar::TarWriter;
use super::{WriteError, write_directories, write_layout_files};
use crate::read::blob_path;

/// Writes roots, and all that they refer to, as an OCI archive: an image layout in a tar.
///
/// A root's name becomes its annotation `org.opencontainers.image.ref.name`, literally, and that
/// is how skopeo and podman find it (`oci-archive:FILE:NAME`); for a root without a name the
/// annotation is taken off. Indexes keep all their platforms, and documents their bytes.
///
/// `index.json` and `oci-layout` come first, then every blob once, with headers as those of
/// [`write()`](crate::write). The bytes depend on the roots alone, not on their order: they are
/// sorted by name, those without one last.
///
/// Every blob is verified while it passes. A layer that may be fetched from elsewhere (`urls` in
/// its descriptor) and that the source does not hold is left out. When this fails, what `out` has
/// taken is no archive.
///
/// Returns the length of the archive in bytes.
///
/// # Errors
///
/// [`WriteError::Source`], [`WriteError::Output`], and [`WriteError::NameTwice`] for two roots of
/// the same name.
pub fn write(source: &dyn Source, roots: &[Root], out: &mut dyn Write) -> Result<u64, WriteError> {
    let roots = sorted(roots)?;
    let mut blobs = Vec::new();
    let mut documents = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for root in &roots {
        let mut found = Vec::new();
        cooperage_blob::walk(source, &root.descriptor, &mut |descriptor, document| {
            if seen.insert(descriptor.digest.clone()) {
                found.push(descriptor.clone());
            }
            if let Some(bytes) = document {
                documents.insert(descriptor.digest.clone(), bytes.to_vec());
            }
            Ok(())
        })?;
        // Streaming readers meet a document before what it refers to.
        found.reverse();
        blobs.extend(found);
    }
    let mut tar = TarWriter::new(out);
    let descriptors = roots.into_iter().map(|root| root.descriptor).collect();
    write_layout_files(&mut tar, &Document::new(Index::new(descriptors)))?;
    write_directories(&mut tar, blobs.iter().map(|blob| &blob.digest))?;
    for blob in &blobs {
        write_blob(&mut tar, source, documents.get(&blob.digest), blob)?;
    }
    tar.finish()
}

fn write_blob(
    tar: &mut TarWriter<'_>,
    source: &dyn Source,
    document: Option<&Vec<u8>>,
    blob: &Descriptor,
) -> Result<(), WriteError> {
    let path = blob_path(&blob.digest);
    if let Some(bytes) = document {
        return tar.bytes(&path, bytes);
    }
    match cooperage_blob::open(source, blob) {
        Ok(mut reader) => tar.stream(&path, blob, &mut reader),
        Err(error) if error.is_not_found() && !blob.urls.is_empty() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Roots with their names as annotations, in the archive's order, each once.
fn sorted(roots: &[Root]) -> Result<Vec<Root>, WriteError> {
    let mut roots = roots.to_vec();
    for root in &mut roots {
        let annotations = &mut root.descriptor.annotations;
        match &root.name {
            Some(name) => annotations.insert(annotations::REF_NAME.into(), name.clone()),
            None => annotations.remove(annotations::REF_NAME),
        };
    }
    let key = |root: &Root| {
        let name = root.name.clone();
        (
            name.is_none(),
            name,
            root.descriptor.to_json().to_canonical(),
        )
    };
    roots.sort_by_cached_key(key);
    roots.dedup();
    let mut owners: BTreeMap<&str, &Digest> = BTreeMap::new();
    for root in &roots {
        let Some(name) = &root.name else { continue };
        if let Some(first) = owners.insert(name, &root.descriptor.digest) {
            let (first, second) = (first.clone(), root.descriptor.digest.clone());
            return Err(WriteError::NameTwice {
                name: name.clone(),
                first,
                second,
            });
        }
    }
    Ok(roots)
}
