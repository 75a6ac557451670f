//! Addresses of requests: absolute, of http or https, and never with a password in them.

use std::fmt;

/// Signed addresses of storage are long; nothing is longer.
const MAX_LENGTH: usize = 16 << 10;

/// Whether what is said can be read on the way.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> &'static str {
        match self {
            Self::Http => ":80",
            Self::Https => ":443",
        }
    }
}

/// An address. Prints without what stands behind the `?`, which may be a secret.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    /// Host and port, in lower case, the port left out where it is the scheme's own.
    pub(crate) authority: String,
    /// Begins with a `/`; has the query, not the fragment.
    target: String,
}

impl Url {
    pub(crate) fn new(scheme: Scheme, authority: &str, target: &str) -> Option<Self> {
        let authority = authority.to_ascii_lowercase();
        let authority = authority
            .strip_suffix(scheme.default_port())
            .unwrap_or(&authority);
        let target = target.split('#').next().unwrap_or_default();
        let host = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
        let sound = !authority.is_empty()
            && authority.bytes().all(host)
            && target.starts_with('/')
            && target.bytes().all(|b| b.is_ascii_graphic())
            && authority.len() + target.len() <= MAX_LENGTH;
        sound.then(|| Self {
            scheme,
            authority: authority.to_owned(),
            target: target.to_owned(),
        })
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let scheme = if scheme.eq_ignore_ascii_case("https") {
            Scheme::Https
        } else if scheme.eq_ignore_ascii_case("http") {
            Scheme::Http
        } else {
            return None;
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if target.starts_with('/') {
            Self::new(scheme, authority, target)
        } else {
            Self::new(scheme, authority, &format!("/{target}"))
        }
    }

    /// What a `Location` or a link in the answer of this address means.
    pub(crate) fn join(&self, reference: &str) -> Option<Self> {
        let reference = reference.trim();
        let path = self.path();
        if reference.contains("://") && !reference.starts_with(['/', '?']) {
            return Self::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme.as_str()));
        }
        let target = match reference.as_bytes().first() {
            Some(b'/') => reference.to_owned(),
            Some(b'?') => format!("{path}{reference}"),
            Some(_) => {
                let (directory, _) = path.rsplit_once('/')?;
                format!("{directory}/{reference}")
            }
            None => return None,
        };
        Self::new(self.scheme, &self.authority, &target)
    }

    /// The same with one more parameter. Of the value all but letters, digits and `-._~` is
    /// escaped.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.target
            .push(if self.target.contains('?') { '&' } else { '?' });
        self.target.push_str(name);
        self.target.push('=');
        self.target.push_str(&escape(value));
        self
    }

    /// The same over TLS, if it is plain HTTP of the very host that was spoken to in TLS: servers
    /// behind others do not know how they are spoken to.
    pub(crate) fn not_below(mut self, from: &Self) -> Self {
        let host = |url: &Self| url.authority.clone();
        if from.scheme == Scheme::Https && self.scheme == Scheme::Http && host(&self) == host(from)
        {
            self.scheme = Scheme::Https;
        }
        self
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.authority == other.authority
    }

    /// The whole, for the wire alone.
    pub(crate) fn to_wire(&self) -> String {
        format!(
            "{}://{}{}",
            self.scheme.as_str(),
            self.authority,
            self.target
        )
    }
}

/// Escapes all but letters, digits and `-._~`.
pub(crate) fn escape(value: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push(char::from(HEX[usize::from(byte >> 4)]));
            escaped.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    escaped
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.as_str();
        write!(f, "{scheme}://{}{}", self.authority, self.path())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
