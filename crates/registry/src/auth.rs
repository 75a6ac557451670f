//! Logins and tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderValue, Method};

use crate::call::{lost, refused};
use crate::client::Inner;
use crate::endpoint::Endpoint;
use crate::error::Reason;
use crate::exchange::{Patience, Payload, Reply};
use crate::login::Login;
use crate::tries::Fault;
use crate::url::{Scheme, Url, escape};
use crate::wire::{Challenge, ServerError, Token};

/// What a token server answers, in bytes.
const MAX_TOKEN_BODY: u64 = 64 << 10;
/// What a registry asks for, in bytes.
const MAX_SCOPE: usize = 1 << 10;
/// How often a token server may redirect.
const MAX_HOPS: u32 = 4;
/// By what name token servers know us.
const CLIENT_ID: &str = "cooperage";

/// What a request needs leave for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Scope {
    /// As the endpoint knows it.
    pub(crate) repository: String,
    pub(crate) access: Access,
    /// From which repository a blob is to be mounted as well.
    pub(crate) from: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    Pull,
    Push,
}

impl Scope {
    fn texts(&self) -> BTreeSet<String> {
        let actions = match self.access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let own = format!("repository:{}:{actions}", self.repository);
        let from = self.from.as_ref().filter(|from| **from != self.repository);
        let from = from.map(|from| format!("repository:{from}:pull"));
        [own].into_iter().chain(from).collect()
    }
}

/// What is known of the logins of all servers.
#[derive(Debug, Default)]
pub(crate) struct Auth(Mutex<BTreeMap<String, Arc<Mutex<OfHost>>>>);

#[derive(Default)]
struct OfHost {
    offer: Option<Offer>,
    logins: BTreeMap<String, Option<Login>>,
    tokens: BTreeMap<BTreeSet<String>, Kept>,
}

impl std::fmt::Debug for OfHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OfHost").finish_non_exhaustive()
    }
}

/// How a server wants to be spoken to.
#[derive(Clone)]
enum Offer {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

struct Kept {
    header: HeaderValue,
    until: Duration,
}

impl Auth {
    fn of(&self, endpoint: &Endpoint) -> Arc<Mutex<OfHost>> {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hosts.entry(endpoint.authority.clone()).or_default())
    }
}

fn locked(of_host: &Mutex<OfHost>) -> MutexGuard<'_, OfHost> {
    of_host.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// The header for a request, once the server has said how it wants to be spoken to.
    ///
    /// One token is asked for at a time: who wants the same one waits for it.
    pub(crate) fn authorization(
        &self,
        endpoint: &Endpoint,
        scope: &Scope,
        url: &Url,
    ) -> Result<Option<HeaderValue>, Fault> {
        let of_host = self.auth.of(endpoint);
        let mut of_host = locked(&of_host);
        let Some(offer) = of_host.offer.clone() else {
            return Ok(None);
        };
        let login = self.login(&mut of_host, endpoint, scope);
        match (offer, login) {
            (_, Some(Login::RegistryToken(token))) => bearer(token.expose()).map(Some),
            (Offer::Basic, Some(Login::Basic { username, password })) => {
                basic(&username, password.expose()).map(Some)
            }
            (Offer::Basic, _) => Ok(None),
            (Offer::Bearer { realm, service }, login) => {
                let wanted = scope.texts();
                let now = self.options.pace.now();
                if let Some(kept) = of_host.tokens.get(&wanted).filter(|kept| now < kept.until) {
                    return Ok(Some(kept.header.clone()));
                }
                let token =
                    self.token((&realm, service.as_deref()), &wanted, login.as_ref(), url)?;
                let header = bearer(&token.value)?;
                of_host.keep(wanted, &token, header.clone(), now);
                Ok(Some(header))
            }
        }
    }

    /// Does what a 401 asks for; the header may be had then.
    pub(crate) fn answer_challenge(
        &self,
        endpoint: &Endpoint,
        scope: &Scope,
        url: &Url,
        (challenges, used): (&[Challenge], Option<&HeaderValue>),
        errors: &[ServerError],
    ) -> Result<(), Fault> {
        let of_host = self.auth.of(endpoint);
        let mut of_host = locked(&of_host);
        let login = self.login(&mut of_host, endpoint, scope);
        let denied = || {
            Fault::Final(Reason::Denied {
                status: 401,
                errors: errors.to_vec(),
                login: login.is_some(),
            })
        };
        if matches!(login, Some(Login::RegistryToken(_))) && used.is_some() {
            return Err(denied());
        }
        let bearer_challenge = challenges.iter().find(|it| it.is("bearer"));
        let Some(challenge) = bearer_challenge else {
            let is_basic = challenges.iter().any(|it| it.is("basic"));
            let has_password = matches!(login, Some(Login::Basic { .. } | Login::RegistryToken(_)));
            if !is_basic || !has_password || used.is_some() {
                return Err(denied());
            }
            of_host.offer = Some(Offer::Basic);
            return Ok(());
        };
        let (realm, service) = offered(challenge, url)?;
        of_host.offer = Some(Offer::Bearer {
            realm: realm.clone(),
            service: service.clone(),
        });
        if matches!(login, Some(Login::RegistryToken(_))) {
            return Ok(());
        }
        let key = scope.texts();
        if let Some(kept) = of_host.tokens.get(&key)
            && Some(&kept.header) != used
        {
            // Somebody else was here meanwhile.
            return Ok(());
        }
        let mut wanted = key.clone();
        wanted.extend(challenge.get("scope").into_iter().flat_map(asked_for));
        let now = self.options.pace.now();
        let token = self.token((&realm, service.as_deref()), &wanted, login.as_ref(), url)?;
        let header = bearer(&token.value)?;
        of_host.keep(key, &token, header, now);
        Ok(())
    }

    /// Whether a login was found for what is asked of a server.
    pub(crate) fn has_login(&self, endpoint: &Endpoint, scope: &Scope) -> bool {
        let of_host = self.auth.of(endpoint);
        self.login(&mut locked(&of_host), endpoint, scope).is_some()
    }

    /// Asked for once for each repository: helpers take their time.
    fn login(&self, of_host: &mut OfHost, endpoint: &Endpoint, scope: &Scope) -> Option<Login> {
        let authenticate = self.options.authenticate.as_ref()?;
        let repository = &scope.repository;
        if let Some(login) = of_host.logins.get(repository) {
            return login.clone();
        }
        let login = authenticate.login(&endpoint.registry, repository);
        of_host.logins.insert(repository.clone(), login.clone());
        login
    }

    fn token(
        &self,
        (realm, service): (&Url, Option<&str>),
        scopes: &BTreeSet<String>,
        login: Option<&Login>,
        url: &Url,
    ) -> Result<Token, Fault> {
        if url.scheme == Scheme::Https && realm.scheme == Scheme::Http {
            let text = format!("the registry sends logins to `{realm}`, which is not TLS");
            return Err(Fault::malformed(text));
        }
        let mut form = vec![("client_id", CLIENT_ID.to_owned())];
        form.extend(service.map(|service| ("service", service.to_owned())));
        let scope: Vec<_> = scopes.iter().map(String::as_str).collect();
        form.push(("scope", scope.join(" ")));
        let reply = match login {
            Some(Login::IdentityToken(token)) => {
                form.push(("grant_type", "refresh_token".to_owned()));
                form.push(("refresh_token", token.expose().to_owned()));
                self.post_form(realm, &form)?
            }
            Some(Login::Basic { username, password }) => {
                let address = token_url(realm, service, scopes).with("account", username);
                let header = basic(username, password.expose())?;
                let reply = self.get_token(&address, Some(header))?;
                // Some servers have the newer way alone.
                if matches!(reply.status, 404 | 405) {
                    reply.finish();
                    form.push(("grant_type", "password".to_owned()));
                    form.push(("username", username.clone()));
                    form.push(("password", password.expose().to_owned()));
                    self.post_form(realm, &form)?
                } else {
                    reply
                }
            }
            _ => self.get_token(&token_url(realm, service, scopes), None)?,
        };
        read_token(reply, realm, login.is_some())
    }

    fn get_token(&self, url: &Url, login: Option<HeaderValue>) -> Result<Reply, Fault> {
        let (mut url, mut login) = (url.clone(), login);
        for _ in 0..=MAX_HOPS {
            let headers: Vec<_> = login
                .iter()
                .map(|header| (AUTHORIZATION, header.clone()))
                .collect();
            let (none, usual) = (Payload::None, Patience::Usual);
            let reply = self
                .exchange
                .send(&Method::GET, &url, &headers, none, usual);
            let reply = reply.map_err(lost)?;
            if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(reply);
            }
            let to = reply.header("location").and_then(|to| url.join(to));
            let to = to.filter(|to| to.scheme >= url.scheme);
            let to = to.ok_or_else(|| {
                Fault::malformed(format!("the token server `{url}` redirects to nowhere"))
            })?;
            login = login.filter(|_| to.is_of(&url));
            reply.finish();
            url = to;
        }
        Err(Fault::malformed(format!(
            "the token server redirects more than {MAX_HOPS} times, at last to `{url}`"
        )))
    }

    fn post_form(&self, url: &Url, form: &[(&str, String)]) -> Result<Reply, Fault> {
        let pairs: Vec<_> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        let body = pairs.join("&");
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = [(CONTENT_TYPE, form)];
        let payload = Payload::Bytes(body.as_bytes());
        self.exchange
            .send(&Method::POST, url, &headers, payload, Patience::Usual)
            .map_err(lost)
    }
}

impl OfHost {
    fn keep(&mut self, key: BTreeSet<String>, token: &Token, header: HeaderValue, now: Duration) {
        // A tenth less than it lasts, so that it does not run out on its way.
        let until = now + token.lifetime / 10 * 9;
        self.tokens.retain(|_, kept| now < kept.until);
        self.tokens.insert(key, Kept { header, until });
    }
}

fn offered(challenge: &Challenge, url: &Url) -> Result<(Url, Option<String>), Fault> {
    let realm = challenge.get("realm").and_then(|realm| url.join(realm));
    let realm = realm.ok_or_else(|| {
        Fault::malformed("the registry wants a token and names no server to have it from")
    })?;
    Ok((realm, challenge.get("service").map(str::to_owned)))
}

/// What the registry says that it wants, where that can be a scope.
fn asked_for(scope: &str) -> impl Iterator<Item = String> {
    let sound =
        scope.len() <= MAX_SCOPE && scope.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let scope = if sound { scope } else { "" };
    scope.split_ascii_whitespace().map(str::to_owned)
}

fn token_url(realm: &Url, service: Option<&str>, scopes: &BTreeSet<String>) -> Url {
    let mut url = realm.clone();
    if let Some(service) = service {
        url = url.with("service", service);
    }
    for scope in scopes {
        url = url.with("scope", scope);
    }
    url
}

fn read_token(reply: Reply, realm: &Url, login: bool) -> Result<Token, Fault> {
    if reply.status != 200 {
        return Err(match refused(reply) {
            Fault::Status {
                status: status @ (400 | 401 | 403 | 404),
                errors,
                ..
            } => Fault::Final(Reason::Denied {
                status,
                errors,
                login,
            }),
            fault => fault,
        });
    }
    let limit = MAX_TOKEN_BODY;
    let body = reply.read(limit).map_err(Fault::Lost)?;
    let body = body.ok_or(Fault::Final(Reason::TooLarge { limit }))?;
    Token::parse(&body)
        .ok_or_else(|| Fault::malformed(format!("the token server `{realm}` gives no token")))
}

fn bearer(token: &str) -> Result<HeaderValue, Fault> {
    secret_header(format!("Bearer {token}"))
}

fn basic(username: &str, password: &str) -> Result<HeaderValue, Fault> {
    let pair = BASE64.encode(format!("{username}:{password}"));
    secret_header(format!("Basic {pair}"))
}

fn secret_header(text: String) -> Result<HeaderValue, Fault> {
    let header = HeaderValue::try_from(text);
    let mut header =
        header.map_err(|_| Fault::malformed("the login holds what no header can hold"))?;
    header.set_sensitive(true);
    Ok(header)
}
