//! `WWW-Authenticate`.

use std::collections::BTreeMap;

/// How many challenges of one answer are read, and how many parameters of each.
const MAX_CHALLENGES: usize = 8;
const MAX_PARAMETERS: usize = 16;

/// One way in that a server offers.
///
/// Spec: RFC 9110, section 11.6.1.
///
/// # Examples
///
/// ```
/// use cooperage_registry::wire::Challenge;
///
/// let header = r#"Bearer realm="https://auth.example.com/token",service="registry""#;
/// let challenge = &Challenge::parse_all(header)[0];
/// assert!(challenge.is("bearer"));
/// assert_eq!(challenge.get("service"), Some("registry"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Challenge {
    scheme: String,
    parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// All challenges of one header. Reading ends at the first thing that is none: what stands
    /// before it counts.
    #[must_use]
    pub fn parse_all(header: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        let mut rest = header;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let Some((name, behind)) = token(rest) else {
                return challenges;
            };
            let name = name.to_ascii_lowercase();
            match (behind.trim_start().strip_prefix('='), challenges.last_mut()) {
                (Some(value), Some(challenge)) => {
                    let Some((value, behind)) = value_of(value.trim_start()) else {
                        return challenges;
                    };
                    if challenge.parameters.len() < MAX_PARAMETERS {
                        challenge.parameters.entry(name).or_insert(value);
                    }
                    rest = behind;
                }
                (Some(_), None) => return challenges,
                (None, _) => {
                    if challenges.len() == MAX_CHALLENGES {
                        return challenges;
                    }
                    challenges.push(Self {
                        scheme: name,
                        parameters: BTreeMap::new(),
                    });
                    rest = behind;
                }
            }
        }
    }

    /// Whether it is of this scheme, whose name is given in lower case.
    #[must_use]
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme == scheme
    }

    /// A parameter, whose name is given in lower case.
    #[must_use]
    pub fn get(&self, parameter: &str) -> Option<&str> {
        self.parameters.get(parameter).map(String::as_str)
    }
}

fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A token or a quoted string, and what follows.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, &quoted[at + 1..])),
            c => value.push(c),
        }
    }
    None
}
