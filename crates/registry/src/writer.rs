//! A blob that is written before its digest is known.

use std::io::{self, Write};

use cooperage_blob::{BlobWriter, Error, Written};
use cooperage_digest::{Algorithm, Hasher};
use cooperage_image_spec::{Descriptor, MediaType};

use crate::exchange::Payload;
use crate::options::Upload;
use crate::repository::{MAX_MANIFEST_SIZE, Repository};
use crate::session::{Care, Session};
use crate::source::is_document;

/// The largest part that is held, in bytes, whatever a registry wants as the least.
const MAX_PART: u64 = 64 << 20;

/// Holds one part of a blob, which is kept until the registry has it.
pub(crate) struct Writer<'a> {
    repository: &'a Repository,
    hasher: Hasher,
    size: u64,
    part: Vec<u8>,
    part_size: u64,
    session: Option<Session>,
    failed: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(repository: &'a Repository, algorithm: Algorithm) -> Self {
        let part_size = match repository.inner.options.upload {
            Upload::Monolithic => MAX_MANIFEST_SIZE,
            Upload::Chunked(chunk) => chunk.get().clamp(MAX_MANIFEST_SIZE, MAX_PART),
        };
        Self {
            repository,
            hasher: Hasher::new(algorithm),
            size: 0,
            part: Vec::new(),
            part_size,
            session: None,
            failed: false,
        }
    }

    /// Sends the part that is held, in the middle of the blob.
    fn send_part(&mut self) -> Result<(), crate::Error> {
        let mut session = if let Some(session) = self.session.take() {
            session
        } else {
            let session = self.repository.begin(None)?;
            if session.least > self.part_size {
                // Held until there is enough.
                self.part_size = session.least.min(MAX_PART);
                self.session = Some(session);
                return Ok(());
            }
            session
        };
        let end = self.size;
        let result = self.send_rest(&mut session, |session, payload, care| {
            self.repository.patch(session, (payload, end), care)
        });
        self.session = Some(session);
        result?;
        self.part.clear();
        Ok(())
    }

    /// Sends what the registry does not have of the part that is held, as often as need be.
    fn send_rest(
        &self,
        session: &mut Session,
        send: impl Fn(&mut Session, Payload<'_>, Care) -> Result<(), crate::tries::Fault>,
    ) -> Result<(), crate::Error> {
        let start = self.size - self.part.len() as u64;
        let mut tries = self.repository.inner.tries();
        loop {
            let rest = session.stored.saturating_sub(start) as usize;
            let rest = self.part.get(rest..).unwrap_or_default();
            let care = Care::after(tries.have_failed());
            let Err(fault) = send(session, Payload::Bytes(rest), care) else {
                return Ok(());
            };
            let fail = |reason| self.repository.upload_error(None, reason);
            tries.again(fault).map_err(fail)?;
            let now = self.repository.status(session);
            let Some(now) = now.filter(|now| (start..=self.size).contains(&now.stored)) else {
                let text = format!(
                    "the connection broke, and the registry let go of the {start} bytes that it had; write to a layout first and copy from there"
                );
                return Err(fail(crate::Reason::Malformed(text)));
            };
            if now.stored > session.stored {
                tries.went_on();
            }
            *session = now;
        }
    }

    fn end(&mut self, written: &Written, expected: Option<&Descriptor>) -> Result<(), Error> {
        let descriptor = || {
            let media_type = MediaType::new("application/octet-stream");
            Descriptor::new(media_type, written.digest.clone(), written.size)
        };
        let descriptor = expected.cloned().unwrap_or_else(descriptor);
        let is_document = is_document(&descriptor.media_type);
        if is_document && self.session.is_none() {
            let name = descriptor.digest.as_str();
            let result = self.repository.put_manifest(name, &descriptor, &self.part);
            return Ok(result?);
        }
        if is_document {
            return Err(Error::too_large(&descriptor, MAX_MANIFEST_SIZE));
        }
        let Some(mut session) = self.session.take() else {
            // All of it is at hand.
            let memory = Held(&self.part);
            self.repository
                .send_blob(&memory, &descriptor, &mut |_| {})?;
            return Ok(());
        };
        let (digest, size) = (&descriptor.digest, self.size);
        let result = self.send_rest(&mut session, |session, payload, care| {
            self.repository.put(session, (payload, size), digest, care)
        });
        self.session = Some(session);
        result?;
        self.session = None;
        Ok(())
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other("an earlier part of the blob failed"));
        }
        if !bytes.is_empty() && self.part.len() as u64 >= self.part_size {
            self.send_part().map_err(|error| {
                self.failed = true;
                io::Error::other(error)
            })?;
        }
        let room = (self.part_size as usize).saturating_sub(self.part.len());
        let taken = &bytes[..bytes.len().min(room)];
        self.hasher.update(taken);
        self.part.extend_from_slice(taken);
        self.size += taken.len() as u64;
        Ok(taken.len())
    }

    /// Does nothing: parts are sent when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for Writer<'_> {
    fn finish(mut self: Box<Self>, expected: Option<&Descriptor>) -> Result<Written, Error> {
        let digest = self.hasher.clone().finish();
        let size = self.size;
        let written = Written { digest, size };
        written.check(expected)?;
        self.end(&written, expected)?;
        Ok(written)
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.repository.cancel(&session);
        }
    }
}

/// A blob whose bytes are at hand.
struct Held<'a>(&'a [u8]);

impl cooperage_blob::Source for Held<'_> {
    fn roots(&self) -> Result<Vec<cooperage_blob::Root>, Error> {
        Ok(Vec::new())
    }

    fn fetch(&self, _descriptor: &Descriptor) -> Result<Box<dyn io::Read + Send + '_>, Error> {
        Ok(Box::new(self.0))
    }
}
