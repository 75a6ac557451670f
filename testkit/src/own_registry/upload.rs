//! How blobs come into the registry of the test kit's own.

use super::{OwnRegistryOptions, State, digest, refusal};
use crate::http::{Reply, Request};

/// `POST`, `PATCH`, `PUT`, `GET` and `DELETE` of uploads.
pub(super) fn answer(
    state: &mut State,
    options: OwnRegistryOptions,
    name: &str,
    upload: &str,
    request: &Request,
) -> Reply {
    let query = request.query();
    let value = |name: &str| query.iter().find(|it| it.0 == name).map(|it| it.1.as_str());
    match (request.method(), upload) {
        ("POST", "") => match (value("mount"), value("from"), value("digest")) {
            (Some(blob), Some(from), _) => mount(state, name, blob, from),
            (_, _, Some(blob)) => put(state, name, blob, request.body.clone()),
            _ => begin(state, name),
        },
        (method, upload) => {
            let Some(mut bytes) = state.uploads.remove(upload) else {
                return refusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
            };
            if method == "DELETE" {
                return Reply::new(204);
            }
            let there = bytes.len() as u64;
            if matches!(method, "PATCH" | "PUT") {
                if begins_elsewhere(request, there) {
                    state.uploads.insert(upload.to_owned(), bytes);
                    return progress(416, name, upload, there);
                }
                bytes.extend_from_slice(&request.body);
            }
            if method == "PUT" {
                let blob = value("digest").unwrap_or_default();
                return put(state, name, blob, bytes);
            }
            let there = bytes.len() as u64;
            state.uploads.insert(upload.to_owned(), bytes);
            let status = if method == "PATCH" { 202 } else { 204 };
            let reply = progress(status, name, upload, there);
            match options.least_chunk {
                0 => reply,
                least => reply.with("OCI-Chunk-Min-Length", least.to_string()),
            }
        }
    }
}

/// Whether the chunk is not the one that comes next.
fn begins_elsewhere(request: &Request, there: u64) -> bool {
    let range = request.head.field("Content-Range");
    range.is_some_and(|range| {
        let from = range.split_once('-').map(|(from, _)| from);
        from.and_then(|from| from.parse().ok()) != Some(there)
    })
}

fn begin(state: &mut State, name: &str) -> Reply {
    let upload = format!("upload-{}", state.asked.len());
    state.uploads.insert(upload.clone(), Vec::new());
    progress(202, name, &upload, 0)
}

fn progress(status: u16, name: &str, upload: &str, there: u64) -> Reply {
    Reply::new(status)
        .with("Location", format!("/v2/{name}/blobs/uploads/{upload}"))
        .with("Range", format!("0-{}", there.saturating_sub(1)))
}

fn mount(state: &mut State, name: &str, blob: &str, from: &str) -> Reply {
    let from = state.repositories.get(from);
    match from.and_then(|it| it.blobs.get(blob)).cloned() {
        Some(bytes) => put(state, name, blob, bytes),
        None => begin(state, name),
    }
}

fn put(state: &mut State, name: &str, blob: &str, bytes: Vec<u8>) -> Reply {
    if digest(&bytes) != blob {
        return refusal(400, "DIGEST_INVALID", "it has another digest");
    }
    let repository = state.repositories.entry(name.to_owned()).or_default();
    repository.blobs.insert(blob.to_owned(), bytes);
    Reply::new(201)
        .with("Location", format!("/v2/{name}/blobs/{blob}"))
        .with("Docker-Content-Digest", blob)
}
