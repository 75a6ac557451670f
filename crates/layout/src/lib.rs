//! An OCI image-layout directory as Source and Sink: atomic, locked, verified, collectable.
//!
//! A [`Layout`] is a directory with blobs by digest and one `index.json` that names some of them.
//! [`cooperage_blob::copy`] moves images into it and out of it; [`Layout::find`] looks one up,
//! [`Layout::gc`] removes what nothing refers to, and [`fsck`] reports all that is wrong.
//!
//! Spec: image-spec v1.1, `image-layout.md`.
//!
//! # Writers
//!
//! Everything is written beside its place, synced, and renamed: a reader sees all of a blob or of
//! `index.json`, or what was there before, whatever happens to the writer. What a killed writer
//! leaves behind is files `.cooperage-…` in the layout, one for each blob that it was at; the next
//! [`Layout`] that writes removes them, unless others write at that moment, and so does
//! [`Layout::gc`].
//! Files are made 0644 and directories 0755, whatever the umask.
//!
//! Any number of processes and threads may write to one layout at once. Two locks see to that, both
//! let go of by the system when a process ends:
//!
//! - *Updates*: who changes `index.json` has the file `oci-layout` locked from reading it to
//!   renaming the new one into place, so no entry is lost.
//! - *Blobs*: a [`Layout`] has the directory `blobs` locked, shared, from the first blob that it
//!   begins or finds there until it is dropped; collection wants the same lock alone. A blob that
//!   was written and is not named yet is never collected, and what
//!   [`has`](cooperage_blob::Sink::has) said to be there stays.
//!
//! The locks are advisory: other programs do not take them. While umoci or skopeo changes a layout,
//! leave it alone.
//!
//! # Trust
//!
//! What a layout holds may come from anywhere. A blob is named by what it *is*: before it counts as
//! being there, it is hashed, once for each [`Layout`], and what is wrong is written again. Symbolic
//! links are followed to read (build systems show inputs so), since all that is read is verified;
//! nothing is ever written or removed through one.
//!
//! # Examples
//!
//! ```
//! use cooperage_blob::{Root, Sink, Source, put};
//! use cooperage_image_spec::MediaType;
//! use cooperage_layout::{GcOptions, Layout, Selector};
//!
//! let directory = tempfile::tempdir()?;
//! let layout = Layout::create(&directory.path().join("image"))?;
//!
//! let note = put(&layout, MediaType::new("text/plain"), b"a note")?;
//! layout.publish(&Root::named("note", note.clone()))?;
//! assert_eq!(layout.find(&Selector::name("note"))?.digest, note.digest);
//!
//! // Nothing refers to this one, so it can be collected.
//! put(&layout, MediaType::new("text/plain"), b"scribble")?;
//! assert_eq!(layout.gc(&GcOptions::default())?.removed.len(), 1);
//! assert!(layout.fsck().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod document;
mod early;
mod edit;
mod files;
mod find;
mod fsck;
mod gc;
mod host;
mod layout;
mod medium;
mod referrers;

pub use find::{FindError, Selector};
pub use fsck::{Fault, Referrer, Severity, fsck};
pub use gc::{GcError, GcMode, GcOptions, GcReport, Missing, Patience, Removed};
pub use layout::{Layout, OpenError};
