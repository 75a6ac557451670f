//! Streams that give and take in uneven pieces, as pipes and sockets do.
//!
//! How bytes happen to arrive must not reach a digest; these show that it does not.

use std::io::{self, Read, Write};

/// Numbers that look random and are the same on every run: `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, from the whole range.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next one below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("usize is at most 64 bits wide");
        usize::try_from(self.next_u64() % end).expect("it is below a usize")
    }

    /// Text that codecs find neither easy nor hard, for benches: words of a small vocabulary.
    pub fn text(&mut self, length: usize) -> Vec<u8> {
        let words: Vec<_> = (0..600).map(|_| self.word()).collect();
        let mut text = Vec::with_capacity(length + 16);
        while text.len() < length {
            // Some words come often and most seldom.
            let end = 1 + self.below(words.len());
            text.extend_from_slice(&words[self.below(end)]);
            text.push(b' ');
        }
        text.truncate(length);
        text
    }

    fn word(&mut self) -> Vec<u8> {
        let length = 2 + self.below(10);
        (0..length).map(|_| b'a' + self.below(26) as u8).collect()
    }

    /// `length` bytes that no codec makes smaller.
    #[must_use]
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.next_u64().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// How many bytes the next call may move: mostly few, now and then all that is asked for.
fn piece(numbers: &mut Numbers, asked: usize) -> io::Result<usize> {
    if asked == 0 {
        return Ok(0);
    }
    match numbers.below(16) {
        0 => Err(io::ErrorKind::Interrupted.into()),
        1..=3 => Ok(asked),
        4..=9 => Ok(1 + numbers.below(asked)),
        _ => Ok(1 + numbers.below(asked.min(7))),
    }
}

/// Gives another reader's bytes in uneven pieces, and is interrupted now and then.
#[derive(Debug)]
pub struct RaggedReader<R> {
    inner: R,
    numbers: Numbers,
}

impl<R: Read> RaggedReader<R> {
    /// The pieces depend on `seed` and on what is asked for alone.
    pub fn new(inner: R, seed: u64) -> Self {
        Self {
            inner,
            numbers: Numbers::new(seed),
        }
    }
}

impl<R: Read> Read for RaggedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = piece(&mut self.numbers, buffer.len())?;
        self.inner.read(&mut buffer[..length])
    }
}

/// Takes fewer bytes than it is given, and is interrupted now and then.
#[derive(Debug)]
pub struct RaggedWriter<W> {
    inner: W,
    numbers: Numbers,
}

impl<W: Write> RaggedWriter<W> {
    /// The pieces depend on `seed` and on what is given alone.
    pub fn new(inner: W, seed: u64) -> Self {
        Self {
            inner,
            numbers: Numbers::new(seed),
        }
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write> Write for RaggedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = piece(&mut self.numbers, bytes.len())?;
        self.inner.write(&bytes[..length])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes `bytes` by calls of uneven length, so that the *writer's* handling of them is tried.
///
/// # Errors
///
/// What `writer` says.
pub fn write_raggedly(writer: &mut dyn Write, bytes: &[u8], seed: u64) -> io::Result<()> {
    let mut numbers = Numbers::new(seed);
    let mut rest = bytes;
    while !rest.is_empty() {
        let Ok(length) = piece(&mut numbers, rest.len().min(100_000)) else {
            continue;
        };
        let (now, later) = rest.split_at(length);
        writer.write_all(now)?;
        rest = later;
    }
    Ok(())
}
