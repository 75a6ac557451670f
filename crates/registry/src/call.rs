//! A request with all that belongs to it: tokens, redirects, attempts.

use std::io::{self, Read as _};

use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::auth::Scope;
use crate::client::Inner;
use crate::endpoint::{Endpoint, Manner};
use crate::error::{Attempted, Error, Reason};
use crate::exchange::{Patience, Payload, Reply};
use crate::tries::{Fault, Tries};
use crate::url::{Scheme, Url};
use crate::wire::{Challenge, ServerError, retry_after};

/// How often a redirect is followed.
const MAX_HOPS: u32 = 8;
/// How often a token is asked for, for one attempt: the second one for what the server says in
/// answer to the first that it wants as well.
const MAX_ROUNDS: u32 = 2;
/// How much of an answer that says no is read, in bytes.
const MAX_ERROR_BODY: u64 = 64 << 10;

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) enum To<'a> {
    /// Below `/v2/`.
    Path(&'a str),
    /// Where the registry said.
    Url(Url),
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) to: To<'a>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) scope: &'a Scope,
    pub(crate) patience: Patience,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, to: To<'a>, scope: &'a Scope) -> Self {
        Self {
            method,
            to,
            headers: Vec::new(),
            scope,
            patience: Patience::Usual,
        }
    }

    /// Adds a header, unless its value cannot be one.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Where it came from, after redirects.
    pub(crate) url: Url,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where `Location` leads.
    pub(crate) fn location(&self) -> Option<Url> {
        self.url.join(self.header("location")?)
    }
}

/// What is wanted of the body of an answer that is right.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    Nothing,
    /// All of it, at most so many bytes.
    Body(u64),
}

impl Inner {
    /// Sends a request, as often as need be, until one of the statuses `right` comes back.
    pub(crate) fn call(
        &self,
        endpoint: &Endpoint,
        call: &Call<'_>,
        body: Option<&[u8]>,
        (right, wanted): (&[u16], Wanted),
        attempted: &dyn Fn() -> Attempted,
    ) -> Result<Answer, Error> {
        let mut tries = self.tries();
        loop {
            let payload = body.map_or(Payload::None, Payload::Bytes);
            let answer = self
                .once(endpoint, call, payload)
                .and_then(|(reply, url)| whole(reply, url, right, wanted));
            match answer {
                Ok(answer) => return Ok(answer),
                Err(fault) => tries.again(fault).map_err(|reason| {
                    Error::new(attempted(), self.in_words(endpoint, call, reason))
                })?,
            }
        }
    }

    /// The answer to a `HEAD` has no body that would say why: a `GET` asks for that, once.
    fn in_words(&self, endpoint: &Endpoint, call: &Call<'_>, reason: Reason) -> Reason {
        let (found, silent) = match &reason {
            Reason::Denied { status, errors, .. } | Reason::Refused { status, errors, .. } => {
                (*status, errors.is_empty())
            }
            _ => return reason,
        };
        if call.method != Method::HEAD || !silent {
            return reason;
        }
        let mut get = call.clone();
        get.method = Method::GET;
        let reply = self.once(endpoint, &get, Payload::None);
        let words = match reply {
            Ok((reply, _)) if reply.status == found => errors_of(reply),
            Err(Fault::Final(Reason::Denied { status, errors, .. })) if status == found => errors,
            _ => Vec::new(),
        };
        match reason {
            Reason::Denied { status, login, .. } => Reason::Denied {
                status,
                errors: words,
                login,
            },
            Reason::Refused {
                status, attempts, ..
            } => Reason::Refused {
                status,
                errors: words,
                attempts,
            },
            reason => reason,
        }
    }

    pub(crate) fn tries(&self) -> Tries<'_> {
        Tries::new(self.options.retry, &*self.options.pace)
    }

    /// One attempt: with a token, after redirects. Any status is a reply.
    pub(crate) fn once(
        &self,
        endpoint: &Endpoint,
        call: &Call<'_>,
        mut payload: Payload<'_>,
    ) -> Result<(Reply, Url), Fault> {
        self.find_scheme(endpoint)?;
        let first = |endpoint: &Endpoint| match &call.to {
            To::Path(path) => endpoint
                .url(path)
                .ok_or_else(|| Fault::malformed("the name of the registry is no address")),
            To::Url(url) => Ok(url.clone()),
        };
        let (mut url, mut hops, mut rounds) = (first(endpoint)?, 0, 0);
        loop {
            let own = url.authority == endpoint.authority;
            let token = if own {
                self.authorization(endpoint, call.scope, &url)?
            } else {
                None
            };
            let streams = matches!(payload, Payload::Stream { .. });
            let reply = self.send(call, &url, token.clone(), payload.again())?;
            let status = reply.status;
            if status == 400 && own && endpoint.manner() == Manner::Presumed {
                let (wants_tls, fault) = bad_request(reply);
                if !wants_tls {
                    return Err(fault);
                }
                endpoint.found(Scheme::Https);
                url = first(endpoint)?;
                continue;
            }
            endpoint.presume_right();
            if status == 401 && own && rounds < MAX_ROUNDS {
                rounds += 1;
                let challenges = challenges(&reply.headers);
                let errors = errors_of(reply);
                let asked = (&*challenges, token.as_ref());
                self.answer_challenge(endpoint, call.scope, &url, asked, &errors)?;
                if streams {
                    return Err(Fault::Expired { errors });
                }
            } else if matches!(status, 301 | 302 | 303 | 307 | 308) && hops < MAX_HOPS && !streams {
                hops += 1;
                url = redirected(&url, &reply, &call.method)?;
                reply.finish();
            } else if matches!(status, 301 | 302 | 303 | 307 | 308) && !streams {
                let text =
                    format!("`{url}` is the last of {MAX_HOPS} redirects, and redirects too");
                return Err(Fault::malformed(text));
            } else if matches!(status, 401 | 403) && own {
                return Err(Fault::Final(Reason::Denied {
                    status,
                    errors: errors_of(reply),
                    login: self.has_login(endpoint, call.scope),
                }));
            } else {
                return Ok((reply, url));
            }
        }
    }

    fn send(
        &self,
        call: &Call<'_>,
        url: &Url,
        token: Option<HeaderValue>,
        payload: Payload<'_>,
    ) -> Result<Reply, Fault> {
        let mut headers = call.headers.clone();
        headers.extend(token.map(|token| (AUTHORIZATION, token)));
        self.exchange
            .send(&call.method, url, &headers, payload, call.patience)
            .map_err(lost)
    }

    /// Finds out whether a server that need not speak TLS does.
    fn find_scheme(&self, endpoint: &Endpoint) -> Result<(), Fault> {
        if endpoint.manner() != Manner::Unknown {
            return Ok(());
        }
        let ask = |scheme| {
            let url = endpoint
                .base(scheme)
                .ok_or_else(|| Fault::malformed("the name of the registry is no address"))?;
            self.exchange
                .send(&Method::GET, &url, &[], Payload::None, Patience::Usual)
                .map_err(lost)
        };
        let (reply, scheme) = match ask(Scheme::Https) {
            Ok(reply) => (reply, Scheme::Https),
            Err(fault) => match ask(Scheme::Http) {
                Ok(reply) => (reply, Scheme::Http),
                Err(_) => return Err(fault),
            },
        };
        reply.finish();
        endpoint.found(scheme);
        Ok(())
    }
}

/// Where a redirect leads: not from TLS to where everybody reads along, and not with a body to
/// anybody else.
fn redirected(from: &Url, reply: &Reply, method: &Method) -> Result<Url, Fault> {
    let to = reply
        .header("location")
        .and_then(|location| from.join(location))
        .ok_or_else(|| Fault::malformed(format!("`{from}` redirects to nowhere")))?;
    if from.scheme == Scheme::Https && to.scheme == Scheme::Http {
        let text = format!("`{from}` redirects to `{to}`, which is not TLS");
        return Err(Fault::malformed(text));
    }
    let reads = *method == Method::GET || *method == Method::HEAD;
    if !reads && !to.is_of(from) {
        let text = format!("`{from}` redirects a {method} to another host, `{to}`");
        return Err(Fault::malformed(text));
    }
    Ok(to)
}

/// Whether a server that was asked in plain HTTP wants TLS, and what it says.
fn bad_request(reply: Reply) -> (bool, Fault) {
    let mut body = Vec::new();
    drop(reply.body.take(MAX_ERROR_BODY).read_to_end(&mut body));
    // Go's servers and nginx's.
    let says = |text: &str| body.windows(text.len()).any(|it| it == text.as_bytes());
    let wants_tls =
        says("HTTP request to an HTTPS server") || says("HTTP request was sent to HTTPS port");
    let fault = Fault::Status {
        status: reply.status,
        errors: ServerError::parse_all(&body),
        wait: None,
    };
    (wants_tls, fault)
}

fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let texts = headers
        .get_all("www-authenticate")
        .iter()
        .filter_map(|value| value.to_str().ok());
    texts.flat_map(Challenge::parse_all).collect()
}

/// The whole of a right answer, or what a wrong one says.
fn whole(reply: Reply, url: Url, right: &[u16], wanted: Wanted) -> Result<Answer, Fault> {
    if !right.contains(&reply.status) {
        return Err(refused(reply));
    }
    let (status, headers) = (reply.status, reply.headers.clone());
    let body = match wanted {
        Wanted::Nothing => {
            reply.finish();
            Vec::new()
        }
        Wanted::Body(limit) => reply
            .read(limit)
            .map_err(Fault::Lost)?
            .ok_or(Fault::Final(Reason::TooLarge { limit }))?,
    };
    Ok(Answer {
        status,
        headers,
        body,
        url,
    })
}

/// What an answer with another status than those that are right says.
pub(crate) fn refused(reply: Reply) -> Fault {
    let wait = reply
        .header("retry-after")
        .and_then(|wait| retry_after(wait, reply.header("date")));
    let status = reply.status;
    Fault::Status {
        status,
        errors: errors_of(reply),
        wait,
    }
}

fn errors_of(reply: Reply) -> Vec<ServerError> {
    let mut body = Vec::new();
    // What was read of a body that ends too early says as much as it says.
    drop(reply.body.take(MAX_ERROR_BODY).read_to_end(&mut body));
    ServerError::parse_all(&body)
}

/// What ureq says, as far as it matters here.
pub(crate) fn lost(error: ureq::Error) -> Fault {
    match error {
        // rustls says so when a certificate is not to be trusted, and that does not pass.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            Fault::Final(Reason::Connection {
                attempts: 1,
                source: error,
            })
        }
        ureq::Error::Io(error) => Fault::Lost(error),
        ureq::Error::Timeout(_) => Fault::Lost(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("nothing came for too long ({error})"),
        )),
        ureq::Error::Protocol(_) | ureq::Error::ConnectionFailed => {
            Fault::Lost(io::Error::other(error))
        }
        ureq::Error::LargeResponseHeader(_, limit) => Fault::Final(Reason::TooLarge {
            limit: limit as u64,
        }),
        error => Fault::Final(Reason::Connection {
            attempts: 1,
            source: io::Error::other(error),
        }),
    }
}
