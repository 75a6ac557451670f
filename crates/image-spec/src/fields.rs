//! Reading and writing the members of an object, with the place known when something is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cooperage_digest::Digest;

use crate::json::shorten;
use crate::{DocumentError, Json};

/// A place in a document: `manifest.layers[3].size`.
///
/// A list from the leaf to the root on the stack; written out only for an error.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root(&'static str),
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    pub(crate) fn root(kind: &'static str) -> Self {
        Self {
            parent: None,
            step: Step::Root(kind),
        }
    }

    pub(crate) fn key(&'a self, key: &'a str) -> Self {
        Self {
            parent: Some(self),
            step: Step::Key(key),
        }
    }

    pub(crate) fn index(&'a self, index: usize) -> Self {
        Self {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    pub(crate) fn expected(&self, expected: impl Into<String>, found: &Json) -> DocumentError {
        DocumentError::Unexpected {
            place: self.to_string(),
            expected: expected.into(),
            found: found.describe(),
        }
    }

    pub(crate) fn missing(&self, expected: impl Into<String>) -> DocumentError {
        DocumentError::Unexpected {
            place: self.to_string(),
            expected: expected.into(),
            found: "nothing".into(),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        let plain = |key: &str| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        match self.step {
            Step::Root(kind) => f.write_str(kind),
            Step::Key(key) if plain(key) => write!(f, ".{}", shorten(key)),
            Step::Key(key) => write!(f, "[\"{}\"]", shorten(&key.escape_debug().to_string())),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// What is read at a place, always the same way.
pub(crate) trait Read: Sized {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError>;
}

impl Read for String {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        json.as_str()
            .map(Into::into)
            .ok_or_else(|| at.expected("a string", json))
    }
}

impl Read for bool {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        json.as_bool()
            .ok_or_else(|| at.expected("true or false", json))
    }
}

impl Read for i64 {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        json.as_i64()
            .ok_or_else(|| at.expected("a whole number", json))
    }
}

impl Read for Digest {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let text = json.as_str().ok_or_else(|| at.expected("a digest", json))?;
        text.parse().map_err(|source| DocumentError::Digest {
            place: at.to_string(),
            source,
        })
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let values = json
            .as_array()
            .ok_or_else(|| at.expected("an array", json))?;
        values
            .iter()
            .enumerate()
            .map(|(i, value)| T::read(value, &at.index(i)))
            .collect()
    }
}

impl Read for BTreeMap<String, String> {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let members = json
            .as_object()
            .ok_or_else(|| at.expected("an object", json))?;
        members
            .iter()
            .map(|(key, value)| Ok((key.clone(), String::read(value, &at.key(key))?)))
            .collect()
    }
}

/// `{"80/tcp": {}, …}`, which is how Go writes a set.
impl Read for BTreeSet<String> {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let members = json
            .as_object()
            .ok_or_else(|| at.expected("an object", json))?;
        for (key, value) in members {
            // Anything else would be lost when the document is edited.
            if !value.is_null() && value.as_object().is_none_or(|inner| !inner.is_empty()) {
                return Err(at.key(key).expected("an empty object", value));
            }
        }
        Ok(members.keys().cloned().collect())
    }
}

/// The members of one object; those never asked for are what is unknown.
pub(crate) struct Fields<'a> {
    at: &'a At<'a>,
    members: &'a BTreeMap<String, Json>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(json: &'a Json, at: &'a At<'a>) -> Result<Self, DocumentError> {
        let members = json
            .as_object()
            .ok_or_else(|| at.expected("an object", json))?;
        Ok(Self {
            at,
            members,
            known: Vec::with_capacity(16),
        })
    }

    /// The member as it is; `null` is as good as nothing, since Go writes it for what is unset.
    pub(crate) fn raw(&mut self, key: &'static str) -> Option<&'a Json> {
        self.known.push(key);
        self.members.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn optional<T: Read>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<T>, DocumentError> {
        self.raw(key)
            .map(|value| T::read(value, &self.at.key(key)))
            .transpose()
    }

    pub(crate) fn or_default<T: Read + Default>(
        &mut self,
        key: &'static str,
    ) -> Result<T, DocumentError> {
        Ok(self.optional(key)?.unwrap_or_default())
    }

    pub(crate) fn required<T: Read>(
        &mut self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<T, DocumentError> {
        self.optional(key)?
            .ok_or_else(|| self.at.key(key).missing(expected))
    }

    /// All members that were not asked for.
    pub(crate) fn extra(self) -> BTreeMap<String, Json> {
        let unknown = self
            .members
            .iter()
            .filter(|(key, _)| !self.known.contains(&key.as_str()));
        unknown
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// The members of an object being written. What is known always wins over what is not.
pub(crate) struct Members(BTreeMap<String, Json>);

impl Members {
    pub(crate) fn new(extra: &BTreeMap<String, Json>) -> Self {
        Self(extra.clone())
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Json>) {
        self.0.insert(key.into(), value.into());
    }

    /// Sets it, or sees to it that it is not there.
    pub(crate) fn set_some(&mut self, key: &str, value: Option<impl Into<Json>>) {
        match value {
            Some(value) => self.set(key, value),
            None => _ = self.0.remove(key),
        }
    }

    pub(crate) fn set_strings(&mut self, key: &str, values: &[String]) {
        self.set_some(
            key,
            (!values.is_empty()).then(|| values.iter().collect::<Json>()),
        );
    }

    pub(crate) fn set_map(&mut self, key: &str, values: &BTreeMap<String, String>) {
        let object = || Json::Object(values.iter().map(|(k, v)| (k.clone(), v.into())).collect());
        self.set_some(key, (!values.is_empty()).then(object));
    }

    pub(crate) fn set_set(&mut self, key: &str, values: &BTreeSet<String>) {
        let empty = || Json::Object(BTreeMap::new());
        let object = || Json::Object(values.iter().map(|k| (k.clone(), empty())).collect());
        self.set_some(key, (!values.is_empty()).then(object));
    }

    pub(crate) fn finish(self) -> Json {
        Json::Object(self.0)
    }
}
