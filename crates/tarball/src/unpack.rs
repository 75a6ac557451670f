//! From a tree to a directory.

mod error;

mod place;

mod report;

mod writer;

use std::path::Path;

pub use error::UnpackError;
use place::Place;
pub use report::{LeftOut, Omission, Unpacked};
use writer::Writer;

use crate::{FoldOptions, Tree, fold};

/// How a tree is unpacked.
///
/// The default wants everything as the tree says, in a directory that is not there yet or is empty.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UnpackOptions {
    /// What becomes of a directory that is there already and holds something.
    pub existing: Existing,
    /// What becomes of attributes and devices that the system refuses.
    pub refused: Refused,
}

/// What becomes of a directory that is there already and holds something.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Existing {
    /// It stays, and that is an error.
    #[default]
    Keep,
    /// The new one takes its place, in one step where the file system can do that, and it is removed
    /// with all that it holds.
    Replace,
}

/// What becomes of what the system refuses to the one who unpacks: owners other than oneself,
/// devices, and some extended attributes take a privilege, or a file system that knows them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Refused {
    /// It is an error.
    #[default]
    Fail,
    /// It is left out, and [`Unpacked::left_out`] says so. With the owner go setuid and setgid, which
    /// would give everyone the rights of another than was meant.
    LeaveOut,
}

/// Unpacks a tree: makes all that it holds in `directory`, which nobody sees until it is whole.
///
/// To unpack the layers of an image, lay them over one another first ([`crate::overlay`]), which
/// needs their headers alone, and unpack what comes out. So every whiteout, opaque mark and change
/// of type is settled in memory, by paths that cannot contradict one another, before the file system
/// is touched; there, each thing is made once, and nothing is ever removed or written over. Memory
/// is that of the tree, whatever the lengths of files. Whiteouts and opaque marks of the tree itself
/// have nothing below them here, and mean nothing.
///
/// # Atomicity
///
/// Everything is made in a directory beside, `.cooperage-….tmp` with mode 0700, which gets its name
/// at the very end. An error leaves `directory` as it was, and nothing beside it; a kill can leave
/// the directory beside. Nothing is synced: after a loss of power, unpack again.
///
/// # Staying inside
///
/// A path of the tree is never given to the system as it is. Its directory is opened beneath the
/// handle of the root, without following any link (`openat2` with `RESOLVE_BENEATH`,
/// `RESOLVE_NO_SYMLINKS` and `RESOLVE_NO_MAGICLINKS`; where that cannot be had, one component after
/// the other with `O_NOFOLLOW`), and what is made in it must be new. A link that another process
/// puts in the way is an error. Hard links are made to what was made before, by handle, and follow
/// nothing. Devices are never opened.
///
/// # Attributes
///
/// All that an entry says, to the nanosecond: owner, extended attributes, mode with setuid, setgid
/// and sticky, and time of modification, in an order in which none takes another away; directories
/// get theirs when all is in them. The names of owners mean nothing. Parents that the tree lacks are
/// those of [`crate::Resolved`], owned by whoever unpacks if root cannot own them. Without an entry for its root, `directory` gets mode 0755, and is
/// owned by whoever unpacks.
///
/// `written` is told the number of bytes of each piece of a file that was written.
///
/// Only for Linux; elsewhere it is an error.
///
/// # Examples
///
/// ```no_run
/// use cooperage_tarball::{ReadOptions, Tree, UnpackOptions, overlay, unpack};
/// use std::path::Path;
///
/// let lower = Tree::from_tar(Path::new("base.tar"), &ReadOptions::default())?;
/// let upper = Tree::from_tar(Path::new("app.tar"), &ReadOptions::default())?;
/// let tree = overlay([&lower, &upper])?;
/// let unpacked = unpack(&tree, Path::new("rootfs"), &UnpackOptions::default(), &mut |_| {})?;
/// println!("{} entries, {} bytes", unpacked.entries, unpacked.bytes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// When there is something at `directory` that may not be replaced, something cannot be read or
/// made, or the tree's hard links lead nowhere.
pub fn unpack(
    tree: &Tree,
    directory: &Path,
    options: &UnpackOptions,
    written: &mut dyn FnMut(u64),
) -> Result<Unpacked, UnpackError> {
    let place = Place::find(directory, options.existing)?;
    let plain = FoldOptions {
        fold: false,
        ..FoldOptions::default()
    };
    let resolved = fold(tree, &plain).map_err(|source| UnpackError::Tree { source })?;
    let stage = place.stage()?;
    let unpacked = Writer::new(stage.root(), options.refused, written).write(&resolved)?;
    stage.publish()?;
    Ok(unpacked)
}

impl UnpackOptions {
    /// Whether [`unpack`] would take `directory`, for those who have much to do before they call it.
    ///
    /// # Errors
    ///
    /// When there is something at `directory` that may not be replaced, or no place for it.
    pub fn check(&self, directory: &Path) -> Result<(), UnpackError> {
        Place::find(directory, self.existing).map(drop)
    }
}
