//! `manifest.json`, read and written.

use cooperage_image_spec::{Json, json};

/// One image of `manifest.json`: paths within the archive, and names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ManifestItem {
    pub(crate) config: String,
    pub(crate) repo_tags: Vec<String>,
    pub(crate) layers: Vec<String>,
    /// Whether it says what its layers' descriptors are, as `docker save` does since 25 where a graph
    /// driver unpacked them.
    pub(crate) describes_layers: bool,
}

/// Why a `manifest.json` cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestJsonError {
    /// It is no JSON.
    #[error("it is not valid JSON")]
    Json(#[from] json::ParseError),
    /// It is JSON of another shape.
    #[error("`{place}`: expected {expected}")]
    Shape {
        /// The member, for instance `[0].Layers[2]`; `.` for the document itself.
        place: String,
        /// What is to stand there.
        expected: &'static str,
    },
}

/// Reads the document.
///
/// Members that nothing here needs (`Parent`) are let be. `null` for the list of
/// images is refused, as Docker does; `null` for a list within an image is an empty one, as Go
/// writes it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<ManifestItem>, ManifestJsonError> {
    let json = Json::parse(bytes)?;
    let Json::Array(images) = json else {
        return Err(shape(".".into(), "an array of images"));
    };
    images
        .iter()
        .enumerate()
        .map(|(at, image)| parse_item(at, image))
        .collect()
}

fn parse_item(at: usize, image: &Json) -> Result<ManifestItem, ManifestJsonError> {
    if image.as_object().is_none() {
        return Err(shape(format!("[{at}]"), "an object"));
    }
    let config = image
        .get("Config")
        .and_then(Json::as_str)
        .filter(|path| !path.is_empty());
    Ok(ManifestItem {
        config: config
            .ok_or_else(|| shape(format!("[{at}].Config"), "the path of the config"))?
            .into(),
        repo_tags: strings(at, image, "RepoTags")?,
        layers: strings(at, image, "Layers")?,
        describes_layers: image
            .get("LayerSources")
            .and_then(Json::as_object)
            .is_some_and(|layers| !layers.is_empty()),
    })
}

fn strings(at: usize, image: &Json, key: &str) -> Result<Vec<String>, ManifestJsonError> {
    let list = match image.get(key) {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(list)) => list,
        Some(_) => return Err(shape(format!("[{at}].{key}"), "an array of strings")),
    };
    let string = |(n, value): (usize, &Json)| match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(shape(format!("[{at}].{key}[{n}]"), "a string")),
    };
    list.iter().enumerate().map(string).collect()
}

fn shape(place: String, expected: &'static str) -> ManifestJsonError {
    ManifestJsonError::Shape { place, expected }
}

/// Writes the document: canonical JSON and, as Docker does, a newline.
pub(crate) fn to_bytes(items: &[ManifestItem]) -> Vec<u8> {
    let list = |texts: &[String]| Json::from(texts.to_vec());
    let images = items.iter().map(|item| {
        Json::from([
            ("Config", Json::from(&item.config)),
            ("RepoTags", list(&item.repo_tags)),
            ("Layers", list(&item.layers)),
        ])
    });
    let mut bytes = images.collect::<Json>().to_canonical();
    bytes.push(b'\n');
    bytes
}
