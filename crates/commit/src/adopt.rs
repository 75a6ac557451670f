//! A layer that exists becomes a layer of ours.

use std::io::{self, BufReader, Read, Write};

use cooperage_blob::Sink;
use cooperage_compress::{BlockRecord, Codec, Encoder, Encoding, Workers, decoder};
use cooperage_digest::{Algorithm, Hasher};
use cooperage_image_spec::Descriptor;
use cooperage_tarball::{ReadOptions, TarError, TarReader};

use crate::Layer;
use crate::detect::detect;
use crate::marking::Marking;
use crate::pack::layer_media_type;

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
    /// It is no tar, or none that all readers understand alike.
    #[error("{origin} cannot be a layer: expected a tar")]
    Tar {
        /// Where the layer comes from.
        origin: String,
        /// What is wrong with it.
        #[source]
        source: TarError,
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
/// layer comes from. What is inside must be a tar: its headers are read as it passes, and its
/// entries counted; whether they make a tree is not looked at.
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
    let mut writer = Marking::new(sink.create(Algorithm::Sha256).map_err(store)?);
    let without_blocks = |tar| (tar, Vec::new());
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
    let (tar, blocks) = tar.map_err(|fault| match fault {
        Fault::Io(error) if writer.has_failed() => {
            store(cooperage_blob::Error::io("cannot write its blob", error))
        }
        Fault::Io(error) => failed(error),
        Fault::Tar(source) => AdoptError::Tar {
            origin: origin.to_owned(),
            source,
        },
    })?;
    let written = writer.finish().map_err(store)?;
    Ok(Layer {
        descriptor: Descriptor::new(layer_media_type(stored), written.digest, written.size),
        diff_id: tar.hasher.finish(),
        size: tar.size,
        encoding,
        blocks,
        entries: tar.entries,
    })
}

/// Why a tar did not pass.
enum Fault {
    Io(io::Error),
    Tar(TarError),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TarError> for Fault {
    fn from(error: TarError) -> Self {
        match error {
            TarError::Read { source, .. } => Self::Io(source),
            error => Self::Tar(error),
        }
    }
}

/// What is known of a tar that has passed.
struct Passed {
    hasher: Hasher,
    /// Its length in bytes.
    size: u64,
    entries: u64,
}

/// A tar whose bytes are hashed, and handed to `take`, as they are read.
struct Passing<R, F> {
    tar: R,
    take: F,
    hasher: Hasher,
    size: u64,
}

impl<R: Read, F: FnMut(&[u8]) -> io::Result<()>> Read for Passing<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.tar.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        (self.take)(&buffer[..n])?;
        self.size += n as u64;
        Ok(n)
    }
}

/// Reads all of a tar as one, and hands it to `take`.
fn pump(tar: impl Read, take: impl FnMut(&[u8]) -> io::Result<()>) -> Result<Passed, Fault> {
    let passing = Passing {
        tar,
        take,
        hasher: Hasher::new(Algorithm::Sha256),
        size: 0,
    };
    let mut buffered = BufReader::with_capacity(256 << 10, passing);
    let mut reader = TarReader::new(&mut buffered, ReadOptions::default());
    let mut entries = 0;
    while reader.next_entry()?.is_some() {
        entries += 1;
    }
    // What stands behind the tar's end is the layer's too.
    reader.finish()?;
    let Passing { hasher, size, .. } = buffered.into_inner();
    Ok(Passed {
        hasher,
        size,
        entries,
    })
}

fn keep(reader: impl Read + Send, codec: Codec, writer: &mut Marking<'_>) -> Result<Passed, Fault> {
    // What the decoder reads is stored as it passes. It may stop before the end of the stream,
    // so the rest is drained, and stored too.
    let mut reader = Tee { reader, writer };
    let passed = pump(decoder(codec, &mut reader), |_| Ok(()))?;
    io::copy(&mut reader, &mut io::sink())?;
    Ok(passed)
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
) -> Result<(Passed, Vec<BlockRecord>), Fault> {
    let mut encoder = Encoder::with_workers(writer, encoding, workers)?;
    let passed = pump(decoder(codec, reader), |raw| encoder.write_all(raw))?;
    let (_, blocks) = encoder.finish_with_records()?;
    Ok((passed, blocks))
}
