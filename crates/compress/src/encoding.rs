//! How a layer is compressed: an encoder's id, a level and a block size, all three validated.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The smallest block size, in bytes, that an [`Encoding`] takes: 64 KiB.
///
/// Below it blocks without shared history cost several per cent of size.
pub const MIN_BLOCK_SIZE: u64 = 64 << 10;

/// The largest block size, in bytes, that an [`Encoding`] takes: 64 MiB.
///
/// Memory grows with it, see [`encode_blocks`](crate::encode_blocks).
pub const MAX_BLOCK_SIZE: u64 = 64 << 20;

/// The gzip level of [`Encoding::default`].
///
/// The fastest of `gzip-2` whose output is at most 0.5 % larger than that of umoci 0.6.0, measured
/// on the tars of `cargo xtask bench` in blocks of 1 MiB (MB, one million bytes; speed is that of
/// compression alone, against `gzip-1` at level 5):
///
/// | | `binary` | `small` | `mix`, not folded |
/// |-|-|-|-|
/// | umoci 0.6.0 | 17.66 | 58.21 | 677.7 |
/// | `gzip-1`, level 5 | 17.22 | 57.16 | 657.5 |
/// | **`gzip-2`, level 5** | **17.55**, 1.93 | **57.20**, 1.51 | **666.1**, 1.81 |
///
/// Small files decide: there level 4 is 2 % larger. `docs/performance.md` has the other levels.
pub const DEFAULT_GZIP_LEVEL: u8 = 5;

/// The zstd level where nothing else is said; libzstd's own default.
pub const DEFAULT_ZSTD_LEVEL: u8 = 3;

/// The form in which a layer is stored.
///
/// Spec: image-spec v1.1, `layer.md` § `+gzip` Media Types and § `+zstd` Media Types.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Codec {
    /// Not compressed: the stored bytes are the tar itself.
    None,
    /// One gzip member (RFC 1952).
    Gzip,
    /// Zstandard frames (RFC 8878).
    Zstd,
}

impl Codec {
    /// Every codec, in order.
    pub const ALL: [Self; 3] = [Self::None, Self::Gzip, Self::Zstd];

    /// `none`, `gzip` or `zstd`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The encoder that is taken for this codec where nothing else is said.
    #[must_use]
    pub const fn encoder(self) -> EncoderId {
        match self {
            Self::None => EncoderId::None1,
            Self::Gzip => EncoderId::Gzip2,
            Self::Zstd => EncoderId::Zstd1,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Codec {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        let found = Self::ALL.into_iter().find(|codec| codec.as_str() == text);
        found.ok_or_else(|| EncodingError::UnknownCodec { name: text.into() })
    }
}

/// Names the exact bytes an encoder makes: the same id, level, block size and input give the same
/// output, on any machine, with any number of threads.
///
/// A change of bytes, for instance by a new version of a library, is a new id.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum EncoderId {
    /// `none-1`: the bytes as they are. Its only level is 0.
    None1,
    /// `gzip-1`: zlib-rs 0.6.8, levels 1 to 9, one member with a sync point behind each block.
    Gzip1,
    /// `gzip-2`: DEFLATE of our own, levels 1 to 9, in the same form as `gzip-1`.
    Gzip2,
    /// `zstd-1`: libzstd 1.5.7, levels 1 to 19, one frame for each block.
    Zstd1,
}

impl EncoderId {
    /// Every id that this version knows, in order.
    pub const ALL: [Self; 4] = [Self::None1, Self::Gzip1, Self::Gzip2, Self::Zstd1];

    /// As a plan and a layer's metadata write it, for instance `gzip-1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None1 => "none-1",
            Self::Gzip1 => "gzip-1",
            Self::Gzip2 => "gzip-2",
            Self::Zstd1 => "zstd-1",
        }
    }

    /// The codec that reads what this encoder writes.
    #[must_use]
    pub const fn codec(self) -> Codec {
        match self {
            Self::None1 => Codec::None,
            Self::Gzip1 | Self::Gzip2 => Codec::Gzip,
            Self::Zstd1 => Codec::Zstd,
        }
    }

    /// The levels it takes, from fast to small.
    #[must_use]
    pub const fn levels(self) -> RangeInclusive<u8> {
        match self {
            Self::None1 => 0..=0,
            Self::Gzip1 | Self::Gzip2 => 1..=9,
            Self::Zstd1 => 1..=19,
        }
    }

    /// The level where nothing else is said.
    #[must_use]
    pub const fn default_level(self) -> u8 {
        match self {
            Self::None1 => 0,
            Self::Gzip1 | Self::Gzip2 => DEFAULT_GZIP_LEVEL,
            Self::Zstd1 => DEFAULT_ZSTD_LEVEL,
        }
    }

    /// The block size, in uncompressed bytes, where nothing else is said: 4 MiB for zstd, whose
    /// window is larger, else 1 MiB.
    #[must_use]
    pub const fn default_block_size(self) -> u64 {
        match self {
            Self::None1 | Self::Gzip1 | Self::Gzip2 => 1 << 20,
            Self::Zstd1 => 4 << 20,
        }
    }
}

impl fmt::Display for EncoderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EncoderId {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        let found = Self::ALL.into_iter().find(|id| id.as_str() == text);
        found.ok_or_else(|| EncodingError::UnknownEncoder { id: text.into() })
    }
}

/// An encoder with its level and block size, as a plan and a layer's metadata carry them.
///
/// # Examples
///
/// ```
/// use cooperage_compress::{Codec, Encoding};
///
/// let encoding = Encoding::parse("gzip-1", 6, 1 << 20)?;
/// assert_eq!(encoding.codec(), Codec::Gzip);
///
/// let error = Encoding::parse("gzip-9", 6, 1 << 20).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "unknown encoder id `gzip-9`, known are `none-1`, `gzip-1`, `gzip-2`, `zstd-1`"
/// );
/// # Ok::<(), cooperage_compress::EncodingError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Encoding {
    encoder: EncoderId,
    level: u8,
    block_size: u64,
}

impl Encoding {
    /// Takes an encoder with one of its levels and a block size in bytes.
    ///
    /// # Errors
    ///
    /// [`EncodingError::Level`] and [`EncodingError::BlockSize`] when a number is out of range.
    pub fn new(encoder: EncoderId, level: u8, block_size: u64) -> Result<Self, EncodingError> {
        if !encoder.levels().contains(&level) {
            return Err(EncodingError::Level { encoder, level });
        }
        if !(MIN_BLOCK_SIZE..=MAX_BLOCK_SIZE).contains(&block_size) {
            return Err(EncodingError::BlockSize { block_size });
        }
        Ok(Self {
            encoder,
            level,
            block_size,
        })
    }

    /// As [`Encoding::new`], from the id as it is written.
    ///
    /// # Errors
    ///
    /// Those of [`Encoding::new`], and [`EncodingError::UnknownEncoder`].
    pub fn parse(id: &str, level: u8, block_size: u64) -> Result<Self, EncodingError> {
        Self::new(id.parse()?, level, block_size)
    }

    /// The encoding taken for a codec where nothing else is said.
    #[must_use]
    pub const fn of(codec: Codec) -> Self {
        let encoder = codec.encoder();
        let (level, block_size) = (encoder.default_level(), encoder.default_block_size());
        Self {
            encoder,
            level,
            block_size,
        }
    }

    /// The same with another level.
    ///
    /// # Errors
    ///
    /// [`EncodingError::Level`] when the encoder has no such level.
    pub fn with_level(self, level: u8) -> Result<Self, EncodingError> {
        Self::new(self.encoder, level, self.block_size)
    }

    /// The same with another block size in bytes.
    ///
    /// # Errors
    ///
    /// [`EncodingError::BlockSize`] when it is out of range.
    pub fn with_block_size(self, block_size: u64) -> Result<Self, EncodingError> {
        Self::new(self.encoder, self.level, block_size)
    }

    /// Which encoder.
    #[must_use]
    pub const fn encoder(&self) -> EncoderId {
        self.encoder
    }

    /// The codec that reads the result.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.encoder.codec()
    }

    /// The encoder's level, one of [`EncoderId::levels`].
    #[must_use]
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// How many uncompressed bytes a block is to hold, [`MIN_BLOCK_SIZE`] to [`MAX_BLOCK_SIZE`].
    ///
    /// Who plans blocks cuts by it; [`encode_blocks`](crate::encode_blocks) takes the blocks as
    /// they come, and [`Encoder`](crate::Encoder) cuts at each multiple of it.
    #[must_use]
    pub const fn block_size(&self) -> u64 {
        self.block_size
    }
}

impl Default for Encoding {
    /// `gzip-2` at [`DEFAULT_GZIP_LEVEL`] in blocks of 1 MiB.
    fn default() -> Self {
        Self::of(Codec::Gzip)
    }
}

/// Why an [`Encoding`] was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodingError {
    /// An id that this version does not know; a newer one may.
    #[error("unknown encoder id `{id}`, known are {}", known(&EncoderId::ALL))]
    UnknownEncoder {
        /// The id as it was written.
        id: String,
    },
    /// A codec that does not exist.
    #[error("unknown codec `{name}`, known are {}", known(&Codec::ALL))]
    UnknownCodec {
        /// The name as it was written.
        name: String,
    },
    /// A level that the encoder does not have.
    #[error(
        "`{encoder}` has no level {level}, expected {} to {}",
        encoder.levels().start(), encoder.levels().end()
    )]
    Level {
        /// The encoder.
        encoder: EncoderId,
        /// The level asked for.
        level: u8,
    },
    /// A block size too small or too large.
    #[error(
        "a block size of {block_size} bytes is out of range, expected {MIN_BLOCK_SIZE} to {MAX_BLOCK_SIZE}"
    )]
    BlockSize {
        /// The size asked for, in bytes.
        block_size: u64,
    },
}

fn known(names: &[impl fmt::Display]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
