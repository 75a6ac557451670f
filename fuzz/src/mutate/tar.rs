//! Tars: whole entries are moved, headers changed in their fields, and made right again.

use cooperage_testkit::ragged::Numbers;

const BLOCK: usize = 512;
/// More than this of a body is not looked for: sizes are mostly nonsense.
const LONGEST_BODY: usize = 1 << 20;

/// Where an entry lies: a header, and the body that goes by its own size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) body: usize,
    /// Without the zeros behind the body.
    pub(crate) body_end: usize,
    pub(crate) end: usize,
}

/// The entries of what may be a tar, blocks of zeros among them.
pub(crate) fn pieces(tar: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while let Some(header) = tar.get(start..start + BLOCK) {
        let body = start + BLOCK;
        let has_body = matches!(
            header[156],
            0 | b'0' | b'7' | b'x' | b'X' | b'g' | b'L' | b'K'
        );
        let len = if has_body { size(header) } else { 0 };
        let body_end = (body + len).min(tar.len());
        let end = (body + len.next_multiple_of(BLOCK)).min(tar.len());
        pieces.push(Piece {
            start,
            body,
            body_end,
            end,
        });
        start = end;
    }
    pieces
}

fn size(header: &[u8]) -> usize {
    let digits = header[124..136]
        .iter()
        .skip_while(|byte| **byte == b' ')
        .take_while(|byte| (b'0'..=b'7').contains(byte));
    let size = digits.fold(0_usize, |size, digit| {
        size.saturating_mul(8)
            .saturating_add(usize::from(digit - b'0'))
    });
    if size > LONGEST_BODY { 0 } else { size }
}

/// Makes the lengths of records and the checksums of headers right.
pub fn repair(tar: &mut [u8]) {
    for piece in pieces(tar) {
        if tar[piece.start..piece.body].iter().all(|byte| *byte == 0) {
            continue;
        }
        if matches!(tar[piece.start + 156], b'x' | b'X' | b'g') && piece.body_end <= tar.len() {
            let body = records(&tar[piece.body..piece.body_end]);
            // In place: what is longer than the space there is loses its end.
            if body.len() == piece.body_end - piece.body {
                tar[piece.body..piece.body_end].copy_from_slice(&body);
            } else if piece.body + body.len() <= piece.end {
                tar[piece.body..piece.end].fill(0);
                tar[piece.body..piece.body + body.len()].copy_from_slice(&body);
                let size = format!("{:011o}\0", body.len());
                tar[piece.start + 124..piece.start + 136].copy_from_slice(size.as_bytes());
            }
        }
        checksum(&mut tar[piece.start..piece.body]);
    }
}

fn checksum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The same records, each with its own length.
fn records(body: &[u8]) -> Vec<u8> {
    let lines = body.split(|byte| *byte == b'\n');
    let mut out = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = line[digits..].strip_prefix(b" ").unwrap_or(&line[digits..]);
        out.extend(record(text));
    }
    out
}

fn record(text: &[u8]) -> Vec<u8> {
    let rest = text.len() + 2;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    [len.to_string().as_bytes(), b" ", text, b"\n"].concat()
}

const KEYS: [&str; 15] = [
    "path",
    "linkpath",
    "size",
    "uid",
    "gid",
    "uname",
    "gname",
    "mtime",
    "hdrcharset",
    "comment",
    "SCHILY.xattr.user.a",
    "LIBARCHIVE.xattr.user.b",
    "GNU.sparse.name",
    "GNU.sparse.realsize",
    "atime",
];
const VALUES: [&str; 16] = [
    "",
    "0",
    "1",
    "512",
    "1024",
    "-1",
    "1.5",
    "-0.25",
    "a",
    "d/e",
    "../x",
    "/abs",
    ".wh.a",
    "d/.wh..wh..opq",
    "BINARY",
    "18446744073709551615",
];
const NAMES: [&str; 12] = [
    "a",
    "a/",
    "d/b",
    "./",
    "d/../a",
    "/a",
    ".wh.a",
    "d/.wh..wh..opq",
    ".wh..wh.plnk/1",
    "d//b",
    "x/y/z",
    "",
];
/// Fields of a header with their lengths.
const FIELDS: [(usize, usize); 12] = [
    (0, 100),
    (100, 8),
    (108, 8),
    (116, 8),
    (124, 12),
    (136, 12),
    (156, 1),
    (157, 100),
    (257, 8),
    (265, 32),
    (329, 8),
    (345, 155),
];
const NUMBERS: [&[u8]; 8] = [
    b"0000000\0",
    b"7777777\0",
    b"       7",
    b"\x80\0\0\0\0\0\0\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\xff\xff\xff\xff\xff\xff\xff",
    b"1 \0\0\0\0\0\0",
    b"9999999\0",
];

/// Changes one thing about one entry.
pub fn mutate(tar: &mut Vec<u8>, max_len: usize, seed: u64) {
    let mut numbers = Numbers::new(seed);
    let pieces = pieces(tar);
    let any = |numbers: &mut Numbers| match pieces.len() {
        0 => None,
        len => Some(pieces[numbers.below(len)]),
    };
    let Some(piece) = any(&mut numbers) else {
        tar.extend(entry(NAMES[0].as_bytes(), b'0', b"body"));
        return;
    };
    let pick = |numbers: &mut Numbers, from: &[&str]| from[numbers.below(from.len())].to_owned();
    let insert = match numbers.below(9) {
        0 => {
            tar.drain(piece.start..piece.end);
            return;
        }
        1 => tar[piece.start..piece.end].to_vec(),
        2 => {
            let key = pick(&mut numbers, &KEYS);
            let value = pick(&mut numbers, &VALUES);
            let typeflag = if numbers.below(5) == 0 { b'g' } else { b'x' };
            let body = record(format!("{key}={value}").as_bytes());
            entry(b"././@PaxHeader", typeflag, &body)
        }
        3 => {
            let name = pick(&mut numbers, &NAMES) + "\0";
            let typeflag = if numbers.below(2) == 0 { b'L' } else { b'K' };
            entry(b"././@LongLink", typeflag, name.as_bytes())
        }
        4 => {
            let name = pick(&mut numbers, &NAMES);
            entry(
                name.as_bytes(),
                b"01234567xgLKSDMVX\0"[numbers.below(18)],
                b"",
            )
        }
        5 => vec![0; BLOCK],
        6 | 7 => {
            let (at, len) = FIELDS[numbers.below(FIELDS.len())];
            let value = match len {
                1 => vec![b"01234567xgLKSDMVXN\0"[numbers.below(19)]],
                8 | 12 => NUMBERS[numbers.below(NUMBERS.len())].to_vec(),
                _ => pick(&mut numbers, &NAMES).into_bytes(),
            };
            let field = &mut tar[piece.start + at..piece.start + at + len];
            field.fill(0);
            let len = value.len().min(len);
            field[..len].copy_from_slice(&value[..len]);
            return;
        }
        _ => {
            let magics: [&[u8]; 4] = [
                b"ustar\x0000",
                b"ustar  \0",
                b"\0\0\0\0\0\0\0\0",
                b"ustar\0  ",
            ];
            let magic = magics[numbers.below(magics.len())];
            tar[piece.start + 257..piece.start + 265].copy_from_slice(magic);
            return;
        }
    };
    if tar.len() + insert.len() <= max_len {
        let at = any(&mut numbers).map_or(0, |piece| piece.start);
        tar.splice(at..at, insert);
    }
}

fn entry(name: &[u8], typeflag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; BLOCK];
    bytes[..name.len()].copy_from_slice(name);
    bytes[100..108].copy_from_slice(b"0000644\0");
    bytes[124..136].copy_from_slice(format!("{:011o}\0", body.len()).as_bytes());
    bytes[156] = typeflag;
    bytes[257..265].copy_from_slice(b"ustar\x0000");
    checksum(&mut bytes);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use cooperage_tarball::{ReadOptions, TarReader};

    #[test]
    fn what_is_repaired_is_read() {
        let mut tar = entry(b"x", b'x', b"99 path=longer\n5 uid=7\n");
        tar.extend(entry(b"name", b'0', b"body"));
        tar.extend([0; 1024]);
        tar[512 + 512] = b'N';
        repair(&mut tar);
        let mut reader = TarReader::new(tar.as_slice(), ReadOptions::default());
        let entry = reader.next_entry().expect("a tar").expect("an entry");
        assert_eq!(
            (entry.path.as_bytes(), entry.attributes.uid),
            (&b"longer"[..], 7)
        );
    }

    #[test]
    fn any_seed_can_be_taken() {
        let mut tar = Vec::new();
        for seed in 0..5_000 {
            mutate(&mut tar, 16 << 10, seed);
            repair(&mut tar);
            assert!(tar.len() <= 16 << 10);
        }
    }
}
