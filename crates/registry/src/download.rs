//! A blob on its way here, over as many connections as it takes.

use std::io::{self, Read};

use cooperage_image_spec::Descriptor;
use ureq::BodyReader;
use ureq::http::Method;
use ureq::http::header::RANGE;

use crate::auth::{Access, Scope};
use crate::call::{Call, To, refused};
use crate::endpoint::Endpoint;
use crate::error::{Attempted, Error, Reason};
use crate::exchange::Reply;
use crate::repository::Repository;
use crate::tries::{Fault, Tries};
use crate::wire::ContentRange;

/// A connection that brought so many bytes was worth it: attempts are counted anew. So a blob takes
/// no more connections than this and the number of attempts allow, whatever the server does.
const WORTH_IT: u64 = 1 << 20;

/// Reads a blob; not verified, and no more than one byte beyond its size.
pub(crate) struct Download<'a> {
    repository: &'a Repository,
    descriptor: Descriptor,
    /// Who is asked: the mirrors from the first on, and then the registry.
    endpoint: usize,
    body: Option<BodyReader<'static>>,
    offset: u64,
    /// Where the last connection began that was worth it.
    since: u64,
    tries: Tries<'a>,
    failed: bool,
}

impl<'a> Download<'a> {
    /// Opens the blob: what is not there fails here.
    pub(crate) fn start(
        repository: &'a Repository,
        descriptor: &Descriptor,
    ) -> Result<Self, Error> {
        let mut download = Self {
            repository,
            descriptor: descriptor.clone(),
            endpoint: 0,
            body: None,
            offset: 0,
            since: 0,
            tries: repository.inner.tries(),
            failed: false,
        };
        download.connect()?;
        Ok(download)
    }

    fn attempted(&self) -> Attempted {
        let digest = self.descriptor.digest.as_str();
        self.repository.attempted("download blob", digest)
    }

    fn endpoint(&self) -> (&'a Endpoint, bool) {
        let endpoints = &*self.repository.endpoints;
        match endpoints.mirrors.get(self.endpoint) {
            Some(mirror) => (mirror, true),
            None => (&endpoints.origin, false),
        }
    }

    /// Gets a body that begins at the offset.
    fn connect(&mut self) -> Result<(), Error> {
        loop {
            let (endpoint, is_mirror) = self.endpoint();
            let fault = match self.request(endpoint) {
                Ok(body) => {
                    self.body = Some(body);
                    return Ok(());
                }
                Err(fault) => fault,
            };
            if is_mirror {
                self.endpoint += 1;
                continue;
            }
            self.tries
                .again(fault)
                .map_err(|reason| Error::new(self.attempted(), reason))?;
        }
    }

    fn request(&self, endpoint: &Endpoint) -> Result<BodyReader<'static>, Fault> {
        let digest = &self.descriptor.digest;
        let path = self.repository.path(&format!("blobs/{digest}"));
        let scope = self.repository.scope(endpoint, Access::Pull);
        let (reply, part) = if self.offset == 0 {
            let reply = self.get(endpoint, &path, &scope)?;
            // An index may list documents of kinds that are not known here.
            if reply.status == 404 && self.descriptor.size <= crate::MAX_MANIFEST_SIZE {
                let path = self.repository.path(&format!("manifests/{digest}"));
                let other = self.get(endpoint, &path, &scope)?;
                if other.status == 200 {
                    reply.finish();
                    (other, None)
                } else {
                    other.finish();
                    (reply, None)
                }
            } else {
                (reply, None)
            }
        } else {
            let reply = self.get(endpoint, &path, &scope)?;
            let part = reply.header("content-range").and_then(ContentRange::parse);
            (reply, part)
        };
        self.body_of(reply, part)
    }

    fn get(&self, endpoint: &Endpoint, path: &str, scope: &Scope) -> Result<Reply, Fault> {
        let mut call = Call::new(Method::GET, To::Path(path), scope);
        if self.offset > 0 {
            call = call.header(RANGE, &format!("bytes={}-", self.offset));
        }
        let (reply, _) =
            self.repository
                .inner
                .once(endpoint, &call, crate::exchange::Payload::None)?;
        Ok(reply)
    }

    fn body_of(
        &self,
        reply: Reply,
        part: Option<ContentRange>,
    ) -> Result<BodyReader<'static>, Fault> {
        let size = self.descriptor.size;
        let lost = |text: String| Fault::Lost(io::Error::new(io::ErrorKind::InvalidData, text));
        match (reply.status, part) {
            (200, _) => {
                if let Some(length) = reply.length().filter(|length| *length != size) {
                    return Err(lost(format!(
                        "the registry offers {length} bytes, expected {size}"
                    )));
                }
                let mut body = reply.body;
                // A server that does not know of ranges sends everything again.
                let again = io::copy(&mut (&mut body).take(self.offset), &mut io::sink());
                match again.map_err(Fault::Lost)? {
                    read if read == self.offset => Ok(body),
                    read => Err(lost(format!(
                        "only {read} of the {} bytes came that had come before",
                        self.offset
                    ))),
                }
            }
            (206, Some(part)) if part.first == self.offset => Ok(reply.body),
            (206, part) => Err(lost(format!(
                "the registry sends {part:?}, expected what begins at {}",
                self.offset
            ))),
            (416, _) => Err(lost(format!(
                "the registry has nothing at {}, expected {size} bytes",
                self.offset
            ))),
            _ => Err(refused(reply)),
        }
    }

    fn broke(&mut self, error: io::Error) -> io::Result<()> {
        self.body = None;
        if self.offset - self.since >= WORTH_IT {
            self.since = self.offset;
            self.tries.went_on();
        }
        let (_, is_mirror) = self.endpoint();
        let result = if is_mirror {
            self.endpoint += 1;
            Ok(())
        } else {
            self.tries
                .again(Fault::Lost(error))
                .map_err(|reason| Error::new(self.attempted(), reason))
        };
        let result = result.and_then(|()| self.connect());
        result.map_err(|error| {
            self.failed = true;
            io::Error::other(error)
        })
    }
}

impl Read for Download<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let size = self.descriptor.size;
        loop {
            if self.failed || self.offset > size {
                let reason = Reason::Malformed("nothing more is read of what failed before".into());
                return Err(io::Error::other(reason));
            }
            let room = (size - self.offset).saturating_add(1);
            let most = usize::try_from(room).map_or(buffer.len(), |room| room.min(buffer.len()));
            let Some(body) = &mut self.body else {
                return Ok(0);
            };
            match body.read(&mut buffer[..most]) {
                Ok(0) if self.offset == size => {
                    self.body = None;
                    return Ok(0);
                }
                Ok(0) => {
                    let text = format!("the body ended after {} of {size} bytes", self.offset);
                    self.broke(io::Error::new(io::ErrorKind::UnexpectedEof, text))?;
                }
                Ok(read) => {
                    self.offset += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // All is here: how the connection ends is of no account.
                Err(_) if self.offset == size => {
                    self.body = None;
                    return Ok(0);
                }
                Err(error) => self.broke(error)?,
            }
        }
    }
}
