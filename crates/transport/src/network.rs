//! How registries and the daemon are reached: logins, certificates, mirrors, sockets, the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cooperage_cache::Cache;
use cooperage_credentials::{Credentials, Login as Found};
use cooperage_daemon::{Endpoint, EndpointError, Engine};
use cooperage_image_spec::Reference;
use cooperage_registry::{
    Authenticate, Client, ClientError, HostOptions, Login, Options, Repository, Secret, Security,
};

use crate::certificates::{self, Certificates};
use crate::registries::{self, Registries};

/// What is known of the way to registries. Without anything set: nobody's login, verified TLS, no
/// mirrors, no cache.
#[derive(Debug, Default)]
pub struct NetworkOptions {
    /// Where logins are found.
    pub credentials: Option<Credentials>,
    /// Files in the format of `registries.conf`; the first that is there is read.
    pub registries_conf: Vec<PathBuf>,
    /// Directories of directories of certificates (`certs.d`): a registry's are in the one with its
    /// name, `HOST[:PORT]`, of the first that has one.
    pub certs_d: Vec<PathBuf>,
    /// A directory of certificates for every registry: authorities in `*.crt`, certificates of ours
    /// in `*.cert`, their keys in `*.key` of the same name.
    pub cert_dir: Option<PathBuf>,
    /// Whether registries have to show who they are.
    pub verification: Verification,
    /// Registries that need not, by `HOST[:PORT]`.
    pub insecure: BTreeSet<String>,
    /// `http://[USER:PASSWORD@]HOST:PORT` of a proxy.
    pub proxy: Option<Secret>,
    /// Hosts that are reached without the proxy: names, and `.domain` for all below one.
    pub no_proxy: Vec<String>,
    /// Where documents and layers are kept between runs.
    pub cache: Option<Cache>,
    /// Whether registries are asked at all.
    pub reach: Reach,
    /// Where the daemon is, or why nobody can say.
    pub daemon: Option<Result<Endpoint, EndpointError>>,
}

/// Whether registries have to show who they are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Verification {
    /// By a certificate that is verified; for loopback addresses plain HTTP will do.
    #[default]
    Required,
    /// No: TLS is not verified, and plain HTTP will do.
    None,
}

/// Whether registries are asked at all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reach {
    /// Yes.
    #[default]
    Online,
    /// No: what is not in the cache cannot be had.
    Offline,
}

/// Why a registry cannot be spoken to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A file of settings cannot be read.
    #[error(transparent)]
    Settings(#[from] registries::RegistriesError),
    /// Certificates cannot be read.
    #[error(transparent)]
    Certificates(#[from] certificates::CertificatesError),
    /// Settings make no client.
    #[error("cannot reach the registry `{registry}`")]
    Client {
        /// The registry.
        registry: String,
        /// Why.
        #[source]
        source: ClientError,
    },
    /// The settings forbid it.
    #[error("the registry `{registry}` is blocked in `{}`", file.display())]
    Blocked {
        /// The registry.
        registry: String,
        /// The file that says so.
        file: PathBuf,
    },
    /// Settings do not say where the daemon is.
    #[error("cannot tell where the daemon is")]
    Endpoint(#[source] Arc<EndpointError>),
    /// Nobody has said where the daemon is.
    #[error("no daemon is known here")]
    NoDaemon,
    /// The daemon does not answer as one.
    #[error(transparent)]
    Daemon(#[from] cooperage_daemon::Error),
    /// Nothing is asked of registries.
    #[error("the registry `{registry}` is not asked while offline")]
    Offline {
        /// The registry.
        registry: String,
    },
}

/// The way to all registries, and to the daemon. Cloning it is free, and clones share connections, tokens and cache.
#[derive(Clone, Debug, Default)]
pub struct Network(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    options: NetworkOptions,
    registries: Registries,
    logins: Option<Arc<Logins>>,
    clients: Mutex<BTreeMap<String, Client>>,
    daemon: Option<Result<Endpoint, Arc<EndpointError>>>,
    engine: OnceLock<Engine>,
    faults: Mutex<Vec<String>>,
}

impl Network {
    /// Reads the settings; connects to nothing.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Settings`].
    pub fn new(mut options: NetworkOptions) -> Result<Self, NetworkError> {
        let registries = registries::read_first(&options.registries_conf)?;
        let logins = options.credentials.take().map(|credentials| {
            Arc::new(Logins {
                credentials,
                warnings: Mutex::default(),
            })
        });
        let daemon = options.daemon.take();
        Ok(Self(Arc::new(Inner {
            daemon: daemon.map(|daemon| daemon.map_err(Arc::new)),
            options,
            registries,
            logins,
            ..Inner::default()
        })))
    }

    /// Where documents and layers are kept between runs.
    #[must_use]
    pub fn cache(&self) -> Option<&Cache> {
        self.0.options.cache.as_ref()
    }

    /// Whether registries are asked at all.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.0.options.reach
    }

    /// The repository of a reference. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// See [`NetworkError`].
    pub fn repository(&self, reference: &Reference) -> Result<Repository, NetworkError> {
        let registry = reference.domain();
        if let Some(file) = self.0.registries.blocks(registry) {
            return Err(NetworkError::Blocked {
                registry: registry.to_owned(),
                file: file.to_owned(),
            });
        }
        if self.reach() == Reach::Offline {
            return Err(NetworkError::Offline {
                registry: registry.to_owned(),
            });
        }
        let mut clients = lock(&self.0.clients);
        if let Some(client) = clients.get(registry) {
            return Ok(client.repository(reference));
        }
        let client = self.client(registry)?;
        let repository = client.repository(reference);
        clients.insert(registry.to_owned(), client);
        Ok(repository)
    }

    /// The daemon; connected to with the first call.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Endpoint`], [`NetworkError::NoDaemon`], [`NetworkError::Daemon`].
    pub fn engine(&self) -> Result<&Engine, NetworkError> {
        if let Some(engine) = self.0.engine.get() {
            return Ok(engine);
        }
        let endpoint = match &self.0.daemon {
            Some(Ok(endpoint)) => endpoint,
            Some(Err(error)) => return Err(NetworkError::Endpoint(Arc::clone(error))),
            None => return Err(NetworkError::NoDaemon),
        };
        let engine = Engine::connect(endpoint, &cooperage_daemon::Options::default())?;
        Ok(self.0.engine.get_or_init(|| engine))
    }

    /// One client for each registry: certificates of ours are shown to nobody else.
    fn client(&self, registry: &str) -> Result<Client, NetworkError> {
        let own = &self.0.options;
        let mut options = Options::default();
        let mirrors = self.0.registries.mirrors(registry);
        for mirror in mirrors {
            let host = mirror.location.split('/').next().unwrap_or_default();
            options.hosts.insert(host.to_owned(), self.host(host)?);
        }
        let mut host = self.host(registry)?;
        host.mirrors = mirrors.to_vec();
        options.hosts.insert(registry.to_owned(), host);
        options.proxy.clone_from(&own.proxy);
        options.no_proxy.clone_from(&own.no_proxy);
        if let Some(logins) = &self.0.logins {
            options.authenticate = Some(Arc::clone(logins) as Arc<dyn Authenticate>);
        }
        Client::new(options).map_err(|source| NetworkError::Client {
            registry: registry.to_owned(),
            source,
        })
    }

    fn host(&self, host: &str) -> Result<HostOptions, NetworkError> {
        let own = &self.0.options;
        let mut found = Certificates::default();
        for directory in &own.certs_d {
            if let Some(certificates) = certificates::read(&directory.join(host))? {
                found = certificates;
                break;
            }
        }
        if let Some(directory) = &own.cert_dir {
            found.add(certificates::read_required(directory)?);
        }
        let insecure = own.verification == Verification::None
            || own.insecure.contains(host)
            || self.0.registries.is_insecure(host);
        Ok(HostOptions {
            security: if insecure {
                Security::Insecure
            } else {
                Security::Default
            },
            authorities: found.authorities,
            identity: found.identity,
            ..HostOptions::default()
        })
    }

    /// What was worth telling since the last call, each thing once: logins that cannot be used,
    /// settings that mean nothing here, a cache that fails.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        let mut warnings = self.0.registries.take_warnings();
        if let Some(logins) = &self.0.logins {
            warnings.extend(logins.take_warnings());
        }
        warnings.append(&mut lock(&self.0.faults));
        warnings
    }

    /// Keeps a fault of the cache to be told.
    pub(crate) fn note(&self, fault: &cooperage_blob::Error) {
        const MOST: usize = 8;
        let mut faults = lock(&self.0.faults);
        let mut text = fault.to_string();
        let mut cause = std::error::Error::source(fault);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        if faults.len() < MOST && !faults.contains(&text) {
            faults.push(text);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one call on one collection, so a panic elsewhere leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands logins from where they are found to where they are needed.
struct Logins {
    credentials: Credentials,
    warnings: Mutex<Told>,
}

/// What is to be told, and what was told before.
#[derive(Default)]
struct Told {
    new: Vec<String>,
    all: BTreeSet<String>,
}

impl Logins {
    fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.warnings).new)
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.credentials.fmt(f)
    }
}

impl Authenticate for Logins {
    fn login(&self, registry: &str, repository: &str) -> Option<Login> {
        let found = self.credentials.find(registry, repository);
        let mut told = lock(&self.warnings);
        for warning in &found.warnings {
            let text = warning.to_string();
            if told.all.insert(text.clone()) {
                told.new.push(text);
            }
        }
        match found.login? {
            Found::Basic { username, password } => Some(Login::Basic {
                username,
                password: Secret::new(password.expose()),
            }),
            Found::IdentityToken(token) => Some(Login::IdentityToken(Secret::new(token.expose()))),
            Found::RegistryToken(token) => Some(Login::RegistryToken(Secret::new(token.expose()))),
            _ => None,
        }
    }
}
