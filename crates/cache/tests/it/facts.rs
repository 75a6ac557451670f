//! What is known of a blob.

use std::fs;

use cooperage_digest::Digest;

use crate::{ROOMY, cache, partial};

#[test]
fn facts_are_kept_by_kind_and_digest() {
    let (_directory, cache) = cache(ROOMY);
    let [one, two] = [Digest::of(b"one"), Digest::of(b"two")];
    assert_eq!(cache.facts("base-1", &one).unwrap(), None);
    for document in [&b"{}"[..], b"", b"another\nwith lines\n"] {
        cache.put_facts("base-1", &one, document).unwrap();
        assert_eq!(cache.facts("base-1", &one).unwrap().unwrap(), document);
    }
    assert_eq!(cache.facts("base-2", &one).unwrap(), None);
    assert_eq!(cache.facts("base-1", &two).unwrap(), None);
    cache.put_facts("base-2", &one, b"2").unwrap();
    assert_eq!(cache.usage().unwrap().facts, 2);
    assert!(partial(&cache).is_empty());
    cache.prune(0).unwrap();
    assert_eq!(cache.facts("base-1", &one).unwrap(), None);
}

/// What is damaged is as good as not known.
#[test]
fn damaged_facts_are_none() {
    let (_directory, cache) = cache(ROOMY);
    let digest = Digest::of(b"one");
    cache
        .put_facts("base-1", &digest, b"{\"libraries\":[]}")
        .unwrap();
    let facts = cache.directory().join("facts/base-1/sha256");
    let path = facts.join(digest.encoded());
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(cache.facts("base-1", &digest).unwrap(), None, "byte {at}");
        fs::write(&path, &whole[..at]).unwrap();
        assert_eq!(cache.facts("base-1", &digest).unwrap(), None, "cut at {at}");
    }
    cache.put_facts("base-1", &digest, b"{}").unwrap();
    assert_eq!(cache.facts("base-1", &digest).unwrap().unwrap(), b"{}");
}

#[test]
fn kinds_are_plain_names() {
    let (_directory, cache) = cache(ROOMY);
    let digest = Digest::of(b"one");
    for kind in ["", "Base", "../x", "a/b", ".", "a b"] {
        let error = cache.put_facts(kind, &digest, b"").unwrap_err();
        assert!(error.is_unsupported(), "{kind}: {error:?}");
        assert!(cache.facts(kind, &digest).unwrap_err().is_unsupported());
    }
    let large = vec![b' '; (16 << 20) + 1];
    assert!(
        cache
            .put_facts("x", &digest, &large)
            .unwrap_err()
            .is_unsupported()
    );
    cache.put_facts("x", &digest, &large[1..]).unwrap();
    assert_eq!(cache.facts("x", &digest).unwrap().unwrap().len(), 16 << 20);
}
