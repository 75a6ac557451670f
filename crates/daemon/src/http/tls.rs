//! Certificates and keys.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};

use crate::{Tls, Verification};

/// The most bytes of certificates that are read from one file.
const LIMIT: u64 = 1 << 20;

/// Why certificates cannot be used. Nothing of a key is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is longer than certificates are.
    #[error("`{}` has more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that are read.
        limit: u64,
    },
    /// A file is not PEM, or has not in it what it should have.
    #[error("there is no {what} in PEM in `{}`", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should have: `certificate`, `private key`.
        what: &'static str,
    },
    /// The client's key is not that of its certificate, or is of no use.
    #[error("certificate `{}` and key `{}` do not go together", cert.display(), key.display())]
    Client {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The daemon is to be verified, and there is nothing to verify it by.
    #[error("the daemon is to be verified, but no file of certificates (`ca.pem`) is named")]
    NoAuthority,
}

/// Reads the files.
pub(super) fn config(tls: &Tls) -> Result<TlsConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::clone(&provider));
    let roots = match (&tls.ca, tls.verification) {
        (Some(path), _) => certificates(path)?,
        (None, Verification::Nothing) => Vec::new(),
        (None, Verification::Certificate) => return Err(TlsError::NoAuthority),
    };
    let client = match &tls.client {
        Some((cert, key)) => Some(client(cert, key, &provider)?),
        None => None,
    };
    Ok(builder
        .root_certs(RootCerts::new_with_certs(&roots))
        .disable_verification(tls.verification == Verification::Nothing)
        .client_cert(client)
        .build())
}

fn client(
    cert: &Path,
    key: &Path,
    provider: &rustls::crypto::CryptoProvider,
) -> Result<ClientCert, TlsError> {
    let (chain, private) = (certificates(cert)?, private_key(key)?);
    // The connection would be made with them as they are, whether they fit or not.
    let der = chain
        .iter()
        .map(|cert| CertificateDer::from(cert.der().to_vec()));
    PrivateKeyDer::try_from(private.der().to_vec())
        .map_err(Into::into)
        .and_then(|key| CertifiedKey::from_der(der.collect(), key, provider).map_err(Into::into))
        .map_err(|source| TlsError::Client {
            cert: cert.into(),
            key: key.into(),
            source,
        })?;
    Ok(ClientCert::new_with_certs(&chain, private))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, TlsError> {
    let missing = || TlsError::Pem {
        path: path.into(),
        what: "certificate",
    };
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(&read(path)?) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| missing())? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(missing());
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKey<'static>, TlsError> {
    // Whatever is wrong with it, its text is nobody's business.
    PrivateKey::from_pem(&read(path)?).map_err(|_| TlsError::Pem {
        path: path.into(),
        what: "private key",
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::File {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(TlsError::TooLarge {
            path: path.into(),
            limit: LIMIT,
        });
    }
    Ok(bytes)
}
