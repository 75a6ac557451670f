//! What all repositories share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cooperage_image_spec::Reference;

use crate::auth::Auth;
use crate::busy::Busy;
use crate::documents::Documents;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::exchange::Exchange;
use crate::options::Options;
use crate::repository::Repository;

/// Speaks to any number of registries: holds their connections, logins and tokens.
///
/// Cloning it is free, and the clones share all of that; so do the repositories that it opens. May
/// be used from any number of threads.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) exchange: Exchange,
    pub(crate) auth: Auth,
    pub(crate) documents: Documents,
    /// Uploads and reads of documents that are under way.
    pub(crate) busy: Busy,
    /// The registries that were met, by name; the mirrors of each before itself.
    endpoints: Mutex<BTreeMap<String, Arc<Endpoints>>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A registry and its mirrors.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(crate) mirrors: Vec<Endpoint>,
    pub(crate) origin: Endpoint,
}

impl Client {
    /// Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`ClientError`] for certificates, keys and addresses in the options that cannot be read.
    pub fn new(options: Options) -> Result<Self, ClientError> {
        let exchange = Exchange::new(&options)?;
        for host in options.hosts.values() {
            for mirror in &host.mirrors {
                let location = || mirror.location.clone();
                Endpoint::of_mirror(mirror, host.security, false).ok_or_else(|| {
                    ClientError::Mirror {
                        location: location(),
                    }
                })?;
            }
        }
        Ok(Self(Arc::new(Inner {
            options,
            exchange,
            auth: Auth::default(),
            documents: Documents::default(),
            busy: Busy::default(),
            endpoints: Mutex::default(),
        })))
    }

    /// The repository of a reference, whose tag and digest are of no account. Nothing is asked.
    #[must_use]
    pub fn repository(&self, reference: &Reference) -> Repository {
        let endpoints = self.0.endpoints(reference.domain());
        Repository::new(Arc::clone(&self.0), endpoints, reference)
    }
}

impl Inner {
    fn endpoints(&self, registry: &str) -> Arc<Endpoints> {
        let mut known = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let endpoints = known
            .entry(registry.to_owned())
            .or_insert_with(|| Arc::new(self.endpoints_of(registry)));
        Arc::clone(endpoints)
    }

    fn endpoints_of(&self, registry: &str) -> Endpoints {
        let of = |name: &str| {
            let host = self.options.hosts.get(name);
            let has_tls =
                host.is_some_and(|it| !it.authorities.is_empty() || it.identity.is_some());
            (host.map(|host| host.security).unwrap_or_default(), has_tls)
        };
        let mirrors = self.options.hosts.get(registry);
        let mirrors = mirrors.map_or(&[][..], |host| &host.mirrors);
        let mirrors = mirrors.iter().filter_map(|mirror| {
            let name = mirror.location.split('/').next().unwrap_or_default();
            let (security, has_tls) = of(name);
            Endpoint::of_mirror(mirror, security, has_tls)
        });
        let (security, has_tls) = of(registry);
        Endpoints {
            mirrors: mirrors.collect(),
            origin: Endpoint::of_registry(registry, security, has_tls),
        }
    }
}
