//! Lists of a tar's entries, line by line in one form, whoever made them.

use cooperage_testkit::listing;

use super::layers::Reader;

/// Text as bsdtar shows it.
pub(super) fn shown(byte: u8) -> String {
    if byte.is_ascii() {
        char::from(byte).to_string()
    } else {
        format!("\\{byte:o}")
    }
}

pub(super) fn in_one_form(reader: Reader, line: &str) -> String {
    // What stands before the name: blanks part it, and it may hold any itself.
    let (count, wanted): (usize, &[usize]) = match reader {
        Reader::Bsdtar(_) => (8, &[0, 2, 3, 4]),
        Reader::GnuTar(_) => (5, &[0, 1, 2]),
        _ => return line.to_owned(),
    };
    let mut rest = line;
    let mut fields = Vec::new();
    for _ in 0..count {
        let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
        fields.push(field);
        rest = after;
        if fields.len() < count {
            rest = rest.trim_start();
        }
    }
    let fields: Vec<_> = wanted
        .iter()
        .map(|at| fields[*at].replace('/', " "))
        .collect();
    format!("{} {rest}", fields.join(" "))
}

/// What such a line should be.
pub(super) fn expected(entry: &listing::Entry) -> String {
    let is_link = entry
        .linked
        .as_ref()
        .is_some_and(|first| *first != entry.path);
    let path: String = kinds_path(&entry.path);
    let (letter, size, rest) = match &entry.kind {
        _ if is_link => {
            let first = entry.linked.as_deref().unwrap_or_default();
            (
                'h',
                "0".to_owned(),
                format!("{path} link to {}", kinds_path(first)),
            )
        }
        listing::Kind::File { size, .. } => ('-', size.to_string(), path),
        listing::Kind::Directory => ('d', "0".to_owned(), format!("{path}/")),
        listing::Kind::Symlink(target) => (
            'l',
            "0".to_owned(),
            format!("{path} -> {}", escaped(target)),
        ),
        listing::Kind::Special { kind, device } => {
            let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
            let number = format!("{major},{minor}");
            match kind {
                0o020_000 => ('c', number, path),
                0o060_000 => ('b', number, path),
                _ => ('p', "0".to_owned(), path),
            }
        }
    };
    let mode = permissions(entry.mode);
    format!("{letter}{mode} {} {} {size} {rest}", entry.uid, entry.gid)
}

fn escaped(text: &str) -> String {
    text.bytes().map(shown).collect()
}

/// A path of the listing with its bytes as tar shows them.
fn kinds_path(path: &str) -> String {
    escaped(&path.replace(r"\xff\xfe", "\u{1}")).replace('\u{1}', r"\377\376")
}

fn permissions(mode: u32) -> String {
    let mut text = String::new();
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}
