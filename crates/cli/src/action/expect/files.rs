//! What is expected of files.

use std::fmt::Write as _;
use std::io::{self, Read as _};

use anyhow::{Context as _, Result};
use cooperage_digest::{Algorithm, Digest, HashingWriter};
use cooperage_tarball::{Content, Entry, Kind, PathGlob, Tree, TreePath};

use super::Difference;
use super::line::FileExpectation;
use crate::text::printable;

/// How many links lead on to one another at most.
const MAX_LINKS: usize = 64;
/// How many paths are shown.
const MAX_PATHS: usize = 10;
/// How much of a text is shown, in characters.
const SHOWN: usize = 200;

/// Where the file differs from what is expected of it.
pub(crate) fn compare(expected: &FileExpectation, tree: &Tree) -> Result<Vec<Difference>> {
    let name = expected.path.display();
    let Some(entry) = tree.get(&expected.path) else {
        return Ok(vec![(format!("`{name}`"), nothing(&expected.path, tree))]);
    };
    let mut all = Vec::new();
    let mut differ = |expected: String, found: String| all.push((expected, found));
    // Both names of a file are the file.
    let file = linked(entry.clone(), tree);
    if let Some(kind) = expected.kind
        && kind != type_of(&entry.kind)
        && kind != type_of(&file.kind)
    {
        let found = type_of(&entry.kind);
        differ(format!("`{name}` to be a `{kind}`"), format!("a `{found}`"));
    }
    let attributes = &file.attributes;
    if let Some(mode) = expected.mode.filter(|mode| *mode != attributes.mode) {
        differ(
            format!("`{name}` to have mode `{mode:04o}`"),
            format!("`{:04o}`", attributes.mode),
        );
    }
    let owners = [
        ("uid", expected.uid, attributes.uid),
        ("gid", expected.gid, attributes.gid),
    ];
    for (which, expected, found) in owners {
        if let Some(id) = expected.filter(|id| *id != found) {
            differ(format!("`{name}` to have {which} {id}"), found.to_string());
        }
    }
    if let Some(target) = &expected.target {
        let found = match (&entry.kind, &file.kind) {
            (_, Kind::Symlink { target }) => Some(String::from_utf8_lossy(target).into_owned()),
            (Kind::HardLink { to }, _) => Some(to.display()),
            _ => None,
        };
        if found.as_ref() != Some(target) {
            let found = found.map_or("no link".into(), |found| format!("`{}`", printable(&found)));
            differ(format!("`{name}` to link to `{target}`"), found);
        }
    }
    let content = match &file.kind {
        Kind::File { content, .. } => Some(content),
        _ => None,
    };
    let of_content = of_content(expected, content)
        .with_context(|| format!("cannot read `{name}` of the image"))?;
    all.extend(of_content);
    Ok(all)
}

/// Paths that fit the glob, of which there should be none.
pub(crate) fn absent(glob: &PathGlob, tree: &Tree) -> Vec<Difference> {
    let paths = tree.iter().map(|(path, _)| path);
    let mut found: Vec<String> = paths
        .filter(|path| glob.matches(path))
        .map(|path| format!("`{}`", printable(&path.display())))
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    let more = found.len().saturating_sub(MAX_PATHS);
    found.truncate(MAX_PATHS);
    let mut text = found.join(", ");
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    vec![(format!("nothing at `{glob}`"), text)]
}

fn of_content(
    expected: &FileExpectation,
    content: Option<&Content>,
) -> io::Result<Vec<Difference>> {
    let name = expected.path.display();
    let mut all = Vec::new();
    let Some(content) = content else {
        let asks = expected.size.is_some() || expected.sha256.is_some() || expected.text.is_some();
        return Ok(if asks {
            vec![(format!("`{name}` to be a file with content"), "none".into())]
        } else {
            all
        });
    };
    if let Some(size) = expected.size.filter(|size| *size != content.len()) {
        all.push((
            format!("`{name}` to have {size} bytes"),
            content.len().to_string(),
        ));
    }
    if let Some(digest) = &expected.sha256 {
        let found = digest_of(content)?;
        if found != *digest {
            all.push((format!("`{name}` to be `{digest}`"), format!("`{found}`")));
        }
    }
    if let Some(text) = &expected.text {
        let mut found = Vec::new();
        let most = text.len().max(4 * SHOWN) as u64 + 1;
        content.open()?.take(most).read_to_end(&mut found)?;
        if found != text.as_bytes() {
            let (text, found) = (shown(text), shown(&String::from_utf8_lossy(&found)));
            all.push((format!("`{name}` to hold `{text}`"), format!("`{found}`")));
        }
    }
    Ok(all)
}

fn digest_of(content: &Content) -> io::Result<Digest> {
    let mut hashing = HashingWriter::new(io::sink(), Algorithm::Sha256);
    io::copy(&mut content.open()?, &mut hashing)?;
    Ok(hashing.finish().1)
}

fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(SHOWN).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    // On one line, whatever it holds.
    shown.escape_debug().to_string()
}

/// The file that a hard link leads to.
fn linked(mut entry: Entry, tree: &Tree) -> Entry {
    for _ in 0..MAX_LINKS {
        let next = match &entry.kind {
            Kind::HardLink { to } => tree.get(to),
            _ => None,
        };
        match next {
            Some(next) => entry = next,
            None => break,
        }
    }
    entry
}

/// There is no such path: perhaps since one above it is no directory.
fn nothing(path: &TreePath, tree: &Tree) -> String {
    for above in path.ancestors() {
        let entry = TreePath::new(above).ok().and_then(|above| tree.get(&above));
        let above = String::from_utf8_lossy(above);
        match entry.map(|entry| entry.kind) {
            Some(Kind::Symlink { target }) => {
                let target = String::from_utf8_lossy(&target).into_owned();
                return format!(
                    "nothing: `{}` is a symlink to `{}`, and links are not followed",
                    printable(&above),
                    printable(&target)
                );
            }
            Some(Kind::Directory) | None => {}
            Some(other) => {
                return format!(
                    "nothing: `{}` is a `{}`",
                    printable(&above),
                    type_of(&other)
                );
            }
        }
    }
    "nothing".into()
}

fn type_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::File { .. } => "file",
        Kind::Directory => "dir",
        Kind::Symlink { .. } => "symlink",
        Kind::HardLink { .. } => "hardlink",
        Kind::Fifo => "fifo",
        Kind::CharDevice { .. } => "char_device",
        Kind::BlockDevice { .. } => "block_device",
        Kind::Whiteout => "whiteout",
    }
}
