//! A value and the bytes it came from.

use cooperage_digest::{Digest, ParseDigestError};

use crate::fields::{At, Read};
use crate::json::ParseError;
use crate::{Descriptor, Json, MediaType};

/// Why bytes are not the document they were said to be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not JSON at all, or beyond the limits of [`Json::parse`].
    #[error("the {kind} cannot be parsed as JSON")]
    Json {
        /// What it was to be: `manifest`, `index`, `config`.
        kind: &'static str,
        /// Where and why.
        source: ParseError,
    },
    /// A member is missing, or is of another kind or value than it must be.
    #[error("{place}: expected {expected}, found {found}")]
    Unexpected {
        /// The member: `manifest.layers[3].size`.
        place: String,
        /// What must stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A digest is malformed.
    #[error("{place}: expected a digest")]
    Digest {
        /// The member: `manifest.layers[3].digest`.
        place: String,
        /// What is wrong with it.
        source: ParseDigestError,
    },
}

/// A document that can be read from JSON.
pub trait FromJson: Sized {
    /// What it is called where an error names a place: `manifest`.
    const KIND: &'static str;

    /// Reads the value; members it does not know are kept in it.
    fn from_json(json: &Json) -> Result<Self, DocumentError>;
}

/// A document that can be written as JSON.
pub trait ToJson {
    /// The value, unknown members included.
    fn to_json(&self) -> Json;
}

macro_rules! from_json {
    ($($kind:literal $type:ty),* $(,)?) => {$(
        impl FromJson for $type {
            const KIND: &'static str = $kind;

            fn from_json(json: &Json) -> Result<Self, DocumentError> {
                Self::read(json, &At::root(Self::KIND))
            }
        }
    )*};
}
from_json! {
    "descriptor" Descriptor,
    "index" crate::Index,
    "config" crate::ImageConfig,
    "history" crate::History,
    "manifest" crate::Manifest,
    "platform" crate::Platform,
}

/// Any JSON is a document too: one that is edited without knowing its kind.
impl FromJson for Json {
    const KIND: &'static str = "document";

    fn from_json(json: &Json) -> Result<Self, DocumentError> {
        Ok(json.clone())
    }
}

impl ToJson for Json {
    fn to_json(&self) -> Json {
        self.clone()
    }
}

/// A value beside the bytes it came from.
///
/// A digest names bytes, not values: a foreign document that were written anew would have another
/// name. So the bytes stay as they came for as long as the value does not change.
///
/// # Examples
///
/// ```
/// use cooperage_image_spec::{Document, Index};
///
/// let raw = br#"{ "schemaVersion": 2, "manifests": null, "x": 1.0 }"#;
/// let index = Document::<Index>::parse(raw.to_vec())?;
///
/// let same = index.clone().edit(|_| ());
/// assert_eq!(same.raw(), raw);
///
/// let edited = index.edit(|index| _ = index.annotations.insert("a".into(), "b".into()));
/// assert_eq!(
///     edited.raw(),
///     br#"{"annotations":{"a":"b"},"manifests":[],"schemaVersion":2,"x":1.0}"#
/// );
/// # Ok::<(), cooperage_image_spec::DocumentError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document<T> {
    raw: Vec<u8>,
    value: T,
}

impl<T> Document<T> {
    /// The bytes, exactly as they came or, for a new or changed value, in canonical form.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The SHA-256 digest of the bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.raw)
    }

    /// Length of the bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.raw.len() as u64
    }

    /// The bytes and the value.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, T) {
        (self.raw, self.value)
    }

    /// A descriptor of the bytes, by SHA-256.
    #[must_use]
    pub fn descriptor(&self, media_type: MediaType) -> Descriptor {
        Descriptor::new(media_type, self.digest(), self.size())
    }
}

impl<T: FromJson> Document<T> {
    /// Reads a document and keeps its bytes.
    pub fn parse(raw: Vec<u8>) -> Result<Self, DocumentError> {
        let json = Json::parse(&raw).map_err(|source| DocumentError::Json {
            kind: T::KIND,
            source,
        })?;
        let value = T::from_json(&json)?;
        Ok(Self { raw, value })
    }
}

impl<T: ToJson> Document<T> {
    /// A new document in canonical form.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            raw: value.to_json().to_canonical(),
            value,
        }
    }

    /// Changes the value. If it is then the same as before, the bytes stay; else all is written
    /// anew in canonical form, members unknown here included.
    #[must_use]
    pub fn edit(mut self, change: impl FnOnce(&mut T)) -> Self {
        let before = self.value.to_json();
        change(&mut self.value);
        let after = self.value.to_json();
        if before != after {
            self.raw = after.to_canonical();
        }
        self
    }
}
