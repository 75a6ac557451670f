//! Temporary files that become outputs in one step, are locked while they are made, and swept after a kill.
//!
//! [`StagedFile`] is a file that appears whole, or not at all, where its [`Place`] is.
//! [`TemporaryFile`] and [`TemporaryDirectory`] hold what is only needed meanwhile.
//!
//! All of them begin with `.cooperage-` and end with `.tmp`, go away when they are dropped, and are
//! locked (`flock`) as long as there is somebody at them. A process that is killed leaves them: the
//! next one that makes something in the same directory for the same user finds them unlocked, and
//! removes them. Where there is no `flock`, they stay.
//!
//! # Examples
//!
//! ```
//! use std::fs;
//!
//! use cooperage_staging::StagedFile;
//!
//! # let directory = tempfile::tempdir()?;
//! let path = directory.path().join("digest");
//! let mut file = StagedFile::new(&path)?;
//! file.put(b"sha256:")?;
//! assert!(!path.exists());
//! file.show()?.keep();
//! assert_eq!(fs::read(&path)?, b"sha256:");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod host;
mod live;
mod place;
mod staged;
mod temporary;

pub use host::sync_directory;
pub use live::{abandon, before_the_first};
pub use place::{Place, SamePlace, check_distinct, parent};
pub use staged::{Shown, StageError, StagedFile, named, show_all};
pub use temporary::{TemporaryDirectory, TemporaryFile};
