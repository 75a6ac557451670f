//! Everything about caches, in one binary.

mod blobs;
mod cached;
mod facts;
#[cfg(unix)]
mod processes;
mod size;
#[cfg(unix)]
mod system;

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cooperage_blob::Error;
use cooperage_cache::{BlobError, Cache, CachedBlob};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, MediaType};
use cooperage_testkit::ragged::Numbers;
use tempfile::TempDir;

const ROOMY: u64 = 1 << 40;

/// A cache with so much room, and the directory that goes away with the first.
fn cache(limit: u64) -> (TempDir, Cache) {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::open(&directory.path().join("cache"), limit).unwrap();
    (directory, cache)
}

fn described(bytes: &[u8]) -> Descriptor {
    Descriptor::new(MediaType::OCI_LAYER, Digest::of(bytes), bytes.len() as u64)
}

/// A blob that is always the same for its number.
fn numbered(number: u64, length: usize) -> (Vec<u8>, Descriptor) {
    let bytes = Numbers::new(number).bytes(length);
    let descriptor = described(&bytes);
    (bytes, descriptor)
}

/// Writes as a fetch does.
fn give(writer: &mut dyn Write, bytes: &[u8]) -> Result<(), Error> {
    let fault = |error| Error::io("the fetch failed", error);
    writer.write_all(bytes).map_err(fault)
}

fn all(mut blob: CachedBlob) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    blob.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a blob there, or finds it.
fn put(cache: &Cache, bytes: &[u8]) -> CachedBlob {
    cache
        .blob(&described(bytes), |writer| give(writer, bytes))
        .unwrap()
}

/// What must not be fetched.
fn nothing(_: &mut dyn Write) -> Result<(), Error> {
    panic!("it is there already")
}

fn path_of(cache: &Cache, descriptor: &Descriptor) -> PathBuf {
    let blobs = cache.directory().join("blobs");
    let digest = &descriptor.digest;
    blobs.join(digest.algorithm_name()).join(digest.encoded())
}

/// The names in a directory, sorted.
#[expect(clippy::disallowed_methods, reason = "sorted at once")]
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What is being fetched, or was.
fn partial(cache: &Cache) -> Vec<String> {
    names(&cache.directory().join("partial"))
}

/// Every blob of the cache is what its name says.
#[track_caller]
fn assert_whole(cache: &Cache) {
    let blobs = cache.directory().join("blobs/sha256");
    if blobs.exists() {
        for name in names(&blobs) {
            let bytes = std::fs::read(blobs.join(&name)).unwrap();
            assert_eq!(Digest::of(&bytes).encoded(), name);
        }
    }
}

/// An error and all its causes in one line.
fn chain(error: &(impl std::error::Error + ?Sized)) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        write!(text, ": {cause}").unwrap();
        source = cause.source();
    }
    text
}

#[track_caller]
fn fetch_error(result: Result<CachedBlob, BlobError>) -> Error {
    match result {
        Err(BlobError::Fetch(error)) => error,
        other => panic!("{other:?}"),
    }
}
