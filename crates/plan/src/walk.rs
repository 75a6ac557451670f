//! What lies below a directory, in order.

use std::fs::{self, FileType};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{SendError, SyncSender, TrySendError, sync_channel};
use std::thread;

use cooperage_tarball::Neighbours;
use walkdir::{DirEntry, WalkDir};

/// One thing that a directory holds.
pub(crate) struct Found {
    /// Its place on this machine.
    pub(crate) file: PathBuf,
    /// The same from the directory on; empty for the directory itself.
    pub(crate) below: PathBuf,
    pub(crate) what: io::Result<What>,
}

/// What it is, a link that leads out of the directory being what it leads to: build systems show
/// inputs as absolute links.
pub(crate) enum What {
    Directory,
    /// A link that can only lead to what the same directory holds, with its target.
    Link(Vec<u8>),
    DirectoryElsewhere,
    /// With its length in bytes.
    Other(FileType, u64),
}

/// So many are handed from one thread to the other at a time, and so many are looked at before there
/// is another thread at all.
const BATCH: usize = 128;
/// So many batches may wait.
const WAITING: usize = 4;

type Listed = Result<DirEntry, walkdir::Error>;
type Looked = Result<Found, walkdir::Error>;

/// What one thread hands to the other.
enum Batch {
    Listed(Vec<Listed>),
    Looked(Vec<Looked>),
}
type Take<'a, E> = dyn FnMut(Looked) -> Result<(), E> + 'a;

/// Hands `take` the directory and all below it, ordered by name, so that the order in which a
/// directory is listed cannot choose which of two faults is reported. What is large is listed on
/// another thread than the one that takes it, and each thing is looked at by the one that has less
/// to do.
pub(crate) fn each<E>(top: &Path, take: &mut Take<'_, E>) -> Result<(), E> {
    // Of two in one directory the places differ in the name alone.
    let by_place = |a: &DirEntry, b: &DirEntry| a.path().as_os_str().cmp(b.path().as_os_str());
    let walk = WalkDir::new(top).follow_root_links(true);
    let mut items = walk.sort_by(by_place).into_iter();
    let mut lookout = Lookout::new(top);
    for item in items.by_ref().take(BATCH) {
        take(lookout.look(item))?;
    }
    let Some(next) = items.next() else {
        return Ok(());
    };
    take(lookout.look(next))?;
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let (items_to, items_from) = sync_channel(1);
        let send = move || items_from.recv().map(|items| send_all(top, items, &sender));
        let builder = thread::Builder::new().name("walk".into());
        if builder.spawn_scoped(scope, send).is_err() {
            // Without a thread it only takes longer.
            return items.try_for_each(|item| take(lookout.look(item)));
        }
        if let Err(SendError(mut items)) = items_to.send(items) {
            return items.try_for_each(|item| take(lookout.look(item)));
        }
        receiver.into_iter().try_for_each(|batch| match batch {
            Batch::Listed(items) => {
                let mut items = items.into_iter();
                items.try_for_each(|item| take(lookout.look(item)))
            }
            Batch::Looked(items) => items.into_iter().try_for_each(&mut *take),
        })
    })
}

/// Sends items until all are sent or nobody takes them any more; while enough of them wait, it looks
/// at the next ones itself.
fn send_all(top: &Path, mut items: impl Iterator<Item = Listed>, sender: &SyncSender<Batch>) {
    let mut lookout = Lookout::new(top);
    loop {
        let batch: Vec<_> = items.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return;
        }
        let refused = match sender.try_send(Batch::Listed(batch)) {
            Ok(()) => continue,
            Err(TrySendError::Full(Batch::Listed(batch))) => batch,
            Err(_) => return,
        };
        let looked = refused.into_iter().map(|item| lookout.look(item)).collect();
        if sender.send(Batch::Looked(looked)).is_err() {
            return;
        }
    }
}

/// Looks at what is listed.
struct Lookout<'a> {
    top: &'a Path,
    neighbours: Neighbours,
}

impl<'a> Lookout<'a> {
    fn new(top: &'a Path) -> Self {
        let neighbours = Neighbours::default();
        Self { top, neighbours }
    }

    fn look(&mut self, item: Listed) -> Looked {
        let item = item?;
        let below = item.path().strip_prefix(self.top).unwrap_or(item.path());
        Ok(Found {
            what: self.what(&item, below),
            below: below.to_owned(),
            file: item.into_path(),
        })
    }

    fn what(&mut self, item: &DirEntry, below: &Path) -> io::Result<What> {
        let (file, kind) = (item.path(), item.file_type());
        if kind.is_dir() || below.as_os_str().is_empty() {
            return Ok(What::Directory);
        }
        if !kind.is_symlink() {
            return Ok(What::Other(kind, self.neighbours.len_of(file)?));
        }
        let target = fs::read_link(file)?;
        if stays_inside(below, &target) {
            return Ok(What::Link(target.into_os_string().into_encoded_bytes()));
        }
        let metadata = fs::metadata(file)?;
        Ok(if metadata.is_dir() {
            What::DirectoryElsewhere
        } else {
            What::Other(metadata.file_type(), metadata.len())
        })
    }
}

/// Whether a link at `below` with this target can only lead to what the same tree holds.
fn stays_inside(below: &Path, target: &Path) -> bool {
    let mut depth = below.components().count().saturating_sub(1);
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}
