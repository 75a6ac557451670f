//! A blob on its way from a source to a registry, over as many connections as it takes.

use std::sync::PoisonError;

use cooperage_blob::Source;
use cooperage_image_spec::{Descriptor, Reference};

use crate::error::Error;
use crate::exchange::Payload;
use crate::options::Upload;
use crate::outgoing::Outgoing;
use crate::repository::Repository;
use crate::session::{Care, Mounted, Session};
use crate::tries::Fault;

/// Why an upload did not come to its end.
pub(crate) enum Broken {
    /// The source failed.
    Source(cooperage_blob::Error),
    /// The registry, or the way to it.
    Way(Fault),
}

impl Repository {
    /// Sends a blob that is not there, unless it can be mounted. Returns how many bytes went over.
    ///
    /// Of one blob and repository, one upload is under way at a time: who comes second waits, and
    /// finds it there.
    pub(crate) fn send_blob(
        &self,
        source: &dyn Source,
        descriptor: &Descriptor,
        moved: &mut dyn FnMut(u64),
    ) -> Result<u64, cooperage_blob::Error> {
        let digest = &descriptor.digest;
        let name = format!("upload {}@{digest}", self.reference);
        let turn = self.inner.busy.turn(name);
        if turn.was_done() && self.has_blob(descriptor)? {
            return Ok(0);
        }
        let moved = self.send_in_turn(source, descriptor, moved)?;
        turn.done();
        Ok(moved)
    }

    fn send_in_turn(
        &self,
        source: &dyn Source,
        descriptor: &Descriptor,
        moved: &mut dyn FnMut(u64),
    ) -> Result<u64, cooperage_blob::Error> {
        let digest = &descriptor.digest;
        let Some(first) = self.begin_or_mount(source, descriptor)? else {
            return Ok(0);
        };
        let mut session = Some(first);
        let mut tries = self.inner.tries();
        let (mut told, mut best) = (0, 0);
        let mut tell = |upto: u64| {
            if upto > told {
                moved(upto - told);
                told = upto;
            }
        };
        loop {
            let mut current = match session.take() {
                Some(session) => session,
                None => self.begin(Some(digest))?,
            };
            let care = Care::after(tries.have_failed());
            let fault = match self.fill(&mut current, source, descriptor, &mut tell, care) {
                Ok(()) => return Ok(descriptor.size),
                Err(Broken::Source(error)) => {
                    self.cancel(&current);
                    return Err(error);
                }
                Err(Broken::Way(fault)) => fault,
            };
            tries.again(fault).map_err(|reason| {
                self.cancel(&current);
                self.upload_error(Some(digest), reason)
            })?;
            session = self.status(&current);
            session = session.filter(|session| session.stored <= descriptor.size);
            match &session {
                Some(session) if session.stored > best => {
                    best = session.stored;
                    tries.went_on();
                }
                // The end may have got there, and its answer lost.
                None if self.has_blob(descriptor)? => return Ok(descriptor.size),
                _ => {}
            }
        }
    }

    /// Tries to mount the blob from wherever it may be; `None` if that worked.
    fn begin_or_mount(
        &self,
        source: &dyn Source,
        descriptor: &Descriptor,
    ) -> Result<Option<Session>, Error> {
        let mut from: Vec<_> = source.origin(descriptor).into_iter().collect();
        let mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        from.extend(mounts.iter().cloned());
        drop(mounts);
        from.retain(|other: &Reference| {
            other.domain() == self.reference.domain() && other.path() != self.reference.path()
        });
        let mut tried: Vec<String> = Vec::new();
        for other in from {
            if tried.iter().any(|path| path == other.path()) {
                continue;
            }
            tried.push(other.path().to_owned());
            match self.mount(&descriptor.digest, &other) {
                Ok(Mounted::Yes) => return Ok(None),
                Ok(Mounted::No(session)) => return Ok(Some(session)),
                // Who may not read there can send the blob all the same.
                Err(_) => {}
            }
        }
        self.begin(Some(&descriptor.digest)).map(Some)
    }

    /// Sends what the registry does not have, and ends the upload.
    fn fill(
        &self,
        session: &mut Session,
        source: &dyn Source,
        descriptor: &Descriptor,
        tell: &mut dyn FnMut(u64),
        care: Care,
    ) -> Result<(), Broken> {
        let size = descriptor.size;
        let mut body =
            Outgoing::open(source, descriptor, session.stored, tell).map_err(Broken::Source)?;
        if let Upload::Chunked(chunk) = self.inner.options.upload {
            let chunk = chunk.get().max(session.least);
            while size - session.stored > chunk {
                let end = session.stored + chunk;
                let result = self.patch(session, (body.upto(end), end), care);
                result.map_err(|fault| body.blame(fault))?;
            }
        }
        let result = self.put(session, (body.upto(size), size), &descriptor.digest, care);
        result.map_err(|fault| body.blame(fault))
    }
}

/// Bytes for the last part of an upload, none as a stream.
impl Payload<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Stream { length, .. } => *length == 0,
        }
    }
}
