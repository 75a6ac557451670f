//! Members of a JSON object, taken one by one, with errors that say where and what.
//!
//! Plans are read so; so is whatever else is written as JSON lines.
//!
//! # Examples
//!
//! ```
//! use cooperage_plan::fields::Fields;
//!
//! let mut fields = Fields::parse(3, br#"{"name":"app","lable":"x"}"#)?;
//! assert_eq!(fields.string("name")?.as_deref(), Some("app"));
//! assert_eq!(fields.string("label")?, None);
//! let error = fields.end().unwrap_err();
//! assert_eq!(error.to_string(), "line 3: unknown field `lable`: did you mean `label`?");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(
    clippy::needless_pass_by_value,
    reason = "readers of members are all of one shape: some keep the value, some do not"
)]

use std::collections::{BTreeMap, BTreeSet};

use cooperage_image_spec::Json;

use crate::{LineError, PlanError};

/// What is left of an object while its members are taken.
#[derive(Clone, Debug)]
pub struct Fields {
    line: u64,
    /// The object's own place, empty at the top of a line.
    place: String,
    members: BTreeMap<String, Json>,
    known: BTreeSet<&'static str>,
}

impl Fields {
    /// Takes a line apart.
    ///
    /// # Errors
    ///
    /// [`PlanError::Json`], and [`PlanError::Expected`] for what is no object.
    pub fn parse(line: u64, bytes: &[u8]) -> Result<Self, PlanError> {
        let json = Json::parse(bytes.trim_ascii_end()).map_err(LineError);
        let json = json.map_err(|source| PlanError::Json { line, source })?;
        Self::new(line, "", json)
    }

    /// An object that stands at `place` of a line; at its top, the place is empty.
    ///
    /// # Errors
    ///
    /// [`PlanError::Expected`] for what is no object.
    pub fn new(line: u64, place: &str, json: Json) -> Result<Self, PlanError> {
        match json {
            Json::Object(members) => Ok(Self {
                line,
                place: place.into(),
                members,
                known: BTreeSet::new(),
            }),
            other => Err(expected(line, place, "an object", &other)),
        }
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// How messages call a member.
    #[must_use]
    pub fn place(&self, key: &str) -> String {
        if self.place.is_empty() {
            key.into()
        } else {
            format!("{}.{key}", self.place)
        }
    }

    /// Whether the member is there and not taken yet.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    /// The members that are not taken yet, sorted.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Takes a member.
    pub fn take(&mut self, key: &'static str) -> Option<Json> {
        self.known.insert(key);
        self.members.remove(key)
    }

    /// Takes a member as what `read` makes of it.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(At<'_>, Json) -> Result<T, PlanError>,
    ) -> Result<Option<T>, PlanError> {
        let Some(json) = self.take(key) else {
            return Ok(None);
        };
        let place = self.place(key);
        read(
            At {
                line: self.line,
                place: &place,
            },
            json,
        )
        .map(Some)
    }

    /// Takes a string.
    pub fn string(&mut self, key: &'static str) -> Result<Option<String>, PlanError> {
        self.read(key, |at, json| at.string(json))
    }

    /// Takes `true` or `false`.
    pub fn bool(&mut self, key: &'static str) -> Result<Option<bool>, PlanError> {
        self.read(key, |at, json| at.bool(json))
    }

    /// Takes a number.
    pub fn u64(&mut self, key: &'static str) -> Result<Option<u64>, PlanError> {
        self.read(key, |at, json| at.number(json))
    }

    /// A member that may be one string or a list of them.
    pub fn strings(&mut self, key: &'static str) -> Result<Option<Vec<String>>, PlanError> {
        self.read(key, |at, json| at.strings(json))
    }

    /// Takes an object of strings; an empty one where it is absent.
    pub fn string_map(&mut self, key: &'static str) -> Result<BTreeMap<String, String>, PlanError> {
        Ok(self
            .read(key, |at, json| at.string_map(json))?
            .unwrap_or_default())
    }

    /// A member that is needed, as [`Self::string`] and the like give it.
    ///
    /// # Errors
    ///
    /// [`PlanError::Missing`], and [`PlanError::UnknownField`] where it is most likely misspelt.
    pub fn need<T>(
        &self,
        key: &'static str,
        value: Option<T>,
        expected: &str,
    ) -> Result<T, PlanError> {
        let Some(value) = value else {
            // Members that are still to be taken are not known yet.
            if let Some(field) = self.left().find(|field| nearest(field, &[key]).is_some()) {
                return Err(PlanError::UnknownField {
                    line: self.line,
                    field: self.place(field),
                    hint: near(field, &[key]),
                });
            }
            return Err(PlanError::Missing {
                line: self.line,
                field: self.place(key),
                expected: expected.into(),
            });
        };
        Ok(value)
    }

    /// Fails if anything is left.
    ///
    /// # Errors
    ///
    /// [`PlanError::UnknownField`].
    pub fn refuse_left(&self) -> Result<(), PlanError> {
        let known: Vec<_> = self.known.iter().copied().collect();
        self.refuse_unknown(&known)
    }

    /// As [`Self::refuse_left`], at the end.
    pub fn end(self) -> Result<(), PlanError> {
        self.refuse_left()
    }

    /// Fails if something is left that is none of these.
    pub fn refuse_unknown(&self, known: &[&str]) -> Result<(), PlanError> {
        let mut left = self.members.keys();
        let Some(field) = left.find(|field| !known.contains(&field.as_str())) else {
            return Ok(());
        };
        let hint = near(field, known);
        Err(PlanError::UnknownField {
            line: self.line,
            field: self.place(field),
            hint,
        })
    }
}

/// Longer words than this are compared with none: that would take as much again.
const MAX_WORD: usize = 64;

/// What is said of a word that is none of those known: the nearest, or all of them.
#[must_use]
pub fn near(found: &str, known: &[&str]) -> String {
    match nearest(found, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("expected one of `{}`", known.join("`, `")),
    }
}

/// The word that was most likely meant.
#[must_use]
pub fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let is_word = found.len() <= MAX_WORD;
    known
        .iter()
        .filter(|_| is_word)
        .map(|name| (strsim::damerau_levenshtein(found, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .map(|(_, name)| name)
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The line, from 1.
    pub line: u64,
    /// How messages call the value.
    pub place: &'a str,
}

impl At<'_> {
    /// A value of another type.
    #[must_use]
    pub fn expected(self, what: &str, found: &Json) -> PlanError {
        expected(self.line, self.place, what, found)
    }

    /// What is read at one member of a list.
    pub fn member<T>(
        self,
        index: usize,
        read: impl FnOnce(At<'_>) -> Result<T, PlanError>,
    ) -> Result<T, PlanError> {
        let place = format!("{}[{index}]", self.place);
        read(At {
            place: &place,
            ..self
        })
    }

    /// A value of the right JSON type that says something impossible.
    pub fn invalid(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PlanError {
        PlanError::Invalid {
            line: self.line,
            field: self.place.into(),
            source: source.into(),
        }
    }

    /// A string.
    pub fn string(self, json: Json) -> Result<String, PlanError> {
        match json {
            Json::String(text) => Ok(text),
            other => Err(self.expected("a string", &other)),
        }
    }

    /// `true` or `false`.
    pub fn bool(self, json: Json) -> Result<bool, PlanError> {
        match json {
            Json::Bool(value) => Ok(value),
            other => Err(self.expected("`true` or `false`", &other)),
        }
    }

    /// A whole number.
    pub fn number<T: std::str::FromStr>(self, json: Json) -> Result<T, PlanError> {
        if let Json::Number(text) = &json
            && let Ok(value) = text.parse()
        {
            return Ok(value);
        }
        let what = format!("a whole number ({})", std::any::type_name::<T>());
        Err(self.expected(&what, &json))
    }

    /// A list of strings, or one alone.
    pub fn strings(self, json: Json) -> Result<Vec<String>, PlanError> {
        match json {
            Json::String(text) => Ok(vec![text]),
            Json::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| self.member(index, |at| at.string(item)))
                .collect(),
            other => Err(self.expected("a list of strings", &other)),
        }
    }

    /// An object's members.
    pub fn object(self, json: Json) -> Result<BTreeMap<String, Json>, PlanError> {
        match json {
            Json::Object(members) => Ok(members),
            other => Err(self.expected("an object", &other)),
        }
    }

    /// An object of strings.
    pub fn string_map(self, json: Json) -> Result<BTreeMap<String, String>, PlanError> {
        self.object(json)?
            .into_iter()
            .map(|(key, value)| {
                let place = format!("{}.{key}", self.place);
                let value = At {
                    place: &place,
                    ..self
                }
                .string(value)?;
                Ok((key, value))
            })
            .collect()
    }
}

fn expected(line: u64, place: &str, what: &str, found: &Json) -> PlanError {
    let field = if place.is_empty() {
        "the line".to_owned()
    } else {
        format!("`{place}`")
    };
    PlanError::Expected {
        line,
        field,
        expected: what.to_owned(),
        found: describe(found),
    }
}

/// A value as an error shows it: short, and by its type where it is long.
fn describe(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Bool(value) => format!("`{value}`"),
        Json::Number(text) => format!("`{text}`"),
        Json::String(text) if text.chars().count() > 60 => {
            format!("`{}…`", text.chars().take(60).collect::<String>())
        }
        Json::String(text) => format!("`{text:?}`"),
        Json::Array(items) => format!("a list of {}", items.len()),
        Json::Object(_) => "an object".into(),
    }
}
