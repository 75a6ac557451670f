//! What registries write in headers and in small documents.

use std::time::Duration;

use cooperage_registry::wire::{
    Challenge, ContentRange, ServerError, Token, next_page, retry_after, stored,
};

use crate::memory;

pub(crate) fn run(bytes: &[u8]) {
    let limit = (1 << 20) + 512 * bytes.len();
    memory::within(limit, || documents(bytes));
    // What stands in a header is one line of text.
    if let Ok(text) = std::str::from_utf8(bytes) {
        memory::within(limit, || text.lines().for_each(header));
    }
}

fn documents(bytes: &[u8]) {
    if let Some(token) = Token::parse(bytes) {
        assert!(!token.value.is_empty());
        assert!(token.value.bytes().all(|b| b.is_ascii_graphic()));
        assert!(token.lifetime <= Duration::from_secs(24 * 60 * 60));
        let shown = format!("{token:?}");
        assert!(token.value.len() < 16 || !shown.contains(&token.value));
    }
    let errors = ServerError::parse_all(bytes);
    assert!(errors.len() <= 4);
    for error in errors {
        let shown = error.to_string();
        assert!(!shown.is_empty() && shown.chars().count() < 400, "{shown}");
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
}

fn header(text: &str) {
    let challenges = Challenge::parse_all(text);
    assert!(challenges.len() <= 8);
    // Written plainly, it reads the same.
    for challenge in challenges {
        let realm = challenge.get("realm").unwrap_or_default();
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let again = Challenge::parse_all(&format!("Any realm=\"{quoted}\""));
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].get("realm").unwrap_or_default(), realm);
    }
    if let Some(target) = next_page(text) {
        assert!(text.contains(&format!("<{target}")) || text.contains(target));
    }
    if let Some(bytes) = stored(text) {
        assert!(bytes > 1);
        assert_eq!(stored(&format!("bytes=0-{}", bytes - 1)), Some(bytes));
    }
    if let Some(range) = ContentRange::parse(text) {
        assert!(range.first <= range.last);
        let ContentRange { first, last, whole } = range;
        let whole = whole.map_or_else(|| "*".to_owned(), |whole| whole.to_string());
        let again = format!("bytes {first}-{last}/{whole}");
        assert_eq!(ContentRange::parse(&again), Some(range));
    }
    if let Some(wait) = retry_after(text, Some("Sun, 06 Nov 1994 08:49:37 GMT")) {
        let seconds = wait.as_secs().to_string();
        assert_eq!(retry_after(&seconds, None), Some(wait));
    }
}
