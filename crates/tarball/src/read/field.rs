//! The fields of a header.

use std::ops::Range;

use super::TarError;

/// What is before the first NUL byte, or all.
pub(super) fn text(field: &[u8]) -> &[u8] {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    &field[..end]
}

/// A number as bytes from outside: octal digits, or base 256 behind a byte that says so.
fn number(field: &[u8]) -> Option<i128> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        // Two's complement, as GNU tar writes it. A first byte with other bits would be a number
        // that is too large for any field, to those readers who take it for one.
        let mut value: i128 = match first {
            0x80 => 0,
            0xff => -1,
            _ => return None,
        };
        for byte in &field[1..] {
            value = value.checked_mul(256)?.checked_add(i128::from(*byte))?;
        }
        return Some(value);
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field
        .iter()
        .position(|byte| !is_blank(byte))
        .unwrap_or(field.len());
    let digits = &field[start..];
    // Behind a NUL byte, some readers see no number any more and others do.
    if field[..start].contains(&0) && !digits.is_empty() {
        return None;
    }
    let end = digits.iter().position(is_blank).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    // What stands behind is blank too, or nothing that was ever meant to be a number.
    let is_number = digits.iter().all(|digit| (b'0'..=b'7').contains(digit));
    if !is_number || text(rest).iter().any(|byte| *byte != b' ') {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |value, digit| value * 8 + i128::from(digit - b'0')),
    )
}

/// The number in `range` of `header`, which is at `offset` of the tar.
pub(super) fn get<T: TryFrom<i128>>(
    header: &[u8],
    range: Range<usize>,
    name: &'static str,
    offset: u64,
) -> Result<T, TarError> {
    let field = &header[range];
    number(field)
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| TarError::BadField {
            offset,
            field: name,
            found: show(field),
        })
}

fn show(field: &[u8]) -> String {
    field.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let check = |field: &[u8], expect| assert_eq!(number(field), expect, "{field:?}");
        check(b"0000755\0", Some(0o755));
        check(b"    755 ", Some(0o755));
        check(b"755 \0\0\0\0", Some(0o755));
        check(b"77777777", Some(0o77_777_777));
        check(b"\0\0\0\0", Some(0));
        check(b" \0  ", Some(0));
        check(b"\x00000755\0", None);
        check(b" \0 7", None);
        check(b"", None);
        check(b"8", None);
        check(b"-1", None);
        check(b"7 7", None);
        check(b"\x80\0\0\x01\0", Some(256));
        check(b"\xff\xff\xff\xff", Some(-1));
        check(b"\xff\xff\xff\xfe", Some(-2));
        check(b"\x81\0\0\x01", None);
        check(b"\xbf\xff\xff\xfe", None);
        check(
            b"\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            Some((1 << 87) - 1),
        );
    }
}
