//! The body of an answer that says no.

use std::fmt;

use cooperage_image_spec::Json;

use super::printable;

/// How many errors of one answer are kept, and how much of each.
const MAX_ERRORS: usize = 4;
const MAX_CODE: usize = 64;
const MAX_MESSAGE: usize = 300;

/// What a server says is wrong: its own words, cut to a few hundred characters of one line.
///
/// Spec: distribution-spec v1.1 § Error Codes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerError {
    /// Such as `MANIFEST_UNKNOWN`; empty where the server gives none.
    pub code: String,
    /// For people; may be empty.
    pub message: String,
}

impl ServerError {
    /// The errors of a body, at most four. A body that is not the specification's JSON is one
    /// error without a code, its first line the message; a page of HTML says nothing.
    #[must_use]
    pub fn parse_all(body: &[u8]) -> Vec<Self> {
        if let Ok(json) = Json::parse(body) {
            if let Some(errors) = json.get("errors").and_then(Json::as_array) {
                return errors.iter().take(MAX_ERRORS).map(Self::read).collect();
            }
            // Token servers, and what stands before registries, write one of these.
            let keys = ["details", "error_description", "message", "error"];
            let text = keys.iter().find_map(|key| json.get(key)?.as_str());
            return text.map(Self::of_text).into_iter().collect();
        }
        let text = String::from_utf8_lossy(body);
        let line = text.trim_start().lines().next().unwrap_or_default();
        if line.is_empty() || line.starts_with('<') {
            return Vec::new();
        }
        vec![Self::of_text(line)]
    }

    fn of_text(text: &str) -> Self {
        Self {
            code: String::new(),
            message: printable(text, MAX_MESSAGE),
        }
    }

    fn read(json: &Json) -> Self {
        let text = |key, most| {
            let text = json.get(key).and_then(Json::as_str);
            printable(text.unwrap_or_default(), most)
        };
        Self {
            code: text("code", MAX_CODE),
            message: text("message", MAX_MESSAGE),
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.code, &*self.message) {
            ("", "") => f.write_str("no reason given"),
            (code, "") => write!(f, "{code}"),
            ("", message) => write!(f, "`{message}`"),
            (code, message) => write!(f, "{code} `{message}`"),
        }
    }
}
