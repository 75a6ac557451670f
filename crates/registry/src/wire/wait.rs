//! `Retry-After`.

use std::time::Duration;

/// How long a server asks to wait: `Retry-After`, in seconds or as a date, which is compared with
/// the `Date` of the same answer, so that no clock of ours is needed.
///
/// Spec: RFC 9110, section 10.2.3.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cooperage_registry::wire::retry_after;
///
/// assert_eq!(retry_after("120", None), Some(Duration::from_secs(120)));
/// let (until, now) = ("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:29 GMT");
/// assert_eq!(retry_after(until, Some(now)), Some(Duration::from_secs(30)));
/// ```
#[must_use]
pub fn retry_after(header: &str, date: Option<&str>) -> Option<Duration> {
    let header = header.trim();
    let digits = !header.is_empty() && header.bytes().all(|b| b.is_ascii_digit());
    let seconds = if digits {
        // More than fits is as good as for ever; the caller has a limit of its own.
        header.parse().unwrap_or(u64::MAX)
    } else {
        seconds_of(header)?.saturating_sub(seconds_of(date?)?)
    };
    Some(Duration::from_secs(seconds))
}

/// Seconds since the year 0 of a date like `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds_of(date: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, date) = date.trim().split_once(", ")?;
    let mut parts = date.split(' ');
    let day = number(parts.next()?, 2, 1, 31)?;
    let month = parts.next().filter(|month| month.len() == 3)?;
    let month = MONTHS.find(month).filter(|at| at % 3 == 0)? as u64 / 3 + 1;
    let year = number(parts.next()?, 4, 1583, 9999)?;
    let mut time = parts.next()?.split(':');
    let hour = number(time.next()?, 2, 0, 23)?;
    let minute = number(time.next()?, 2, 0, 59)?;
    let second = number(time.next()?, 2, 0, 60)?;
    if parts.next() != Some("GMT") || parts.next().is_some() || time.next().is_some() {
        return None;
    }
    // Years begin with March here, so that the day that some have more is their last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn number(text: &str, digits: usize, least: u64, most: u64) -> Option<u64> {
    let sound = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    let number = sound.then(|| text.parse().ok()).flatten()?;
    (least..=most).contains(&number).then_some(number)
}
