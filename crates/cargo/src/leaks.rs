//! Looks for this machine's paths in a finished binary.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes that are looked at together.
const WINDOW: usize = 1 << 20;

/// Which of `prefixes` a file contains.
///
/// A crate may write a path by itself, with `env!("CARGO_MANIFEST_DIR")` or in a build script;
/// no flag of a compiler renames that.
///
/// # Errors
///
/// When the file cannot be read.
pub fn find<'a>(file: &Path, prefixes: &[&'a str]) -> io::Result<Vec<&'a str>> {
    let mut found = vec![false; prefixes.len()];
    let overlap = prefixes.iter().map(|prefix| prefix.len()).max().unwrap_or(1);
    let mut reader = File::open(file)?;
    let mut window = Vec::with_capacity(WINDOW + overlap);
    loop {
        let kept = window.len().min(overlap);
        window.drain(..window.len() - kept);
        if (&mut reader).take(WINDOW as u64).read_to_end(&mut window)? == 0 {
            break;
        }
        mark(&window, prefixes, &mut found);
    }
    let hits = prefixes.iter().zip(found).filter(|(_, found)| *found);
    Ok(hits.map(|(prefix, _)| *prefix).collect())
}

/// Prefixes are paths: each begins with a slash, which few bytes of a binary are.
fn mark(window: &[u8], prefixes: &[&str], found: &mut [bool]) {
    let mut from = 0;
    while let Some(step) = window[from..].iter().position(|byte| *byte == b'/') {
        let at = from + step;
        for (prefix, found) in prefixes.iter().zip(found.iter_mut()) {
            *found |= window[at..].starts_with(prefix.as_bytes());
        }
        from = at + 1;
    }
}
