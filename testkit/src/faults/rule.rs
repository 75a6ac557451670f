//! What is done, and to which requests.

/// Which requests of a registry's client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum On {
    /// All.
    Any,
    /// `GET` or `HEAD` of `/v2/`.
    Ping,
    /// `GET` of a blob.
    Blob,
    /// `HEAD` of a blob.
    BlobHead,
    /// `GET` of a manifest.
    Manifest,
    /// `HEAD` of a manifest.
    ManifestHead,
    /// `PUT` of a manifest.
    ManifestPut,
    /// `POST` that begins an upload or mounts a blob.
    Begin,
    /// `PATCH` of an upload.
    Chunk,
    /// `PUT` that ends an upload.
    Commit,
    /// Whatever carries a blob up: [`On::Chunk`] and [`On::Commit`].
    Upload,
    /// The list of tags.
    Tags,
    /// The list of referrers.
    Referrers,
}

impl On {
    /// Whether a request is meant.
    pub(super) fn matches(self, method: &str, target: &str) -> bool {
        if self == Self::Any {
            return true;
        }
        let path = target.split('?').next().unwrap_or_default();
        if path == "/v2/" {
            return self == Self::Ping;
        }
        let upload = path.contains("/blobs/uploads/");
        let kind = match method {
            "POST" if upload => Self::Begin,
            "PATCH" if upload => Self::Chunk,
            "PUT" if upload => Self::Commit,
            "GET" if path.ends_with("/tags/list") => Self::Tags,
            "GET" if path.contains("/referrers/") => Self::Referrers,
            "GET" if path.contains("/blobs/") && !upload => Self::Blob,
            "HEAD" if path.contains("/blobs/") => Self::BlobHead,
            "GET" if path.contains("/manifests/") => Self::Manifest,
            "HEAD" if path.contains("/manifests/") => Self::ManifestHead,
            "PUT" if path.contains("/manifests/") => Self::ManifestPut,
            _ => return false,
        };
        kind == self || (self == Self::Upload && matches!(kind, Self::Chunk | Self::Commit))
    }
}

/// What is done to a request or to its answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The connection ends after so many bytes of the request were passed on, its head among them.
    CutRequest {
        /// Bytes that the server is given.
        after: u64,
    },
    /// The connection ends after so many bytes of the answer, its head among them. The server has
    /// done what it was asked for.
    CutAnswer {
        /// Bytes that the client is given.
        after: u64,
    },
    /// The server is not asked, and this is the answer.
    Status {
        /// The status code.
        status: u16,
        /// The field `Retry-After`, as it is written.
        retry_after: Option<String>,
    },
    /// As [`Fault::Status`] with 401, and this challenge.
    Challenge(String),
    /// The answer comes in so many pieces, with a pause of some milliseconds before each.
    Slow {
        /// Number of pieces.
        pieces: u64,
        /// Milliseconds before each.
        pause: u64,
    },
    /// One bit of the answer's body is another: at this place, or at what is left of it when the
    /// body's length is taken off as often as it goes.
    FlipAnswer {
        /// The place in bytes.
        at: u64,
    },
    /// The same of the request's body.
    FlipRequest {
        /// The place in bytes.
        at: u64,
    },
    /// `Content-Length` says so many bytes more, or fewer, than come before the connection ends.
    Length {
        /// Bytes that are added.
        by: i64,
    },
    /// The answer has no `Docker-Content-Digest`.
    NoDigest,
    /// `Docker-Content-Digest` is that of something else.
    OtherDigest,
    /// The upload is given up on the server, which then answers for itself.
    SessionLost,
    /// The client is sent to the same path at this address.
    Redirect(String),
    /// `Location` of the server's answer is at this address: an upload goes on there.
    Elsewhere(String),
    /// The answer's body does not end, unless the client hangs up; 256 MiB are as good as that.
    Endless,
    /// A manifest of so many bytes, well formed.
    Huge {
        /// Its length in bytes.
        size: u64,
        /// Whether `Content-Length` says so.
        is_announced: bool,
    },
    /// The answer has this field `Link`.
    Link(Link),
}

/// What a field `Link` says of the next page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Link {
    /// It is this page again.
    Same,
    /// There is always one more.
    Endless,
    /// It is on the server at this address.
    Elsewhere(String),
    /// Just this, which may be anything.
    Words(String),
}

impl Fault {
    /// Whether it goes by, so that who tries again gets what is right.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::CutRequest { .. }
            | Self::CutAnswer { .. }
            | Self::Slow { .. }
            | Self::NoDigest
            | Self::SessionLost => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..600),
            _ => false,
        }
    }
}

/// A fault, and what it befalls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Which requests.
    pub on: On,
    /// So many of them are left alone first.
    pub skip: usize,
    /// So many are befallen then.
    pub times: usize,
    /// What befalls them.
    pub fault: Fault,
}

impl Rule {
    /// The first of these requests.
    #[must_use]
    pub fn once(on: On, fault: Fault) -> Self {
        Self::times(on, 1, fault)
    }

    /// The first so many of these requests.
    #[must_use]
    pub fn times(on: On, times: usize, fault: Fault) -> Self {
        Self {
            on,
            skip: 0,
            times,
            fault,
        }
    }

    /// All of these requests.
    #[must_use]
    pub fn always(on: On, fault: Fault) -> Self {
        Self::times(on, usize::MAX, fault)
    }
}

/// The fault of the first rule that is for this request.
pub(super) fn next(rules: &mut [Rule], method: &str, target: &str) -> Option<Fault> {
    for rule in rules {
        if !rule.on.matches(method, target) {
            continue;
        }
        if rule.skip > 0 {
            rule.skip -= 1;
        } else if rule.times > 0 {
            rule.times -= 1;
            return Some(rule.fault.clone());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let check = |method, target, expect: &[On]| {
            let all = [
                On::Ping,
                On::Blob,
                On::BlobHead,
                On::Manifest,
                On::ManifestHead,
                On::ManifestPut,
                On::Begin,
                On::Chunk,
                On::Commit,
                On::Upload,
                On::Tags,
                On::Referrers,
            ];
            let found: Vec<_> = all
                .into_iter()
                .filter(|on| on.matches(method, target))
                .collect();
            assert_eq!(found, expect, "{method} {target}");
            assert!(On::Any.matches(method, target));
        };
        check("GET", "/v2/", &[On::Ping]);
        check("GET", "/v2/a/b/blobs/sha256:00", &[On::Blob]);
        check("HEAD", "/v2/a/b/blobs/sha256:00", &[On::BlobHead]);
        check("GET", "/v2/a/manifests/1", &[On::Manifest]);
        check("HEAD", "/v2/a/manifests/1", &[On::ManifestHead]);
        check("PUT", "/v2/a/manifests/1", &[On::ManifestPut]);
        check("POST", "/v2/a/blobs/uploads/?mount=x&from=y", &[On::Begin]);
        check(
            "PATCH",
            "/v2/a/blobs/uploads/1?_state=x",
            &[On::Chunk, On::Upload],
        );
        check(
            "PUT",
            "/v2/a/blobs/uploads/1?digest=x",
            &[On::Commit, On::Upload],
        );
        check("GET", "/v2/a/blobs/uploads/1", &[]);
        check("GET", "/v2/a/tags/list?n=1", &[On::Tags]);
        check("GET", "/v2/a/referrers/sha256:00", &[On::Referrers]);
        check("DELETE", "/v2/a/manifests/1", &[]);
    }

    #[test]
    fn rules_count() {
        let mut rules = [Rule {
            skip: 1,
            times: 2,
            ..Rule::once(On::Tags, Fault::NoDigest)
        }];
        let mut hit = |target| next(&mut rules, "GET", target).is_some();
        let list = "/v2/a/tags/list";
        let hits = [hit(list), hit("/v2/"), hit(list), hit(list), hit(list)];
        assert_eq!(hits, [false, false, true, true, false]);
    }
}
