//! Documents in a layout, and what they refer to.

use std::collections::BTreeSet;

use cooperage_blob::Error;
use cooperage_digest::Digest;
use cooperage_image_spec::{
    Descriptor, Document, Index, Json, MAX_DOCUMENT_SIZE, Manifest, MediaType,
};

use crate::{Layout, files};

/// A blob as what its descriptor says that it is.
#[derive(Clone, Debug)]
pub(crate) enum Parsed {
    Index(Box<Index>),
    Manifest(Box<Manifest>),
    /// Neither, and not read.
    Other,
}

/// How a document refers to a blob.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Role {
    /// It is part of it.
    Child,
    /// It says something about it, and it need not exist.
    Subject,
    /// It stands in a document of an unknown kind, for whatever reason.
    Mention,
}

impl Parsed {
    /// What it refers to, in its own order.
    pub(crate) fn references(self) -> Vec<(Role, Descriptor)> {
        let (children, subject) = match self {
            Self::Index(index) => (index.manifests, index.subject),
            Self::Manifest(manifest) => {
                let mut children = manifest.layers;
                children.insert(0, manifest.config);
                (children, manifest.subject)
            }
            Self::Other => return Vec::new(),
        };
        let children = children.into_iter().map(|child| (Role::Child, child));
        children
            .chain(subject.map(|subject| (Role::Subject, subject)))
            .collect()
    }

    /// What the document itself says that it is.
    fn media_type(&self) -> Option<&MediaType> {
        match self {
            Self::Index(index) => index.media_type.as_ref(),
            Self::Manifest(manifest) => manifest.media_type.as_ref(),
            Self::Other => None,
        }
    }

    /// Its own word, where it is not its descriptor's: a document that is read as one thing here
    /// and as another there is a known attack (CVE-2021-41190).
    pub(crate) fn other_media_type(&self, descriptor: &Descriptor) -> Option<&MediaType> {
        self.media_type()
            .filter(|own| **own != descriptor.media_type)
    }
}

/// Parses bytes as what the descriptor says.
pub(crate) fn parse(descriptor: &Descriptor, bytes: Vec<u8>) -> Result<Parsed, Error> {
    let malformed = |error| {
        Error::malformed(format!("`{}` is not a valid document", descriptor.digest))
            .with_source(error)
    };
    Ok(if descriptor.media_type.is_index() {
        let (_, index) = Document::<Index>::parse(bytes)
            .map_err(malformed)?
            .into_parts();
        Parsed::Index(Box::new(index))
    } else if descriptor.media_type.is_manifest() {
        let (_, manifest) = Document::<Manifest>::parse(bytes)
            .map_err(malformed)?
            .into_parts();
        Parsed::Manifest(Box::new(manifest))
    } else {
        Parsed::Other
    })
}

pub(crate) fn is_document(descriptor: &Descriptor) -> bool {
    descriptor.media_type.is_index() || descriptor.media_type.is_manifest()
}

/// Reads a manifest or an index, verified; anything else is not read.
pub(crate) fn read(layout: &Layout, descriptor: &Descriptor) -> Result<Parsed, Error> {
    if !is_document(descriptor) {
        return Ok(Parsed::Other);
    }
    let parsed = parse(descriptor, cooperage_blob::read(layout, descriptor)?)?;
    match parsed.other_media_type(descriptor) {
        None => Ok(parsed),
        Some(own) => Err(Error::malformed(format!(
            "`{}` calls itself `{own}`, its descriptor says `{}`",
            descriptor.digest, descriptor.media_type
        ))),
    }
}

/// Reads a manifest or an index that cannot be verified, its algorithm being unknown.
pub(crate) fn read_unverified(layout: &Layout, descriptor: &Descriptor) -> Result<Parsed, Error> {
    let bytes = files::read(&layout.blob_path(&descriptor.digest)).map_err(|error| match error
        .kind()
    {
        std::io::ErrorKind::NotFound => Error::blob_not_found(descriptor, layout.path().display()),
        _ => Error::read(descriptor, error),
    })?;
    parse(descriptor, bytes)
}

/// What a document of an unknown kind mentions: each object in it with a digest. Nothing if it is
/// too large for a document, is no JSON, or is not there.
pub(crate) fn mentions(layout: &Layout, descriptor: &Descriptor) -> Vec<(Role, Descriptor)> {
    let mut found = Vec::new();
    if descriptor.size <= MAX_DOCUMENT_SIZE
        && !descriptor.media_type.is_layer()
        && let Ok(bytes) = files::read(&layout.blob_path(&descriptor.digest))
        && let Ok(json) = Json::parse(&bytes)
    {
        collect_mentions(&json, &mut found);
    }
    found
}

/// Recursive as deep as JSON is read.
fn collect_mentions(json: &Json, found: &mut Vec<(Role, Descriptor)>) {
    if let Some(digest) = json.get("digest").and_then(Json::as_str)
        && let Ok(digest) = digest.parse::<Digest>()
    {
        let media_type = json.get("mediaType").and_then(Json::as_str);
        let size = json.get("size").and_then(Json::as_u64);
        // Less than a descriptor cannot be followed, only kept.
        let (media_type, size) = media_type.zip(size).unwrap_or_default();
        let descriptor = Descriptor::new(MediaType::new(media_type), digest, size);
        found.push((Role::Mention, descriptor));
    }
    for item in json.as_array().unwrap_or_default() {
        collect_mentions(item, found);
    }
    for member in json
        .as_object()
        .into_iter()
        .flat_map(|object| object.values())
    {
        collect_mentions(member, found);
    }
}

/// Descriptors met on a walk: the same blob as another kind of thing is met anew.
#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeSet<(Digest, String)>);

impl Seen {
    /// Whether it is met for the first time.
    pub(crate) fn is_new(&mut self, descriptor: &Descriptor) -> bool {
        self.0.insert((
            descriptor.digest.clone(),
            descriptor.media_type.as_str().into(),
        ))
    }

    /// Lets it be met again.
    pub(crate) fn forget(&mut self, descriptor: &Descriptor) {
        self.0.remove(&(
            descriptor.digest.clone(),
            descriptor.media_type.as_str().into(),
        ));
    }
}
