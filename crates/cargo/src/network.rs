//! The flags that say how registries are reached, and what they come to.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cooperage_cache::Cache;
use cooperage_credentials::Credentials;
use cooperage_registry::Secret;
use cooperage_transport::{Network, NetworkOptions, Reach, Verification};

use crate::env;

/// How much a cache holds unless `--cache-limit` says otherwise: 10 GiB.
pub const CACHE_LIMIT: u64 = 10 << 30;

const HEADING: &str = "How registries are reached";

/// How registries are reached.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct NetworkArgs {
    /// Look for logins in this file first [default: where docker and podman keep them]
    #[arg(long, global = true, help_heading = HEADING, value_name = "FILE")]
    pub authfile: Option<PathBuf>,
    /// Whether registries have to show a certificate that is verified [default: true]
    #[arg(
        long,
        global = true,
        help_heading = HEADING,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub tls_verify: Option<bool>,
    /// A registry that need not, and may speak plain HTTP; may be given several times
    #[arg(long, global = true, help_heading = HEADING, value_name = "HOST[:PORT]")]
    pub insecure_registry: Vec<String>,
    /// Certificates for every registry: authorities in `*.crt`, ours in `*.cert` and `*.key`
    #[arg(long, global = true, help_heading = HEADING, value_name = "DIR")]
    pub cert_dir: Option<PathBuf>,
    /// Mirrors and insecure registries [default: podman's, else `/etc/containers/registries.conf`]
    #[arg(long, global = true, help_heading = HEADING, value_name = "FILE")]
    pub registries_conf: Option<PathBuf>,
    /// Where layers of registries are kept between runs [default: `$XDG_CACHE_HOME/cooperage`]
    #[arg(long, global = true, help_heading = HEADING, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// How much is kept there, in bytes, or with `k`, `M`, `G` [default: 10G]
    #[arg(long, global = true, help_heading = HEADING, value_name = "SIZE", value_parser = size)]
    pub cache_limit: Option<u64>,
    /// Keep nothing between runs, and take nothing from earlier ones
    #[arg(long, global = true, help_heading = HEADING, conflicts_with = "cache_dir")]
    pub no_cache: bool,
}

/// A number of bytes: `500M`, in powers of 1024.
///
/// # Errors
///
/// What was expected.
pub fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 5] = [
        ("k", 1 << 10),
        ("K", 1 << 10),
        ("M", 1 << 20),
        ("G", 1 << 30),
        ("T", 1 << 40),
    ];
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (number, scale) = unit.map_or((text, 1), |(unit, scale)| {
        (text.strip_suffix(unit).unwrap_or(text), *scale)
    });
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(scale))
        .ok_or_else(|| "expected a number of bytes, such as `500M` or `10G`".to_owned())
}

impl NetworkArgs {
    /// The way to registries and to the daemon that flags and environment lead to. Nothing is asked
    /// yet.
    ///
    /// `warn` is told of a cache that cannot be used, unless it was asked for by name.
    ///
    /// # Errors
    ///
    /// For settings that cannot be read, and for the cache that `--cache-dir` names.
    pub fn network(&self, reach: Reach, warn: &dyn Fn(&str)) -> Result<Network> {
        let mut credentials = Credentials::from_env();
        if let Some(file) = &self.authfile {
            credentials = credentials.with_file(file.clone(), "`--authfile`");
        }
        let proxy = ["HTTPS_PROXY", "https_proxy"]
            .iter()
            .find_map(|name| env::text(name));
        let no_proxy = ["NO_PROXY", "no_proxy"]
            .iter()
            .find_map(|name| env::text(name))
            .unwrap_or_default();
        let no_proxy = no_proxy
            .split(',')
            // No proxy reaches the machine itself, whatever it is called there.
            .chain(["localhost", "127.0.0.1", "[::1]"])
            .map(|host| host.trim().to_owned())
            .filter(|host| !host.is_empty());
        let options = NetworkOptions {
            credentials: Some(credentials),
            registries_conf: self.registries_conf(),
            certs_d: certs_d(),
            cert_dir: self.cert_dir.clone(),
            verification: match self.tls_verify {
                Some(false) => Verification::None,
                _ => Verification::Required,
            },
            insecure: self.insecure_registry.iter().cloned().collect(),
            proxy: proxy.map(Secret::new),
            no_proxy: no_proxy.collect(),
            cache: self.cache(warn)?,
            reach,
            daemon: Some(env::daemon()),
        };
        Ok(Network::new(options)?)
    }

    /// The cache that flags and environment lead to; `None` for none at all.
    ///
    /// # Errors
    ///
    /// When the one that `--cache-dir` names cannot be used.
    pub fn cache(&self, warn: &dyn Fn(&str)) -> Result<Option<Cache>> {
        if self.no_cache {
            return Ok(None);
        }
        let limit = self.cache_limit.unwrap_or(CACHE_LIMIT);
        if let Some(directory) = &self.cache_dir {
            let cache = Cache::open(directory, limit)
                .with_context(|| format!("`--cache-dir {}`", directory.display()))?;
            return Ok(Some(cache));
        }
        let Some(directory) = env::cache_directory() else {
            return Ok(None);
        };
        match Cache::open(&directory, limit) {
            Ok(cache) => Ok(Some(cache)),
            Err(error) => {
                let error = anyhow::Error::new(error);
                warn(&format!("going on without a cache: {error:#}"));
                Ok(None)
            }
        }
    }

    fn registries_conf(&self) -> Vec<PathBuf> {
        let named = self
            .registries_conf
            .clone()
            .or_else(|| env::path("CONTAINERS_REGISTRIES_CONF"));
        if let Some(file) = named {
            return vec![file];
        }
        let own = env::config_directory().map(|own| own.join("containers/registries.conf"));
        let all = PathBuf::from("/etc/containers/registries.conf");
        own.into_iter().chain([all]).collect()
    }
}

fn certs_d() -> Vec<PathBuf> {
    let own = env::config_directory().map(|own| own.join("containers/certs.d"));
    let all = ["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from);
    own.into_iter().chain(all).collect()
}
