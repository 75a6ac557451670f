//! PAX records.

use std::collections::BTreeMap;

use super::TarError;
use crate::Mtime;
use crate::path::lossy;
use crate::write::header::MAX_PAX;

const SCHILY: &[u8] = b"SCHILY.xattr.";
const LIBARCHIVE: &[u8] = b"LIBARCHIVE.xattr.";
const SPARSE: &[u8] = b"GNU.sparse.";

/// Records by key; of several with one key, the last.
#[derive(Clone, Debug, Default)]
pub(super) struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

impl Records {
    /// Reads `LENGTH KEY=VALUE\n`, again and again.
    pub(super) fn parse(mut bytes: &[u8], offset: u64) -> Result<Self, TarError> {
        let mut records = BTreeMap::new();
        while !bytes.is_empty() {
            let (key, value, rest) = split(bytes).ok_or_else(|| TarError::BadRecord {
                offset,
                found: lossy(bytes),
            })?;
            records.insert(key.to_vec(), value.to_vec());
            bytes = rest;
        }
        let charset = records
            .get(&b"hdrcharset"[..])
            .map_or(&b""[..], Vec::as_slice);
        match charset {
            b"" | b"BINARY" | b"ISO-IR 10646 2000 UTF-8" | b"ISO-IR\x0010646\x002000\x00UTF-8" => {}
            other => {
                return Err(TarError::BadRecord {
                    offset,
                    found: lossy(other),
                });
            }
        }
        Ok(Self(records))
    }

    /// Puts in what applies to all entries that follow.
    ///
    /// A path or a size for several entries at once is a trap, and readers differ in whether they
    /// heed it.
    pub(super) fn extend_global(&mut self, other: Self, offset: u64) -> Result<(), TarError> {
        other.check_sparse(offset)?;
        let is_bad = |key: &&Vec<u8>| {
            matches!(key.as_slice(), b"path" | b"linkpath" | b"size")
                || key.starts_with(SCHILY)
                || key.starts_with(LIBARCHIVE)
        };
        if let Some(key) = other.0.keys().find(is_bad) {
            return Err(TarError::GlobalRecord {
                offset,
                key: lossy(key),
            });
        }
        let known = [&b"uid"[..], b"gid", b"uname", b"gname", b"mtime"];
        self.0.extend(
            other
                .0
                .into_iter()
                .filter(|(key, _)| known.contains(&key.as_slice())),
        );
        Ok(())
    }

    /// The one record of this key alone.
    pub(super) fn clone_of(&self, key: &[u8]) -> Self {
        Self(
            self.0
                .get_key_value(key)
                .map(|(key, value)| (key.clone(), value.clone()))
                .into_iter()
                .collect(),
        )
    }

    pub(super) fn check_sparse(&self, offset: u64) -> Result<(), TarError> {
        if !self.0.keys().any(|key| key.starts_with(SPARSE)) {
            return Ok(());
        }
        let name = self
            .0
            .get(&b"GNU.sparse.name"[..])
            .or_else(|| self.0.get(&b"path"[..]));
        let entry = lossy(name.map_or(&b""[..], Vec::as_slice));
        Err(TarError::Unsupported {
            offset,
            entry,
            what: "a sparse file (PAX)",
        })
    }

    /// Takes a record out.
    pub(super) fn take(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.remove(key)
    }

    /// Takes out a record that must have a value: without one, POSIX has what the header says
    /// deleted, some readers believe the header, and others take it for nothing or 0.
    pub(super) fn name(&mut self, key: &[u8], offset: u64) -> Result<Option<Vec<u8>>, TarError> {
        match self.take(key) {
            Some(value) if value.is_empty() => Err(bad_value(key, &value, offset)),
            value => Ok(value),
        }
    }

    pub(super) fn number(&mut self, key: &[u8], offset: u64) -> Result<Option<u64>, TarError> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let number = decimal(&value).ok_or_else(|| bad_value(key, &value, offset))?;
        Ok(Some(number))
    }

    pub(super) fn time(&mut self, key: &[u8], offset: u64) -> Result<Option<Mtime>, TarError> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let time = time(&value).ok_or_else(|| bad_value(key, &value, offset))?;
        Ok(Some(time))
    }

    /// Takes the extended attributes out; what both ways of writing say, `SCHILY` says.
    pub(super) fn xattrs(&mut self, offset: u64) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, TarError> {
        let mut xattrs = BTreeMap::new();
        let mut rest = BTreeMap::new();
        for (key, value) in std::mem::take(&mut self.0) {
            // In the order of the keys, `LIBARCHIVE` comes first.
            if let Some(name) = key.strip_prefix(LIBARCHIVE) {
                let bad = || bad_value(&key, &value, offset);
                let name = url_decode(name).ok_or_else(bad)?;
                xattrs.insert(name, base64_decode(&value).ok_or_else(bad)?);
            } else if let Some(name) = key.strip_prefix(SCHILY) {
                xattrs.insert(name.to_vec(), value);
            } else {
                rest.insert(key, value);
            }
        }
        self.0 = rest;
        match xattrs
            .keys()
            .find(|name| name.is_empty() || name.contains(&0) || name.contains(&b'='))
        {
            Some(name) => Err(bad_value(SCHILY, name, offset)),
            None => Ok(xattrs),
        }
    }

    /// What nobody has taken.
    pub(super) fn rest(mut self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.0.remove(&b"hdrcharset"[..]);
        self.0
    }
}

fn bad_value(key: &[u8], value: &[u8], offset: u64) -> TarError {
    let found = lossy(&[key, b"=", value].concat());
    TarError::BadRecord { offset, found }
}

/// The first record's key and value, and what is behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let len = usize::try_from(decimal(&bytes[..space])?)
        .ok()
        .filter(|len| *len <= MAX_PAX)?;
    let record = bytes.get(space + 1..len)?.strip_suffix(b"\n")?;
    let equals = record
        .iter()
        .position(|byte| *byte == b'=')
        .filter(|at| *at > 0)?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    (!key.contains(&0)).then_some((key, value, &bytes[len..]))
}

fn decimal(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

/// Seconds with any number of decimals, of which nine count.
fn time(text: &[u8]) -> Option<Mtime> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    // There is one more number below zero than above.
    let magnitude = decimal(parts.next()?)?;
    let seconds = if negative {
        0_i64.checked_sub_unsigned(magnitude)?
    } else {
        i64::try_from(magnitude).ok()?
    };
    let mut nanoseconds = 0;
    if let Some(fraction) = parts.next().filter(|fraction| !fraction.is_empty()) {
        if !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digits = fraction
            .iter()
            .copied()
            .chain(std::iter::repeat(b'0'))
            .take(9);
        nanoseconds = digits.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    }
    // Seconds are rounded down.
    Some(match (negative, nanoseconds) {
        (true, 1..) => Mtime {
            seconds: seconds.checked_sub(1)?,
            nanoseconds: 1_000_000_000 - nanoseconds,
        },
        _ => Mtime {
            seconds,
            nanoseconds,
        },
    })
}

fn url_decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let mut digit = || char::from(*bytes.next()?).to_digit(16);
        decoded.push((digit()? * 16 + digit()?) as u8);
    }
    Some(decoded)
}

/// Base 64, with or without `=` at its end.
fn base64_decode(text: &[u8]) -> Option<Vec<u8>> {
    let end = text
        .iter()
        .rposition(|byte| *byte != b'=')
        .map_or(0, |last| last + 1);
    let mut decoded = Vec::with_capacity(end / 4 * 3 + 2);
    for group in text[..end].chunks(4) {
        let mut bits = 0;
        for byte in group {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - group.len());
        let bytes = &bits.to_be_bytes()[1..];
        match group.len() {
            1 => return None,
            len => decoded.extend_from_slice(&bytes[..len - 1]),
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_exactly() {
        let check = |text: &str, good: bool| {
            assert_eq!(Records::parse(text.as_bytes(), 0).is_ok(), good, "{text:?}");
        };
        check("", true);
        check("9 a=bcd\n", false);
        check("8 a=bcd\n", true);
        check("6 a=b\n6 a=c\n", true);
        check("5 a=\n", true);
        check("4 =\n", false);
        check("6 a=b\n\0\0", false);
        check("06 a=b\n", false);
        check("+6 a=b\n", false);
        check("18446744073709551616 a=b\n", false);
        check("0 a=b\n", false);
        check("2 a=b\n", false);
        check("19 hdrcharset=UTF-7\n", false);
    }

    #[test]
    fn times() {
        let check = |text: &str, expect: Option<(i64, u32)>| {
            let expect = expect.map(|(seconds, nanoseconds)| Mtime {
                seconds,
                nanoseconds,
            });
            assert_eq!(time(text.as_bytes()), expect, "{text}");
        };
        check("0", Some((0, 0)));
        check("1.5", Some((1, 500_000_000)));
        check("1.", Some((1, 0)));
        check("-1", Some((-1, 0)));
        check("-0.5", Some((-1, 500_000_000)));
        check("-1.000000001", Some((-2, 999_999_999)));
        check("7.1234567899999999999999999999", Some((7, 123_456_789)));
        check("", None);
        check("-", None);
        check("1.x", None);
        check("1e3", None);
        check("1.1234567890123456789x", None);
        check("-9223372036854775808", Some((i64::MIN, 0)));
        check("-9223372036854775807.5", Some((i64::MIN, 500_000_000)));
        check("-9223372036854775808.5", None);
        check("9223372036854775808", None);
    }

    #[test]
    fn encodings_of_libarchive() {
        assert_eq!(url_decode(b"user.a%3db%25").unwrap(), b"user.a=b%");
        assert_eq!(url_decode(b"a%3"), None);
        for (text, expect) in [
            ("", ""),
            ("Zg", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
        ] {
            assert_eq!(base64_decode(text.as_bytes()).unwrap(), expect.as_bytes());
        }
        assert_eq!(base64_decode(b"Z"), None);
        assert_eq!(base64_decode(b"Z!=="), None);
    }
}
