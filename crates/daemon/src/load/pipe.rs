//! From who writes an archive to who sends it: bounded, counted, and never a short archive that
//! looks whole.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::http::Signals;

/// Bytes that go over at once, and how many such pieces may wait.
const PIECE: usize = 256 << 10;
const WAITING: usize = 4;

enum Message {
    Piece(Vec<u8>),
    End,
}

/// The two ends.
pub(super) fn pipe(signals: &Signals) -> (PipeWriter, PipeReader<'_>) {
    let (full, filled) = sync_channel(WAITING);
    let (spent, empty) = sync_channel(WAITING + 2);
    let writer = PipeWriter {
        piece: Vec::with_capacity(PIECE),
        full,
        empty,
    };
    let reader = PipeReader {
        piece: Vec::new(),
        at: 0,
        sent: 0,
        ended: false,
        filled,
        spent,
        signals,
    };
    (writer, reader)
}

/// What is written goes to the reader. Dropped before [`PipeWriter::finish`], it makes the reader
/// fail.
pub(super) struct PipeWriter {
    piece: Vec<u8>,
    full: SyncSender<Message>,
    /// Pieces to be used again.
    empty: Receiver<Vec<u8>>,
}

impl PipeWriter {
    /// Says that this was all.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.pass_on()?;
        self.full.send(Message::End).map_err(|_| gone())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let next = self
            .empty
            .try_recv()
            .unwrap_or_else(|_| Vec::with_capacity(PIECE));
        let piece = std::mem::replace(&mut self.piece, next);
        self.full.send(Message::Piece(piece)).map_err(|_| gone())
    }
}

fn gone() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..n]);
        if self.piece.len() == PIECE {
            self.pass_on()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what was written, ends where the daemon takes no more, and fails where the writer did.
pub(super) struct PipeReader<'a> {
    piece: Vec<u8>,
    at: usize,
    sent: u64,
    ended: bool,
    filled: Receiver<Message>,
    spent: SyncSender<Vec<u8>>,
    signals: &'a Signals,
}

impl PipeReader<'_> {
    /// How many bytes were taken from here.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether all was taken.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }
}

impl Read for PipeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.ended {
            if self.signals.is_deaf() {
                return Ok(0);
            }
            match self.filled.recv() {
                Ok(Message::Piece(next)) => {
                    let mut spent = std::mem::replace(&mut self.piece, next);
                    spent.clear();
                    self.at = 0;
                    // A piece too many is let go.
                    let _ = self.spent.try_send(spent);
                }
                Ok(Message::End) => self.ended = true,
                Err(_) => return Err(io::Error::other("the archive could not be made")),
            }
        }
        let n = buffer.len().min(self.piece.len() - self.at);
        buffer[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        self.sent += n as u64;
        Ok(n)
    }
}
