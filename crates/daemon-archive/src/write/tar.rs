//! The tar stream: canonical headers, contents of known length.

use std::io::{self, Read, Write};

use cooperage_image_spec::Descriptor;

use super::WriteError;

const BLOCK: usize = 512;

/// Writes entries one behind the other.
pub(super) struct TarWriter<'a> {
    out: &'a mut dyn Write,
    written: u64,
}

impl<'a> TarWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, written: 0 }
    }

    pub(super) fn directory(&mut self, path: &str) -> Result<(), WriteError> {
        let header = header(path, None);
        self.put(&header)
    }

    pub(super) fn bytes(&mut self, path: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let header = header(path, Some(bytes.len() as u64));
        self.put(&header)?;
        self.put(bytes)?;
        self.pad()
    }

    /// A file of the descriptor's size, from a reader that fails unless it gives just that blob.
    pub(super) fn stream(
        &mut self,
        path: &str,
        blob: &Descriptor,
        reader: &mut dyn Read,
    ) -> Result<(), WriteError> {
        let header = header(path, Some(blob.size));
        self.put(&header)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return self.pad(),
                Ok(n) => self.put(&buffer[..n])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cooperage_blob::Error::read(blob, error).into()),
            }
        }
    }

    /// Ends the archive; gives its length in bytes.
    pub(super) fn finish(mut self) -> Result<u64, WriteError> {
        self.put(&[0; 2 * BLOCK])?;
        self.out.flush().map_err(WriteError::Output)?;
        Ok(self.written)
    }

    fn pad(&mut self) -> Result<(), WriteError> {
        let over = (self.written % BLOCK as u64) as usize;
        self.put(&[0; BLOCK][..(BLOCK - over) % BLOCK])
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out.write_all(bytes).map_err(WriteError::Output)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

fn header(path: &str, size: Option<u64>) -> Vec<u8> {
    let mut h = vec![0; 512];
    let (mode, kind, name) = match size {
        Some(_) => ("0000644", b'0', path.to_owned()),
        None => ("0000755", b'5', format!("{path}/")),
    };
    h[..name.len()].copy_from_slice(name.as_bytes());
    h[100..107].copy_from_slice(mode.as_bytes());
    h[108..115].copy_from_slice(b"0000000");
    h[116..123].copy_from_slice(b"0000000");
    h[124..135].copy_from_slice(format!("{:011o}", size.unwrap_or(0)).as_bytes());
    h[136..147].copy_from_slice(b"00000000000");
    h[148..156].copy_from_slice(b"        ");
    h[156] = kind;
    h[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = h.iter().map(|&b| u32::from(b)).sum();
    h[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    h
}
