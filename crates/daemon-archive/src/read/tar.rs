//! The pass over the headers.

use std::io::BufReader;

use cooperage_tarball::{TarError, TarKind, TarReader};

use super::archive::{Member, Span};
use super::{EntryProblem, ReadError};
use crate::file::SharedFile;

/// Visits every entry of a tar but its root, in order, by its path without a slash at either end.
///
/// Names that begin with `/` are refused, and those with `..` are by the reader: what lies in an
/// archive lies below its root.
pub(super) fn scan(
    file: &SharedFile,
    place: &str,
    visit: &mut dyn FnMut(Vec<u8>, Member) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let broken = |source: TarError| ReadError::Tar {
        place: place.into(),
        source,
    };
    // The names are those of an archive, not of a layer: nothing here removes anything.
    let options = cooperage_tarball::ReadOptions {
        whiteouts: false,
        ..cooperage_tarball::ReadOptions::default()
    };
    let reader = BufReader::new(file.whole());
    let mut tar = TarReader::seekable(reader, options);
    while let Some(entry) = tar.next_entry().map_err(broken)? {
        if entry.name.starts_with(b"/") {
            let entry = String::from_utf8_lossy(&entry.name).into_owned();
            let problem = EntryProblem::Outside {
                path: entry.clone(),
            };
            return Err(ReadError::Entry {
                place: place.into(),
                entry,
                problem,
            });
        }
        let member = match entry.kind {
            TarKind::File => Member::File(Span {
                offset: entry.data_offset,
                len: entry.len,
            }),
            TarKind::Directory => Member::Directory,
            TarKind::Symlink { target } => Member::Symlink(target),
            TarKind::HardLink { to } => Member::HardLink(to.as_bytes().to_vec()),
            TarKind::Fifo => Member::Other("named pipe"),
            _ => Member::Other("device"),
        };
        if !entry.path.is_root() {
            visit(entry.path.as_bytes().to_vec(), member)?;
        }
    }
    Ok(())
}
