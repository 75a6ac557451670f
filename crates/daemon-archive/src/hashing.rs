//! Hashing what is read, for bytes whose digest nobody has said beforehand.

use std::io::{self, Read};

use cooperage_digest::{Algorithm, Digest, Hasher};

/// Hashes and counts what passes through.
#[derive(Debug)]
pub(crate) struct HashingReader<R> {
    inner: R,
    hasher: Hasher,
    passed: u64,
}

impl<R: Read> HashingReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: Hasher::new(Algorithm::Sha256),
            passed: 0,
        }
    }

    /// Reads what is left, and gives the SHA-256 digest and the number of all bytes.
    pub(crate) fn finish(mut self) -> io::Result<(Digest, u64)> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Ok((self.hasher.finish(), self.passed)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.passed += read as u64;
        Ok(read)
    }
}
