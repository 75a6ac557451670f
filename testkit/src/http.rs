//! As much of HTTP as it takes to ask a server and to be one.
//!
//! ```
//! use cooperage_testkit::http::{self, Reply, Server};
//!
//! let server = Server::start(|request| Reply::new(200).with_body("text/plain", request.path()));
//! let answer = http::get(server.address(), "/hello", std::time::Duration::from_secs(5))?;
//! assert_eq!((answer.status, answer.body.as_slice()), (200, &b"/hello"[..]));
//! # Ok::<(), std::io::Error>(())
//! ```

mod message;
mod server;

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub use message::{Body, BodyWriter, Framing, Head};
pub(crate) use server::{Listener, go_on, reason};
pub use server::{Reply, Request, Server};

/// What a server answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head, with all fields.
    pub head: Head,
    /// The body.
    pub body: Vec<u8>,
}

/// A port of the loopback interface that nobody listens on at the moment.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback interface is there");
    listener
        .local_addr()
        .expect("a listener has an address")
        .port()
}

/// `GET path` of the server at `address` (`127.0.0.1:8080`), tried until it answers.
///
/// # Errors
///
/// What the last try said, when `patience` is over.
pub fn get(address: &str, path: &str, patience: Duration) -> io::Result<Answer> {
    let deadline = Instant::now() + patience;
    loop {
        match ask(address, ("GET", path), &[], &[], SHORT) {
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(25)),
            result => return result,
        }
    }
}

/// Asks the server at `address` once, with `fields` beside the necessary ones.
///
/// # Errors
///
/// When the server cannot be reached, or what it says is no answer or is cut short.
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    ask(address, (method, path), fields, body, LONG)
}

/// What a server that is tried again may take to say something.
const SHORT: Duration = Duration::from_secs(5);
/// The same of a server that is asked once, on a machine that others use too.
const LONG: Duration = Duration::from_secs(60);

fn ask(
    address: &str,
    (method, path): (&str, &str),
    fields: &[(&str, &str)],
    body: &[u8],
    patience: Duration,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    let mut head = Head {
        first: format!("{method} {path} HTTP/1.1"),
        fields: Vec::new(),
    };
    head.set("Host", address);
    head.set("Connection", "close");
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        head.set("Content-Length", body.len().to_string());
    }
    for (name, value) in fields {
        head.set(name, *value);
    }
    stream.write_all(&head.bytes())?;
    stream.write_all(body)?;
    let not_http = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let mut reader = BufReader::new(stream);
    let head = Head::read(&mut reader)?.ok_or_else(not_http)?;
    let status = head.status().ok_or_else(not_http)?;
    let mut body = Vec::new();
    Body::new(reader, Framing::of_answer(&head, method)?).read_to_end(&mut body)?;
    Ok(Answer { status, head, body })
}
