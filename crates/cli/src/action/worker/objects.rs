//! JSON objects that follow one another.

use std::io::{self, BufRead};

/// The most bytes of one object that are kept: a request of some million files.
pub(super) const MAX_OBJECT: usize = 256 << 20;

/// What can be wrong with one.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The input cannot be read; nothing follows.
    #[error("cannot read it")]
    Read(#[source] io::Error),
    /// Something else stands between two objects.
    #[error("expected a work request, a JSON object, found `{}`", char::from(*found).escape_default())]
    Other { found: u8 },
    /// It is longer than any may be.
    #[error("expected a work request of at most {limit} bytes, found {size}")]
    TooLong { limit: usize, size: usize },
    /// The input ends in it.
    #[error("the work request ends in its middle")]
    Truncated,
    /// It says something else.
    #[error("expected a work request")]
    Json(#[source] serde_json::Error),
}

/// Cuts a stream into objects, of which it keeps no more than one.
pub(super) struct Objects<R> {
    input: R,
    limit: usize,
    ended: bool,
}

impl<R: BufRead> Objects<R> {
    pub(super) fn new(input: R, limit: usize) -> Self {
        Self {
            input,
            limit,
            ended: false,
        }
    }

    fn read(&mut self) -> Option<Result<Vec<u8>, Fault>> {
        let (mut scan, mut object, mut size) = (Scan::default(), Vec::new(), 0);
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.end(Some(Fault::Read(error))),
            };
            if buffer.is_empty() {
                return self.end(scan.at_end());
            }
            let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace());
            let blank = blank.count();
            if scan.state == State::Between && blank > 0 {
                self.input.consume(blank);
                continue;
            }
            let last = buffer.iter().position(|byte| scan.step(*byte));
            let taken = last.map_or(buffer.len(), |last| last + 1);
            size += taken;
            if size <= self.limit {
                object.extend_from_slice(&buffer[..taken]);
            } else {
                object = Vec::new();
            }
            self.input.consume(taken);
            if last.is_some() {
                return Some(match scan.state {
                    State::Other(found) => Err(Fault::Other { found }),
                    _ if size > self.limit => {
                        let limit = self.limit;
                        Err(Fault::TooLong { limit, size })
                    }
                    _ => Ok(object),
                });
            }
        }
    }

    fn end(&mut self, fault: Option<Fault>) -> Option<Result<Vec<u8>, Fault>> {
        self.ended = true;
        fault.map(Err)
    }
}

impl<R: BufRead> Iterator for Objects<R> {
    type Item = Result<Vec<u8>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended { None } else { self.read() }
    }
}

/// Where in an object the next byte stands.
#[derive(Default)]
struct Scan {
    state: State,
    depth: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Between,
    Inside,
    String,
    Escaped,
    /// In what is no object, and began so.
    Other(u8),
}

impl Scan {
    /// Takes a byte; whether it is the last one of an object, or of a line that is none.
    fn step(&mut self, byte: u8) -> bool {
        self.state = match (self.state, byte) {
            (State::Between, b'{') => {
                self.depth = 1;
                State::Inside
            }
            (State::Between, byte) => State::Other(byte),
            (State::Inside, b'"') | (State::Escaped, _) => State::String,
            (State::Inside, b'{' | b'[') => {
                self.depth = self.depth.saturating_add(1);
                State::Inside
            }
            (State::Inside, b'}' | b']') => {
                self.depth -= 1;
                State::Inside
            }
            (State::String, b'"') => State::Inside,
            (State::String, b'\\') => State::Escaped,
            (state, _) => state,
        };
        match self.state {
            State::Inside => self.depth == 0,
            State::Other(_) => byte == b'\n',
            _ => false,
        }
    }

    fn at_end(&self) -> Option<Fault> {
        match self.state {
            State::Between => None,
            State::Other(found) => Some(Fault::Other { found }),
            _ => Some(Fault::Truncated),
        }
    }
}
