//! Blobs and base facts kept between runs: content-addressed, verified, size-limited, safe for many processes.
//!
//! A [`Cache`] is a directory. [`Cache::blob`] gives a blob, fetched if it is not there;
//! [`Cached`] is any source with a cache before it. [`Cache::facts`] keeps small documents on what
//! was found out about a blob.
//!
//! ```text
//! CACHEDIR.TAG              so that backups leave it out
//! blobs/sha256/2cf24d…      whole blobs, by digest
//! facts/KIND/sha256/2cf24d… what is known of a blob
//! partial/sha256-2cf24d…    a blob that is being fetched, locked by whoever fetches it
//! ```
//!
//! # Many at once
//!
//! Any number of processes and threads may use one cache. A blob is fetched under a lock of its
//! own: whoever else wants it waits, and reads what was fetched. The system lets go of the lock
//! when its holder ends in whatever way; then the next one fetches.
//!
//! # Trust
//!
//! Bytes are hashed when they are written, and a blob gets its name only when it is whole and
//! right. They are hashed again when they are read: the reader fails at its end if they have
//! changed, and the blob is removed, so that it is fetched the next time.
//!
//! This is why nothing is synced to disk: after a power failure a blob may be damaged, which is
//! noticed, and costs another fetch. A layout promises more, and syncs.
//!
//! # Size
//!
//! After each fetch, what was used longest ago is removed until the cache is within its limit. What
//! is being read stays, so a cache may be larger than its limit for as long as more than that is
//! in use.
//!
//! # Examples
//!
//! ```
//! use cooperage_blob::Error;
//! use cooperage_cache::Cache;
//! use cooperage_digest::Digest;
//! use cooperage_image_spec::{Descriptor, MediaType};
//! use std::io::{Read, Write};
//!
//! let directory = tempfile::tempdir()?;
//! let cache = Cache::open(directory.path(), 1 << 30)?;
//! let blob = Descriptor::new(MediaType::OCI_LAYER, Digest::of(b"a layer"), 7);
//!
//! let mut bytes = Vec::new();
//! cache
//!     .blob(&blob, |writer| {
//!         writer.write_all(b"a layer").map_err(|error| Error::write(&blob, error))
//!     })?
//!     .read_to_end(&mut bytes)?;
//! assert_eq!(bytes, b"a layer");
//!
//! // The second time nothing is fetched.
//! assert!(cache.blob(&blob, |_| unreachable!()).is_ok());
//! assert_eq!(cache.usage()?.blobs, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod cache;
mod cached;
mod entries;
mod facts;
mod fetch;
mod host;
mod prune;
mod reader;

pub use cache::Cache;
pub use cached::{Cached, pour};
pub use facts::MAX_FACTS_SIZE;
pub use fetch::BlobError;
pub use prune::{Pruned, Usage};
pub use reader::CachedBlob;
