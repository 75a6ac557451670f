//! A token server, as registries send their clients to.
//!
//! The tokens are real: a real registry that trusts the server's certificate takes them, for as long
//! as they are valid and for what they allow. See [`crate::registry::Login::Tokens`].
//!
//! Spec: distribution 2.8, `docs/spec/auth/{token,oauth,jwt,scope}.md`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Reply, Request, Server};
use crate::peers::{self, Program};

/// The registry's name, as the server and the registry know it.
pub(crate) const SERVICE: &str = "test kit's registry";
/// The server's own name.
pub(crate) const ISSUER: &str = "test kit's token server";

/// Who may do what.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// Names and passwords.
    pub users: Vec<(String, String)>,
    /// Identity tokens, each of which is as good as a name and a password.
    pub identity_tokens: Vec<String>,
    /// Whether those who do not say who they are may pull.
    pub anonymous_pull: bool,
    /// So many tokens are too old when they are handed out, and after them none.
    pub stale: usize,
    /// What `expires_in` says, in seconds; nothing where it is `None`.
    pub expires_in: Option<u64>,
    /// Under which name the token is handed out: `token`, `access_token` or both.
    pub names: &'static [&'static str],
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            users: vec![("cooper".to_owned(), "staves".to_owned())],
            identity_tokens: vec!["hoops".to_owned()],
            anonymous_pull: false,
            stale: 0,
            expires_in: Some(300),
            names: &["token"],
        }
    }
}

/// What somebody asked the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// `GET` or `POST`.
    pub method: String,
    /// Each scope, in the order in which they were asked for.
    pub scopes: Vec<String>,
    /// The registry it is for.
    pub service: Option<String>,
    /// Who asked, if they could show it: a name, or `identity token`.
    pub user: Option<String>,
    /// Whether the request had `Authorization`, whatever it was good for.
    pub authorization: bool,
    /// The status of the answer.
    pub status: u16,
}

/// A running token server. Dropping it ends it.
#[derive(Debug)]
pub struct TokenServer {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    openssl: Program,
    directory: TempDir,
    /// The certificate without its envelope, in base64.
    certificate: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    options: TokenOptions,
    asked: Vec<Asked>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenServer {
    /// Starts one, or reports that openssl is missing, which signs the tokens.
    #[must_use]
    pub fn start(options: TokenOptions) -> Option<Self> {
        let openssl = peers::tool("openssl")?;
        let directory = tempfile::tempdir().expect("there is room");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let (key, certificate) = (path("key"), path("certificate"));
        let words = "req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=tokens -keyout";
        let words = words.split(' ').chain([&*key, "-out", &certificate]);
        openssl.run(words).expect("openssl makes certificates");
        let text = std::fs::read_to_string(&certificate).expect("openssl made it");
        let lines = text.lines().filter(|line| !line.starts_with('-'));
        let shared = Arc::new(Shared {
            certificate: lines.collect(),
            openssl,
            directory,
            state: Mutex::new(State {
                options,
                asked: Vec::new(),
            }),
        });
        let server = Server::start({
            let shared = Arc::clone(&shared);
            move |request| shared.answer(request)
        });
        Some(Self { server, shared })
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.server.address()
    }

    /// Where tokens are handed out: what a registry says in its challenge.
    #[must_use]
    pub fn realm(&self) -> String {
        format!("http://{}/token", self.address())
    }

    /// The certificate that a registry is to trust, in a file of PEM.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.shared.directory.path().join("certificate")
    }

    /// Other options from now on.
    pub fn set_options(&self, options: TokenOptions) {
        self.shared.state().options = options;
    }

    /// All that it was asked so far, in the order in which it was.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }
}

/// The values of all fields of that name.
fn values(fields: &[(String, String)], name: &str) -> Vec<String> {
    let fields = fields.iter().filter(|(field, _)| field == name);
    fields.map(|(_, value)| value.clone()).collect()
}

impl Shared {
    fn answer(&self, request: &Request) -> Reply {
        let (fields, user) = match request.method() {
            "POST" => {
                let form = request.form();
                let user = self.user_of_form(&form);
                (form, user)
            }
            _ => (request.query(), self.user_of_head(request)),
        };
        let scopes: Vec<String> = values(&fields, "scope")
            .iter()
            .flat_map(|scopes| scopes.split(' ').map(str::to_owned))
            .filter(|scope| !scope.is_empty())
            .collect();
        let authorization = request.head.field("Authorization").is_some();
        let claims_to_be_somebody = request.method() == "POST" || authorization;
        let reply = if request.path() != "/token" {
            Reply::new(404)
        } else if claims_to_be_somebody && user.is_none() {
            Reply::new(401).with_body("application/json", r#"{"details":"incorrect login"}"#)
        } else {
            self.token(user.as_deref(), &scopes)
        };
        self.state().asked.push(Asked {
            method: request.method().to_owned(),
            scopes,
            service: values(&fields, "service").pop(),
            user,
            authorization,
            status: reply.status,
        });
        reply
    }

    fn user_of_head(&self, request: &Request) -> Option<String> {
        let basic = request
            .head
            .field("Authorization")?
            .strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        self.known(name, password)
    }

    fn user_of_form(&self, form: &[(String, String)]) -> Option<String> {
        let value = |name: &str| values(form, name).pop();
        match value("grant_type")?.as_str() {
            "password" => self.known(&value("username")?, &value("password")?),
            "refresh_token" => {
                let token = value("refresh_token")?;
                let known = self.state().options.identity_tokens.contains(&token);
                known.then(|| "identity token".to_owned())
            }
            _ => None,
        }
    }

    fn known(&self, name: &str, password: &str) -> Option<String> {
        let state = self.state();
        let mut users = state.options.users.iter();
        users
            .any(|user| user.0 == name && user.1 == password)
            .then(|| name.to_owned())
    }

    /// A token for as much of the scopes as the user may.
    fn token(&self, user: Option<&str>, scopes: &[String]) -> Reply {
        let (options, is_stale) = {
            let mut state = self.state();
            let is_stale = state.options.stale > 0;
            state.options.stale = state.options.stale.saturating_sub(1);
            (state.options.clone(), is_stale)
        };
        let access: Vec<_> = scopes
            .iter()
            .filter_map(|scope| {
                // A repository's name may have a port's colon in it.
                let (kind, rest) = scope.split_once(':')?;
                let (name, actions) = rest.rsplit_once(':')?;
                let may =
                    |action: &&str| user.is_some() || (options.anonymous_pull && *action == "pull");
                let actions: Vec<_> = actions.split(',').filter(may).collect();
                Some(json!({"type": kind, "name": name, "actions": actions}))
            })
            .collect();
        #[expect(clippy::disallowed_methods, reason = "a token is valid at a time")]
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |it| it.as_secs());
        // Registries allow for clocks that are a minute wrong.
        let from = if is_stale { now - 7200 } else { now - 10 };
        let token = self.signed(&json!({
            "iss": ISSUER, "aud": SERVICE, "sub": user.unwrap_or_default(), "jti": "1",
            "iat": from, "nbf": from, "exp": from + 3600, "access": access,
        }));
        let mut body = json!({});
        for name in options.names {
            body[*name] = Value::from(token.as_str());
        }
        if let Some(seconds) = options.expires_in {
            body["expires_in"] = seconds.into();
        }
        Reply::new(200).with_body("application/json", body.to_string())
    }

    fn signed(&self, claims: &Value) -> String {
        let head = json!({"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&head), encode(claims));
        let key = self.directory.path().join("key").display().to_string();
        let signature = self
            .openssl
            .run_with_input(["dgst", "-sha256", "-sign", &key], &mut text.as_bytes())
            .expect("openssl signs");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.stdout))
    }
}
