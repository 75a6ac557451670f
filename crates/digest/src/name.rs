//! The name itself: grammar, parsing, printing.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Hasher;

/// How a digest was, or is to be, computed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256: 32 bytes, 64 hex digits. What everyone uses.
    Sha256,
    /// SHA-512: 64 bytes, 128 hex digits.
    Sha512,
}

impl Algorithm {
    /// The name that stands before the colon.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Hex digits of a digest of this algorithm.
    #[must_use]
    pub fn encoded_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of some bytes, `algorithm:encoded`.
///
/// Always well formed; for `sha256` and `sha512` the encoded part has the right length and
/// lower-case hex digits only, so it is safe as a file name. So is that of an unknown algorithm,
/// whose grammar allows neither `/` nor a leading dot.
///
/// Ordered by its text.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest {
    text: Box<str>,
    colon: u8,
}

/// The longest digest that is read: the longest known one is 135 bytes.
const MAX_LEN: usize = 255;

impl Digest {
    /// Computes the SHA-256 digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The digest whose SHA-256 value is already known.
    #[must_use]
    pub fn sha256(value: [u8; 32]) -> Self {
        Self::from_value(Algorithm::Sha256, &value)
    }

    /// The digest whose SHA-512 value is already known.
    #[must_use]
    pub fn sha512(value: [u8; 64]) -> Self {
        Self::from_value(Algorithm::Sha512, &value)
    }

    pub(crate) fn from_value(algorithm: Algorithm, value: &[u8]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(algorithm.as_str().len() + 1 + value.len() * 2);
        text.push_str(algorithm.as_str());
        let colon = text.len() as u8;
        text.push(':');
        for byte in value {
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        Self {
            text: text.into_boxed_str(),
            colon,
        }
    }

    /// The algorithm, if it is one that can be computed here.
    ///
    /// `None` for an algorithm that is only carried; [`Self::algorithm_name`] has its name.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_name(self.algorithm_name())
    }

    /// What stands before the colon.
    #[must_use]
    pub fn algorithm_name(&self) -> &str {
        &self.text[..usize::from(self.colon)]
    }

    /// What stands behind the colon: hex digits for the known algorithms.
    #[must_use]
    pub fn encoded(&self) -> &str {
        &self.text[usize::from(self.colon) + 1..]
    }

    /// The whole, `algorithm:encoded`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first 12 characters of the encoded part: for people, never for looking things up.
    #[must_use]
    pub fn short(&self) -> &str {
        let encoded = self.encoded();
        encoded.get(..12).unwrap_or(encoded)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is not a digest.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDigestError {
    /// There is no colon.
    #[error("`{text}` is not a digest: expected `algorithm:encoded`")]
    NoColon {
        /// What was read.
        text: String,
    },
    /// The part before the colon breaks the grammar.
    #[error(
        "`{text}` is not a digest: its algorithm must be lower-case letters and digits in parts joined by one of `+._-`"
    )]
    BadAlgorithm {
        /// What was read.
        text: String,
    },
    /// The part behind the colon is empty or has characters that may not stand there.
    #[error("`{text}` is not a digest: `{found}` may not stand in its encoded part")]
    BadEncoded {
        /// What was read.
        text: String,
        /// The first character that is wrong, or «nothing».
        found: String,
    },
    /// A known algorithm, but not its number of digits.
    #[error("`{text}` is not a digest: {algorithm} has {expected} hex digits, found {actual}")]
    BadLength {
        /// What was read.
        text: String,
        /// The algorithm.
        algorithm: Algorithm,
        /// The number of hex digits it has.
        expected: usize,
        /// The number found.
        actual: usize,
    },
    /// Longer than any digest.
    #[error("a digest of {actual} bytes is too long: at most {MAX_LEN} are read")]
    TooLong {
        /// Its length in bytes.
        actual: usize,
    },
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        if text.len() > MAX_LEN {
            return Err(ParseDigestError::TooLong { actual: text.len() });
        }
        let Some(colon) = text.find(':') else {
            return Err(ParseDigestError::NoColon { text: text.into() });
        };
        let (name, encoded) = (&text[..colon], &text[colon + 1..]);
        if !is_algorithm(name) {
            return Err(ParseDigestError::BadAlgorithm { text: text.into() });
        }
        let known = Algorithm::from_name(name);
        let allowed = |c: char| match known {
            Some(_) => matches!(c, '0'..='9' | 'a'..='f'),
            None => c.is_ascii_alphanumeric() || matches!(c, '=' | '_' | '-'),
        };
        let wrong = encoded.chars().find(|&c| !allowed(c)).map(String::from);
        if let Some(found) = wrong.or_else(|| encoded.is_empty().then(|| "nothing".into())) {
            return Err(ParseDigestError::BadEncoded {
                text: text.into(),
                found,
            });
        }
        if let Some(algorithm) = known
            && encoded.len() != algorithm.encoded_len()
        {
            return Err(ParseDigestError::BadLength {
                text: text.into(),
                algorithm,
                expected: algorithm.encoded_len(),
                actual: encoded.len(),
            });
        }
        Ok(Self {
            text: text.into(),
            colon: colon as u8,
        })
    }
}

/// `component (separator component)*`, where a component is `[a-z0-9]+`.
fn is_algorithm(name: &str) -> bool {
    name.split(['+', '.', '_', '-']).all(|component| {
        !component.is_empty()
            && component
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

impl TryFrom<&str> for Digest {
    type Error = ParseDigestError;

    fn try_from(text: &str) -> Result<Self, ParseDigestError> {
        text.parse()
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
