//! What a daemon says of an image.

use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, FromJson, Json};

use crate::AnswerProblem;

/// An image in a daemon.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Inspected {
    /// Its ID: the digest of the config in graph-driver stores and podman's, of the manifest or
    /// index in containerd's.
    pub id: Digest,
    /// Its names, as the daemon writes them.
    pub names: Vec<String>,
    /// The diff IDs of its layers, lowest first; none where the daemon does not know them.
    pub diff_ids: Vec<Digest>,
    /// The manifests of it that the daemon knows of. Only containerd's store has this, from API
    /// version 1.48 on.
    pub manifests: Vec<ManifestState>,
}

/// One manifest of an image in a daemon.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ManifestState {
    /// The manifest.
    pub descriptor: Descriptor,
    /// Whether its config and all its layers are there.
    pub available: bool,
}

/// Reads the answer to inspect. Members that nothing here needs are let be.
pub(crate) fn inspected(json: &Json) -> Result<Inspected, AnswerProblem> {
    if json.as_object().is_none() {
        return Err(shape(".", "an object"));
    }
    let id = json.get("Id").and_then(Json::as_str);
    let id = id.and_then(|id| id.parse().ok());
    let names = list(json.get("RepoTags"), "RepoTags", "a list of names")?;
    let layers = json.get("RootFS").and_then(|rootfs| rootfs.get("Layers"));
    let layers = list(layers, "RootFS.Layers", "a list of digests")?;
    let manifests = list(json.get("Manifests"), "Manifests", "a list of manifests")?;
    Ok(Inspected {
        id: id.ok_or_else(|| shape("Id", "a digest"))?,
        names: names
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect(),
        diff_ids: numbered(layers, |at, layer| {
            let digest = layer.as_str().and_then(|text| text.parse().ok());
            digest.ok_or_else(|| shape(format!("RootFS.Layers[{at}]"), "a digest"))
        })?,
        manifests: numbered(manifests, |at, manifest| {
            let descriptor = manifest.get("Descriptor").map(Descriptor::from_json);
            let Some(Ok(descriptor)) = descriptor else {
                let place = format!("Manifests[{at}].Descriptor");
                return Err(shape(place, "a descriptor"));
            };
            Ok(ManifestState {
                descriptor,
                // What is not said to be there is sent.
                available: manifest.get("Available").and_then(Json::as_bool) == Some(true),
            })
        })?,
    })
}

fn list<'a>(
    json: Option<&'a Json>,
    place: &str,
    expected: &'static str,
) -> Result<&'a [Json], AnswerProblem> {
    match json {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(list)) => Ok(list),
        Some(_) => Err(shape(place, expected)),
    }
}

fn numbered<T>(
    list: &[Json],
    read: impl Fn(usize, &Json) -> Result<T, AnswerProblem>,
) -> Result<Vec<T>, AnswerProblem> {
    list.iter()
        .enumerate()
        .map(|(at, json)| read(at, json))
        .collect()
}

fn shape(place: impl Into<String>, expected: &'static str) -> AnswerProblem {
    AnswerProblem::Shape {
        place: place.into(),
        expected,
    }
}
