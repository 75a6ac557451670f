//! JSON values that lose nothing: numbers stay as they were written, keys are unique.
//!
//! [`Json::parse`] is strict (RFC 8259, UTF-8, no duplicate keys, limits on size, depth and
//! number of values), [`Json::to_canonical`] writes RFC 8785 (JCS) with one stated difference:
//! a number is written as it was read, since a foreign number that is formatted anew would be
//! another number to some reader. Whole numbers made here are in JCS form already.

mod parse;
mod write;

use std::collections::BTreeMap;

pub use parse::{ParseError, Position};

/// The deepest nesting of arrays and objects that [`Json::parse`] reads.
pub const MAX_DEPTH: usize = 64;

/// The most values (of any kind, nested ones too) that [`Json::parse`] reads in one document.
///
/// It bounds memory: a value takes two bytes to write and up to a hundred to hold.
pub const MAX_VALUES: usize = 1 << 20;

/// Any JSON value.
///
/// # Examples
///
/// ```
/// use cooperage_image_spec::Json;
///
/// let json = Json::parse(br#"{ "b": 1.50, "a": "\u003c" }"#)?;
/// assert_eq!(json.to_canonical(), br#"{"a":"<","b":1.50}"#);
///
/// let error = Json::parse(br#"{"a": 1, "a": 2}"#).unwrap_err();
/// assert_eq!(error.to_string(), "line 1, column 10: the key `a` is there twice");
/// # Ok::<(), cooperage_image_spec::json::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written. [`Json::from`] of an integer makes one; text put here by hand has to
    /// be a JSON number.
    Number(Box<str>),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object. Keys are sorted here by their bytes, in [`Json::to_canonical`] by UTF-16.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// The member of an object; `None` for other values and missing members.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is a whole one from 0 to 2⁶⁴−1 written without fraction and exponent.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The number, if it is a whole one from −2⁶³ to 2⁶³−1 written without fraction and exponent.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The members, if it is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// What it is, in words for an error: `"x"`, `-1`, `an object`.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) => shorten(text),
            Self::String(text) => format!("\"{}\"", shorten(&text.escape_debug().to_string())),
            Self::Array(values) if values.is_empty() => "an empty array".into(),
            Self::Array(_) => "an array".into(),
            Self::Object(members) if members.is_empty() => "an empty object".into(),
            Self::Object(_) => "an object".into(),
        }
    }
}

/// At most 64 characters: what stands in a hostile document is not to fill a terminal.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

macro_rules! from_integer {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Json {
            fn from(value: $integer) -> Self {
                Self::Number(value.to_string().into_boxed_str())
            }
        }
    )*};
}
from_integer!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<&String> for Json {
    fn from(value: &String) -> Self {
        Self::String(value.clone())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<BTreeMap<String, Json>> for Json {
    fn from(value: BTreeMap<String, Json>) -> Self {
        Self::Object(value)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<String>, const N: usize> From<[(K, Json); N]> for Json {
    /// An object; of members with the same key the last one counts.
    fn from(members: [(K, Json); N]) -> Self {
        Self::Object(
            members
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }
}
