//! A small HTTP service: `/` greets, `/healthz` says that it is well.
//!
//! It uses the standard library alone, so that its image is the program and nothing else.
//! `hello-http --check` asks a running one whether it is well, which is what the image's
//! health check runs: there is no shell and no `curl` in an image from scratch.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// Longer requests are not read to their end.
const MAX_REQUEST: u64 = 8 << 10;
const TIMEOUT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let port = match port() {
        Ok(port) => port,
        Err(message) => return fail(&message),
    };
    let ended = if env::args().nth(1).as_deref() == Some("--check") {
        check(port)
    } else {
        serve(port)
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

#[expect(clippy::print_stderr, reason = "this is where a service reports")]
fn fail(message: &str) -> ExitCode {
    eprintln!("hello-http: {message}");
    ExitCode::FAILURE
}

#[expect(
    clippy::disallowed_methods,
    reason = "a service is configured by its environment"
)]
fn port() -> Result<u16, String> {
    match env::var("PORT") {
        Ok(port) => port
            .parse()
            .map_err(|_| format!("`PORT` is `{port}`, which is no port")),
        Err(_) => Ok(8080),
    }
}

#[expect(clippy::print_stdout, reason = "this is where a service reports")]
fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    println!("listening on {}", listener.local_addr()?);
    // A client that goes away is no reason to stop.
    for stream in listener.incoming().flatten() {
        thread::spawn(move || answer(stream));
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut reader = BufReader::new((&stream).take(MAX_REQUEST));
    let mut request = String::new();
    reader.read_line(&mut request)?;
    // The client is told only after it has said everything.
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let mut words = request.split_whitespace();
    let (status, body) = match (words.next(), words.next()) {
        (Some("GET" | "HEAD"), Some("/")) => ("200 OK", "Hello from a cask.\n"),
        (Some("GET" | "HEAD"), Some("/healthz")) => ("200 OK", "ok\n"),
        (Some("GET" | "HEAD"), Some(_)) => ("404 Not Found", "There is nothing here.\n"),
        _ => ("405 Method Not Allowed", "Only GET is served.\n"),
    };
    let length = body.len();
    let body = if request.starts_with("HEAD") {
        ""
    } else {
        body
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

fn check(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_REQUEST).read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(io::Error::other(answer))
    }
}
