//! What the destinations of one command share.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::sync::{Arc, OnceLock};

use cooperage_blob::{Error, Root, Sink, Source};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Reference};
use cooperage_layout::Layout;

use crate::spool::Spool;

/// Layers that lie elsewhere, those of base images, and where: a registry may take them from there,
/// and a daemon that has them is not sent them, so that they need not come here at all.
#[derive(Default)]
pub struct Lent {
    lenders: Vec<Lender>,
    related: Vec<Reference>,
}

struct Lender {
    source: Box<dyn Source>,
    layers: BTreeSet<Digest>,
}

impl Lent {
    /// Nothing is lent.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These layers are in that source as well, and in the image of that name wherever it is.
    pub fn add(
        &mut self,
        source: Box<dyn Source>,
        layers: impl IntoIterator<Item = Digest>,
        name: Option<Reference>,
    ) {
        self.lenders.push(Lender {
            source,
            layers: layers.into_iter().collect(),
        });
        self.related.extend(name);
    }

    /// Layers that are not listed here may be in the image of that name, where a daemon has it.
    pub fn relate(&mut self, name: Reference) {
        self.related.push(name);
    }

    /// The names of the images.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Reference> {
        self.related.iter()
    }

    fn lender(&self, digest: &Digest) -> Option<&dyn Source> {
        let lender = self.lenders.iter().find(|at| at.layers.contains(digest))?;
        Some(&*lender.source)
    }

    pub(crate) fn fetch(&self, at: &Descriptor) -> Option<Reading<'_>> {
        Some(self.lender(&at.digest)?.fetch(at))
    }

    pub(crate) fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        self.lender(&descriptor.digest)?.origin(descriptor)
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.lenders.iter().map(|at| &at.layers))
            .finish()
    }
}

pub(crate) type Reading<'a> = Result<Box<dyn Read + Send + 'a>, Error>;

/// Blobs that are at hand: those made for a destination that cannot keep them, those of a layout
/// that is written beside it, and those that are lent.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    pub(crate) spool: Spool,
    pub(crate) layout: OnceLock<Arc<Layout>>,
    pub(crate) lent: Arc<Lent>,
}

impl Stock {
    pub(crate) fn new(lent: &Arc<Lent>) -> Arc<Self> {
        Arc::new(Self {
            lent: Arc::clone(lent),
            ..Self::default()
        })
    }

    pub(crate) fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        if self.spool.has(&descriptor.digest) || self.lent.lender(&descriptor.digest).is_some() {
            return Ok(true);
        }
        self.layout
            .get()
            .map_or(Ok(false), |layout| layout.has(descriptor))
    }
}

impl Source for Stock {
    /// Names are the destinations' own.
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(Vec::new())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Reading<'_> {
        match self.spool.fetch(descriptor) {
            Err(error) if error.is_not_found() => {}
            result => return Ok(Box::new(result?)),
        }
        if let Some(layout) = self.layout.get() {
            match layout.fetch(descriptor) {
                Err(error) if error.is_not_found() => {}
                result => return result,
            }
        }
        let lent = self.lent.fetch(descriptor);
        lent.unwrap_or_else(|| Err(Error::blob_not_found(descriptor, "what is at hand")))
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        self.lent.origin(descriptor)
    }
}
