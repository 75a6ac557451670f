//! Bits, lowest first, in bytes.

/// Bytes that grow bit by bit.
#[derive(Debug, Default)]
pub(super) struct Bits {
    /// Room; what is written are the first `len` bytes.
    bytes: Vec<u8>,
    len: usize,
    /// Bits that do not make a byte yet, and those put since the last spill.
    hold: u64,
    held: u32,
}

impl Bits {
    pub(super) fn clear(&mut self) {
        (self.len, self.hold, self.held) = (0, 0, 0);
    }

    /// What was written; whole bytes, after [`Bits::align`].
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// How many bits were written.
    pub(super) fn position(&self) -> u64 {
        8 * self.len as u64 + u64::from(self.held)
    }

    /// Adds the low `count` bits of `bits`, which has no others. At most 56 between two spills.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.hold |= bits << (self.held & 63);
        self.held += count;
    }

    /// Writes whole bytes; up to seven bits stay.
    #[inline(always)]
    pub(super) fn spill(&mut self) {
        if self.bytes.len() < self.len + 8 {
            self.grow();
        }
        self.bytes[self.len..][..8].copy_from_slice(&self.hold.to_le_bytes());
        self.len += (self.held >> 3) as usize;
        self.hold >>= self.held & 0x38;
        self.held &= 7;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let room = (2 * self.bytes.len()).max(1 << 16);
        self.bytes.resize(room, 0);
    }

    /// Adds a few bits by themselves.
    pub(super) fn write(&mut self, bits: u64, count: u32) {
        self.put(bits, count);
        self.spill();
    }

    /// Fills up to a whole byte with zeros.
    pub(super) fn align(&mut self) {
        self.held = (self.held + 7) & !7;
        self.spill();
    }

    /// Adds whole bytes, at the border of one.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.held, 0);
        let end = self.len + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end + (1 << 16), 0);
        }
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    /// Room for so many bytes more.
    pub(super) fn room(&mut self, bytes: usize) -> Room<'_> {
        let end = self.len + bytes;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        Room {
            bytes: &mut self.bytes,
            len: self.len,
            hold: self.hold,
            held: self.held,
        }
    }

    /// Takes what was put into the room.
    pub(super) fn leave(&mut self, left: Left) {
        (self.len, self.hold, self.held) = (left.len, left.hold, left.held);
    }
}

/// As [`Bits`], but of a fixed size, so that all of it is in registers.
pub(super) struct Room<'a> {
    bytes: &'a mut [u8],
    len: usize,
    hold: u64,
    held: u32,
}

/// What becomes of a [`Room`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    len: usize,
    hold: u64,
    held: u32,
}

impl Room<'_> {
    /// Adds the bits in the upper 24 bits, as many as the lower 8 say.
    #[inline(always)]
    pub(super) fn put(&mut self, packed: u32) {
        self.hold |= u64::from(packed >> 8) << (self.held & 63);
        self.held += packed & 0xff;
    }

    /// Writes whole bytes; up to seven bits stay.
    #[inline(always)]
    pub(super) fn spill(&mut self) {
        self.bytes[self.len..self.len + 8].copy_from_slice(&self.hold.to_le_bytes());
        self.len += (self.held >> 3) as usize;
        self.hold >>= self.held & 0x38;
        self.held &= 7;
    }

    pub(super) fn leave(self) -> Left {
        Left {
            len: self.len,
            hold: self.hold,
            held: self.held,
        }
    }
}
