//! Small blobs that were read and verified, so that they are read once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use cooperage_digest::Digest;

/// How many bytes of documents are held.
const MAX_BYTES: usize = 8 << 20;

/// Documents by digest; the oldest go first.
#[derive(Debug, Default)]
pub(crate) struct Documents(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    documents: BTreeMap<Digest, Arc<[u8]>>,
    order: VecDeque<Digest>,
    bytes: usize,
}

impl Documents {
    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<[u8]>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.documents.get(digest).cloned()
    }

    /// Keeps bytes that were found to be the digest's.
    pub(crate) fn keep(&self, digest: &Digest, bytes: Arc<[u8]>) {
        if bytes.len() > MAX_BYTES {
            return;
        }
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes += bytes.len();
        if let Some(old) = held.documents.insert(digest.clone(), bytes) {
            held.bytes -= old.len();
        } else {
            held.order.push_back(digest.clone());
        }
        while held.bytes > MAX_BYTES {
            let Some(oldest) = held.order.pop_front() else {
                return;
            };
            if let Some(gone) = held.documents.remove(&oldest) {
                held.bytes -= gone.len();
            }
        }
    }
}
