//! zstd with several frames, by libzstd.

use std::io::{self, BufRead, Read};

use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::{DecodeError, Tap};
use crate::Codec;
use crate::sniff::is_zstd_magic;

/// The base 2 logarithm of the largest window taken: 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;

/// The magic number of a frame that holds something.
const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

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

    /// Gives the header of a frame to the decoder, all at once, when its magic number has been seen
    /// to be one.
    ///
    /// libzstd would find out as well, but it also takes frames of its seven older formats when
    /// another crate builds it with its feature `legacy`. And of a header that comes in pieces it
    /// may take the last piece for the beginning of a frame.
    fn begin(&mut self) -> io::Result<Place> {
        let offset = self.tap.offset;
        let mut magic = Vec::with_capacity(4);
        self.tap.by_ref().take(4).read_to_end(&mut magic)?;
        if magic.is_empty() && self.place == Place::Between {
            return Ok(Place::End);
        }
        if is_zstd_magic(&magic) {
            let header = self.header(magic)?;
            let context = self.context()?;
            let mut nothing = [0; 0];
            let mut input = InBuffer::around(&header);
            let step =
                context.decompress_stream(&mut OutBuffer::around(&mut nothing[..]), &mut input);
            return match step {
                // A skippable frame may have nothing behind its header.
                Ok(0) if input.pos() == header.len() => Ok(Place::Between),
                Ok(_) if input.pos() == header.len() => Ok(Place::Within),
                Ok(_) => Err(self.corrupt("a frame's header was not taken")),
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

    /// The whole header of the frame that begins with `magic`, RFC 8878, sections 3.1.1.1 and
    /// 3.1.2.
    fn header(&mut self, magic: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut header = magic;
        if header == FRAME {
            self.extend(&mut header, 1)?;
            let descriptor = header.last().copied().unwrap_or_default();
            let is_single_segment = descriptor & 0x20 != 0;
            let window = usize::from(!is_single_segment);
            let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
            let content_size = match descriptor >> 6 {
                0 => usize::from(is_single_segment),
                power => 1 << power,
            };
            self.extend(&mut header, window + dictionary + content_size)?;
        } else {
            self.extend(&mut header, 4)?;
        }
        Ok(header)
    }

    /// Takes so many bytes more.
    fn extend(&mut self, header: &mut Vec<u8>, count: usize) -> io::Result<()> {
        let length = header.len() + count;
        self.tap.by_ref().take(count as u64).read_to_end(header)?;
        if header.len() < length {
            let (codec, offset) = (Codec::Zstd, self.tap.offset);
            return Err(DecodeError::Truncated { codec, offset }.into());
        }
        Ok(())
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
