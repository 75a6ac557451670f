//! From the bytes of a tar to its entries.

mod entry;

mod error;

mod field;

mod header;

mod names;

mod pending;

mod records;

mod stream;

use std::io::{self, Read, Seek};

pub use entry::{TarEntry, TarKind, Trailing};
pub use error::TarError;
use header::RawHeader;
use names::Place;
use pending::{Pending, one_of, until_nul};
use records::Records;
use stream::Stream;

use crate::Attributes;
use crate::path::lossy;
use crate::write::header::{BLOCK, MAX_PAX};

/// How a tar is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReadOptions {
    /// Whether names that begin with `.wh.` are removals, as in a layer, or names as any other.
    pub whiteouts: bool,
    /// Whether a tar that stops without its two blocks of zeros is an error. Some tools write none,
    /// and some not even the zeros behind the last body.
    pub require_end: bool,
    /// Whether a path that comes twice is an error; otherwise the last one counts, as for tar. Only
    /// for [`crate::Tree::from_tar`]: a [`TarReader`] gives all.
    pub refuse_duplicates: bool,
}

impl Default for ReadOptions {
    /// As layers are read: whiteouts are understood, a missing end and paths that come twice are
    /// accepted.
    fn default() -> Self {
        Self {
            whiteouts: true,
            require_end: false,
            refuse_duplicates: false,
        }
    }
}

/// Reads a tar, entry by entry, as a stream.
///
/// It takes what the field produces: v7, ustar with its prefix, GNU long names and base-256 numbers,
/// PAX records for one entry or for all that follow, `LIBARCHIVE.xattr` too. It is strict where
/// readers are known to disagree, so that no entry is one thing here and another elsewhere:
///
/// - A PAX size is the size, whatever the header says. Records before a GNU long name apply to the
///   entry behind it and never to the long name.
/// - A path given both by a GNU long name and by PAX, two runs of records for one entry, sizes and
///   paths for all that follow, records without a value but for names of owners, a regular file
///   whose name ends in `/`, a link with a body, and a block of zeros with data behind it are
///   refused. So is a header with a field that is no number, even where the entry has no use for
///   it, and one that is neither POSIX's nor GNU's but calls itself `ustar`.
/// - Sparse files, volumes and unknown types are refused by name.
///
/// Names lose a leading `/` and all `.` components, as Docker has it; `..` is refused. The entries
/// that AUFS keeps for itself in the root of a layer (names that begin with `.wh..wh.`, other than
/// the mark of an opaque root) are passed over.
///
/// The bodies are read through [`Read`]; what is not read is skipped.
///
/// # Examples
///
/// ```
/// use std::io::Read;
///
/// use cooperage_tarball::{Attributes, Content, Entry, Tree, TreePath, TarReader, TarKind, fold};
///
/// let mut tree = Tree::new();
/// tree.insert(TreePath::parse("a")?, Entry::file(Content::bytes(*b"body"), Attributes::file()))?;
/// let mut tar = Vec::new();
/// fold(&tree, &Default::default())?.write_to(&mut tar)?;
///
/// let mut reader = TarReader::new(tar.as_slice(), Default::default());
/// let entry = reader.next_entry()?.expect("one entry");
/// assert_eq!((entry.path.to_string(), entry.kind), ("a".to_owned(), TarKind::File));
/// let mut body = String::new();
/// reader.read_to_string(&mut body)?;
/// assert_eq!(body, "body");
/// assert!(reader.next_entry()?.is_none());
///
/// // Cut short inside the body.
/// let mut reader = TarReader::new(&tar[..514], Default::default());
/// reader.next_entry()?;
/// let error = reader.next_entry().unwrap_err();
/// assert_eq!(error.to_string(), "the tar is cut short at byte 514, inside of `a`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TarReader<R> {
    stream: Stream<R>,
    options: ReadOptions,
    /// Records that apply to all entries that follow.
    global: Records,
    /// What is still to come of the body, in bytes, and of the zeros behind it.
    body: u64,
    padding: u64,
    /// The entry whose body it is.
    name: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Entries,
    Ended,
    Failed,
}

impl<R: Read> TarReader<R> {
    /// A reader of a stream.
    pub fn new(reader: R, options: ReadOptions) -> Self {
        Self::over(Stream::new(reader), options)
    }

    /// A reader that seeks over bodies which are not read.
    pub fn seekable(reader: R, options: ReadOptions) -> Self
    where
        R: Seek,
    {
        Self::over(Stream::seekable(reader), options)
    }

    fn over(stream: Stream<R>, options: ReadOptions) -> Self {
        let global = Records::default();
        let (body, padding, name, state) = (0, 0, Vec::new(), State::Entries);
        Self {
            stream,
            options,
            global,
            body,
            padding,
            name,
            state,
        }
    }

    /// The next entry; `None` at the end, which may be asked for again.
    ///
    /// # Errors
    ///
    /// When the stream fails or is no tar that every reader understands in one way. After an error
    /// nothing more can be read.
    pub fn next_entry(&mut self) -> Result<Option<TarEntry>, TarError> {
        match self.state {
            State::Entries => {}
            State::Ended => return Ok(None),
            State::Failed => return Err(TarError::Failed),
        }
        self.state = State::Failed;
        let entry = self.find_entry()?;
        self.state = if entry.is_some() {
            State::Entries
        } else {
            State::Ended
        };
        Ok(entry)
    }

    /// Reads on to the end of the stream, and says what was found behind the end of the tar.
    ///
    /// # Errors
    ///
    /// As for [`Self::next_entry`].
    pub fn finish(mut self) -> Result<Trailing, TarError> {
        while self.next_entry()?.is_some() {}
        let mut trailing = Trailing { zeros: 0, other: 0 };
        let mut block = [0; BLOCK];
        loop {
            match self.stream.fill(&mut block)? {
                0 => return Ok(trailing),
                count if block[..count].iter().all(|byte| *byte == 0) && trailing.other == 0 => {
                    trailing.zeros += count as u64;
                }
                count => trailing.other += count as u64,
            }
        }
    }

    fn find_entry(&mut self) -> Result<Option<TarEntry>, TarError> {
        let mut pending = Pending::default();
        loop {
            self.skip_body()?;
            let offset = self.stream.position;
            let Some(block) = self.header()? else {
                if pending.start.is_some() {
                    return Err(TarError::NothingFollows { offset });
                }
                return Ok(None);
            };
            let header = RawHeader::parse(&block, offset)?;
            match header.typeflag {
                b'x' | b'X' => {
                    let records = Records::parse(&self.special(&header)?, offset)?;
                    pending.put(offset, |pending| &mut pending.records, records)?;
                }
                b'g' => {
                    let records = Records::parse(&self.special(&header)?, offset)?;
                    self.global.extend_global(records, offset)?;
                }
                b'L' => {
                    let name = until_nul(self.special(&header)?);
                    pending.put(offset, |pending| &mut pending.name, name)?;
                }
                b'K' => {
                    let link = until_nul(self.special(&header)?);
                    pending.put(offset, |pending| &mut pending.link, link)?;
                }
                _ => {
                    if let Some(entry) = self.entry(&header, pending)? {
                        return Ok(Some(entry));
                    }
                    pending = Pending::default();
                }
            }
        }
    }

    /// The next header that is not zero, or `None` at the end of the tar.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let offset = self.stream.position;
        let Some(block) = self.stream.block()? else {
            if self.options.require_end {
                return Err(TarError::NoEnd { offset });
            }
            return Ok(None);
        };
        if block != [0; BLOCK] {
            return Ok(Some(block));
        }
        match self.stream.block()? {
            Some(second) if second != [0; BLOCK] => Err(TarError::LoneZeroBlock { offset }),
            None if self.options.require_end => Err(TarError::NoEnd { offset }),
            _ => Ok(None),
        }
    }

    /// The body of a header that is about the next entry.
    fn special(&mut self, header: &RawHeader<'_>) -> Result<Vec<u8>, TarError> {
        let len = header.size()?;
        if len > MAX_PAX as u64 {
            return Err(TarError::RecordsTooLong {
                offset: header.offset,
                actual: len,
            });
        }
        let mut body = vec![0; len as usize];
        self.begin_body(len, b"records for the next entry");
        if self.stream.fill(&mut body)? < body.len() {
            return Err(self.cut_short());
        }
        self.body = 0;
        Ok(body)
    }

    /// What a header and all that was said before it make together; `None` for what AUFS keeps.
    fn entry(
        &mut self,
        header: &RawHeader<'_>,
        pending: Pending,
    ) -> Result<Option<TarEntry>, TarError> {
        let offset = pending.start.unwrap_or(header.offset);
        let mut records = pending.records.unwrap_or_default();
        records.check_sparse(offset)?;
        let name = one_of(pending.name, records.name(b"path", offset)?, offset)?;
        let name = name.unwrap_or_else(|| header.name());
        let link = one_of(pending.link, records.name(b"linkpath", offset)?, offset)?;
        let link = link.unwrap_or_else(|| header.link());

        let size = match records.number(b"size", offset)? {
            Some(size) => size,
            None => header.size()?,
        };
        let kind = header.kind(&name, size, link)?;
        let len = if kind == TarKind::File { size } else { 0 };
        let attributes = self.attributes(header, &mut records, offset)?;
        self.begin_body(len, &name);
        let data_offset = self.stream.position;
        let (path, kind) = match names::place(&name, kind, len, self.options.whiteouts, offset)? {
            Place::Entry(path, kind) => (path, kind),
            Place::OfAufs => return Ok(None),
        };
        let other = records.rest();
        Ok(Some(TarEntry {
            path,
            name,
            attributes,
            kind,
            len,
            offset,
            data_offset,
            other,
        }))
    }

    fn attributes(
        &self,
        header: &RawHeader<'_>,
        records: &mut Records,
        offset: u64,
    ) -> Result<Attributes, TarError> {
        let global = &self.global;
        let (user, group) = header.owner();
        let number = |records: &mut Records, key| match records.number(key, offset)? {
            None => global.clone_of(key).number(key, offset),
            some => Ok(some),
        };
        let mut text = |key, default: &[u8]| {
            let record = records.take(key).or_else(|| global.clone_of(key).take(key));
            record.unwrap_or_else(|| default.to_vec())
        };
        let (user, group) = (text(b"uname", user), text(b"gname", group));
        for name in [&user, &group] {
            if name.len() > names::MAX_OWNER || name.contains(&0) {
                return Err(TarError::BadOwner {
                    offset,
                    name: lossy(name),
                });
            }
        }
        let uid = number(records, b"uid")?.map_or_else(|| header.uid(), Ok)?;
        let gid = number(records, b"gid")?.map_or_else(|| header.gid(), Ok)?;
        let mtime = match records.time(b"mtime", offset)? {
            None => global.clone_of(b"mtime").time(b"mtime", offset)?,
            some => some,
        };
        let mtime = mtime.map_or_else(|| header.mtime(), Ok)?;
        let xattrs = records.xattrs(offset)?;
        Ok(Attributes {
            mode: header.mode()?,
            uid,
            gid,
            user,
            group,
            mtime,
            xattrs,
        })
    }

    fn begin_body(&mut self, len: u64, name: &[u8]) {
        self.body = len;
        self.padding = len.next_multiple_of(BLOCK as u64) - len;
        self.name.clear();
        self.name.extend_from_slice(name);
    }

    fn skip_body(&mut self) -> Result<(), TarError> {
        let body = std::mem::take(&mut self.body);
        let padding = std::mem::take(&mut self.padding) as usize;
        if !self.stream.skip(body)? {
            return Err(self.cut_short());
        }
        // Where there is no end there may be no padding of the last body either, as with umoci
        // 0.4; what comes next is the end of the stream then.
        let mut zeros = [0; BLOCK];
        match self.stream.fill(&mut zeros[..padding])? {
            count if count == padding || count == 0 => Ok(()),
            _ => Err(self.cut_short()),
        }
    }

    fn cut_short(&self) -> TarError {
        TarError::CutShort {
            offset: self.stream.position,
            inside: lossy(&self.name),
        }
    }
}

impl<R: Read> Read for TarReader<R> {
    /// Reads from the body of the entry that came last, up to its end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.body.min(buffer.len() as u64) as usize;
        if count == 0 {
            return Ok(0);
        }
        let count = self.stream.read(&mut buffer[..count])?;
        if count == 0 {
            self.state = State::Failed;
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                self.cut_short(),
            ));
        }
        self.body -= count as u64;
        Ok(count)
    }
}
