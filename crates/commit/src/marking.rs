//! Which end of a pipe failed.

use std::io::{self, Write};

use cooperage_blob::{BlobWriter, Error, Written};

/// A blob's writer that remembers whether it failed: where bytes pass from a reader to it, the error
/// alone does not say which of the two it was.
pub(crate) struct Marking<'a> {
    writer: Box<dyn BlobWriter + 'a>,
    failed: bool,
}

impl<'a> Marking<'a> {
    pub(crate) fn new(writer: Box<dyn BlobWriter + 'a>) -> Self {
        Self {
            writer,
            failed: false,
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Ends the blob.
    pub(crate) fn finish(self) -> Result<Written, Error> {
        self.writer.finish(None)
    }
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
