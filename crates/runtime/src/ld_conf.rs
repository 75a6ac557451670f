//! `/etc/ld.so.conf` and what it includes.

use std::io;

use crate::files::{join, normal, parent};

/// Deepest nesting of `include`.
const MAX_DEPTH: usize = 8;
/// Most files read.
const MAX_FILES: usize = 1024;

type Read<'a> = &'a dyn Fn(&str) -> io::Result<Option<String>>;
type Names<'a> = &'a dyn Fn(&str) -> io::Result<Vec<String>>;

/// The directories that a configuration names, absolute, in order, each once.
///
/// `read` gives a file's text and `names` the names in a directory.
pub(crate) fn directories(path: &str, read: Read<'_>, names: Names<'_>) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut budget = MAX_FILES;
    collect(path, read, names, MAX_DEPTH, &mut budget, &mut found)?;
    Ok(found)
}

fn collect(
    path: &str,
    read: Read<'_>,
    names: Names<'_>,
    depth: usize,
    budget: &mut usize,
    found: &mut Vec<String>,
) -> io::Result<()> {
    if depth == 0 || *budget == 0 {
        return Ok(());
    }
    *budget -= 1;
    let Some(text) = read(path)? else {
        return Ok(());
    };
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("include") => {
                for pattern in words {
                    for path in matching(path, pattern, names)? {
                        collect(&path, read, names, depth - 1, budget, found)?;
                    }
                }
            }
            // Read, and without effect, in every glibc that is still in use.
            Some("hwcap") | None => {}
            Some(_) => {
                for word in line
                    .split([':', ',', ' ', '\t'])
                    .filter(|word| !word.is_empty())
                {
                    // `directory=libc6` names the type of the libraries in it.
                    let directory = word.split('=').next().unwrap_or(word);
                    let directory = format!("/{}", normal(directory));
                    if word.starts_with('/') && !found.contains(&directory) {
                        found.push(directory);
                    }
                }
            }
        }
    }
    Ok(())
}

/// The files a pattern names: its last part may have `*` and `?`; it is relative to the file that
/// includes it.
fn matching(from: &str, pattern: &str, names: Names<'_>) -> io::Result<Vec<String>> {
    let pattern = if pattern.starts_with('/') {
        normal(pattern)
    } else {
        normal(&join(parent(from), pattern))
    };
    let directory = parent(&pattern);
    let last = pattern.rsplit('/').next().unwrap_or("");
    if !last.contains(['*', '?']) {
        return Ok(vec![pattern]);
    }
    let names = names(directory)?.into_iter();
    // As in a shell, a hidden file is not meant by `*`.
    let hidden = last.starts_with('.');
    let meant = |name: &String| glob(last.as_bytes(), name.as_bytes());
    Ok(names
        .filter(|name| hidden || !name.starts_with('.'))
        .filter(meant)
        .map(|name| join(directory, &name))
        .collect())
}

/// Whether a name matches a pattern of `*` and `?`, in time linear in each star.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star, at)) = back else { return false };
                back = Some((star, at + 1));
                p = star + 1;
                n = at + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_comments_and_types() {
        let read = |path: &str| {
            Ok(match path {
                "etc/ld.so.conf" => Some(
                    "include ld.so.conf.d/*.conf\ninclude /etc/ld.so.conf\n/opt/a # comment\n\
                     hwcap 1 nosegneg\n/opt/b=libc6\nrelative\n/opt/a:/opt/c/",
                ),
                "etc/ld.so.conf.d/x.conf" => Some("/usr/local/lib"),
                _ => None,
            }
            .map(str::to_owned))
        };
        let names = |directory: &str| {
            assert_eq!(directory, "etc/ld.so.conf.d");
            Ok([".hidden.conf", "readme", "x.conf"]
                .map(str::to_owned)
                .to_vec())
        };
        let found = directories("etc/ld.so.conf", &read, &names).expect("no errors");
        assert_eq!(found, ["/usr/local/lib", "/opt/a", "/opt/b", "/opt/c"]);
    }

    #[test]
    fn globs() {
        for (pattern, name, expect) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("?*b", "ab", true),
            ("?*b", "b", false),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
        ] {
            assert_eq!(
                glob(pattern.as_bytes(), name.as_bytes()),
                expect,
                "{pattern} on {name}"
            );
        }
    }
}
