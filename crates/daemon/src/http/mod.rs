//! Requests to a daemon and what it answers.
//!
//! HTTP itself is `ureq`'s; what is done here is the connection below it ([`wire`]), and the
//! limits on all that comes back. Each request has a connection of its own: a Unix socket costs
//! microseconds, and nothing is ever sent into one that the daemon has just given up.

mod host;
mod tls;
mod wire;

use std::error::Error as StdError;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use cooperage_image_spec::{Json, MAX_DOCUMENT_SIZE};
use ureq::http::{Method, Request};
use ureq::unversioned::transport::{Connector as _, RustlsConnector};
use ureq::{Agent, BodyReader, SendBody};

pub use tls::TlsError;
pub(crate) use wire::Signals;
use wire::{Dial, Ready, Resolve};

use crate::error::words;
use crate::{AnswerProblem, Endpoint, Error, Options};

/// The most of an error's text that is read.
const MAX_MESSAGE: u64 = 64 << 10;

/// Who speaks to one daemon.
pub(crate) struct Client {
    endpoint: Endpoint,
    base: String,
    tls: Option<ureq::tls::TlsConfig>,
    options: Options,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// How long an answer may take.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    /// As long as looking something up takes.
    Quick,
    /// As long as taking an image apart takes.
    Long,
}

/// What is asked for.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Path and query, from the slash after the version.
    pub(crate) path: String,
    pub(crate) patience: Patience,
    pub(crate) body: Content<'a>,
}

/// What goes with it.
pub(crate) enum Content<'a> {
    Nothing,
    /// A tar whose length nobody knows.
    Tar(&'a mut dyn Read, Arc<Signals>),
}

impl Call<'_> {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            patience: Patience::Quick,
            body: Content::Nothing,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn patient(mut self) -> Self {
        self.patience = Patience::Long;
        self
    }

    /// Method and path, for errors: without the query, which says nothing that matters.
    fn text(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }
}

impl Client {
    pub(crate) fn new(endpoint: &Endpoint, options: &Options) -> Result<Self, Error> {
        let (base, tls) = match endpoint {
            Endpoint::Unix { .. } => ("http://localhost".to_owned(), None),
            Endpoint::Tcp {
                authority,
                base,
                tls: None,
            } => (format!("http://{authority}{base}"), None),
            Endpoint::Tcp {
                authority,
                base,
                tls: Some(tls),
            } => {
                let config = tls::config(tls).map_err(|source| Error::Tls {
                    endpoint: endpoint.clone(),
                    source,
                })?;
                (format!("https://{authority}{base}"), Some(config))
            }
        };
        Ok(Self {
            endpoint: endpoint.clone(),
            base,
            tls,
            options: options.clone(),
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Puts a path, the version of the API for instance, before that of every request.
    pub(crate) fn below(mut self, path: &str) -> Self {
        self.base.push_str(path);
        self
    }

    /// Sends a request, and gives the head of the answer whatever its status.
    pub(crate) fn send(&self, call: Call<'_>) -> Result<Answer, Error> {
        let text = call.text();
        let signals = match &call.body {
            Content::Tar(_, signals) => Arc::clone(signals),
            Content::Nothing => Arc::default(),
        };
        let agent = self.agent(call.patience, &signals);
        let request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base, call.path))
            .header("Connection", "close");
        let sent = match call.body {
            Content::Tar(tar, _) => request
                .header("Content-Type", "application/x-tar")
                .body(SendBody::from_reader(tar))
                .map_err(ureq::Error::from)
                .and_then(|request| agent.run(request)),
            // A POST without a body says that it has none.
            Content::Nothing if call.method == Method::POST => request
                .body(&[][..])
                .map_err(ureq::Error::from)
                .and_then(|request| agent.run(request)),
            Content::Nothing => request
                .body(())
                .map_err(ureq::Error::from)
                .and_then(|request| agent.run(request)),
        };
        match sent {
            Ok(response) => {
                let (head, body) = response.into_parts();
                Ok(Answer {
                    endpoint: self.endpoint.clone(),
                    request: text,
                    status: head.status.as_u16(),
                    headers: head.headers,
                    body: body.into_reader(),
                })
            }
            Err(error) if signals.is_ready() => Err(Error::Exchange {
                endpoint: self.endpoint.clone(),
                request: text,
                source: cause(error),
            }),
            Err(error) => Err(Error::Connect {
                endpoint: self.endpoint.clone(),
                hint: hint(&error),
                source: cause(error),
            }),
        }
    }

    fn agent(&self, patience: Patience, signals: &Arc<Signals>) -> Agent {
        let idle = match patience {
            Patience::Quick => self.options.quick,
            Patience::Long => self.options.long,
        };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("cooperage/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(self.options.connect))
            .timeout_per_read(Some(idle))
            .timeout_per_write(Some(idle))
            .max_idle_connections(0);
        if let Some(tls) = &self.tls {
            config = config.tls_config(tls.clone());
        }
        let dial = Dial::new(&self.endpoint, signals);
        let connector = dial
            .chain(RustlsConnector::default())
            .chain(Ready::new(signals));
        Agent::with_parts(config.build(), connector, Resolve::new(&self.endpoint))
    }
}

/// What the system said, without the layers around it.
fn cause(error: ureq::Error) -> Box<dyn StdError + Send + Sync> {
    match error {
        ureq::Error::Io(error) => error.into(),
        ureq::Error::Timeout(_) => io::Error::from(io::ErrorKind::TimedOut).into(),
        error => error.into(),
    }
}

fn hint(error: &ureq::Error) -> &'static str {
    let kind = match error {
        ureq::Error::Io(error) => error.kind(),
        _ => io::ErrorKind::Other,
    };
    match kind {
        io::ErrorKind::PermissionDenied => {
            "this user may not speak to it; for Docker, join the group `docker`"
        }
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            "start it, or say in `DOCKER_HOST` where it is"
        }
        _ => "check `DOCKER_HOST`, or the Docker context",
    }
}

/// A daemon's answer; its body has still to come.
pub(crate) struct Answer {
    endpoint: Endpoint,
    request: String,
    status: u16,
    headers: ureq::http::HeaderMap,
    body: BodyReader<'static>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn body(&mut self) -> &mut BodyReader<'static> {
        &mut self.body
    }

    /// The error for a load that failed.
    pub(crate) fn refused(&self, messages: Vec<String>) -> Error {
        Error::Refused {
            endpoint: self.endpoint.clone(),
            messages,
        }
    }

    /// The error for an answer that cannot be used.
    pub(crate) fn problem(&self, source: impl Into<AnswerProblem>) -> Error {
        Error::Answer {
            endpoint: self.endpoint.clone(),
            request: self.request.clone(),
            source: source.into(),
        }
    }

    /// The error for a body that broke off.
    pub(crate) fn broken(&self, source: io::Error) -> Error {
        Error::Exchange {
            endpoint: self.endpoint.clone(),
            request: self.request.clone(),
            source: match source.downcast::<ureq::Error>() {
                Ok(error) => cause(error),
                Err(error) => error.into(),
            },
        }
    }

    /// The answer, if its status says that all went well; else the daemon's own words.
    pub(crate) fn success(mut self) -> Result<Self, Error> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let mut bytes = Vec::new();
        // What cannot be read any more is not missed: the status says enough.
        let _ = (&mut self.body).take(MAX_MESSAGE).read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let message = Json::parse(&bytes)
            .ok()
            .and_then(|json| json.get("message")?.as_str().map(str::to_owned));
        let mut message = words(message.as_deref().unwrap_or(&text));
        if message.is_empty() {
            message = "it said nothing".into();
        }
        Err(Error::Status {
            endpoint: self.endpoint,
            request: self.request,
            status: self.status,
            message,
        })
    }

    /// The body as a document.
    pub(crate) fn document(mut self) -> Result<(Json, Document), Error> {
        let mut bytes = Vec::new();
        let read = (&mut self.body)
            .take(MAX_DOCUMENT_SIZE + 1)
            .read_to_end(&mut bytes);
        if let Err(error) = read {
            return Err(self.broken(error));
        }
        if bytes.len() as u64 > MAX_DOCUMENT_SIZE {
            return Err(self.problem(AnswerProblem::TooLarge {
                limit: MAX_DOCUMENT_SIZE,
            }));
        }
        match Json::parse(&bytes) {
            Ok(json) => Ok((json, Document(self))),
            Err(error) => Err(self.problem(error)),
        }
    }
}

/// What a document answered, for errors in it.
pub(crate) struct Document(Answer);

impl Document {
    pub(crate) fn problem(&self, source: AnswerProblem) -> Error {
        self.0.problem(source)
    }
}

/// How long one waits where nothing else is said: to connect, for an answer, for a load.
pub(crate) const DEFAULT_TIMES: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_secs(2 * 60),
    Duration::from_secs(60 * 60),
];
