//! Talking to who runs a program.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard error.
///
/// What cannot be said, since nobody listens any more or the disk is full, is dropped: it changes
/// nothing of what is done.
pub fn say(line: impl Display) {
    // In one piece, so that lines of several processes do not mix.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
