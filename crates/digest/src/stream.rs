//! Digests of bytes as they pass.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256, Sha512};

use crate::{Algorithm, Digest};

/// Computes a digest from bytes given piece by piece.
///
/// Cloning it keeps the state, so that a common beginning is hashed once.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Starts with no bytes.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all bytes taken.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => Digest::from_value(Algorithm::Sha256, &state.finalize()),
            State::Sha512(state) => Digest::from_value(Algorithm::Sha512, &state.finalize()),
        }
    }
}

/// Hashes and counts what passes through to another writer.
#[derive(Debug)]
pub struct HashingWriter<W> {
    inner: W,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> HashingWriter<W> {
    /// Starts at no bytes.
    #[must_use]
    pub fn new(inner: W, algorithm: Algorithm) -> Self {
        Self {
            inner,
            hasher: Hasher::new(algorithm),
            size: 0,
        }
    }

    /// Bytes that the inner writer has taken.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The writer that the bytes go to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The inner writer, the digest of what it took, and its length in bytes. Does not flush.
    #[must_use]
    pub fn finish(self) -> (W, Digest, u64) {
        (self.inner, self.hasher.finish(), self.size)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        let passed = bytes
            .get(..taken)
            .ok_or_else(|| io::Error::other("a writer took too much"))?;
        self.hasher.update(passed);
        self.size += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes were not what they were said to be.
///
/// Found as the source of the [`io::Error`] (kind `InvalidData`) that [`VerifyingReader`] gives.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// The right number of bytes, but others.
    #[error("expected digest {expected}, found {actual} after {size} bytes")]
    Digest {
        /// What the bytes were said to be.
        expected: Digest,
        /// What they are.
        actual: Digest,
        /// How many there were.
        size: u64,
    },
    /// Too few bytes, or at least one too many.
    #[error("expected {expected} bytes of {digest}, found {}{actual}", if actual > expected { "at least " } else { "" })]
    Size {
        /// What the bytes were said to be.
        digest: Digest,
        /// How many there were to be.
        expected: u64,
        /// How many were read.
        actual: u64,
    },
}

/// The digest's algorithm is one that is carried but cannot be computed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{digest} cannot be verified: sha256 and sha512 can be computed, `{}` cannot", digest.algorithm_name())]
pub struct UnknownAlgorithmError {
    /// The digest.
    pub digest: Digest,
}

/// Reads bytes of a known digest and size, and fails at end of stream unless they are just those.
///
/// The check is made by the read that meets the end, not by a later call or by a drop: who reads
/// to the end (`Ok(0)`) has verified bytes, and who stops earlier has none. At most one byte more
/// than the expected size is asked of the inner reader. After an error every read fails again.
///
/// The error is of kind `InvalidData` and carries a [`VerifyError`].
#[derive(Debug)]
pub struct VerifyingReader<R> {
    inner: R,
    expected: Digest,
    size: u64,
    seen: u64,
    state: VerifyState,
}

#[derive(Debug)]
enum VerifyState {
    Reading(Box<Hasher>),
    Unknown,
    Done,
    Failed(VerifyError),
}

impl<R: Read> VerifyingReader<R> {
    /// Reads `size` bytes from `inner`, to be found equal to `expected`.
    ///
    /// With an algorithm that cannot be computed every read fails, with an
    /// [`UnknownAlgorithmError`] as its source: nothing unverified comes out.
    #[must_use]
    pub fn new(inner: R, expected: Digest, size: u64) -> Self {
        let state = match expected.algorithm() {
            Some(algorithm) => VerifyState::Reading(Box::new(Hasher::new(algorithm))),
            None => VerifyState::Unknown,
        };
        Self {
            inner,
            expected,
            size,
            seen: 0,
            state,
        }
    }

    fn fail(&mut self, error: VerifyError) -> io::Error {
        self.state = VerifyState::Failed(error.clone());
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    fn wrong_size(&mut self) -> io::Error {
        let (digest, expected, actual) = (self.expected.clone(), self.size, self.seen);
        self.fail(VerifyError::Size {
            digest,
            expected,
            actual,
        })
    }

    fn end(&mut self) -> io::Result<usize> {
        if self.seen != self.size {
            return Err(self.wrong_size());
        }
        let VerifyState::Reading(hasher) = std::mem::replace(&mut self.state, VerifyState::Done)
        else {
            return Ok(0);
        };
        let actual = hasher.finish();
        if actual == self.expected {
            return Ok(0);
        }
        let (expected, size) = (self.expected.clone(), self.seen);
        Err(self.fail(VerifyError::Digest {
            expected,
            actual,
            size,
        }))
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.state {
            VerifyState::Reading(_) => {}
            VerifyState::Done => return Ok(0),
            VerifyState::Failed(error) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, error.clone()));
            }
            VerifyState::Unknown => {
                let error = UnknownAlgorithmError {
                    digest: self.expected.clone(),
                };
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        let room = (self.size - self.seen).saturating_add(1);
        let wanted = usize::try_from(room).map_or(buffer.len(), |room| room.min(buffer.len()));
        let read = self.inner.read(&mut buffer[..wanted])?;
        if read == 0 {
            return self.end();
        }
        self.seen += read as u64;
        if self.seen > self.size {
            return Err(self.wrong_size());
        }
        if let VerifyState::Reading(hasher) = &mut self.state {
            hasher.update(&buffer[..read]);
        }
        Ok(read)
    }
}
