//! The pass over the headers.

use std::io;

use super::ReadError;
use super::archive::{Member, Span};
use crate::file::SharedFile;
use std::io::Read;

pub(super) fn scan(
    file: &SharedFile,
    place: &str,
    visit: &mut dyn FnMut(Vec<u8>, Member) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut at = 0;
    loop {
        let mut h = [0; 512];
        file.reader(Span { offset: at, len: 512 })
            .read_exact(&mut h)
            .map_err(|source| ReadError::Tar { place: place.into(), source })?;
        at += 512;
        if h == [0; 512] {
            return Ok(());
        }
        let text = |r: std::ops::Range<usize>| {
            h[r].split(|&b| b == 0).next().unwrap_or_default().to_vec()
        };
        let len = u64::from_str_radix(String::from_utf8_lossy(&text(124..136)).trim(), 8)
            .map_err(|e| ReadError::Tar { place: place.into(), source: io::Error::other(e) })?;
        let mut path = text(0..100);
        while path.last() == Some(&b'/') {
            path.pop();
        }
        let member = match h[156] {
            b'0' | 0 => Member::File(Span { offset: at, len }),
            b'5' => Member::Directory,
            b'1' => Member::HardLink(text(157..257)),
            b'2' => Member::Symlink(text(157..257)),
            _ => Member::Other("device"),
        };
        at += len.next_multiple_of(512);
        visit(path, member)?;
    }
}
