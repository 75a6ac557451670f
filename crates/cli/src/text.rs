//! Words and numbers as people read them.

/// Text from outside, with all that would steer a terminal escaped.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        // Besides control characters, those that change the order in which text is shown.
        let steers = char.is_control()
            || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

/// A length in multiples of 1000, as file managers and Docker show it.
pub(crate) fn bytes(length: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if length < 1000 {
        return format!("{length} B");
    }
    let (mut unit, mut scale) = (0, 1000_u64);
    while unit + 1 < UNITS.len() && length / scale >= 1000 {
        scale *= 1000;
        unit += 1;
    }
    let tenths = u128::from(length) * 10 / u128::from(scale);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `1 layer`, `2 layers`
pub(crate) fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_down() {
        for (length, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_999_999, "1.9 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(length), expected);
        }
    }

    #[test]
    fn text_from_outside_cannot_steer_a_terminal() {
        assert_eq!(printable("a\x1b[2Jb\u{202e}ä"), "a\\u{1b}[2Jb\\u{202e}ä");
    }
}
