//! A small registry of the test kit's own, for what the real one of these machines has not:
//! the referrers API of distribution-spec v1.1, pages of one tag, answers to ranges.
//!
//! It is no real registry, and a test that uses it says so: it shows that a client does what the
//! specification says as *we* read it. It keeps everything in memory.
//!
//! Spec: distribution-spec v1.1.

mod upload;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::http::{Reply, Request, Server};

/// What the registry does not do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OwnRegistryOptions {
    /// It does not know the referrers API, as registries of v1.0.
    pub no_referrers: bool,
    /// It does not select referrers by their type, but leaves that to the client.
    pub no_filter: bool,
    /// It gives all of a blob, whatever range was asked for.
    pub no_ranges: bool,
    /// What it says is the least length of a chunk; nothing where it is 0.
    pub least_chunk: u64,
}

/// A running registry. Dropping it ends it.
#[derive(Debug)]
pub struct OwnRegistry {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: OwnRegistryOptions,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    repositories: BTreeMap<String, Repository>,
    uploads: BTreeMap<String, Vec<u8>>,
    asked: Vec<String>,
}

#[derive(Debug, Default)]
struct Repository {
    blobs: BTreeMap<String, Vec<u8>>,
    /// By digest: media type and bytes.
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    tags: BTreeMap<String, String>,
}

/// How many referrers or tags stand on a page, unless the client wants fewer.
const PAGE: usize = 2;

fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"errors": [{"code": code, "message": message}]});
    Reply::new(status).with_body("application/json", body.to_string())
}

impl OwnRegistry {
    /// Starts one, empty.
    #[must_use]
    pub fn start(options: OwnRegistryOptions) -> Self {
        let shared = Arc::new(Shared {
            options,
            state: Mutex::default(),
        });
        let server = Server::start({
            let shared = Arc::clone(&shared);
            move |request| shared.answer(request)
        });
        Self { server, shared }
    }

    /// `127.0.0.1:PORT`; it speaks plain HTTP.
    #[must_use]
    pub fn address(&self) -> &str {
        self.server.address()
    }

    /// Method and target of all requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.state().asked.clone()
    }

    /// Puts bytes under a digest that need not be theirs.
    pub fn insert_unverified(&self, repository: &str, digest: &str, bytes: &[u8]) {
        let mut state = self.shared.state();
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(digest.to_owned(), bytes.to_owned());
    }

    /// What a repository has under a digest or a tag: a blob or a manifest.
    #[must_use]
    pub fn content(&self, repository: &str, reference: &str) -> Option<Vec<u8>> {
        let state = self.shared.state();
        let repository = state.repositories.get(repository)?;
        let reference = repository
            .tags
            .get(reference)
            .map_or(reference, String::as_str);
        let manifest = repository.manifests.get(reference).map(|it| &it.1);
        manifest
            .or_else(|| repository.blobs.get(reference))
            .cloned()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Reply {
        let (method, target) = request.head.request();
        let mut state = self.state();
        state.asked.push(format!("{method} {target}"));
        if request.path() == "/v2/" {
            return Reply::new(200);
        }
        let Some((name, kind, rest)) = parts(request.path()) else {
            return refusal(404, "NAME_INVALID", "no such place");
        };
        let is_read = matches!(method, "GET" | "HEAD");
        match kind {
            "tags" if is_read => tags(&state, name, request),
            "referrers" if is_read && !self.options.no_referrers => {
                self.referrers(&state, name, rest, request)
            }
            "manifests" if is_read => manifest(&state, name, rest),
            "manifests" if method == "PUT" => self.put_manifest(&mut state, name, rest, request),
            "manifests" if method == "DELETE" => delete(&mut state, name, rest),
            "uploads" => upload::answer(&mut state, self.options, name, rest, request),
            "blobs" if is_read => self.blob(&state, name, rest, request),
            _ => refusal(404, "UNSUPPORTED", "it does not know this"),
        }
    }

    fn blob(&self, state: &State, name: &str, digest: &str, request: &Request) -> Reply {
        let repository = state.repositories.get(name);
        let Some(bytes) = repository.and_then(|it| it.blobs.get(digest)) else {
            return refusal(404, "BLOB_UNKNOWN", "no such blob");
        };
        let whole = |status| Reply::new(status).with("Docker-Content-Digest", digest);
        let range = request
            .head
            .field("Range")
            .filter(|_| !self.options.no_ranges);
        let Some(range) = range.and_then(|range| range.strip_prefix("bytes=")) else {
            return whole(200).with_body("application/octet-stream", bytes.clone());
        };
        let (from, to) = range.split_once('-').unwrap_or((range, ""));
        let from = from.parse::<usize>().unwrap_or(usize::MAX);
        let last = to
            .parse()
            .unwrap_or(usize::MAX)
            .min(bytes.len().saturating_sub(1));
        match bytes.get(from..=last) {
            Some(part) => whole(206)
                .with(
                    "Content-Range",
                    format!("bytes {from}-{last}/{}", bytes.len()),
                )
                .with_body("application/octet-stream", part),
            None => refusal(416, "RANGE_INVALID", "beyond its end"),
        }
    }

    fn put_manifest(
        &self,
        state: &mut State,
        name: &str,
        reference: &str,
        request: &Request,
    ) -> Reply {
        let digest = digest(&request.body);
        let repository = state.repositories.entry(name.to_owned()).or_default();
        let Ok(document) = serde_json::from_slice::<Value>(&request.body) else {
            return refusal(400, "MANIFEST_INVALID", "it is no JSON");
        };
        if reference.contains(':') && reference != digest {
            return refusal(400, "DIGEST_INVALID", "it has another digest");
        }
        if let Some(unknown) = unknown(repository, &document) {
            return refusal(404, "MANIFEST_BLOB_UNKNOWN", &unknown);
        }
        if !reference.contains(':') {
            repository.tags.insert(reference.to_owned(), digest.clone());
        }
        let media_type = request.head.field("Content-Type").unwrap_or_default();
        let manifest = (media_type.to_owned(), request.body.clone());
        repository.manifests.insert(digest.clone(), manifest);
        let reply = Reply::new(201)
            .with("Location", format!("/v2/{name}/manifests/{digest}"))
            .with("Docker-Content-Digest", digest);
        match document["subject"]["digest"].as_str() {
            Some(subject) if !self.options.no_referrers => reply.with("OCI-Subject", subject),
            _ => reply,
        }
    }

    fn referrers(&self, state: &State, name: &str, subject: &str, request: &Request) -> Reply {
        let query = request.query();
        let wanted = query.iter().find(|(name, _)| name == "artifactType");
        let wanted = wanted.filter(|_| !self.options.no_filter).map(|it| &it.1);
        let repository = state.repositories.get(name);
        let manifests = repository.into_iter().flat_map(|it| &it.manifests);
        let all: Vec<Value> = manifests
            .filter_map(|(digest, (media_type, bytes))| {
                let document: Value = serde_json::from_slice(bytes).ok()?;
                if document["subject"]["digest"] != subject {
                    return None;
                }
                let kind = document.get("artifactType");
                let kind = kind.unwrap_or(&document["config"]["mediaType"]).clone();
                let mut descriptor = json!({
                    "mediaType": media_type, "digest": digest, "size": bytes.len(), "artifactType": kind
                });
                if let Some(annotations) = document.get("annotations") {
                    descriptor["annotations"] = annotations.clone();
                }
                wanted
                    .is_none_or(|wanted| kind == **wanted)
                    .then_some(descriptor)
            })
            .collect();
        let (page, next) = page(&all, &query, &|it| {
            it["digest"].as_str().unwrap_or_default()
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": page,
        });
        let mut reply = Reply::new(200);
        if wanted.is_some() {
            reply = reply.with("OCI-Filters-Applied", "artifactType");
        }
        if let Some(last) = next {
            let kind = wanted.map_or_else(String::new, |kind| {
                format!("&artifactType={}", kind.replace('+', "%2B"))
            });
            let link = format!("</v2/{name}/referrers/{subject}?last={last}{kind}>; rel=\"next\"");
            reply = reply.with("Link", link);
        }
        reply.with_body("application/vnd.oci.image.index.v1+json", index.to_string())
    }
}

/// The first blob or manifest that a manifest refers to and that is not there.
fn unknown(repository: &Repository, document: &Value) -> Option<String> {
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let config = document.get("config").cloned();
    let digest = |it: &Value| it["digest"].as_str().unwrap_or_default().to_owned();
    let blobs = config.into_iter().chain(list("layers"));
    let mut blobs = blobs.map(|it| digest(&it));
    let blob = blobs.find(|it| !repository.blobs.contains_key(it));
    let manifests = list("manifests");
    let mut manifests = manifests.iter().map(digest);
    blob.or_else(|| manifests.find(|it| !repository.manifests.contains_key(it)))
}

/// The repository's name, `blobs`, `manifests` and so on, and what stands behind it.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let path = path.strip_prefix("/v2/")?;
    if let Some((name, rest)) = path.split_once("/blobs/uploads/") {
        return Some((name, "uploads", rest));
    }
    let (name, rest) = path.rsplit_once('/')?;
    let (name, kind) = name.rsplit_once('/')?;
    Some((name, kind, rest))
}

fn manifest(state: &State, name: &str, reference: &str) -> Reply {
    let found = state.repositories.get(name).and_then(|repository| {
        let digest = repository.tags.get(reference);
        let digest = digest.map_or(reference, String::as_str);
        repository.manifests.get_key_value(digest)
    });
    match found {
        Some((digest, (media_type, bytes))) => Reply::new(200)
            .with("Docker-Content-Digest", digest)
            .with_body(media_type, bytes.clone()),
        None => refusal(404, "MANIFEST_UNKNOWN", "no such manifest"),
    }
}

fn delete(state: &mut State, name: &str, reference: &str) -> Reply {
    let repository = state.repositories.entry(name.to_owned()).or_default();
    repository
        .tags
        .retain(|tag, digest| tag != reference && digest != reference);
    repository.manifests.remove(reference);
    Reply::new(202)
}

fn tags(state: &State, name: &str, request: &Request) -> Reply {
    let Some(repository) = state.repositories.get(name) else {
        return refusal(404, "NAME_UNKNOWN", "no such repository");
    };
    let all: Vec<_> = repository.tags.keys().cloned().collect();
    let (page, next) = page(&all, &request.query(), &|tag| tag);
    let body = json!({"name": name, "tags": page}).to_string();
    let reply = Reply::new(200).with_body("application/json", body);
    match next {
        Some(last) => {
            let link = format!("</v2/{name}/tags/list?n={PAGE}&last={last}>; rel=\"next\"");
            reply.with("Link", link)
        }
        None => reply,
    }
}

/// The page that a client wants, and what it ends with if it is not the last.
fn page<T: Clone>(
    all: &[T],
    query: &[(String, String)],
    name: &dyn Fn(&T) -> &str,
) -> (Vec<T>, Option<String>) {
    let value = |name: &str| query.iter().find(|it| it.0 == name).map(|it| &it.1);
    let count = value("n").and_then(|n| n.parse().ok()).unwrap_or(PAGE);
    let count: usize = count.min(PAGE);
    let rest: Vec<_> = all
        .iter()
        .filter(|it| value("last").is_none_or(|last| name(it) > last.as_str()))
        .collect();
    let page: Vec<T> = rest.iter().take(count).map(|it| (*it).clone()).collect();
    let next = (rest.len() > page.len()).then(|| page.last().map(|it| name(it).to_owned()));
    (page, next.flatten())
}
