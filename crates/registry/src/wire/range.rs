//! `Range` of an upload, and `Content-Range` of a download.

/// How many bytes of an upload a server has, from the `Range` of its answer.
///
/// `None` for what cannot be read, and for `0-0`: it may stand for one byte, and servers also write
/// it for none.
///
/// Spec: distribution-spec v1.1 § Pushing a blob in chunks.
///
/// # Examples
///
/// ```
/// use cooperage_registry::wire::stored;
///
/// assert_eq!(stored("0-1023"), Some(1024));
/// assert_eq!(stored("bytes=0-1023"), Some(1024));
/// assert_eq!(stored("0-0"), None);
/// ```
#[must_use]
pub fn stored(range: &str) -> Option<u64> {
    let range = range.trim();
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let (first, last) = range.split_once('-')?;
    match (number(first)?, number(last)?) {
        (0, last) if last > 0 => last.checked_add(1),
        _ => None,
    }
}

/// Which bytes of a blob an answer holds.
///
/// Spec: RFC 9110, section 14.4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContentRange {
    /// The offset of the first byte.
    pub first: u64,
    /// The offset of the last byte, not below the first.
    pub last: u64,
    /// The length of the whole blob in bytes, above the last offset, where the server says it.
    pub whole: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes 0-9/10`, or `bytes 0-9/*`.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (range, whole) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.trim().split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let whole = match whole.trim() {
            "*" => None,
            whole => Some(number(whole)?),
        };
        let sound = first <= last && whole.is_none_or(|whole| last < whole);
        sound.then_some(Self { first, last, whole })
    }
}

/// Digits alone: no sign, no space.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
