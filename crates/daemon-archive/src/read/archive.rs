//! What lies where in a tar: one pass over the headers, then every entry is read by position.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use cooperage_image_spec::{Document, FromJson, MAX_DOCUMENT_SIZE};

use super::spool::{Spooled, spool_if_needed, spool_stream};
use super::{EntryProblem, ReadError, ReadOptions};
use crate::file::{SharedFile, SpanReader};

/// The most bytes of names and link targets that one archive may have: an archive has some few
/// entries for each layer, and this is room for a hundred thousand.
const MAX_NAMES: usize = 32 << 20;
/// How many links are followed on the way to one file; Linux follows as many.
const MAX_LINKS: usize = 40;

/// A piece of the tar's file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// An entry of the tar.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Member {
    File(Span),
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    Other(&'static str),
}

/// A tar and where its entries lie.
#[derive(Debug)]
pub(super) struct Archive {
    file: SharedFile,
    place: String,
    members: BTreeMap<Vec<u8>, Member>,
}

impl Archive {
    pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Self, ReadError> {
        let place = format!("`{}`", path.display());
        let io = |source| ReadError::Io {
            place: place.clone(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        // A named pipe is a path too.
        if !file.metadata().map_err(io)?.is_file() {
            return Self::index(spool_stream(file, &place, options)?, place);
        }
        let file = spool_if_needed(SharedFile::new(file), &place, options)?;
        Self::index(file, place)
    }

    pub(super) fn from_reader(
        reader: impl Read + Send,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let place = String::from("the stream");
        Self::index(spool_stream(reader, &place, options)?, place)
    }

    fn index(file: Spooled, place: String) -> Result<Self, ReadError> {
        let mut archive = Self {
            file: file.0,
            place,
            members: BTreeMap::new(),
        };
        let mut names = 0;
        let mut members = BTreeMap::new();
        super::tar::scan(&archive.file, &archive.place, &mut |path, member| {
            let target = match &member {
                Member::Symlink(target) | Member::HardLink(target) => target.len(),
                _ => 0,
            };
            // The constant stands for what an entry takes beside its names.
            names += path.len() + target + 64;
            if names > MAX_NAMES {
                let place = archive.place.clone();
                return Err(ReadError::TooManyEntries {
                    place,
                    limit: MAX_NAMES,
                });
            }
            let directory = member == Member::Directory;
            match members.insert(path.clone(), member) {
                None => Ok(()),
                Some(Member::Directory) if directory => Ok(()),
                Some(_) => Err(archive.problem(&path, EntryProblem::Twice)),
            }
        })?;
        archive.members = members;
        Ok(archive)
    }

    /// Which archive this is, for errors.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The files below `directory/`, with what stands behind it, sorted.
    pub(super) fn below<'a>(
        &'a self,
        directory: &'a str,
    ) -> impl Iterator<Item = (&'a [u8], &'a Member)> {
        let start = format!("{directory}/").into_bytes();
        self.members
            .range(start.clone()..)
            .map_while(move |(path, member)| Some((path.strip_prefix(&start[..])?, member)))
    }

    /// The file at `path`, links followed.
    pub(super) fn find(&self, path: &str) -> Result<Span, ReadError> {
        self.resolve(path.as_bytes())
            .map_err(|problem| self.problem(path.as_bytes(), problem))
    }

    pub(super) fn find_optional(&self, path: &str) -> Result<Option<Span>, ReadError> {
        match self.resolve(path.as_bytes()) {
            Ok(span) => Ok(Some(span)),
            Err(EntryProblem::Missing) => Ok(None),
            Err(problem) => Err(self.problem(path.as_bytes(), problem)),
        }
    }

    fn resolve(&self, path: &[u8]) -> Result<Span, EntryProblem> {
        if path.starts_with(b"/") || path.split(|&b| b == b'/').any(|part| part == b"..") {
            return Err(outside(path));
        }
        let mut ahead = Vec::new();
        push_parts(&mut ahead, path);
        let (mut at, mut links) = (Vec::new(), 0);
        while let Some(part) = ahead.pop() {
            match &part[..] {
                b"" | b"." => continue,
                b".." => {
                    let end = at.iter().rposition(|&b| b == b'/').unwrap_or(0);
                    if at.is_empty() {
                        return Err(outside(path));
                    }
                    at.truncate(end);
                    continue;
                }
                _ => {}
            }
            let parent = at.len();
            if parent > 0 {
                at.push(b'/');
            }
            at.extend_from_slice(&part);
            // A hard link names its file from the archive's own root.
            let (target, base) = match self.members.get(&at) {
                Some(Member::Symlink(target)) => (target, parent),
                Some(Member::HardLink(target)) => (target, 0),
                _ => continue,
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(EntryProblem::TooManyLinks { limit: MAX_LINKS });
            }
            if target.starts_with(b"/") {
                return Err(outside(target));
            }
            at.truncate(base);
            push_parts(&mut ahead, target);
        }
        match self.members.get(&at) {
            Some(Member::File(span)) => Ok(*span),
            Some(Member::Other(kind)) => Err(EntryProblem::NotAFile { kind }),
            Some(_) => Err(EntryProblem::NotAFile { kind: "directory" }),
            None => Err(self.absent(&at)),
        }
    }

    /// A path without an entry of its own may still be a directory.
    fn absent(&self, path: &[u8]) -> EntryProblem {
        let below = [path, b"/"].concat();
        let next = self.members.range(below.clone()..).next();
        if path.is_empty() || next.is_some_and(|(path, _)| path.starts_with(&below)) {
            return EntryProblem::NotAFile { kind: "directory" };
        }
        EntryProblem::Missing
    }

    pub(super) fn reader(&self, span: Span) -> SpanReader {
        self.file.reader(span)
    }

    /// A whole document: at most [`MAX_DOCUMENT_SIZE`] bytes.
    pub(super) fn read(&self, entry: &str, span: Span) -> Result<Vec<u8>, ReadError> {
        if span.len > MAX_DOCUMENT_SIZE {
            let problem = EntryProblem::TooLarge {
                size: span.len,
                limit: MAX_DOCUMENT_SIZE,
            };
            return Err(self.problem(entry.as_bytes(), problem));
        }
        let mut bytes = Vec::new();
        self.reader(span)
            .read_to_end(&mut bytes)
            .map_err(|source| self.io(source))?;
        Ok(bytes)
    }

    pub(super) fn document<T: FromJson>(
        &self,
        entry: &str,
        bytes: Vec<u8>,
    ) -> Result<Document<T>, ReadError> {
        Document::parse(bytes).map_err(|source| ReadError::Document {
            place: self.place.clone(),
            entry: entry.into(),
            source: Box::new(source),
        })
    }

    pub(super) fn problem(&self, entry: &[u8], problem: EntryProblem) -> ReadError {
        let entry = String::from_utf8_lossy(entry).into_owned();
        ReadError::Entry {
            place: self.place.clone(),
            entry,
            problem,
        }
    }

    pub(super) fn io(&self, source: std::io::Error) -> ReadError {
        ReadError::Io {
            place: self.place.clone(),
            source,
        }
    }
}

fn outside(path: &[u8]) -> EntryProblem {
    EntryProblem::Outside {
        path: String::from_utf8_lossy(path).into_owned(),
    }
}

/// Puts the parts of a path on the stack of what is still to be walked.
fn push_parts(ahead: &mut Vec<Vec<u8>>, path: &[u8]) {
    ahead.extend(path.rsplit(|&b| b == b'/').map(<[u8]>::to_vec));
}
