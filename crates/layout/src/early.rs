//! Writing to disk what is not yet complete.

use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// So many bytes are left to the system before they are asked to be on disk.
const STEP: u64 = 4 << 20;

type Running = (SyncSender<()>, JoinHandle<io::Result<()>>);

/// Has the disk begin with a large file while it is still being written: otherwise it stands idle
/// until the end, and then everyone waits for it.
///
/// Small files make no thread and no call.
#[derive(Debug, Default)]
pub(crate) struct EarlySync {
    waiting: u64,
    thread: Option<Running>,
}

impl EarlySync {
    /// So many more bytes were written to `file`.
    pub(crate) fn wrote(&mut self, file: &File, count: u64) {
        self.waiting += count;
        if self.waiting < STEP {
            return;
        }
        self.waiting = 0;
        if self.thread.is_none() {
            // Without another file or thread all is written at the end, as it is for small files.
            self.thread = start(file).ok();
        }
        if let Some((sender, _)) = &self.thread {
            // One that is not taken yet will see these bytes too.
            let _ = sender.try_send(());
        }
    }

    /// Waits for what was begun.
    ///
    /// # Errors
    ///
    /// What the system said of an earlier part: it says so once, and a later call would not fail.
    pub(crate) fn finish(self) -> io::Result<()> {
        let Some((sender, thread)) = self.thread else {
            return Ok(());
        };
        drop(sender);
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that syncs has ended early")))
    }
}

fn start(file: &File) -> io::Result<Running> {
    let file = file.try_clone()?;
    let (sender, receiver) = sync_channel(1);
    let work = move || receiver.iter().try_for_each(|()| file.sync_data());
    let thread = Builder::new().name("sync".into()).spawn(work)?;
    Ok((sender, thread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_start_nothing_and_large_ones_end() {
        let file = tempfile::tempfile().unwrap();
        let mut early = EarlySync::default();
        early.wrote(&file, STEP - 1);
        assert!(early.thread.is_none());
        early.wrote(&file, 1);
        assert!(early.thread.is_some());
        early.wrote(&file, 10 * STEP);
        early.finish().unwrap();
        EarlySync::default().finish().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_of_an_earlier_part_is_told() {
        // A pipe cannot be synced.
        let (_, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let mut early = EarlySync::default();
        early.wrote(&file, STEP);
        early.finish().unwrap_err();
    }
}
