//! Where the bytes of a file are.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::host;

/// Where the bytes of a file are, on the machine that packs.
///
/// Two contents are equal when they are the same place; [`Content::same_bytes`] compares what is
/// there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// A whole file of the machine.
    File {
        /// The file; a symbolic link is followed.
        path: PathBuf,
        /// Its length in bytes. A file that has another length when it is packed is an error.
        len: u64,
    },
    /// In memory.
    Bytes(Arc<[u8]>),
    /// A part of a file of the machine, such as a member of an uncompressed tar.
    Slice {
        /// The file.
        path: Arc<Path>,
        /// Where in it the content begins, in bytes.
        offset: u64,
        /// How many bytes long it is.
        len: u64,
    },
}

impl Content {
    /// The file at `path`, with the length it has now.
    ///
    /// # Errors
    ///
    /// When it cannot be asked for its length, or is no regular file.
    pub fn file(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        Ok(Self::File {
            path: path.to_owned(),
            len: metadata.len(),
        })
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::File { len, .. } | Self::Slice { len, .. } => *len,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file of the machine that it is in, if it is in one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Slice { path, .. } => Some(path),
            Self::Bytes(_) => None,
        }
    }

    /// Opens it for reading from its start to its end.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or, for a whole file, is not as long as it was said to be.
    pub fn open(&self) -> io::Result<impl Read + use<>> {
        Ok(match self {
            Self::File { path, len } => {
                let file = host::open(path)?;
                let metadata = file.metadata()?;
                host::expect_file(&metadata)?;
                let actual = metadata.len();
                if actual != *len {
                    return Err(io::Error::other(format!(
                        "it is {actual} bytes long, expected {len}"
                    )));
                }
                Opened::File(file.take(*len))
            }
            Self::Slice { path, offset, len } => {
                let mut file = host::open(path)?;
                file.seek(SeekFrom::Start(*offset))?;
                Opened::File(file.take(*len))
            }
            Self::Bytes(bytes) => Opened::Bytes(io::Cursor::new(Arc::clone(bytes))),
        })
    }

    /// Whether both hold the same bytes. Lengths are compared first; bytes are read only when the
    /// two are different places of one length.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read.
    pub fn same_bytes(&self, other: &Self) -> io::Result<bool> {
        if self == other {
            return Ok(true);
        }
        if self.len() != other.len() {
            return Ok(false);
        }
        let (mut left, mut right) = (self.open()?, other.open()?);
        let mut buffers = (vec![0; CHUNK], vec![0; CHUNK]);
        loop {
            let count = fill(&mut left, &mut buffers.0)?;
            if count != fill(&mut right, &mut buffers.1)?
                || buffers.0[..count] != buffers.1[..count]
            {
                return Ok(false);
            }
            if count < CHUNK {
                return Ok(true);
            }
        }
    }
}

/// So much is read at once, in bytes.
pub(crate) const CHUNK: usize = 128 * 1024;

/// Reads until `buffer` is full or the end is reached, and gives the number of bytes read.
pub(crate) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

enum Opened {
    File(io::Take<File>),
    Bytes(io::Cursor<Arc<[u8]>>),
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Bytes(bytes) => bytes.read(buffer),
        }
    }
}
