//! Where a registry, or a mirror of one, is.

use std::sync::{Mutex, PoisonError};

use cooperage_image_spec::Reference;

use crate::options::{Mirror, Security, Serves};
use crate::url::{Scheme, Url};

/// Docker's registry is known by one name and answers to another.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// A server that is asked, under one name of a repository.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Whose login counts, and what it is called in messages.
    pub(crate) registry: String,
    /// Where it is.
    pub(crate) authority: String,
    /// What stands before the repository's path there: empty, or begins with a `/`.
    prefix: String,
    pub(crate) serves: Serves,
    security: Security,
    /// What was found out of the scheme.
    scheme: Mutex<Option<Scheme>>,
}

/// What is known of the way to speak to a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Manner {
    Known(Scheme),
    /// Plain HTTP, until the server says that it is the wrong way.
    Presumed,
    /// To be found out, before anything is asked.
    Unknown,
}

impl Endpoint {
    pub(crate) fn of_registry(registry: &str, security: Security, has_tls: bool) -> Self {
        let authority = authority_of(registry);
        Self {
            registry: registry.to_owned(),
            prefix: String::new(),
            serves: Serves::All,
            security: decided(&authority, security, has_tls),
            authority,
            scheme: Mutex::new(None),
        }
    }

    /// `None` if the mirror's location is none.
    pub(crate) fn of_mirror(mirror: &Mirror, security: Security, has_tls: bool) -> Option<Self> {
        let location = mirror.location.trim_end_matches('/');
        let (authority, prefix) = match location.find('/') {
            Some(slash) => location.split_at(slash),
            None => (location, ""),
        };
        // What stands before a path is a domain just as in references.
        let reference: Reference = format!("{location}/x").parse().ok()?;
        if reference.domain() != authority {
            return None;
        }
        let (registry, prefix) = (authority.to_owned(), prefix.to_owned());
        Some(Self {
            prefix,
            serves: mirror.serves,
            ..Self::of_registry(&registry, security, has_tls)
        })
    }

    pub(crate) fn manner(&self) -> Manner {
        let found = *self.scheme.lock().unwrap_or_else(PoisonError::into_inner);
        match (found, self.security) {
            (Some(scheme), _) => Manner::Known(scheme),
            (None, Security::Verified) => Manner::Known(Scheme::Https),
            (None, Security::Plain) => Manner::Known(Scheme::Http),
            (None, Security::Default) => Manner::Presumed,
            (None, Security::Insecure) => Manner::Unknown,
        }
    }

    pub(crate) fn found(&self, scheme: Scheme) {
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = Some(scheme);
    }

    /// It answered as one that is spoken to in the right way.
    pub(crate) fn presume_right(&self) {
        if self.manner() == Manner::Presumed {
            self.found(Scheme::Http);
        }
    }

    fn scheme(&self) -> Scheme {
        match self.manner() {
            Manner::Known(scheme) => scheme,
            Manner::Presumed => Scheme::Http,
            Manner::Unknown => Scheme::Https,
        }
    }

    /// `/v2/PATH`, with the path escaped already.
    pub(crate) fn url(&self, path: &str) -> Option<Url> {
        let target = format!("/v2{}/{path}", self.prefix);
        Url::new(self.scheme(), &self.authority, &target)
    }

    /// `/v2/` itself.
    pub(crate) fn base(&self, scheme: Scheme) -> Option<Url> {
        Url::new(scheme, &self.authority, "/v2/")
    }

    /// The name of a repository as this server knows it.
    pub(crate) fn repository(&self, path: &str) -> String {
        let prefix = self.prefix.trim_start_matches('/');
        if prefix.is_empty() {
            path.to_owned()
        } else {
            format!("{prefix}/{path}")
        }
    }
}

/// Where a registry of that name is: host and port, the port left out where it is that of TLS.
pub(crate) fn authority_of(registry: &str) -> String {
    let authority = match registry {
        DOCKER_HUB => DOCKER_HUB_HOST,
        other => other,
    };
    let authority = authority.to_ascii_lowercase();
    match authority.strip_suffix(":443") {
        Some(host) => host.to_owned(),
        None => authority,
    }
}

/// `Default` is left for loopback addresses alone, where it means to try plain HTTP first.
fn decided(authority: &str, security: Security, has_tls: bool) -> Security {
    match security {
        Security::Default if has_tls || !is_loopback(authority) => Security::Verified,
        other => other,
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = if let Some(rest) = authority.strip_prefix('[') {
        rest.split(']').next().unwrap_or_default()
    } else {
        authority.split(':').next().unwrap_or_default()
    };
    let address: Option<std::net::IpAddr> = host.parse().ok();
    host.eq_ignore_ascii_case("localhost") || address.is_some_and(|it| it.is_loopback())
}
