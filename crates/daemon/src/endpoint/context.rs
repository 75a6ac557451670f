//! Docker's contexts: endpoints with names, in files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use cooperage_digest::Digest;
use cooperage_image_spec::Json;

use super::{Endpoint, EndpointError, Tls, Verification};

/// The most bytes of a file of Docker's configuration that are read.
const LIMIT: u64 = 1 << 20;

/// The context that `config.json` names, if it does.
pub(super) fn current(config: &Path) -> Result<Option<String>, EndpointError> {
    let Some(json) = read(&config.join("config.json"))? else {
        return Ok(None);
    };
    let name = json.get("currentContext").and_then(Json::as_str);
    Ok(name.filter(|name| !name.is_empty()).map(str::to_owned))
}

/// The endpoint of a context. Its files lie under the SHA-256 of its name, so that no name leads
/// elsewhere.
pub(super) fn endpoint(config: &Path, name: &str) -> Result<Endpoint, EndpointError> {
    let id = Digest::of(name.as_bytes());
    let contexts = config.join("contexts");
    let path = contexts.join("meta").join(id.encoded()).join("meta.json");
    let Some(meta) = read(&path)? else {
        return Err(EndpointError::NoContext {
            name: name.into(),
            path,
        });
    };
    let docker = meta
        .get("Endpoints")
        .and_then(|endpoints| endpoints.get("docker"));
    let host = docker
        .and_then(|docker| docker.get("Host"))
        .and_then(Json::as_str);
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Err(EndpointError::NoHost {
            name: name.into(),
            path,
        });
    };
    let skip = docker
        .and_then(|docker| docker.get("SkipTLSVerify"))
        .and_then(Json::as_bool)
        .unwrap_or(false);
    let verification = if skip {
        Verification::Nothing
    } else {
        Verification::Certificate
    };
    let directory = contexts.join("tls").join(id.encoded()).join("docker");
    let tls = (skip || directory.is_dir()).then(|| Tls::in_directory(&directory, verification));
    Endpoint::parse(host, tls).map_err(|source| EndpointError::Setting {
        setting: format!("Docker context `{name}`"),
        source: Box::new(source),
    })
}

/// A document, if there is one.
fn read(path: &Path) -> Result<Option<Json>, EndpointError> {
    let failed = |source| EndpointError::File {
        path: path.into(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(EndpointError::TooLarge {
            path: path.into(),
            limit: LIMIT,
        });
    }
    match Json::parse(&bytes) {
        Ok(json) => Ok(Some(json)),
        Err(source) => Err(EndpointError::Json {
            path: path.into(),
            source,
        }),
    }
}
