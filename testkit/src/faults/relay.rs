//! One request and its answer, passed on with or without changes.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::proxy::Shared;
use crate::http::{Body, BodyWriter, Framing, Head};

/// What became of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) status: Option<u16>,
    pub(super) received: u64,
    pub(super) sent: u64,
    /// Whether the connection ends here.
    pub(super) is_last: bool,
}

/// A request whose head was read and whose body was not.
pub(super) struct Exchange<'a, 'b> {
    pub(super) head: &'a Head,
    pub(super) client: &'a mut BufReader<&'b TcpStream>,
    pub(super) writer: &'a mut &'b TcpStream,
    pub(super) shared: &'a Shared,
    pub(super) outcome: Outcome,
}

/// What is changed on the way; by default nothing.
#[derive(Default)]
pub(super) struct Changes<'a> {
    /// The server is given so many bytes.
    pub(super) cut_request: Option<u64>,
    /// The client is given so many bytes.
    pub(super) cut_answer: Option<u64>,
    /// A bit of the request's body is turned.
    pub(super) flip_request: Option<u64>,
    /// A bit of the answer's body is turned.
    pub(super) flip_answer: Option<u64>,
    /// Number of pieces of the answer's body, and the pause before each.
    pub(super) slow: Option<(u64, Duration)>,
    /// What is done to the answer's head.
    pub(super) head: Option<&'a dyn Fn(&mut Head)>,
    /// The connection ends behind the answer.
    pub(super) is_last: bool,
}

/// A cut that was asked for: no fault of either side.
fn cut() -> io::Error {
    ErrorKind::ConnectionAborted.into()
}

impl Exchange<'_, '_> {
    /// Passes on both as they are.
    pub(super) fn pass(&mut self) -> io::Result<()> {
        self.pass_with(&Changes::default())
    }

    /// Passes on both with changes. An error is the end of both connections.
    pub(super) fn pass_with(&mut self, changes: &Changes<'_>) -> io::Result<()> {
        let server = TcpStream::connect(&self.shared.server)?;
        server.set_read_timeout(Some(Duration::from_secs(60)))?;
        server.set_nodelay(true)?;
        let sent = self.send(&server, changes);
        // A server may answer before it has all, and then stop reading.
        match sent {
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => return Err(error),
            Err(_) => self.outcome.is_last = true,
            Ok(()) => {}
        }
        self.answer(&server, changes)
    }

    fn send(&mut self, server: &TcpStream, changes: &Changes<'_>) -> io::Result<()> {
        let mut head = self.head.clone();
        for name in ["Connection", "Expect", "Keep-Alive"] {
            head.remove(name);
        }
        head.set("Connection", "close");
        if let Some(authorization) = &self.shared.options.authorization {
            head.set("Authorization", authorization);
        }
        let framing = Framing::of_request(self.head)?;
        let mut writer = Cutting {
            inner: server,
            left: changes.cut_request,
        };
        writer.write_all(&head.bytes())?;
        let flip = changes.flip_request.zip(length(framing));
        let body = Body::new(&mut *self.client, framing);
        let writer = BodyWriter::new(writer, framing);
        relay(body, writer, flip, None, &mut self.outcome.received)
    }

    fn answer(&mut self, server: &TcpStream, changes: &Changes<'_>) -> io::Result<()> {
        let mut server = BufReader::with_capacity(1 << 16, server);
        let mut head = loop {
            let head = Head::read(&mut server)?.ok_or(ErrorKind::UnexpectedEof)?;
            if !matches!(head.status(), Some(100..200)) {
                break head;
            }
        };
        let framing = Framing::of_answer(&head, self.head.request().0)?;
        self.outcome.status = head.status();
        self.outcome.is_last |= changes.is_last || framing == Framing::ToTheEnd;
        head.remove("Connection");
        if self.outcome.is_last {
            head.set("Connection", "close");
        }
        if let Some(change) = changes.head {
            change(&mut head);
        }
        let mut writer = Cutting {
            inner: &mut *self.writer,
            left: changes.cut_answer,
        };
        writer.write_all(&head.bytes())?;
        let flip = changes.flip_answer.zip(length(framing));
        let slow = changes.slow.zip(length(framing));
        let slow = slow.map(|((pieces, pause), length)| (length / pieces.max(1) + 1, pause));
        let body = Body::new(server, framing);
        let writer = BodyWriter::new(writer, framing);
        relay(body, writer, flip, slow, &mut self.outcome.sent)?;
        // Cut behind the last byte is cut as well.
        if changes.cut_answer.is_some() {
            return Err(cut());
        }
        Ok(())
    }

    /// Takes the request's body and does nothing with it.
    pub(super) fn discard(&mut self) -> io::Result<()> {
        let body = Body::new(&mut *self.client, Framing::of_request(self.head)?);
        let writer = BodyWriter::new(io::sink(), Framing::Nothing);
        relay(body, writer, None, None, &mut self.outcome.received)
    }

    /// Answers without asking the server.
    pub(super) fn reply(&mut self, head: &Head, body: &[u8]) -> io::Result<()> {
        self.discard()?;
        self.outcome.status = head.status();
        self.writer.write_all(&head.bytes())?;
        if self.head.request().0 != "HEAD" {
            self.writer.write_all(body)?;
            self.outcome.sent += body.len() as u64;
        }
        Ok(())
    }
}

fn length(framing: Framing) -> Option<u64> {
    match framing {
        Framing::Length(length) if length > 0 => Some(length),
        _ => None,
    }
}

/// Copies a body; `flip` is the place of the bit and the length, `slow` the length of a piece and
/// the pause before it.
fn relay(
    mut body: impl Read,
    mut writer: BodyWriter<impl Write>,
    flip: Option<(u64, u64)>,
    slow: Option<(u64, Duration)>,
    count: &mut u64,
) -> io::Result<()> {
    let most = slow.map_or(1 << 16, |(piece, _)| {
        usize::try_from(piece).unwrap_or(1 << 16).min(1 << 16)
    });
    let mut buffer = vec![0; most];
    let (mut at, mut until_pause) = (0, 0);
    loop {
        let read = match body.read(&mut buffer) {
            Ok(0) => return writer.finish(),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if let Some((place, length)) = flip {
            let behind = (place % length).checked_sub(at);
            if let Some(byte) = behind
                .and_then(|behind| usize::try_from(behind).ok())
                .and_then(|behind| buffer[..read].get_mut(behind))
            {
                *byte ^= 1;
            }
        }
        if let Some((piece, pause)) = slow {
            if until_pause == 0 {
                std::thread::sleep(pause);
                until_pause = piece;
            }
            until_pause = until_pause.saturating_sub(read as u64);
        }
        at += read as u64;
        writer.write_all(&buffer[..read])?;
        writer.flush()?;
        *count += read as u64;
    }
}

/// Passes on so many bytes, and then ends the connection.
struct Cutting<W> {
    inner: W,
    left: Option<u64>,
}

impl<W: Write> Write for Cutting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = &mut self.left else {
            return self.inner.write(bytes);
        };
        let most = usize::try_from(*left).unwrap_or(usize::MAX);
        if bytes.len() > most {
            self.inner.write_all(&bytes[..most])?;
            self.inner.flush()?;
            return Err(cut());
        }
        let written = self.inner.write(bytes)?;
        *left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
