//! One blob: fetched, found, refused, damaged.

use std::fs;

use cooperage_blob::Error;
use cooperage_cache::Cache;
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, MediaType};

use crate::{
    ROOMY, all, assert_whole, cache, chain, described, fetch_error, give, names, nothing, numbered,
    partial, path_of, put,
};

#[test]
fn what_was_fetched_once_is_found() {
    for length in [0, 1, 100_000, 700_001] {
        let (_directory, cache) = cache(ROOMY);
        let (bytes, descriptor) = numbered(length as u64, length);
        assert!(cache.get(&descriptor).unwrap().is_none());
        let blob = put(&cache, &bytes);
        assert!(blob.was_fetched());
        assert_eq!(blob.size(), length as u64);
        assert_eq!(all(blob).unwrap(), bytes);
        // Through another handle, as another run has it.
        let later = Cache::open(cache.directory(), ROOMY).unwrap();
        let blob = later.blob(&descriptor, nothing).unwrap();
        assert!(!blob.was_fetched());
        assert_eq!(all(blob).unwrap(), bytes);
        assert_eq!(
            all(later.get(&descriptor).unwrap().unwrap()).unwrap(),
            bytes
        );
        assert!(partial(&cache).is_empty());
        assert_whole(&cache);
    }
}

#[test]
fn sha512_too() {
    let (_directory, cache) = cache(ROOMY);
    let hello = "sha512:9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7\
                 2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043";
    let descriptor = Descriptor::new(MediaType::OCI_LAYER, hello.parse().unwrap(), 5);
    let fetch = |writer: &mut dyn std::io::Write| give(writer, b"hello");
    assert_eq!(
        all(cache.blob(&descriptor, fetch).unwrap()).unwrap(),
        b"hello"
    );
    assert_eq!(names(&cache.directory().join("blobs/sha512")).len(), 1);
    assert!(!cache.blob(&descriptor, nothing).unwrap().was_fetched());
}

/// What is not what its descriptor says gets no name, and a fetch that fails leaves nothing.
#[test]
fn what_is_not_kept() {
    let (bytes, descriptor) = numbered(1, 300_000);
    let mut changed = bytes.clone();
    changed[299_999] ^= 1;
    let longer = [&bytes[..], b"x"].concat();
    let cases: [(&str, &[u8]); 4] = [
        ("other bytes", &changed),
        ("too few", &bytes[..299_999]),
        ("none", &[]),
        ("too many", &longer),
    ];
    for (what, given) in cases {
        let (_directory, cache) = cache(ROOMY);
        let error = fetch_error(cache.blob(&descriptor, |writer| give(writer, given)));
        assert!(error.is_mismatch(), "{what}: {error:?}");
        assert!(
            chain(&error).contains(descriptor.digest.as_str()),
            "{what}: {error:?}"
        );
        assert!(!path_of(&cache, &descriptor).exists(), "{what}");
        assert!(partial(&cache).is_empty(), "{what}: {:?}", partial(&cache));
        // Nothing is left in the way of the right one.
        assert_eq!(all(put(&cache, &bytes)).unwrap(), bytes);
    }
    let (_directory, cache) = cache(ROOMY);
    let error = fetch_error(cache.blob(&descriptor, |writer| {
        give(writer, &bytes[..200_000])?;
        Err(Error::not_found("the rest", "the registry"))
    }));
    assert!(error.is_not_found(), "{error:?}");
    assert!(partial(&cache).is_empty());
    assert_eq!(cache.usage().unwrap().blobs, 0);
}

#[test]
fn what_cannot_be_verified_is_refused() {
    let (_directory, cache) = cache(ROOMY);
    let digest: Digest = "blake3:0123456789abcdef".parse().unwrap();
    let descriptor = Descriptor::new(MediaType::OCI_LAYER, digest, 4);
    let error = fetch_error(cache.blob(&descriptor, nothing));
    assert!(error.is_unverifiable(), "{error:?}");
}

/// No more is written than the descriptor says, however long the fetch goes on.
#[test]
fn an_endless_fetch_ends() {
    let (_directory, cache) = cache(ROOMY);
    let descriptor = described(&vec![7; 100_000]);
    let mut written = 0_u64;
    let error = fetch_error(cache.blob(&descriptor, |writer| {
        loop {
            give(writer, &[7; 1000])?;
            written += 1000;
        }
    }));
    assert!(error.is_mismatch(), "{error:?}");
    assert_eq!(written, 100_000);
}

/// Damage shows at the end of the read, goes away with it, and is fetched anew.
#[test]
fn damage_is_found_and_repaired() {
    let (bytes, descriptor) = numbered(2, 300_000);
    let (_directory, cache) = cache(ROOMY);
    drop(put(&cache, &bytes));
    let path = path_of(&cache, &descriptor);
    let mut damaged = bytes.clone();
    damaged[150_000] ^= 0x10;
    fs::write(&path, &damaged).unwrap();
    let error = all(cache.blob(&descriptor, nothing).unwrap()).unwrap_err();
    let error = Error::read(&descriptor, error);
    assert!(error.is_mismatch(), "{error:?}");
    assert!(!path.exists());
    assert_eq!(all(put(&cache, &bytes)).unwrap(), bytes);

    // Another length shows at once.
    for wrong in [&bytes[..299_999], &[], &[&bytes[..], b"x"].concat()] {
        fs::write(&path, wrong).unwrap();
        assert!(cache.get(&descriptor).unwrap().is_none());
        let blob = put(&cache, &bytes);
        assert!(blob.was_fetched());
        assert_eq!(all(blob).unwrap(), bytes);
    }
}

/// A descriptor that lies about the size does not cost the cache its blob.
#[test]
fn a_lie_is_told_from_damage() {
    let (bytes, descriptor) = numbered(3, 5000);
    let (_directory, cache) = cache(ROOMY);
    drop(put(&cache, &bytes));
    for size in [0, 4999, 5001, u64::MAX] {
        let lie = Descriptor {
            size,
            ..descriptor.clone()
        };
        let error = fetch_error(cache.blob(&lie, nothing));
        assert!(error.is_mismatch(), "{error:?}");
        let text = chain(&error);
        assert!(text.contains(&format!("expected {size} bytes")), "{text}");
        assert!(cache.get(&descriptor).unwrap().is_some());
    }
}

/// Who reads a blob that is damaged and replaced meanwhile does not remove the new one.
#[test]
fn only_what_was_read_is_removed() {
    let (bytes, descriptor) = numbered(4, 5000);
    let (_directory, cache) = cache(ROOMY);
    drop(put(&cache, &bytes));
    let path = path_of(&cache, &descriptor);
    fs::write(&path, vec![0; 5000]).unwrap();
    let damaged = cache.get(&descriptor).unwrap().unwrap();
    fs::remove_file(&path).unwrap();
    drop(put(&cache, &bytes));
    assert!(all(damaged).is_err());
    assert!(path.exists());
}

/// A cache is a directory that is its owner's alone, and says that it need not be backed up.
#[test]
fn a_directory_that_says_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b");
    let cache = Cache::open(&path, ROOMY).unwrap();
    assert_eq!((cache.directory(), cache.limit()), (&*path, ROOMY));
    let tag = fs::read_to_string(path.join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    assert_eq!(names(&path), ["CACHEDIR.TAG", "blobs", "facts", "partial"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    // One that cannot be made is an error that names it.
    fs::write(directory.path().join("file"), "").unwrap();
    let error = Cache::open(&directory.path().join("file/cache"), ROOMY).unwrap_err();
    assert!(chain(&error).contains("file/cache"), "{error:?}");
}

/// By its digest alone: for those who work offline and have nothing but a pin.
#[test]
fn documents_by_digest() {
    let (_directory, cache) = cache(ROOMY);
    let (bytes, descriptor) = numbered(5, 5000);
    assert_eq!(cache.document(&descriptor.digest).unwrap(), None);
    drop(put(&cache, &bytes));
    assert_eq!(cache.document(&descriptor.digest).unwrap().unwrap(), bytes);
    let path = path_of(&cache, &descriptor);
    fs::write(&path, &bytes[1..]).unwrap();
    assert_eq!(cache.document(&descriptor.digest).unwrap(), None);
    assert!(!path.exists());
    let (large, descriptor) = numbered(6, (16 << 20) + 1);
    drop(put(&cache, &large));
    assert_eq!(cache.document(&descriptor.digest).unwrap(), None);
    assert!(cache.get(&descriptor).unwrap().is_some());
}
