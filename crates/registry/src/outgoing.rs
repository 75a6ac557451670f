//! The body of an upload, verified on its way.

use std::io::{self, Read};

use cooperage_blob::{Error, Source};
use cooperage_digest::{Hasher, VerifyError};
use cooperage_image_spec::Descriptor;

use crate::exchange::Payload;
use crate::tries::Fault;
use crate::upload::Broken;

/// Reads a blob from its source for sending, from an offset on.
///
/// All of it is hashed, what is passed over too, and the last bytes come out only if they make the
/// blob what it should be: a wrong one never gets whole to the registry.
pub(crate) struct Outgoing<'a> {
    reader: Box<dyn Read + Send + 'a>,
    hasher: Option<Hasher>,
    descriptor: &'a Descriptor,
    offset: u64,
    /// Where this request's part ends.
    end: u64,
    tell: &'a mut dyn FnMut(u64),
    failure: Option<Error>,
}

impl<'a> Outgoing<'a> {
    /// Opens the blob and passes over its first `skip` bytes, which the registry has.
    pub(crate) fn open(
        source: &'a dyn Source,
        descriptor: &'a Descriptor,
        skip: u64,
        tell: &'a mut dyn FnMut(u64),
    ) -> Result<Self, Error> {
        let algorithm = descriptor.digest.algorithm();
        let algorithm = algorithm.ok_or_else(|| Error::unverifiable(descriptor))?;
        let mut outgoing = Self {
            reader: source.fetch(descriptor)?,
            hasher: Some(Hasher::new(algorithm)),
            descriptor,
            offset: 0,
            end: skip,
            tell,
            failure: None,
        };
        let passed = io::copy(&mut outgoing, &mut io::sink());
        passed.map_err(|error| match outgoing.failure.take() {
            Some(failure) => failure,
            None => Error::read(descriptor, error),
        })?;
        // What has no bytes is never read, and is looked at here.
        if descriptor.size == 0 {
            outgoing.verify()?;
        }
        Ok(outgoing)
    }

    /// The bytes up to the offset `end`, for one request.
    pub(crate) fn upto(&mut self, end: u64) -> Payload<'_> {
        self.end = end;
        match end - self.offset {
            0 => Payload::Bytes(&[]),
            length => Payload::Stream {
                reader: self,
                length,
            },
        }
    }

    /// Why a request failed: for the source's sake, if it did.
    pub(crate) fn blame(&mut self, fault: Fault) -> Broken {
        match self.failure.take() {
            Some(error) => Broken::Source(error),
            None => Broken::Way(fault),
        }
    }

    /// At the last byte: nothing may follow, and the digest must be right.
    fn verify(&mut self) -> Result<(), Error> {
        let (expected, size) = (&self.descriptor.digest, self.descriptor.size);
        let more = loop {
            match self.reader.read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.map_err(|error| Error::read(self.descriptor, error))?,
            }
        };
        if more > 0 {
            return Err(Error::mismatch(VerifyError::Size {
                digest: expected.clone(),
                expected: size,
                actual: size.saturating_add(1),
            }));
        }
        match self.hasher.take().map(Hasher::finish) {
            Some(actual) if actual != *expected => Err(Error::mismatch(VerifyError::Digest {
                expected: expected.clone(),
                actual,
                size,
            })),
            _ => Ok(()),
        }
    }

    fn take(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let room = self.end.saturating_sub(self.offset);
        let most = usize::try_from(room).map_or(buffer.len(), |room| room.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        let read = loop {
            match self.reader.read(&mut buffer[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.map_err(|error| Error::read(self.descriptor, error))?,
            }
        };
        if read == 0 {
            return Err(Error::mismatch(VerifyError::Size {
                digest: self.descriptor.digest.clone(),
                expected: self.descriptor.size,
                actual: self.offset,
            }));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..read]);
        }
        self.offset += read as u64;
        if self.offset == self.descriptor.size {
            self.verify()?;
        }
        (self.tell)(self.offset);
        Ok(read)
    }
}

impl Read for Outgoing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failure.is_some() {
            return Err(io::Error::other("the source failed before"));
        }
        self.take(buffer).map_err(|error| {
            self.failure = Some(error);
            io::Error::other("the source failed")
        })
    }
}
