//! What goes when there is too much.

use std::fs;

use cooperage_cache::{Pruned, Usage};

use crate::{ROOMY, all, assert_whole, cache, described, names, nothing, numbered, partial, put};

const KIB: usize = 1 << 10;

/// Blobs of ten KiB each, by number, that are there.
fn there(cache: &cooperage_cache::Cache) -> Vec<u64> {
    // Looking must not mark them as used.
    let names = names(&cache.directory().join("blobs/sha256"));
    let is_there = |number: &u64| {
        let digest = numbered(*number, 10 * KIB).1.digest;
        names.iter().any(|name| name == digest.encoded())
    };
    (0..20).filter(is_there).collect()
}

/// Uses a blob, and gives the file system's clock time to move on.
fn touch(cache: &cooperage_cache::Cache, number: u64) {
    std::thread::sleep(std::time::Duration::from_millis(20));
    drop(put(cache, &numbered(number, 10 * KIB).0));
}

#[cfg(unix)]
#[test]
fn what_was_used_longest_ago_goes_first() {
    let (_directory, cache) = cache(40 << 10);
    for number in 0..4 {
        touch(&cache, number);
    }
    assert_eq!(there(&cache), [0, 1, 2, 3]);
    // Used again, and so younger than 1.
    touch(&cache, 0);
    touch(&cache, 4);
    assert_eq!(there(&cache), [0, 2, 3, 4]);
    touch(&cache, 5);
    assert_eq!(there(&cache), [0, 3, 4, 5]);
    let pruned = cache.prune(25 << 10).unwrap();
    assert_eq!(there(&cache), [4, 5]);
    let expected = Pruned {
        removed: 2,
        bytes: 20 << 10,
        in_use: 0,
        left: 20 << 10,
    };
    assert_eq!(pruned, expected);
    assert_whole(&cache);
}

/// What somebody reads stays, and a blob larger than the whole cache can be had.
#[cfg(unix)]
#[test]
fn what_is_in_use_stays() {
    let (_directory, cache) = cache(5 << 10);
    let (bytes, descriptor) = numbered(0, 10 * KIB);
    let held = put(&cache, &bytes);
    touch(&cache, 1);
    touch(&cache, 2);
    // The last one was in use when it was fetched; 1 was not any more.
    assert_eq!(there(&cache), [0, 2]);
    let pruned = cache.prune(0).unwrap();
    assert_eq!(
        (pruned.removed, pruned.in_use, pruned.left),
        (1, 1, 10 << 10)
    );
    assert_eq!(all(held).unwrap(), bytes);
    assert!(cache.get(&descriptor).unwrap().is_some());
    assert_eq!(cache.prune(0).unwrap().removed, 1);
    assert!(there(&cache).is_empty());
}

/// It goes even for the one who reads it while it is removed.
#[cfg(unix)]
#[test]
fn who_has_a_blob_open_reads_on() {
    let (_directory, cache) = cache(ROOMY);
    let (bytes, descriptor) = numbered(0, 10 * KIB);
    let held = put(&cache, &bytes);
    fs::remove_dir_all(cache.directory().join("blobs")).unwrap();
    assert_eq!(all(held).unwrap(), bytes);
    assert!(cache.get(&descriptor).unwrap().is_none());
    assert!(put(&cache, &bytes).was_fetched());
}

#[test]
fn usage_counts_and_prune_removes() {
    let (_directory, cache) = cache(ROOMY);
    assert_eq!(cache.usage().unwrap(), Usage::default());
    drop(put(&cache, &[1; 1000]));
    drop(put(&cache, &[2; 500]));
    cache
        .put_facts("base-1", &described(&[1]).digest, b"{}")
        .unwrap();
    // What is not ours is not counted, and not removed.
    let stray = cache.directory().join("blobs/sha256/notes.txt");
    fs::write(&stray, "a note").unwrap();
    // What a process left that was killed.
    let digest = described(&[3]).digest;
    let left = format!("sha256-{}", digest.encoded());
    for name in [left.clone(), format!("{left}.lock")] {
        fs::write(cache.directory().join("partial").join(name), "part").unwrap();
    }
    let usage = cache.usage().unwrap();
    let head = "sha256:".len() as u64 + 64 + 1;
    let expected = Usage {
        blobs: 2,
        facts: 1,
        bytes: 1500 + head + 2,
        partial: 1,
        partial_bytes: 4,
    };
    assert_eq!(usage, expected);
    let pruned = cache.prune(0).unwrap();
    assert_eq!((pruned.removed, pruned.left), (4, 0));
    assert_eq!(pruned.bytes, expected.bytes + 4);
    assert_eq!(cache.usage().unwrap(), Usage::default());
    assert!(partial(&cache).is_empty());
    assert!(stray.exists());
    drop(cache.blob(&described(&[]), |_| Ok(())).unwrap());
    assert!(!cache.blob(&described(&[]), nothing).unwrap().was_fetched());
}
