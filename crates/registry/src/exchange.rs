//! One request and its answer: connections, kept and used again, and TLS.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Duration;

use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, BodyReader, Proxy, SendBody};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::endpoint::authority_of;
use crate::error::ClientError;
use crate::options::{Identity, Options, Roots, Security};
use crate::url::Url;

/// Bytes that are asked of the system at once.
const INPUT: usize = 256 << 10;
/// Bytes that go to the system at once: both buffers are cleared for every connection, and what is
/// sent gains nothing by a larger one.
const OUTPUT: usize = 64 << 10;
/// Connections that are kept for each host.
const IDLE: usize = 32;
/// The least time for which idle connections are kept, below what servers keep them for.
const IDLE_AGE: Duration = Duration::from_secs(45);
/// The head of an answer, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// How much longer the end of an upload may take than anything else.
const PATIENCE: u32 = 5;

/// Holds all connections.
pub(crate) struct Exchange {
    agent: Agent,
    /// Of hosts with certificates of their own, or that are not verified, by where they are.
    particular: BTreeMap<String, Agent>,
    stall: Duration,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

/// What is sent behind the head of a request.
pub(crate) enum Payload<'a> {
    None,
    Bytes(&'a [u8]),
    Stream {
        reader: &'a mut dyn Read,
        length: u64,
    },
}

impl Payload<'_> {
    /// The same once more: all of it, or what is left of a stream.
    pub(crate) fn again(&mut self) -> Payload<'_> {
        match self {
            Self::None => Payload::None,
            Self::Bytes(bytes) => Payload::Bytes(bytes),
            Self::Stream { reader, length } => Payload::Stream {
                reader: &mut **reader,
                length: *length,
            },
        }
    }
}

/// How long an answer may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    Usual,
    /// The server reads back all that it was sent.
    Long,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: BodyReader<'static>,
}

impl Reply {
    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The whole body, unless it has more than `limit` bytes.
    pub(crate) fn read(self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if self.length().is_some_and(|length| length > limit) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let mut body = self.body.take(limit + 1);
        body.read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= limit).then_some(bytes))
    }

    /// Reads what is left, if that is little: the connection can be used again then.
    pub(crate) fn finish(self) {
        const LITTLE: u64 = 64 << 10;
        // What fails here was of no use to anybody.
        drop(io::copy(&mut self.body.take(LITTLE), &mut io::sink()));
    }
}

impl Exchange {
    pub(crate) fn new(options: &Options) -> Result<Self, ClientError> {
        let all = || "all registries".to_owned();
        let mozilla = || {
            TLS_SERVER_ROOT_CERTS
                .iter()
                .map(|der| Certificate::from_der(der))
        };
        let roots: Vec<Certificate<'static>> = match &options.roots {
            Roots::Mozilla => mozilla().collect(),
            Roots::MozillaAnd(pem) => mozilla().chain(certificates(pem, &all)?).collect(),
            Roots::Only(pem) => certificates(pem, &all)?,
        };
        let proxy = proxy(options)?;
        let agent = |tls: TlsConfig| agent(options, proxy.clone(), tls);
        let mut particular = BTreeMap::new();
        for (registry, host) in &options.hosts {
            let insecure = host.security == Security::Insecure;
            if host.authorities.is_empty() && host.identity.is_none() && !insecure {
                continue;
            }
            let name = || registry.clone();
            let mut roots = roots.clone();
            roots.extend(certificates(&host.authorities, &name)?);
            let identity = host.identity.as_ref();
            let identity = identity.map(|it| client_cert(it, &name)).transpose()?;
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::from(roots))
                .client_cert(identity)
                .disable_verification(insecure);
            particular.insert(authority_of(registry), agent(tls.build()));
        }
        let tls = TlsConfig::builder().root_certs(RootCerts::from(roots));
        Ok(Self {
            agent: agent(tls.build()),
            particular,
            stall: options.stall,
        })
    }

    /// Sends a request and reads the head of the answer. Redirects are not followed, and no status
    /// is an error.
    pub(crate) fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        payload: Payload<'_>,
        patience: Patience,
    ) -> Result<Reply, ureq::Error> {
        // Whoever is redirected to is spoken to as its own name says, never as he who redirects.
        let agent = self.particular.get(&url.authority).unwrap_or(&self.agent);
        let mut request = Request::builder()
            .method(method.clone())
            .uri(url.to_wire())
            .body(())?;
        for (name, value) in headers {
            request.headers_mut().append(name, value.clone());
        }
        let response = match payload {
            Payload::None => self.run(agent, request, patience),
            Payload::Bytes(bytes) => self.run(agent, request.map(|()| bytes), patience),
            Payload::Stream { reader, length } => {
                let length = HeaderValue::from(length);
                request.headers_mut().insert("content-length", length);
                let body = SendBody::from_reader(reader);
                self.run(agent, request.map(|()| body), patience)
            }
        }?;
        let (head, body) = response.into_parts();
        Ok(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.into_reader(),
        })
    }

    fn run(
        &self,
        agent: &Agent,
        request: Request<impl ureq::AsSendBody>,
        patience: Patience,
    ) -> Result<Response<Body>, ureq::Error> {
        if patience == Patience::Usual {
            return agent.run(request);
        }
        let request = agent
            .configure_request(request)
            .timeout_per_read(Some(self.stall * PATIENCE))
            .build();
        agent.run(request)
    }
}

fn agent(options: &Options, proxy: Option<Proxy>, tls: TlsConfig) -> Agent {
    // A proxy is what the options say and nothing else: unless told, ureq asks the environment.
    Agent::config_builder()
        .proxy(proxy)
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(&options.user_agent)
        .accept_encoding("identity")
        .timeout_connect(Some(options.connect))
        .timeout_per_read(Some(options.stall))
        .timeout_per_write(Some(options.stall))
        .max_response_header_size(MAX_HEAD)
        .input_buffer_size(INPUT)
        .output_buffer_size(OUTPUT)
        .max_idle_connections(4 * IDLE)
        .max_idle_connections_per_host(IDLE)
        .max_idle_age(IDLE_AGE)
        .build()
        .new_agent()
}

fn proxy(options: &Options) -> Result<Option<Proxy>, ClientError> {
    let Some(address) = &options.proxy else {
        return Ok(None);
    };
    let proxy = Proxy::new(address.expose()).map_err(|_| ClientError::Proxy)?;
    let mut builder = Proxy::builder(proxy.protocol())
        .host(proxy.host())
        .port(proxy.port());
    if let Some(username) = proxy.username() {
        builder = builder.username(username);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    for host in &options.no_proxy {
        builder = builder.no_proxy(host);
    }
    builder.build().map(Some).map_err(|_| ClientError::Proxy)
}

fn certificates(
    pem: &[u8],
    registry: &dyn Fn() -> String,
) -> Result<Vec<Certificate<'static>>, ClientError> {
    pem_certificates(pem, "certificates of authorities", registry)
}

fn pem_certificates(
    pem: &[u8],
    what: &'static str,
    registry: &dyn Fn() -> String,
) -> Result<Vec<Certificate<'static>>, ClientError> {
    let unreadable = || ClientError::Pem {
        registry: registry(),
        what,
    };
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| unreadable())? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() && !pem.is_empty() {
        return Err(unreadable());
    }
    Ok(certificates)
}

fn client_cert(
    identity: &Identity,
    registry: &dyn Fn() -> String,
) -> Result<ClientCert, ClientError> {
    let chain = pem_certificates(&identity.certificates, "client certificate", registry)?;
    let key = PrivateKey::from_pem(identity.key.expose().as_bytes());
    let key = key.map_err(|_| ClientError::Pem {
        registry: registry(),
        what: "client key",
    })?;
    Ok(ClientCert::new_with_certs(&chain, key))
}
