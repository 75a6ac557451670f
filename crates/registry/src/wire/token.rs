//! What a token server answers.

use std::fmt;
use std::time::Duration;

use cooperage_image_spec::Json;

/// How long a token lasts that does not say it.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
/// No token is trusted to last longer than this.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A bearer token. `Debug` does not show it.
///
/// Spec: distribution, `docs/spec/auth/token.md` and `oauth.md`.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    /// The secret: visible ASCII, so that it can stand in a header.
    pub value: String,
    /// How long it lasts from when it was made, at most a day; a minute where the server does not
    /// say.
    pub lifetime: Duration,
}

impl Token {
    /// Reads `token`, or `access_token` as OAuth 2 calls it, and `expires_in`, in seconds.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let json = Json::parse(body).ok()?;
        let text = |key| {
            json.get(key)
                .and_then(Json::as_str)
                .filter(|text| !text.is_empty())
        };
        let value = text("token").or_else(|| text("access_token"))?;
        if !value.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let lifetime = json.get("expires_in").and_then(Json::as_u64);
        let lifetime = lifetime.map_or(DEFAULT_LIFETIME, Duration::from_secs);
        Some(Self {
            value: value.to_owned(),
            lifetime: lifetime.min(MAX_LIFETIME),
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
