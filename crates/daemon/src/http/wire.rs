//! The connection below HTTP.
//!
//! `ureq` sends a request to its end and then reads the answer. A daemon that refuses an archive
//! answers in the middle of it and hangs up; its words would be lost to a broken pipe. So this
//! connection looks out for an answer while it sends: once there is one that says no, or nobody
//! takes any more, what is still to be sent goes nowhere, and the answer is read.

use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, config::Config};

use super::host::{Event, Stream};
use crate::Endpoint;

/// How much of an answer is taken while the request is still being sent.
const EARLY: usize = 64 << 10;

/// What is known of one request's connection.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    ready: AtomicBool,
    deaf: AtomicBool,
}

impl Signals {
    /// Whether there is a connection, under TLS if it should be.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Whether the daemon takes nothing any more: to read on for its sake is in vain.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Acquire)
    }

    fn deafen(&self) {
        self.deaf.store(true, Ordering::Release);
    }
}

/// Names of hosts to addresses; a Unix socket needs none.
#[derive(Debug)]
pub(super) enum Resolve {
    Nothing,
    Names(DefaultResolver),
}

impl Resolve {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Unix { .. } => Self::Nothing,
            Endpoint::Tcp { .. } => Self::Names(DefaultResolver::default()),
        }
    }
}

impl Resolver for Resolve {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        match self {
            Self::Nothing => Ok(self.empty()),
            Self::Names(names) => names.resolve(uri, config, timeout),
        }
    }
}

/// Makes connections.
#[derive(Debug)]
pub(super) struct Dial {
    /// The Unix socket, if it is one.
    path: Option<PathBuf>,
    signals: Arc<Signals>,
}

impl Dial {
    pub(super) fn new(endpoint: &Endpoint, signals: &Arc<Signals>) -> Self {
        let path = match endpoint {
            Endpoint::Unix { path } => Some(path.clone()),
            Endpoint::Tcp { .. } => None,
        };
        Self {
            path,
            signals: Arc::clone(signals),
        }
    }
}

impl Connector for Dial {
    type Out = Wire;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Wire>, Error> {
        let stream = match &self.path {
            Some(path) => Stream::unix(path)?,
            None => Stream::tcp(tcp(details)?)?,
        };
        let config = details.config;
        Ok(Some(Wire {
            stream,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            signals: Arc::clone(&self.signals),
            // What comes under TLS says nothing before it is decrypted.
            listens: !details.needs_tls(),
            early: false,
        }))
    }
}

/// The first address that takes a connection.
fn tcp(details: &ConnectionDetails<'_>) -> Result<TcpStream, Error> {
    let mut last = Error::ConnectionFailed;
    for address in &details.addrs {
        let stream = match details.timeout.not_zero() {
            Some(limit) => TcpStream::connect_timeout(address, *limit),
            None => TcpStream::connect(address),
        };
        match stream {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// Says that the connection is made, TLS and all.
#[derive(Debug)]
pub(super) struct Ready(Arc<Signals>);

impl Ready {
    pub(super) fn new(signals: &Arc<Signals>) -> Self {
        Self(Arc::clone(signals))
    }
}

impl<In: Transport> Connector<In> for Ready {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<In>, Error> {
        self.0.ready.store(chained.is_some(), Ordering::Release);
        Ok(chained)
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    buffers: LazyBuffers,
    signals: Arc<Signals>,
    /// Whether an answer is looked out for while something is sent.
    listens: bool,
    /// Whether some of it has come, and nobody knows of it yet.
    early: bool,
}

impl Wire {
    /// Takes what of the answer has come.
    fn listen(&mut self) -> io::Result<()> {
        match self.stream.read_now(self.buffers.input_append_buf()) {
            Ok(0) => self.signals.deafen(),
            Ok(n) => {
                self.buffers.input_appended(n);
                self.early = true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if is_gone(&error) => self.signals.deafen(),
            Err(error) => return Err(error),
        }
        let head = self.buffers.input();
        if says_no(head) {
            self.signals.deafen();
        }
        self.listens = head.len() < EARLY;
        Ok(())
    }
}

/// Whether an answer begins so that the rest of the request is of no interest.
fn says_no(head: &[u8]) -> bool {
    head.starts_with(b"HTTP/1.") && matches!(head.get(9), Some(b'3'..=b'5'))
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset
    )
}

fn timed(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let limit = timeout.not_zero().map(|limit| *limit);
        let mut at = 0;
        while at < amount && !self.signals.is_deaf() {
            let output = &self.buffers.output()[at..amount];
            match self.stream.write(output, self.listens, limit) {
                Ok(Event::Written(n)) => at += n,
                Ok(Event::Readable) => self.listen()?,
                // What it said before it went is what counts.
                Err(error) if is_gone(&error) => self.signals.deafen(),
                Err(error) => return Err(timed(error, timeout)),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if std::mem::take(&mut self.early) {
            return Ok(true);
        }
        let timeout = timeout.for_read();
        let limit = timeout.not_zero().map(|limit| *limit);
        let n = self
            .stream
            .read(self.buffers.input_append_buf(), limit)
            .map_err(|error| timed(error, timeout))?;
        self.buffers.input_appended(n);
        Ok(n > 0)
    }

    fn is_open(&mut self) -> bool {
        // Connections are not kept.
        false
    }
}
