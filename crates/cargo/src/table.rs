//! One TOML table of metadata, read key by key, with errors that say where.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Why metadata could not be understood.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// A key that means nothing.
    #[error("`{}`: `{place}` has an unknown key `{key}`{}", file.display(), suggest(suggestion.as_deref(), known))]
    UnknownKey {
        /// The manifest.
        file: PathBuf,
        /// The table.
        place: String,
        /// The key.
        key: String,
        /// The known key that is most like it.
        suggestion: Option<String>,
        /// All known keys.
        known: Vec<&'static str>,
    },
    /// A value of another type or form.
    #[error("`{}`: `{place}`: {expected}, found {found}", file.display())]
    Value {
        /// The manifest.
        file: PathBuf,
        /// The key.
        place: String,
        /// What was expected.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A key without which the table means nothing.
    #[error("`{}`: `{place}` lacks the key `{key}`", file.display())]
    Missing {
        /// The manifest.
        file: PathBuf,
        /// The table.
        place: String,
        /// The key.
        key: &'static str,
    },
}

fn suggest(suggestion: Option<&str>, known: &[&'static str]) -> String {
    match suggestion {
        Some(key) => format!("; did you mean `{key}`?"),
        None => format!("; known are `{}`", known.join("`, `")),
    }
}

/// The known word that is most like `word`, if any is.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(word, known), *known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// A table and where it stands.
pub(crate) struct Reader<'a> {
    pub(crate) file: &'a Path,
    pub(crate) place: String,
    map: &'a Map<String, Value>,
}

impl<'a> Reader<'a> {
    /// Begins to read a table whose keys are `known`.
    pub(crate) fn new(
        file: &'a Path,
        place: String,
        value: &'a Value,
        known: &[&'static str],
    ) -> Result<Self, MetadataError> {
        let Some(map) = value.as_object() else {
            let found = describe(value);
            let expected = "expected a table".to_owned();
            return Err(MetadataError::Value {
                file: file.to_path_buf(),
                place,
                expected,
                found,
            });
        };
        if let Some(key) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(MetadataError::UnknownKey {
                file: file.to_path_buf(),
                place,
                key: key.clone(),
                suggestion: nearest(key, known).map(String::from),
                known: known.to_vec(),
            });
        }
        Ok(Self { file, place, map })
    }

    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    pub(crate) fn place_of(&self, key: &str) -> String {
        format!("{}.{key}", self.place)
    }

    pub(crate) fn missing(&self, key: &'static str) -> MetadataError {
        MetadataError::Missing {
            file: self.file.to_path_buf(),
            place: self.place.clone(),
            key,
        }
    }

    pub(crate) fn wrong(&self, place: String, expected: &str, value: &Value) -> MetadataError {
        MetadataError::Value {
            file: self.file.to_path_buf(),
            place,
            expected: expected.to_owned(),
            found: describe(value),
        }
    }

    pub(crate) fn string(&self, key: &str) -> Result<Option<String>, MetadataError> {
        self.parsed(key, |text| Ok(text.to_owned()))
    }

    /// A string that `parse` understands.
    pub(crate) fn parsed<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, MetadataError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        self.parse_at(self.place_of(key), value, &parse).map(Some)
    }

    fn parse_at<T>(
        &self,
        place: String,
        value: &Value,
        parse: &impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, MetadataError> {
        match value.as_str() {
            Some(text) => parse(text).map_err(|expected| self.wrong(place, &expected, value)),
            None => Err(self.wrong(place, "expected a string", value)),
        }
    }

    /// A string or a whole number, that `parse` understands.
    pub(crate) fn parsed_or_number<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, MetadataError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let place = self.place_of(key);
        match value.as_i64() {
            Some(number) => parse(&number.to_string())
                .map(Some)
                .map_err(|expected| self.wrong(place, &expected, value)),
            None => self.parse_at(place, value, &parse).map(Some),
        }
    }

    pub(crate) fn bool(&self, key: &str) -> Result<Option<bool>, MetadataError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let wrong = || self.wrong(self.place_of(key), "expected `true` or `false`", value);
        value.as_bool().map(Some).ok_or_else(wrong)
    }

    /// A whole number from 0 to `max`.
    pub(crate) fn number(&self, key: &str, max: u64) -> Result<Option<u64>, MetadataError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let expected = format!("expected a whole number from 0 to {max}");
        let wrong = || self.wrong(self.place_of(key), &expected, value);
        value
            .as_u64()
            .filter(|number| *number <= max)
            .map(Some)
            .ok_or_else(wrong)
    }

    /// An array of strings that `parse` understands; numbers too where `numbers` are fit.
    pub(crate) fn list<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, MetadataError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let place = self.place_of(key);
        let Some(items) = value.as_array() else {
            return Err(self.wrong(place, "expected an array of strings", value));
        };
        let item = |(index, item): (usize, &Value)| {
            let place = format!("{place}[{index}]");
            match item.as_u64() {
                Some(number) => parse(&number.to_string())
                    .map_err(|expected| self.wrong(place, &expected, item)),
                None => self.parse_at(place, item, &parse),
            }
        };
        items
            .iter()
            .enumerate()
            .map(item)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// A table of strings; numbers and booleans are taken as they are written.
    pub(crate) fn strings(&self, key: &str) -> Result<BTreeMap<String, String>, MetadataError> {
        let Some(value) = self.value(key) else {
            return Ok(BTreeMap::new());
        };
        let place = self.place_of(key);
        let Some(map) = value.as_object() else {
            return Err(self.wrong(place, "expected a table of strings", value));
        };
        let item = |(name, value): (&String, &Value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(truth) => truth.to_string(),
                _ => return Err(self.wrong(format!("{place}.{name}"), "expected a string", value)),
            };
            Ok((name.clone(), text))
        };
        map.iter().map(item).collect()
    }

    /// An array of tables.
    pub(crate) fn tables(&self, key: &str) -> Result<Vec<(String, &'a Value)>, MetadataError> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let place = self.place_of(key);
        let Some(items) = value.as_array() else {
            return Err(self.wrong(place, "expected an array of tables", value));
        };
        Ok(items
            .iter()
            .enumerate()
            .map(|(i, item)| (format!("{place}[{i}]"), item))
            .collect())
    }
}

/// A value as a message names it.
pub(crate) fn describe(value: &Value) -> String {
    let mut text = match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => format!("`{truth}`"),
        Value::Number(number) => format!("`{number}`"),
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(map) => format!("a table of {}", map.len()),
    };
    if text.len() > 120 {
        let end = (0..=100)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        let _ = write!(text, "…");
    }
    text
}
