//! Servers of the test kit's own, a thread for each connection.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::message::{Body, Framing, Head};

/// Takes connections on the loopback interface and hands each to a function, in a thread.
///
/// Dropping it ends all connections.
pub(crate) struct Listener {
    address: String,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_ending: AtomicBool,
    /// All that are open, so that they can be ended.
    open: Mutex<BTreeMap<u64, TcpStream>>,
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// `serve` is called for each connection; when it returns, the connection ends.
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).expect("the loopback interface is there");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared::default());
        let serve: Arc<dyn Fn(TcpStream) + Send + Sync> = Arc::new(serve);
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared, &serve)
        });
        Self {
            address: address.to_string(),
            shared,
            accepting: Some(accepting),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    serve: &Arc<dyn Fn(TcpStream) + Send + Sync>,
) {
    for number in 0.. {
        let Ok((stream, _)) = listener.accept() else {
            return;
        };
        if shared.is_ending.load(Ordering::SeqCst) {
            return;
        }
        // Whoever forgets a connection does not hold a thread for ever.
        drop(stream.set_read_timeout(Some(Duration::from_secs(60))));
        drop(stream.set_nodelay(true));
        let Ok(other) = stream.try_clone() else {
            continue;
        };
        shared.open().insert(number, other);
        let (shared, serve) = (Arc::clone(shared), Arc::clone(serve));
        std::thread::spawn(move || {
            serve(stream);
            if let Some(stream) = shared.open().remove(&number) {
                drop(stream.shutdown(Shutdown::Both));
            }
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.is_ending.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(&self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
        for stream in self.shared.open().values() {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A request with its whole body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Its head.
    pub head: Head,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request {
    /// `GET` and others.
    #[must_use]
    pub fn method(&self) -> &str {
        self.head.request().0
    }

    /// Up to the question mark.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.head.request().1;
        target.split('?').next().unwrap_or_default()
    }

    /// What stands behind the question mark, decoded, in its order.
    #[must_use]
    pub fn query(&self) -> Vec<(String, String)> {
        let target = self.head.request().1;
        target
            .split_once('?')
            .map_or_else(Vec::new, |it| pairs(it.1))
    }

    /// The fields of a form that was sent as the body.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body))
    }
}

/// `a=1&b=2`, decoded.
fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hexadecimal = behind.get(..2).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        if let (b'%', Some(byte)) = (first, hexadecimal) {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a [`Server`] answers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// All fields but the length.
    pub fields: Vec<(String, String)>,
    /// The body; of an answer to `HEAD` its length alone is sent.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer without fields and body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn with_body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with("Content-Type", media_type)
    }

    pub(crate) fn head(&self) -> Head {
        let mut head = Head {
            first: format!("HTTP/1.1 {} {}", self.status, reason(self.status)),
            fields: self.fields.clone(),
        };
        if self.status != 204 {
            head.set("Content-Length", self.body.len().to_string());
        }
        head
    }
}

/// The words that belong to a status.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Other",
    }
}

/// A server on the loopback interface that answers as a function says; for small bodies.
///
/// Dropping it ends it.
#[derive(Debug)]
pub struct Server(Listener);

impl Server {
    /// Starts one on a free port; `answer` is called from several threads at once.
    #[must_use]
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self(Listener::start(move |stream| {
            // A client that goes away is no fault of the server.
            drop(serve(&stream, &answer));
        }))
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.0.address()
    }
}

fn serve(stream: &TcpStream, answer: &dyn Fn(&Request) -> Reply) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = BufWriter::new(stream);
    while let Some(head) = Head::read(&mut reader)? {
        go_on(&head, &mut writer)?;
        let mut body = Vec::new();
        Body::new(&mut reader, Framing::of_request(&head)?).read_to_end(&mut body)?;
        let is_head = head.request().0 == "HEAD";
        let is_last = head
            .field("Connection")
            .is_some_and(|it| it.eq_ignore_ascii_case("close"))
            || head.first.ends_with("HTTP/1.0");
        let reply = answer(&Request { head, body });
        writer.write_all(&reply.head().bytes())?;
        if !is_head {
            writer.write_all(&reply.body)?;
        }
        writer.flush()?;
        if is_last {
            return Ok(());
        }
    }
    Ok(())
}

/// Tells a client that waits for it to send its body.
pub(crate) fn go_on(head: &Head, writer: &mut dyn Write) -> io::Result<()> {
    if head
        .field("Expect")
        .is_some_and(|it| it.eq_ignore_ascii_case("100-continue"))
    {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        writer.flush()?;
    }
    Ok(())
}
