//! Members of a JSON object, taken one by one, with errors that say where and what.

#![expect(
    clippy::needless_pass_by_value,
    reason = "readers of members are all of one shape: some keep the value, some do not"
)]

use std::collections::{BTreeMap, BTreeSet};

use cooperage_image_spec::Json;

use crate::PlanError;

/// What is left of an object while its members are taken.
pub(crate) struct Fields {
    line: u64,
    /// The object's own place, empty at the top of a line.
    place: String,
    members: BTreeMap<String, Json>,
    known: BTreeSet<&'static str>,
}

impl Fields {
    pub(crate) fn new(line: u64, place: &str, json: Json) -> Result<Self, PlanError> {
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

    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    pub(crate) fn place(&self, key: &str) -> String {
        if self.place.is_empty() {
            key.into()
        } else {
            format!("{}.{key}", self.place)
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    pub(crate) fn take(&mut self, key: &'static str) -> Option<Json> {
        self.known.insert(key);
        self.members.remove(key)
    }

    pub(crate) fn read<T>(
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

    pub(crate) fn string(&mut self, key: &'static str) -> Result<Option<String>, PlanError> {
        self.read(key, |at, json| at.string(json))
    }

    pub(crate) fn bool(&mut self, key: &'static str) -> Result<Option<bool>, PlanError> {
        self.read(key, |at, json| at.bool(json))
    }

    pub(crate) fn u64(&mut self, key: &'static str) -> Result<Option<u64>, PlanError> {
        self.read(key, |at, json| at.number(json))
    }

    /// A member that may be one string or a list of them.
    pub(crate) fn strings(&mut self, key: &'static str) -> Result<Option<Vec<String>>, PlanError> {
        self.read(key, |at, json| at.strings(json))
    }

    pub(crate) fn string_map(
        &mut self,
        key: &'static str,
    ) -> Result<BTreeMap<String, String>, PlanError> {
        Ok(self
            .read(key, |at, json| at.string_map(json))?
            .unwrap_or_default())
    }

    /// Fails if anything is left.
    pub(crate) fn end(self) -> Result<(), PlanError> {
        let known: Vec<_> = self.known.iter().copied().collect();
        self.refuse_unknown(&known)
    }

    /// Fails if something is left that is none of these.
    pub(crate) fn refuse_unknown(&self, known: &[&str]) -> Result<(), PlanError> {
        let mut left = self.members.keys();
        let Some(field) = left.find(|field| !known.contains(&field.as_str())) else {
            return Ok(());
        };
        let near = known
            .iter()
            .map(|name| (strsim::damerau_levenshtein(field, name), *name))
            .min()
            .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
            .map(|(_, name)| name);
        let hint = match near {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("expected one of `{}`", known.join("`, `")),
        };
        Err(PlanError::UnknownField {
            line: self.line,
            field: self.place(field),
            hint,
        })
    }
}

/// Where a value stands.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) line: u64,
    pub(crate) place: &'a str,
}

impl At<'_> {
    pub(crate) fn expected(self, what: &str, found: &Json) -> PlanError {
        expected(self.line, self.place, what, found)
    }

    /// What is read at one member of a list.
    pub(crate) fn member<T>(
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
    pub(crate) fn invalid(
        self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> PlanError {
        PlanError::Invalid {
            line: self.line,
            field: self.place.into(),
            source: source.into(),
        }
    }

    pub(crate) fn string(self, json: Json) -> Result<String, PlanError> {
        match json {
            Json::String(text) => Ok(text),
            other => Err(self.expected("a string", &other)),
        }
    }

    pub(crate) fn bool(self, json: Json) -> Result<bool, PlanError> {
        match json {
            Json::Bool(value) => Ok(value),
            other => Err(self.expected("`true` or `false`", &other)),
        }
    }

    pub(crate) fn number<T: std::str::FromStr>(self, json: Json) -> Result<T, PlanError> {
        if let Json::Number(text) = &json
            && let Ok(value) = text.parse()
        {
            return Ok(value);
        }
        let what = format!("a whole number ({})", std::any::type_name::<T>());
        Err(self.expected(&what, &json))
    }

    pub(crate) fn strings(self, json: Json) -> Result<Vec<String>, PlanError> {
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

    pub(crate) fn object(self, json: Json) -> Result<BTreeMap<String, Json>, PlanError> {
        match json {
            Json::Object(members) => Ok(members),
            other => Err(self.expected("an object", &other)),
        }
    }

    pub(crate) fn string_map(self, json: Json) -> Result<BTreeMap<String, String>, PlanError> {
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
