//! Values as people write them, in metadata and in flags alike.
//!
//! A parser's error says what was expected; who calls says where, and what was found.

use cooperage_compress::{Codec, Encoding};

/// `8080`, `8080/tcp`, `53/udp`, `6000-6010/tcp`, in full.
pub(crate) fn port(text: &str) -> Result<String, String> {
    cooperage_image_spec::parse_port(text).map_err(|error| error.to_string())
}

/// `NAME=VALUE`.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected `NAME=VALUE`".to_owned()),
    }
}

/// A name of an environment variable.
pub(crate) fn env_name(text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains(['=', '\0']) {
        return Err(
            "expected the name of a variable, which is not empty and has no `=`".to_owned(),
        );
    }
    Ok(())
}

/// An absolute path in the image, without `.` and `..`.
pub(crate) fn image_path(text: &str) -> Result<String, String> {
    let clean = text.starts_with('/')
        && !text.contains('\0')
        && text
            .split('/')
            .skip(1)
            .all(|part| part != "." && part != "..");
    if !clean {
        return Err("expected an absolute path in the image, without `.` and `..`".to_owned());
    }
    Ok(text.to_owned())
}

/// `USER[:GROUP]`. Nobody at all would be root, who is to be asked for by name.
pub(crate) fn user(text: &str) -> Result<String, String> {
    let plain = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    let mut parts = text.split(':');
    if parts.clone().count() <= 2 && parts.all(plain) {
        return Ok(text.to_owned());
    }
    Err("expected `USER[:GROUP]`, by name or number; root is `0`".to_owned())
}

/// Signals of Linux by name, without those of real time.
const SIGNALS: [&str; 31] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "KILL", "PIPE",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

/// `SIGTERM`, `TERM`, `SIGRTMIN+3`, or a number from 1 to 64.
pub(crate) fn signal(text: &str) -> Result<String, String> {
    let number = |text: &str, most: u8| text.parse::<u8>().is_ok_and(|n| (1..=most).contains(&n));
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let real_time = |start: &str, sign: char, most: u8| {
        let rest = name.strip_prefix(start);
        rest.is_some_and(|rest| {
            rest.is_empty()
                || rest
                    .strip_prefix(sign)
                    .is_some_and(|rest| number(rest, most))
        })
    };
    let known = number(text, 64)
        || SIGNALS.contains(&name)
        || real_time("RTMIN", '+', 15)
        || real_time("RTMAX", '-', 14);
    if known {
        return Ok(text.to_owned());
    }
    Err("expected a signal such as `SIGTERM`, or a number from 1 to 64".to_owned())
}

/// Mode bits in octal: `755`, `0755`, `0o755`.
pub(crate) fn mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| "expected a mode in octal, such as `0644`".to_owned())
}

/// `gzip`, `zstd:19`, `none`.
pub(crate) fn compression(text: &str) -> Result<Encoding, String> {
    let (codec, level) = match text.split_once(':') {
        Some((codec, level)) => (codec, Some(level)),
        None => (text, None),
    };
    let codec = codec.parse::<Codec>().map_err(|_| {
        "expected `gzip`, `zstd` or `none`, perhaps with a level: `gzip:9`".to_owned()
    })?;
    let encoding = Encoding::of(codec);
    match level {
        None => Ok(encoding),
        Some(level) => {
            let level = level
                .parse()
                .map_err(|_| "expected a level, such as `gzip:9`".to_owned())?;
            encoding
                .with_level(level)
                .map_err(|error| error.to_string())
        }
    }
}

/// `500ms`, `30s`, `5m`, `1h30m`, in nanoseconds.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    const EXPECTED: &str = "expected a duration such as `500ms`, `30s` or `1m30s`";
    let mut rest = text;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(EXPECTED)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let unit: i64 = match unit {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(EXPECTED.to_owned()),
        };
        let number: i64 = number.parse().map_err(|_| EXPECTED)?;
        total = number
            .checked_mul(unit)
            .and_then(|part| total.checked_add(part))
            .ok_or(EXPECTED)?;
        rest = tail;
    }
    if text.is_empty() {
        Err(EXPECTED.to_owned())
    } else {
        Ok(total)
    }
}

/// A name of a user or group, as `/etc/passwd` can hold it.
pub(crate) fn account_name(text: &str) -> Result<String, String> {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if first && rest && text.len() <= 32 {
        Ok(text.to_owned())
    } else {
        Err("expected a name of lower-case letters, digits, `_` and `-`, at most 32".to_owned())
    }
}

/// RFC 3339 as images carry it: `2026-01-31T12:00:00Z`.
pub(crate) fn timestamp(text: &str) -> Result<String, String> {
    cooperage_commit::check_time(text)
        .map(|()| text.to_owned())
        .map_err(|_| "expected a time such as `2026-01-31T12:00:00Z`".to_owned())
}
