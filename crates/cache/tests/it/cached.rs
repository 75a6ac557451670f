//! A source behind a cache.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

use cooperage_blob::{CopyOptions, Error, Memory, Root, Sink, Source, copy, open, put, read};
use cooperage_cache::Cached;
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Manifest, MediaType, Reference};

use crate::{ROOMY, assert_whole, cache, described, path_of};

/// A medium in memory that counts what is asked of it.
struct Counting(Memory, AtomicUsize);

impl Counting {
    fn new() -> Self {
        Self(Memory::new(), AtomicUsize::new(0))
    }

    fn fetches(&self) -> usize {
        self.1.swap(0, Ordering::Relaxed)
    }
}

impl Source for Counting {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        self.0.roots()
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.fetch(descriptor)
    }

    fn origin(&self, _descriptor: &Descriptor) -> Option<Reference> {
        Some("q.io/team/base".parse().unwrap())
    }
}

fn image(medium: &Memory) -> Root {
    let config = put(medium, MediaType::OCI_CONFIG, b"{}").unwrap();
    let layers = [&[1; 10_000][..], &[2; 5_000]]
        .map(|bytes| put(medium, MediaType::OCI_LAYER, bytes).unwrap());
    let mut manifest = Manifest::new(config, layers.to_vec());
    manifest.media_type = Some(MediaType::OCI_MANIFEST);
    let document = Document::new(manifest);
    let manifest = put(medium, MediaType::OCI_MANIFEST, document.raw()).unwrap();
    let root = Root::named("app", manifest);
    medium.publish(&root).unwrap();
    root
}

#[test]
fn an_image_is_fetched_once() {
    let (_directory, cache) = cache(ROOMY);
    let source = Cached::new(Counting::new(), cache.clone());
    let root = image(&source.source().0);
    assert_eq!(source.roots().unwrap(), std::slice::from_ref(&root));
    let origin = source.origin(&root.descriptor).unwrap();
    assert_eq!(origin.to_string(), "q.io/team/base");
    let first = Memory::new();
    let copied = copy(&source, &root, &first, &CopyOptions::default()).unwrap();
    assert_eq!(copied.blobs, 4);
    assert_eq!(source.source().fetches(), 4);

    let second = Memory::new();
    copy(&source, &root, &second, &CopyOptions::default()).unwrap();
    assert_eq!(source.source().fetches(), 0);
    assert_eq!(first.digests(), second.digests());
    assert_eq!(cache.usage().unwrap().blobs, 4);
    assert!(source.take_faults().is_empty());
    assert_whole(&cache);
}

/// What is not there is not there: the error is the source's own.
#[test]
fn the_sources_errors_are_its_own() {
    let (_directory, cache) = cache(ROOMY);
    let source = Cached::new(Memory::new(), cache);
    let missing = described(b"missing");
    let error = read(&source, &missing).unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    source
        .source()
        .insert_unverified(missing.digest.clone(), *b"another");
    let error = read(&source, &missing).unwrap_err();
    assert!(error.is_mismatch(), "{error:?}");
    // What cannot be verified is handed on as it lies there, and refused by whoever opens it.
    let digest: Digest = "blake3:0123456789abcdef".parse().unwrap();
    let odd = Descriptor::new(MediaType::OCI_LAYER, digest.clone(), 3);
    source.source().insert_unverified(digest, *b"odd");
    let mut bytes = Vec::new();
    source.fetch(&odd).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"odd");
    assert!(open(&source, &odd).is_err_and(|error| error.is_unverifiable()));
    assert!(source.take_faults().is_empty());
}

/// Where the cache cannot be used, the source is, and it is said why.
#[test]
fn a_cache_that_fails_is_done_without() {
    let (_directory, cache) = cache(ROOMY);
    let source = Cached::new(Counting::new(), cache.clone());
    let root = image(&source.source().0);
    // Files where directories should be fail for root too.
    for name in ["partial", "blobs"] {
        std::fs::remove_dir_all(cache.directory().join(name)).unwrap();
        std::fs::write(cache.directory().join(name), "").unwrap();
    }
    let copied = copy(&source, &root, &Memory::new(), &CopyOptions::default()).unwrap();
    assert_eq!(copied.blobs, 4);
    let faults = source.take_faults();
    assert!(!faults.is_empty() && faults.len() <= 8, "{faults:?}");
    assert!(source.take_faults().is_empty());
}

/// The cache's damage is not the source's: the copy fails, and the next one is right.
#[test]
fn the_next_copy_is_right() {
    let (_directory, cache) = cache(ROOMY);
    let source = Cached::new(Counting::new(), cache.clone());
    let root = image(&source.source().0);
    copy(&source, &root, &Memory::new(), &CopyOptions::default()).unwrap();
    let layer = described(&[1; 10_000]);
    std::fs::write(path_of(&cache, &layer), vec![3; 10_000]).unwrap();
    let error = copy(&source, &root, &Memory::new(), &CopyOptions::default()).unwrap_err();
    assert!(error.is_mismatch(), "{error:?}");
    source.source().fetches();
    copy(&source, &root, &Memory::new(), &CopyOptions::default()).unwrap();
    assert_eq!(source.source().fetches(), 1);
}
