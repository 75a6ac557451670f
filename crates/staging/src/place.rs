//! Where a file that somebody named is to be written.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

/// As many links as Linux follows on the way to one file.
const MAX_LINKS: usize = 40;

/// What a path that is to be written stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Place {
    /// A file, or nothing yet: it is written beside, and replaced in one step.
    File(
        /// Its own path: where symlinks at the end of the one that was given lead to. The links
        /// stay.
        PathBuf,
    ),
    /// A pipe, a device or a file that is open already, such as `/dev/stdout`: it cannot be
    /// replaced, only written to.
    Stream {
        /// The path as it was given.
        path: PathBuf,
        /// What it is, with its article: `a named pipe`.
        what: &'static str,
    },
}

impl Place {
    /// Looks at what lies at `path`, and makes nothing.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::IsADirectory`]; what the system says, as where links lead in a circle.
    pub fn of(path: &Path) -> io::Result<Self> {
        let stream = |what| {
            Ok(Self::Stream {
                path: path.to_owned(),
                what,
            })
        };
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => return stream(name(metadata.file_type())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut at = path.to_owned();
        for _ in 0..=MAX_LINKS {
            // Such a link stands for something that is open, whatever name it may have elsewhere.
            if at.starts_with("/proc") || at.starts_with("/dev/fd") {
                return stream("a file that is open already");
            }
            match fs::symlink_metadata(&at) {
                Ok(metadata) if metadata.is_symlink() => at = parent(&at).join(fs::read_link(&at)?),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => return Ok(Self::File(at)),
            }
        }
        let text = format!("found more than {MAX_LINKS} symlinks, one leading to another");
        Err(io::Error::other(text))
    }
}

fn name(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        } else if kind.is_char_device() {
            return "a character device";
        } else if kind.is_block_device() {
            return "a block device";
        } else if kind.is_socket() {
            return "a socket";
        }
    }
    let _ = kind;
    "no file"
}

/// The directory that a path lies in, `.` for a bare name.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Two outputs at one place, of which only the last would be left.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{}` and `{}` are one place: give each output its own", first.display(), second.display())]
pub struct SamePlace {
    /// One of them, as it was given.
    pub first: PathBuf,
    /// The other one.
    pub second: PathBuf,
}

/// Refuses two of these paths at one place, by whatever names; directories count too. Pipes and
/// devices can be written to several times.
///
/// # Errors
///
/// [`SamePlace`] for the first two that are.
pub fn check_distinct<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), SamePlace> {
    let mut seen: Vec<(PathBuf, &Path)> = Vec::new();
    for path in paths {
        let own = match Place::of(path) {
            Ok(Place::Stream { .. }) => continue,
            Ok(Place::File(at)) => at,
            Err(_) => path.to_owned(),
        };
        let own = match (fs::canonicalize(&own), own.file_name()) {
            (Ok(own), _) => own,
            (_, Some(name)) => match fs::canonicalize(parent(&own)) {
                Ok(parent) => parent.join(name),
                Err(_) => own,
            },
            _ => own,
        };
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == own) {
            let (first, second) = (first.to_path_buf(), path.to_owned());
            return Err(SamePlace { first, second });
        }
        seen.push((own, path));
    }
    Ok(())
}
