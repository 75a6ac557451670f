//! The bytes before an entry's body: a ustar header, and PAX records where ustar cannot say it.

use std::io::Write as _;

use crate::{Attributes, Mtime};

/// Everything in a tar is counted in blocks of so many bytes.
pub(crate) const BLOCK: usize = 512;

/// The most bytes of PAX records before one entry. Go's reader, and so Docker, takes no more.
pub(crate) const MAX_PAX: usize = 1 << 20;

/// The largest size or time that eleven octal digits hold.
const ELEVEN_DIGITS: u64 = 0o77_777_777_777;
/// The largest owner or mode that seven octal digits hold.
const SEVEN_DIGITS: u64 = 0o7_777_777;

/// The name that a run of PAX records bears.
const PAX_NAME: &[u8] = b"././@PaxHeader";

/// What the header of an entry says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// The path as written; a directory's ends with `/`.
    pub(crate) name: &'a [u8],
    pub(crate) attributes: &'a Attributes,
    pub(crate) typeflag: u8,
    /// The body's length in bytes.
    pub(crate) size: u64,
    /// The target of a link.
    pub(crate) link: &'a [u8],
    /// Major and minor number of a device.
    pub(crate) device: (u32, u32),
}

impl Head<'_> {
    /// Appends the whole head to `out`, and gives the length of its PAX records in bytes, 0 without.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> usize {
        let records = self.records();
        if !records.is_empty() {
            let attributes = Attributes::with_mode(0o644);
            let pax = Head {
                name: PAX_NAME,
                attributes: &attributes,
                typeflag: b'x',
                size: records.len() as u64,
                link: &[],
                device: (0, 0),
            };
            out.extend_from_slice(&pax.ustar());
            out.extend_from_slice(&records);
            pad(out, records.len() as u64);
        }
        out.extend_from_slice(&self.ustar());
        records.len()
    }

    fn ustar(&self) -> [u8; BLOCK] {
        let attributes = self.attributes;
        let mut header = [0; BLOCK];
        text(&mut header[0..100], self.name);
        octal(&mut header[100..107], u64::from(attributes.mode));
        octal(&mut header[108..115], if_fits(attributes.uid, SEVEN_DIGITS));
        octal(&mut header[116..123], if_fits(attributes.gid, SEVEN_DIGITS));
        octal(&mut header[124..135], if_fits(self.size, ELEVEN_DIGITS));
        octal(
            &mut header[136..147],
            whole_seconds(attributes.mtime).unwrap_or(0),
        );
        header[148..156].fill(b' ');
        header[156] = self.typeflag;
        text(&mut header[157..257], self.link);
        text(&mut header[257..265], b"ustar\x0000");
        text(&mut header[265..296], &attributes.user);
        text(&mut header[297..328], &attributes.group);
        octal(&mut header[329..336], u64::from(self.device.0));
        octal(&mut header[337..344], u64::from(self.device.1));
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        octal(&mut header[148..154], sum);
        header[154] = 0;
        header
    }

    /// The PAX records, sorted by key.
    fn records(&self) -> Vec<u8> {
        let attributes = self.attributes;
        let mut records = Vec::new();
        for (name, value) in &attributes.xattrs {
            record(
                &mut records,
                &[b"SCHILY.xattr.", name.as_slice()].concat(),
                value,
            );
        }
        if attributes.gid > SEVEN_DIGITS {
            record(&mut records, b"gid", attributes.gid.to_string().as_bytes());
        }
        let texts = [
            (&b"gname"[..], attributes.group.as_slice(), 31),
            (b"linkpath", self.link, 100),
            (b"path", self.name, 100),
            (b"uname", &attributes.user, 31),
        ];
        let needs = texts.map(|(_, value, room)| value.len() > room || !value.is_ascii());
        let is_binary = |(at, (_, value, _)): (usize, &(_, &[u8], _))| {
            needs[at] && std::str::from_utf8(value).is_err()
        };
        let binary = texts.iter().enumerate().any(is_binary);
        let text_record = |at: usize, records: &mut Vec<u8>| {
            if needs[at] {
                record(records, texts[at].0, texts[at].1);
            }
        };
        text_record(0, &mut records);
        if binary {
            record(&mut records, b"hdrcharset", b"BINARY");
        }
        text_record(1, &mut records);
        if attributes.mtime.nanoseconds != 0 || whole_seconds(attributes.mtime).is_none() {
            record(&mut records, b"mtime", decimal(attributes.mtime).as_bytes());
        }
        text_record(2, &mut records);
        if self.size > ELEVEN_DIGITS {
            record(&mut records, b"size", self.size.to_string().as_bytes());
        }
        if attributes.uid > SEVEN_DIGITS {
            record(&mut records, b"uid", attributes.uid.to_string().as_bytes());
        }
        text_record(3, &mut records);
        records
    }
}

/// As many bytes of `value` as the field has room for.
fn text(field: &mut [u8], value: &[u8]) {
    let count = value.len().min(field.len());
    field[..count].copy_from_slice(&value[..count]);
}

/// All of the field, in octal digits with leading zeros.
fn octal(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (value & 7) as u8;
        value >>= 3;
    }
}

/// A value that PAX records say in the field's place leaves 0 in the field: readers that take a
/// record only where the field says nothing are right then, and so are those that always take it.
fn if_fits(value: u64, max: u64) -> u64 {
    if value <= max { value } else { 0 }
}

/// The seconds, if the header's field can say them.
fn whole_seconds(mtime: Mtime) -> Option<u64> {
    u64::try_from(mtime.seconds)
        .ok()
        .filter(|seconds| *seconds <= ELEVEN_DIGITS)
}

/// Seconds with as many decimals as needed.
fn decimal(mtime: Mtime) -> String {
    if mtime.nanoseconds == 0 {
        return mtime.seconds.to_string();
    }
    let (sign, seconds, nanoseconds) = if mtime.seconds < 0 {
        // Rounded down, so -0.5 is held as -1 and half a second more.
        ("-", -(mtime.seconds + 1), 1_000_000_000 - mtime.nanoseconds)
    } else {
        ("", mtime.seconds, mtime.nanoseconds)
    };
    let fraction = format!("{nanoseconds:09}");
    format!("{sign}{seconds}.{}", fraction.trim_end_matches('0'))
}

/// Appends one record, `LENGTH KEY=VALUE\n`, whose length counts its own digits.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while rest + digits(len) != len {
        len = rest + digits(len);
    }
    write!(records, "{len} ").expect("a vector takes all");
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Appends the zero bytes behind a body of `len` bytes.
pub(crate) fn pad(out: &mut Vec<u8>, len: u64) {
    out.resize(out.len() + (padded(len) - len) as usize, 0);
}

/// The length of a body of `len` bytes with the zero bytes behind it.
pub(crate) fn padded(len: u64) -> u64 {
    len.next_multiple_of(BLOCK as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in (0..2000).chain(9_980..10_020) {
            let mut records = Vec::new();
            record(&mut records, b"k", &vec![b'v'; length]);
            let digits = records
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let said = std::str::from_utf8(&records[..digits]).unwrap();
            assert_eq!(said, records.len().to_string());
            assert_eq!(records.len(), digits + length + 4);
        }
    }

    #[test]
    fn times_before_the_epoch() {
        let check = |seconds, nanoseconds, expect: &str| {
            assert_eq!(
                decimal(Mtime {
                    seconds,
                    nanoseconds
                }),
                expect
            );
        };
        check(-1, 0, "-1");
        check(-1, 500_000_000, "-0.5");
        check(-2, 999_999_999, "-1.000000001");
        check(0, 1, "0.000000001");
        check(7, 120_000_000, "7.12");
        check(i64::MIN, 0, "-9223372036854775808");
        check(i64::MIN, 1, "-9223372036854775807.999999999");
    }
}
