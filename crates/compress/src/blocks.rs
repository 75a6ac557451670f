//! What goes in and what comes out: blocks by index, and a record of each.

/// The bytes of a layer, cut into blocks that can be read in any order by any thread.
///
/// What the cuts are is for the implementor to say; a block that is the same as before compresses
/// to the same bytes as before.
pub trait Blocks: Sync {
    /// Why a block could not be read.
    type Error: Send;

    /// How many blocks there are.
    fn count(&self) -> usize;

    /// Appends the bytes of block `index`, which is less than [`Blocks::count`], to `out`, which
    /// is empty but keeps its capacity.
    ///
    /// Called once for each block, by several threads at a time.
    ///
    /// # Errors
    ///
    /// Ends the encoding; see [`EncodeError::Read`](crate::EncodeError::Read).
    fn read(&self, index: usize, out: &mut Vec<u8>) -> Result<(), Self::Error>;
}

/// Blocks that are in memory already.
impl<T: AsRef<[u8]> + Sync> Blocks for [T] {
    type Error = std::convert::Infallible;

    fn count(&self) -> usize {
        self.len()
    }

    fn read(&self, index: usize, out: &mut Vec<u8>) -> Result<(), Self::Error> {
        out.extend_from_slice(self[index].as_ref());
        Ok(())
    }
}

/// Where one block lies, uncompressed and as stored.
///
/// The stored bytes can be decompressed by themselves: with gzip they are raw DEFLATE that refers
/// to nothing before it, with zstd a frame.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BlockRecord {
    /// Where it begins in the uncompressed layer, in bytes.
    pub offset: u64,
    /// Its length in bytes, uncompressed.
    pub len: u64,
    /// Where it begins in the stored layer, in bytes; a header counts.
    pub stored_offset: u64,
    /// Its length in bytes as stored; 0 when the block is empty.
    pub stored_len: u64,
    /// CRC-32 (that of gzip) of the uncompressed bytes.
    pub crc32: u32,
}

/// Adds blocks up to the whole: offsets, the CRC-32 of everything, and the lengths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    crc: crc32fast::Hasher,
    pub(crate) len: u64,
    pub(crate) stored_len: u64,
}

impl Tally {
    /// Counts bytes that are stored beside the blocks.
    pub(crate) fn pass(&mut self, stored: &[u8]) {
        self.stored_len += stored.len() as u64;
    }

    /// Counts a block.
    pub(crate) fn add(&mut self, len: usize, stored_len: usize, crc32: u32) -> BlockRecord {
        let (len, stored_len) = (len as u64, stored_len as u64);
        let (offset, stored_offset) = (self.len, self.stored_len);
        self.crc
            .combine(&crc32fast::Hasher::new_with_initial_len(crc32, len));
        self.len += len;
        self.stored_len += stored_len;
        BlockRecord {
            offset,
            len,
            stored_offset,
            stored_len,
            crc32,
        }
    }

    /// CRC-32 of all blocks together.
    pub(crate) fn crc32(&self) -> u32 {
        self.crc.clone().finalize()
    }
}
