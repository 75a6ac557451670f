//! Heads and bodies of HTTP/1.1, as much as registries and their clients use.

use std::io::{self, BufRead, Read, Write};

/// Longer heads are nobody's.
const MAX_HEAD: u64 = 256 << 10;

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// What stands before a body: the first line, and the fields in their order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// `GET /v2/ HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub first: String,
    /// Names as they were written, and values without the blanks around them.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// Reads one; `None` where the stream ends instead.
    ///
    /// # Errors
    ///
    /// What reading gives, and a head that is none, is cut short or is longer than 256 KiB.
    pub fn read(reader: &mut dyn BufRead) -> io::Result<Option<Self>> {
        let mut reader = reader.take(MAX_HEAD);
        let Some(first) = line(&mut reader)? else {
            return Ok(None);
        };
        let mut head = Self {
            first,
            fields: Vec::new(),
        };
        loop {
            let line = line(&mut reader)?.ok_or_else(|| malformed("a head was cut short"))?;
            if line.is_empty() {
                return Ok(Some(head));
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| malformed("a field has no colon"))?;
            head.fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// The value of the first field of that name, whatever its case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Takes all fields of that name away.
    pub fn remove(&mut self, name: &str) {
        self.fields
            .retain(|(field, _)| !field.eq_ignore_ascii_case(name));
    }

    /// Puts one field of that name in the place of all.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.fields.push((name.to_owned(), value.into()));
    }

    /// The method and the target of a request.
    #[must_use]
    pub fn request(&self) -> (&str, &str) {
        let mut words = self.first.split(' ');
        (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        )
    }

    /// The status of an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.first.split(' ').nth(1)?.parse().ok()
    }

    /// As it travels.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        use std::fmt::Write as _;
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in &self.fields {
            // A `String` takes whatever is written to it.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    fn is_chunked(&self) -> bool {
        self.field("Transfer-Encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }

    fn length(&self) -> io::Result<Option<u64>> {
        self.field("Content-Length")
            .map(|text| text.parse().map_err(|_| malformed("a length is no number")))
            .transpose()
    }
}

/// A line without its end; `None` where the stream ends instead.
fn line(reader: &mut dyn BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(malformed("a head was cut short"));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| malformed("a head is no text"))
}

/// How long a body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// There is none.
    Nothing,
    /// So many bytes.
    Length(u64),
    /// In chunks, each with its length.
    Chunked,
    /// Until the connection ends.
    ToTheEnd,
}

impl Framing {
    /// Of a request with this head.
    ///
    /// # Errors
    ///
    /// When its length is no number.
    pub fn of_request(head: &Head) -> io::Result<Self> {
        if head.is_chunked() {
            return Ok(Self::Chunked);
        }
        Ok(head.length()?.map_or(Self::Nothing, Self::Length))
    }

    /// Of an answer with this head, to a request of this method.
    ///
    /// # Errors
    ///
    /// When its length is no number.
    pub fn of_answer(head: &Head, method: &str) -> io::Result<Self> {
        let status = head.status().unwrap_or(0);
        if method == "HEAD" || matches!(status, 100..200 | 204 | 304) {
            return Ok(Self::Nothing);
        }
        if head.is_chunked() {
            return Ok(Self::Chunked);
        }
        Ok(head.length()?.map_or(Self::ToTheEnd, Self::Length))
    }
}

/// Reads a body to its end and not beyond; one that is cut short is an error.
#[derive(Debug)]
pub struct Body<R> {
    inner: R,
    left: Left,
}

#[derive(Debug)]
enum Left {
    Bytes(u64),
    /// So many of this chunk; then, unless it is the last one, its end and the next one's length.
    Chunk(u64),
    FirstChunk,
    ToTheEnd,
}

impl<R: BufRead> Body<R> {
    /// The body that begins where `inner` is.
    pub fn new(inner: R, framing: Framing) -> Self {
        let left = match framing {
            Framing::Nothing => Left::Bytes(0),
            Framing::Length(length) => Left::Bytes(length),
            Framing::Chunked => Left::FirstChunk,
            Framing::ToTheEnd => Left::ToTheEnd,
        };
        Self { inner, left }
    }

    fn next_chunk(&mut self, is_first: bool) -> io::Result<()> {
        let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut bounded = (&mut self.inner).take(MAX_HEAD);
        if !is_first {
            line(&mut bounded)?.ok_or_else(short)?;
        }
        let size = line(&mut bounded)?.ok_or_else(short)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16)
            .map_err(|_| malformed("a chunk's length is no number"))?;
        self.left = Left::Chunk(size);
        if size == 0 {
            // What may stand behind the last chunk, up to an empty line.
            while line(&mut bounded)?.is_some_and(|line| !line.is_empty()) {}
            self.left = Left::Bytes(0);
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.left {
            Left::FirstChunk => self.next_chunk(true)?,
            Left::Chunk(0) => self.next_chunk(false)?,
            _ => {}
        }
        let (Left::Bytes(left) | Left::Chunk(left)) = &mut self.left else {
            return self.inner.read(buffer);
        };
        let most = usize::try_from(*left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= count as u64;
        Ok(count)
    }
}

/// Writes a body as `framing` says; [`BodyWriter::finish`] ends it.
#[derive(Debug)]
pub struct BodyWriter<W> {
    inner: W,
    is_chunked: bool,
}

impl<W: Write> BodyWriter<W> {
    /// One that begins where `inner` is.
    pub fn new(inner: W, framing: Framing) -> Self {
        Self {
            inner,
            is_chunked: framing == Framing::Chunked,
        }
    }

    /// Ends the body.
    ///
    /// # Errors
    ///
    /// What writing gives.
    pub fn finish(mut self) -> io::Result<()> {
        if self.is_chunked {
            self.inner.write_all(b"0\r\n\r\n")?;
        }
        self.inner.flush()
    }
}

impl<W: Write> Write for BodyWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_chunked && !bytes.is_empty() {
            write!(self.inner, "{:x}\r\n", bytes.len())?;
            self.inner.write_all(bytes)?;
            self.inner.write_all(b"\r\n")?;
        } else {
            self.inner.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read_as_they_are_written() {
        let mut wire = Vec::new();
        let mut writer = BodyWriter::new(&mut wire, Framing::Chunked);
        for piece in ["one", "", "two and three"] {
            writer.write_all(piece.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        wire.extend_from_slice(b"next");
        let mut text = String::new();
        let mut rest = wire.as_slice();
        Body::new(&mut rest, Framing::Chunked)
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!((text.as_str(), rest), ("onetwo and three", &b"next"[..]));
        let cut = &wire[..10];
        Body::new(cut, Framing::Chunked)
            .read_to_string(&mut text)
            .unwrap_err();
    }

    #[test]
    fn heads_are_read_as_they_are_written() {
        let head = Head {
            first: "HTTP/1.1 404 Not Found".to_owned(),
            fields: vec![("Content-Length".to_owned(), "7".to_owned())],
        };
        let read = Head::read(&mut head.bytes().as_slice()).unwrap().unwrap();
        assert_eq!(read, head);
        assert_eq!(read.status(), Some(404));
        let framing = |method| Framing::of_answer(&read, method).unwrap();
        assert_eq!(framing("GET"), Framing::Length(7));
        assert_eq!(framing("HEAD"), Framing::Nothing);
    }
}
