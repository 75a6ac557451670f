//! A layer that exists becomes a layer of ours.

use std::io::{self, Read, Write};

use cooperage_blob::{BlobWriter, Sink};
use cooperage_compress::{BlockRecord, Codec, Encoder, Encoding, Workers, decoder};
use cooperage_digest::{Algorithm, Hasher};
use cooperage_image_spec::Descriptor;

use crate::Layer;
use crate::detect::detect;
use crate::pack::media_type;

/// What becomes of an existing layer's bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LayerForm {
    /// They stay as they are.
    Keep,
    /// The tar inside, without compression.
    Uncompress,
    /// The tar inside, compressed anew.
    Recompress(Encoding),
}

/// Why an existing layer could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// A compression that no layer may have.
    #[error(
        "{origin} is compressed with {codec}, for which no layer media type exists: decompress it, or use gzip or zstd"
    )]
    NoMediaType {
        /// Where the layer comes from.
        origin: String,
        /// `bzip2` or `xz`.
        codec: &'static str,
    },
    /// It could not be read or decompressed.
    #[error("cannot read {origin}")]
    Read {
        /// Where the layer comes from.
        origin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The sink would not take it.
    #[error("cannot store the layer of {origin}")]
    Store {
        /// Where the layer comes from.
        origin: String,
        /// Why.
        #[source]
        source: cooperage_blob::Error,
    },
}

/// Reads a layer's bytes, compressed or not, and stores it in the form asked for.
///
/// One pass, in bounded memory; both digests are computed. `origin` says in errors where the
/// layer comes from. The tar inside is not looked at.
pub fn adopt(
    reader: impl Read + Send,
    origin: &str,
    form: LayerForm,
    workers: &Workers,
    sink: &(impl Sink + ?Sized),
) -> Result<Layer, AdoptError> {
    let failed = |source| AdoptError::Read {
        origin: origin.to_owned(),
        source,
    };
    let store = |source| AdoptError::Store {
        origin: origin.to_owned(),
        source,
    };
    let (codec, reader) = detect(reader).map_err(failed)?;
    let codec = codec.map_err(|codec| AdoptError::NoMediaType {
        origin: origin.to_owned(),
        codec,
    })?;
    let mut writer = Marking {
        writer: sink.create(Algorithm::Sha256).map_err(store)?,
        failed: false,
    };
    let without_blocks = |(hasher, size)| (hasher, size, Vec::new());
    let (tar, encoding, stored) = match form {
        LayerForm::Keep => (
            keep(reader, codec, &mut writer).map(without_blocks),
            None,
            codec,
        ),
        LayerForm::Uncompress => {
            let tar = pump(decoder(codec, reader), |raw| writer.write_all(raw));
            (tar.map(without_blocks), None, Codec::None)
        }
        LayerForm::Recompress(encoding) => {
            let tar = recompress(reader, codec, encoding, workers, &mut writer);
            (tar, Some(encoding), encoding.codec())
        }
    };
    let (diff_id, size, blocks) = tar.map_err(|error| {
        if writer.failed {
            store(cooperage_blob::Error::io("cannot write its blob", error))
        } else {
            failed(error)
        }
    })?;
    let written = writer.writer.finish(None).map_err(store)?;
    Ok(Layer {
        descriptor: Descriptor::new(media_type(stored), written.digest, written.size),
        diff_id: diff_id.finish(),
        size,
        encoding,
        blocks,
        entries: 0,
    })
}

/// A blob's writer that remembers whether it failed: where bytes pass from a reader to it, the error
/// alone does not say which of the two it was.
struct Marking<'a> {
    writer: Box<dyn BlobWriter + 'a>,
    failed: bool,
}

impl Write for Marking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.writer.write(bytes);
        self.failed |= matches!(&result, Err(error) if error.kind() != io::ErrorKind::Interrupted);
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.writer.flush();
        self.failed |= result.is_err();
        result
    }
}

/// Hands all of a tar to `take`; its hash and its length in bytes.
fn pump(
    mut tar: impl Read,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(Hasher, u64)> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut size = 0;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match tar.read(&mut buffer) {
            Ok(0) => return Ok((hasher, size)),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                take(&buffer[..n])?;
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn keep(
    reader: impl Read + Send,
    codec: Codec,
    writer: &mut Marking<'_>,
) -> io::Result<(Hasher, u64)> {
    // What the decoder reads is stored as it passes. It may stop before the end of the stream,
    // so the rest is drained, and stored too.
    let mut reader = Tee { reader, writer };
    let result = pump(decoder(codec, &mut reader), |_| Ok(()))?;
    io::copy(&mut reader, &mut io::sink())?;
    Ok(result)
}

struct Tee<'a, 'b, R> {
    reader: R,
    writer: &'a mut Marking<'b>,
}

impl<R: Read> Read for Tee<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.writer.write_all(&buffer[..n])?;
        Ok(n)
    }
}

fn recompress(
    reader: impl Read + Send,
    codec: Codec,
    encoding: Encoding,
    workers: &Workers,
    writer: &mut Marking<'_>,
) -> io::Result<(Hasher, u64, Vec<BlockRecord>)> {
    let mut encoder = Encoder::with_workers(writer, encoding, workers)?;
    let (hasher, size) = pump(decoder(codec, reader), |raw| encoder.write_all(raw))?;
    let (_, blocks) = encoder.finish_with_records()?;
    Ok((hasher, size, blocks))
}
