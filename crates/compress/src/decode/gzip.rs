//! gzip with several members, by flate2.

use std::io::{self, BufRead, Read};
use std::mem;

use flate2::bufread::GzDecoder;

use super::{DecodeError, Tap};
use crate::Codec;

/// Reads one member after the other.
pub(super) struct Members<R: BufRead> {
    state: State<R>,
}

enum State<R: BufRead> {
    Member(Box<GzDecoder<Tap<R>>>),
    /// Between members, of which there was one at least.
    Between(Tap<R>),
    Ended,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            state: State::member(Tap::new(reader)),
        }
    }
}

impl<R: BufRead> State<R> {
    fn member(tap: Tap<R>) -> Self {
        Self::Member(Box::new(GzDecoder::new(tap)))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.state {
                State::Ended => return Ok(0),
                State::Member(decoder) => match decoder.read(buffer) {
                    Ok(0) => {
                        let State::Member(decoder) = mem::replace(&mut self.state, State::Ended)
                        else {
                            unreachable!("matched above")
                        };
                        self.state = State::Between(decoder.into_inner());
                    }
                    Ok(n) => return Ok(n),
                    Err(error) => return Err(explain(error, decoder.get_ref())),
                },
                State::Between(tap) => {
                    let next = tap.fill_buf()?.first().copied();
                    let State::Between(mut tap) = mem::replace(&mut self.state, State::Ended)
                    else {
                        unreachable!("matched above")
                    };
                    match next {
                        None => {}
                        Some(0x1f) => self.state = State::member(tap),
                        Some(_) => zeros_to_the_end(&mut tap)?,
                    }
                }
            }
        }
    }
}

/// Tapes pad with zeros, and gzip passes over them; nothing may come behind them.
fn zeros_to_the_end<R: BufRead>(tap: &mut Tap<R>) -> io::Result<()> {
    let garbage = DecodeError::TrailingGarbage {
        codec: Codec::Gzip,
        offset: tap.offset,
    };
    loop {
        let bytes = tap.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(garbage.into());
        }
        let n = bytes.len();
        tap.consume(n);
    }
}

fn explain<R>(error: io::Error, tap: &Tap<R>) -> io::Error {
    let (codec, offset) = (Codec::Gzip, tap.offset);
    if tap.failed || error.kind() == io::ErrorKind::Interrupted {
        error
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        DecodeError::Truncated { codec, offset }.into()
    } else {
        DecodeError::Corrupt {
            codec,
            offset,
            reason: error.to_string(),
        }
        .into()
    }
}
