//! As much of HTTP as it takes to see that a server in a container answers.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a server answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Everything after the head, as it came.
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
        match get_once(address, path) {
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(25)),
            result => return result,
        }
    }
}

fn get_once(address: &str, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let not_http = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let end = bytes
        .windows(4)
        .position(|it| it == b"\r\n\r\n")
        .ok_or_else(not_http)?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(not_http)?;
    Ok(Answer {
        status,
        body: bytes.split_off(end + 4),
    })
}
