//! Giving what was asked for.

use std::io::{self, Write};

use anyhow::{Context, Result};

/// Writes to standard output. A reader who has seen enough and closed it has not made us fail.
///
/// # Errors
///
/// Standard output cannot be written to, as on a full disk.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
