//! How much there is, and less of it.

use std::fs;
use std::io;

use cooperage_blob::Error;

use crate::Cache;
use crate::cache::open_if_there;
use crate::entries::{Entry, Kind};
use crate::fetch::Claim;
use crate::host::{self, Patience};

/// How much a cache holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Blobs that are whole.
    pub blobs: usize,
    /// Documents on what is known of blobs.
    pub facts: usize,
    /// The length of both in bytes.
    pub bytes: u64,
    /// Blobs that are being fetched, or were when their process was killed.
    pub partial: usize,
    /// Their length until now in bytes.
    pub partial_bytes: u64,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pruned {
    /// Files: blobs, facts, and what killed processes left of blobs.
    pub removed: usize,
    /// Their length in bytes.
    pub bytes: u64,
    /// Files that were to go and stayed, since somebody reads them.
    pub in_use: usize,
    /// Bytes of blobs and facts that are left.
    pub left: u64,
}

impl Cache {
    /// How much there is.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn usage(&self) -> Result<Usage, Error> {
        let count = || -> io::Result<Usage> {
            let mut usage = Usage::default();
            for entry in self.entries()? {
                match entry.kind {
                    Kind::Blob => usage.blobs += 1,
                    Kind::Facts => usage.facts += 1,
                }
                usage.bytes += entry.size;
            }
            for name in self.partials()? {
                usage.partial += 1;
                let metadata = fs::metadata(self.partial(&name));
                usage.partial_bytes += metadata.map_or(0, |metadata| metadata.len());
            }
            Ok(usage)
        };
        count().map_err(|error| self.unusable(error))
    }

    /// Removes what was used longest ago until no more than `keep` bytes are left, and what killed
    /// processes left of blobs; 0 removes everything.
    ///
    /// What others read or fetch at this moment stays.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read or something in it not be removed; what was removed until
    /// then is gone.
    pub fn prune(&self, keep: u64) -> Result<Pruned, Error> {
        self.shrink(keep).map_err(|error| self.unusable(error))
    }

    pub(crate) fn shrink(&self, keep: u64) -> io::Result<Pruned> {
        let mut pruned = Pruned::default();
        for name in self.partials()? {
            // Whose lock can be had is nobody's: what is left of it goes with the claim.
            if let Some(claim) = Claim::take(self, &name, Patience::Try)?
                && let Ok(metadata) = fs::metadata(&claim.data)
            {
                pruned.removed += 1;
                pruned.bytes += metadata.len();
            }
        }
        let entries = self.entries()?;
        pruned.left = entries.iter().map(|entry| entry.size).sum();
        for entry in entries {
            if pruned.left <= keep {
                break;
            }
            if remove_unless_in_use(&entry)? {
                pruned.removed += 1;
                pruned.bytes += entry.size;
                pruned.left -= entry.size;
            } else {
                pruned.in_use += 1;
            }
        }
        Ok(pruned)
    }
}

fn remove_unless_in_use(entry: &Entry) -> io::Result<bool> {
    let Some(file) = open_if_there(&entry.path)? else {
        return Ok(true);
    };
    if !host::take_lock(&file, Patience::Try)? {
        return Ok(false);
    }
    // Who opened it just before reads on: the bytes are there until it is closed.
    let removed = fs::remove_file(&entry.path);
    host::unshare(&file);
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(true),
    }
}
