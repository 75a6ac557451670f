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
    let overlap = prefixes
        .iter()
        .map(|prefix| prefix.len())
        .max()
        .unwrap_or(1);
    let mut reader = File::open(file)?;
    let mut window = Vec::with_capacity(WINDOW + overlap);
    loop {
        let kept = window.len().min(overlap);
        window.drain(..window.len() - kept);
        if (&mut reader).take(WINDOW as u64).read_to_end(&mut window)? == 0 {
            mark(&window, End::OfFile, prefixes, &mut found);
            break;
        }
        mark(&window, End::OfWindow, prefixes, &mut found);
    }
    let hits = prefixes.iter().zip(found).filter(|(_, found)| *found);
    Ok(hits.map(|(prefix, _)| *prefix).collect())
}

/// What lies behind the bytes that are looked at.
#[derive(Clone, Copy, PartialEq)]
enum End {
    OfFile,
    /// More bytes: what ends here is looked at again with them.
    OfWindow,
}

/// Prefixes are paths: each begins with a slash, which few bytes of a binary are.
fn mark(window: &[u8], end: End, prefixes: &[&str], found: &mut [bool]) {
    let mut from = 0;
    while let Some(step) = window[from..].iter().position(|byte| *byte == b'/') {
        let at = from + step;
        for (prefix, found) in prefixes.iter().zip(found.iter_mut()) {
            let rest = window[at..].strip_prefix(prefix.as_bytes());
            let ends = rest.is_some_and(|rest| match rest.first() {
                Some(byte) => !is_of_name(*byte),
                None => end == End::OfFile,
            });
            // Strings of a program lie side by side, so what stands before a path may be anything;
            // but `/app` alone is too likely to be the end of another path.
            let begins = prefix.rfind('/') != Some(0)
                || !at
                    .checked_sub(1)
                    .is_some_and(|before| is_of_name(window[before]));
            *found |= ends && begins;
        }
        from = at + 1;
    }
}

/// `/app` is not named by `/application`.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_found_wherever_they_lie() {
        let prefixes = ["/app", "/home/u/app"];
        let check = |bytes: &[u8], expect: &[&str]| {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), bytes).expect("written");
            assert_eq!(find(file.path(), &prefixes).expect("read"), expect);
        };
        check(b"", &[]);
        check(b"/application /apple/app.rs", &[]);
        check(b"x /app/src/main.rs", &["/app"]);
        check(b"/workspace/app/src/main.rs", &[]);
        check(b"/home/u/app", &["/home/u/app"]);
        for shift in 0..16 {
            let mut bytes = vec![b'.'; WINDOW - shift];
            bytes.extend(b"/home/u/app\0");
            check(&bytes, &["/home/u/app"]);
            bytes.truncate(WINDOW - shift);
            bytes.extend(b"/home/u/apples\0");
            check(&bytes, &[]);
        }
    }
}
