//! The seam between media: Source, Sink, copy, and a medium in memory.
//!
//! A *medium* is a place that holds blobs by digest and names some of them: an image layout, an
//! archive, a registry. It is a [`Source`], a [`Sink`], or both, and nothing else of it is known
//! here. What a medium hands out is believed only after [`open`] or [`read`] has verified it.
//!
//! # Examples
//!
//! ```
//! use cooperage_blob::{CopyOptions, Memory, Root, Sink, Source, copy, put};
//! use cooperage_image_spec::{Descriptor, MediaType};
//!
//! let from = Memory::new();
//! let note = put(&from, MediaType::new("text/plain"), b"a note")?;
//! from.publish(&Root::named("note", note.clone()))?;
//!
//! let to = Memory::new();
//! let copied = copy(&from, &from.roots()?[0], &to, &CopyOptions::default())?;
//! assert_eq!((copied.blobs, copied.bytes), (1, 6));
//! assert!(to.has(&note)?);
//! # Ok::<(), cooperage_blob::Error>(())
//! ```

mod ahead;
mod copy;
mod error;
mod medium;
mod memory;
mod progress;

pub use copy::{Copied, CopyOptions, Visit, children, copy, copy_blobs, parallel, walk};
pub use error::Error;
pub use medium::{BlobWriter, Root, Sink, Source, Written, open, put, read, transfer};
pub use memory::Memory;
pub use progress::{NoProgress, Progress};
