//! An image in a registry, with the cache before it.

use std::io::Read;

use cooperage_blob::{Error, Root, Source};
use cooperage_cache::{BlobError, Cache, pour};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Json, MediaType, Reference};
use cooperage_registry::Repository;

use crate::{FindError, Location, Network, Reach};

/// Which way layers take from a registry.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Layers {
    /// Through the cache, if there is one: fetched once, and shared by all processes.
    #[default]
    Kept,
    /// Straight to where they go, unless the cache has them.
    Streamed,
    /// Straight from the registry, and so do documents, whatever the cache has.
    Fresh,
}

/// A repository of a registry, or what the cache holds of it.
#[derive(Debug)]
pub(crate) struct Remote {
    network: Network,
    repository: Option<Repository>,
    reference: Reference,
    layers: Layers,
}

impl Remote {
    pub(crate) fn open(
        location: &Location,
        reference: &Reference,
        network: &Network,
        layers: Layers,
    ) -> Result<Self, FindError> {
        let repository = match network.reach() {
            Reach::Offline => None,
            Reach::Online => {
                let repository = network.repository(reference);
                Some(repository.map_err(|source| FindError::Network {
                    location: location.clone(),
                    source,
                })?)
            }
        };
        Ok(Self {
            network: network.clone(),
            repository,
            reference: reference.clone().with_default_tag(),
            layers,
        })
    }

    /// What the reference names at this moment. A digest that the cache has costs no request.
    pub(crate) fn root(&self, location: &Location) -> Result<Root, FindError> {
        let name = self.reference.to_string();
        if let Some(digest) = self.reference.digest()
            && self.layers != Layers::Fresh
            && let Some(descriptor) = self.cached(digest)
        {
            return Ok(Root::named(name, descriptor));
        }
        let Some(repository) = &self.repository else {
            return Err(FindError::NotCached {
                location: location.clone(),
            });
        };
        let digest = self.reference.digest().map(Digest::as_str);
        let wanted = digest.or_else(|| self.reference.tag()).unwrap_or("latest");
        let (descriptor, bytes) =
            repository
                .manifest(wanted)
                .map_err(|source| FindError::Registry {
                    location: location.clone(),
                    source: Box::new(source),
                })?;
        if let Some(cache) = self.cache() {
            let kept = cache.blob(&descriptor, |writer| {
                let written = writer.write_all(&bytes);
                written.map_err(|error| Error::write(&descriptor, error))
            });
            if let Err(error) = kept {
                self.network.note(&error.into());
            }
        }
        Ok(Root::named(name, descriptor))
    }

    fn cache(&self) -> Option<&Cache> {
        self.network
            .cache()
            .filter(|_| self.layers != Layers::Fresh)
    }

    /// What the cache knows of a manifest or an index.
    fn cached(&self, digest: &Digest) -> Option<Descriptor> {
        let bytes = match self.network.cache()?.document(digest) {
            Ok(bytes) => bytes?,
            Err(error) => {
                self.network.note(&error);
                return None;
            }
        };
        let media_type = media_type(&bytes)?;
        Some(Descriptor::new(
            media_type,
            digest.clone(),
            bytes.len() as u64,
        ))
    }

    fn ask(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        match &self.repository {
            Some(repository) => repository.fetch(descriptor),
            None => Err(Error::blob_not_found(
                descriptor,
                format!(
                    "the cache, and the registry `{}` is not asked while offline",
                    self.reference.domain()
                ),
            )),
        }
    }
}

impl Source for Remote {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        match &self.repository {
            Some(repository) => repository.roots(),
            None => Err(Error::unsupported(format!(
                "the tags of `{}` are not known while offline",
                self.reference.repository()
            ))),
        }
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        let Some(cache) = self.cache() else {
            return self.ask(descriptor);
        };
        if descriptor.digest.algorithm().is_none() {
            return self.ask(descriptor);
        }
        let is_document = [
            MediaType::is_manifest,
            MediaType::is_index,
            MediaType::is_config,
        ]
        .iter()
        .any(|is| is(&descriptor.media_type));
        let result = if self.layers == Layers::Kept || is_document {
            cache
                .blob(descriptor, |writer| {
                    pour(&mut *self.ask(descriptor)?, descriptor, writer)
                })
                .map(Some)
        } else {
            cache.get(descriptor).map_err(BlobError::Cache)
        };
        match result {
            Ok(Some(blob)) => Ok(Box::new(blob)),
            Ok(None) => self.ask(descriptor),
            Err(BlobError::Fetch(error)) => {
                Err(error.with_origin(format!("`{}`", self.reference.repository())))
            }
            Err(fault) => {
                self.network.note(&fault.into());
                self.ask(descriptor)
            }
        }
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        self.repository.as_ref()?.origin(descriptor)
    }
}

/// What a manifest or an index is by its own word, or by its form where it has none.
fn media_type(bytes: &[u8]) -> Option<MediaType> {
    let json = Json::parse(bytes).ok()?;
    match json.get("mediaType").and_then(Json::as_str) {
        Some(own) => Some(MediaType::new(own.to_owned())),
        None if json.get("manifests").is_some() => Some(MediaType::OCI_INDEX),
        None if json.get("layers").is_some() => Some(MediaType::OCI_MANIFEST),
        None => None,
    }
    .filter(|media_type| media_type.is_index() || media_type.is_manifest())
}
