//! What the bytes of blobs are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cooperage_digest::{Digest, Hasher};

use crate::host;

/// A blob's file as it was found.
pub(super) struct Blob {
    pub(super) size: u64,
    pub(super) state: State,
}

pub(super) enum State {
    Verified,
    Unverifiable,
    Other(Digest),
    Unreadable(io::Error),
}

/// Hashes all files, several at once; in which order does not show.
pub(super) fn hash(files: &[(Digest, PathBuf)]) -> BTreeMap<Digest, Blob> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get().min(8));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        let mut buffer = vec![0; 256 << 10];
        while let Some((digest, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let blob = examine(digest, path, &mut buffer);
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(digest.clone(), blob);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(files.len()) {
            scope.spawn(work);
        }
        work();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn examine(digest: &Digest, path: &Path, buffer: &mut [u8]) -> Blob {
    let (mut size, result) = match host::open_regular(path) {
        Ok(file) => hash_file(digest, file, buffer),
        Err(error) => (0, Err(error)),
    };
    let state = match result {
        Ok(None) => State::Unverifiable,
        Ok(Some(actual)) if actual == *digest => State::Verified,
        Ok(Some(actual)) => State::Other(actual),
        Err(error) => {
            size = 0;
            State::Unreadable(error)
        }
    };
    Blob { size, state }
}

/// The file's length and its digest, where that can be computed.
fn hash_file(
    digest: &Digest,
    mut file: File,
    buffer: &mut [u8],
) -> (u64, io::Result<Option<Digest>>) {
    let Some(algorithm) = digest.algorithm() else {
        return match file.metadata() {
            Ok(metadata) => (metadata.len(), Ok(None)),
            Err(error) => (0, Err(error)),
        };
    };
    let (mut hasher, mut size) = (Hasher::new(algorithm), 0);
    loop {
        match file.read(buffer) {
            Ok(0) => return (size, Ok(Some(hasher.finish()))),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (size, Err(error)),
        }
    }
}
