//! Who somebody is to a registry.

use std::fmt;

/// A text that is never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives it away: to those alone who send it to where it belongs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// How somebody logs in. `Debug` shows no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Login {
    /// A name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// An identity token, as `docker login` keeps one: exchanged for tokens of a short life.
    IdentityToken(Secret),
    /// A bearer token that the registry itself takes as it is.
    RegistryToken(Secret),
}

/// Finds logins; asked once for each repository, and only when the registry asks for one.
///
/// Any `Fn(&str, &str) -> Option<Login>` is one.
pub trait Authenticate: Send + Sync {
    /// The login for `repository` (`library/debian`) of `registry` (`docker.io`), as they stand in
    /// image references; `None` to come as nobody. What goes wrong here is for the implementation
    /// to report: a public image can be had all the same.
    fn login(&self, registry: &str, repository: &str) -> Option<Login>;
}

impl<F: Fn(&str, &str) -> Option<Login> + Send + Sync> Authenticate for F {
    fn login(&self, registry: &str, repository: &str) -> Option<Login> {
        self(registry, repository)
    }
}

impl fmt::Debug for dyn Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticate")
    }
}
