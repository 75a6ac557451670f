//! What is sent to a registry, or to whoever gives out its tokens.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

/// A password or a token.
///
/// Its memory is cleared when it is dropped, and `Debug` does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text as secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: for what is sent, and nothing that is shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// How to say to a registry who one is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Login {
    /// A name and a password, for HTTP's basic authentication or to get a token with.
    Basic {
        /// The name.
        username: String,
        /// The password, or what stands for it.
        password: Secret,
    },
    /// A token that others are got with: a refresh token (`identitytoken`).
    IdentityToken(Secret),
    /// A token that is sent to the registry as it is (`registrytoken`).
    RegistryToken(Secret),
}
