//! Uploads that a registry has begun.

use cooperage_digest::Digest;
use cooperage_image_spec::Reference;
use ureq::http::Method;
use ureq::http::header::{CONTENT_RANGE, CONTENT_TYPE, EXPECT};

use crate::auth::{Access, Scope};
use crate::call::{Answer, Call, To, Wanted, refused};
use crate::error::{Error, Reason};
use crate::exchange::{Patience, Payload, Reply};
use crate::repository::Repository;
use crate::tries::Fault;
use crate::url::{Url, escape};
use crate::wire::stored;

const OCTETS: &str = "application/octet-stream";

/// An upload that the registry has begun.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Where the next request goes.
    url: Url,
    /// How many bytes the registry has.
    pub(crate) stored: u64,
    /// The least that it takes at once, in bytes, but at the end.
    pub(crate) least: u64,
}

/// What became of a mount.
pub(crate) enum Mounted {
    Yes,
    /// The registry waits for the bytes.
    No(Session),
}

/// Whether to wait for leave before a body is sent: after a connection broke, which may have been
/// the registry's way to refuse it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Care {
    None,
    AskFirst,
}

impl Care {
    pub(crate) fn after(failed: bool) -> Self {
        if failed { Self::AskFirst } else { Self::None }
    }
}

impl Repository {
    pub(crate) fn upload_error(&self, digest: Option<&Digest>, reason: Reason) -> Error {
        let digest = digest.map_or("", Digest::as_str);
        Error::new(self.attempted("upload blob", digest), reason)
    }

    fn push_scope(&self) -> Scope {
        self.scope(&self.endpoints.origin, Access::Push)
    }

    pub(crate) fn mount(&self, digest: &Digest, from: &Reference) -> Result<Mounted, Error> {
        let from = from.path();
        let path = self.path(&format!(
            "blobs/uploads/?mount={digest}&from={}",
            escape(from)
        ));
        let mut scope = self.push_scope();
        scope.from = Some(from.to_owned());
        let answer = self.post(Some(digest), &path, &scope, &[201, 202])?;
        if answer.status == 201 {
            return Ok(Mounted::Yes);
        }
        self.session_of(Some(digest), &answer).map(Mounted::No)
    }

    /// Begins an upload; the digest is for messages.
    pub(crate) fn begin(&self, digest: Option<&Digest>) -> Result<Session, Error> {
        let path = self.path("blobs/uploads/");
        let answer = self.post(digest, &path, &self.push_scope(), &[202])?;
        self.session_of(digest, &answer)
    }

    fn post(
        &self,
        digest: Option<&Digest>,
        path: &str,
        scope: &Scope,
        right: &[u16],
    ) -> Result<Answer, Error> {
        let call = Call::new(Method::POST, To::Path(path), scope);
        let attempted = || self.attempted("upload blob", digest.map_or("", Digest::as_str));
        let (origin, wanted) = (&self.endpoints.origin, (right, Wanted::Nothing));
        self.inner
            .call(origin, &call, Some(&[]), wanted, &attempted)
    }

    fn session_of(&self, digest: Option<&Digest>, answer: &Answer) -> Result<Session, Error> {
        let url = answer.location().ok_or_else(|| {
            let text = "the registry takes the upload and does not say where".to_owned();
            self.upload_error(digest, Reason::Malformed(text))
        })?;
        let least = answer.header("oci-chunk-min-length");
        let least = least.and_then(|least| least.trim().parse().ok());
        Ok(Session {
            url: url.not_below(&answer.url),
            stored: 0,
            least: least.unwrap_or(0),
        })
    }

    /// What the registry has of an upload that broke; `None` if it cannot be gone on with.
    pub(crate) fn status(&self, session: &Session) -> Option<Session> {
        let scope = self.push_scope();
        let call = Call::new(Method::GET, To::Url(session.url.clone()), &scope);
        let origin = &self.endpoints.origin;
        let (reply, url) = self.inner.once(origin, &call, Payload::None).ok()?;
        let status = reply.status;
        let range = reply.header("range").and_then(stored);
        let next = reply.header("location").and_then(|to| url.join(to));
        reply.finish();
        if !matches!(status, 200 | 202 | 204) {
            return None;
        }
        Some(Session {
            url: next.unwrap_or_else(|| url.clone()).not_below(&url),
            stored: range?,
            least: session.least,
        })
    }

    /// Lets go of an upload; if that fails, the registry does it some day.
    pub(crate) fn cancel(&self, session: &Session) {
        let scope = self.push_scope();
        let call = Call::new(Method::DELETE, To::Url(session.url.clone()), &scope);
        let origin = &self.endpoints.origin;
        if let Ok((reply, _)) = self.inner.once(origin, &call, Payload::None) {
            reply.finish();
        }
    }

    /// Sends the next bytes of an upload, up to the offset `end`.
    pub(crate) fn patch(
        &self,
        session: &mut Session,
        (payload, end): (Payload<'_>, u64),
        care: Care,
    ) -> Result<(), Fault> {
        let scope = self.push_scope();
        let range = format!("{}-{}", session.stored, end - 1);
        let call = Call::new(Method::PATCH, To::Url(session.url.clone()), &scope)
            .header(CONTENT_TYPE, OCTETS)
            .header(CONTENT_RANGE, &range);
        let (reply, url) = self.send(call, payload, care)?;
        if !matches!(reply.status, 202 | 204) {
            return Err(gone_or(reply));
        }
        let has = reply.header("range").and_then(stored);
        let next = reply.header("location").and_then(|to| url.join(to));
        reply.finish();
        session.url = next.unwrap_or_else(|| url.clone()).not_below(&url);
        if let Some(has) = has.filter(|has| *has != end) {
            let text = format!("the registry has {has} bytes after {end} were sent");
            return Err(Fault::Lost(std::io::Error::other(text)));
        }
        session.stored = end;
        Ok(())
    }

    /// Sends the last bytes of a blob, if there are any left, and ends the upload.
    pub(crate) fn put(
        &self,
        session: &Session,
        (payload, size): (Payload<'_>, u64),
        digest: &Digest,
        care: Care,
    ) -> Result<(), Fault> {
        let scope = self.push_scope();
        let url = session.url.clone().with("digest", digest.as_str());
        let mut call = Call::new(Method::PUT, To::Url(url), &scope).header(CONTENT_TYPE, OCTETS);
        call.patience = Patience::Long;
        if session.stored > 0 && session.stored < size {
            let range = format!("{}-{}", session.stored, size - 1);
            call = call.header(CONTENT_RANGE, &range);
        }
        let (reply, _) = self.send(call, payload, care)?;
        if !matches!(reply.status, 200 | 201 | 204) {
            return Err(gone_or(reply));
        }
        let said = reply.header("docker-content-digest");
        let said: Option<Digest> = said.and_then(|said| said.parse().ok());
        reply.finish();
        match said.filter(|said| said.algorithm() == digest.algorithm() && said != digest) {
            Some(other) => Err(Fault::malformed(format!(
                "the registry took the blob for `{other}`"
            ))),
            None => Ok(()),
        }
    }

    fn send(
        &self,
        mut call: Call<'_>,
        payload: Payload<'_>,
        care: Care,
    ) -> Result<(Reply, Url), Fault> {
        if care == Care::AskFirst && !payload.is_empty() {
            call = call.header(EXPECT, "100-continue");
        }
        self.inner.once(&self.endpoints.origin, &call, payload)
    }
}

/// What a registry says that does not know of the upload any more passes with a new one.
fn gone_or(reply: Reply) -> Fault {
    match refused(reply) {
        Fault::Status {
            status: status @ (404 | 416),
            errors,
            ..
        } => Fault::Gone { status, errors },
        fault => fault,
    }
}
