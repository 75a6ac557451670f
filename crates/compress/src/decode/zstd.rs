//! zstd with several frames, by libzstd.

use std::io::{self, BufRead, Read};

use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::{DecodeError, Tap};
use crate::Codec;
use crate::sniff::is_zstd_magic;

/// The base 2 logarithm of the largest window taken: 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;

/// Reads one frame after the other, skippable ones too.
pub(super) struct Frames<R: BufRead> {
    tap: Tap<R>,
    context: Option<DCtx<'static>>,
    place: Place,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Before the first frame.
    Start,
    /// Behind a frame.
    Between,
    Within,
    End,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            tap: Tap::new(reader),
            context: None,
            place: Place::Start,
        }
    }

    /// Gives the magic number of a frame to the decoder once it has been seen to be one.
    ///
    /// libzstd would find out as well, but it also takes frames of its seven older formats when
    /// another crate builds it with its feature `legacy`.
    fn begin(&mut self) -> io::Result<Place> {
        let offset = self.tap.offset;
        let mut magic = Vec::with_capacity(4);
        self.tap.by_ref().take(4).read_to_end(&mut magic)?;
        if magic.is_empty() && self.place == Place::Between {
            return Ok(Place::End);
        }
        if is_zstd_magic(&magic) {
            let context = self.context()?;
            let mut nothing = [0; 0];
            let mut input = InBuffer::around(&magic);
            let step =
                context.decompress_stream(&mut OutBuffer::around(&mut nothing[..]), &mut input);
            return match step {
                Ok(_) if input.pos() == magic.len() => Ok(Place::Within),
                Ok(_) => Err(self.corrupt("a frame's magic number was not taken")),
                Err(code) => Err(self.corrupt(zstd_safe::get_error_name(code))),
            };
        }
        let codec = Codec::Zstd;
        Err(match self.place {
            _ if magic.is_empty() => DecodeError::Truncated { codec, offset }.into(),
            Place::Start if magic.len() < 4 => DecodeError::Truncated {
                codec,
                offset: self.tap.offset,
            }
            .into(),
            Place::Start => self.corrupt("it does not begin with a frame"),
            _ => DecodeError::TrailingGarbage { codec, offset }.into(),
        })
    }

    fn context(&mut self) -> io::Result<&mut DCtx<'static>> {
        if self.context.is_none() {
            let mut context = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
            if let Err(code) = context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)) {
                return Err(self.corrupt(zstd_safe::get_error_name(code)));
            }
            self.context = Some(context);
        }
        self.context
            .as_mut()
            .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    fn corrupt(&self, reason: &str) -> io::Error {
        let (codec, offset) = (Codec::Zstd, self.tap.offset);
        DecodeError::Corrupt {
            codec,
            offset,
            reason: reason.into(),
        }
        .into()
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.place {
                Place::End => return Ok(0),
                Place::Start | Place::Between => {
                    self.place = self.begin()?;
                    continue;
                }
                Place::Within => {}
            }
            self.context()?;
            let Self {
                tap,
                context: Some(context),
                ..
            } = self
            else {
                continue;
            };
            let bytes = tap.fill_buf()?;
            let at_end = bytes.is_empty();
            let mut input = InBuffer::around(bytes);
            let mut output = OutBuffer::around(buffer);
            let step = context.decompress_stream(&mut output, &mut input);
            let (read, written) = (input.pos(), output.pos());
            tap.consume(read);
            match step {
                Ok(0) => self.place = Place::Between,
                Ok(_) if at_end && written == 0 => {
                    let (codec, offset) = (Codec::Zstd, self.tap.offset);
                    return Err(DecodeError::Truncated { codec, offset }.into());
                }
                Ok(_) => {}
                Err(code) => return Err(self.corrupt(zstd_safe::get_error_name(code))),
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}
