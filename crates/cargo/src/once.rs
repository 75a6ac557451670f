//! Bases that are opened once, however often they are asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use cooperage_blob::{Error, Root, Source};
use cooperage_image_spec::{Descriptor, Reference};
use cooperage_plan::Bases;

/// Opens each base when it is first asked for, and hands the same one out from then on.
pub struct Once<'a> {
    bases: &'a dyn Bases,
    opened: Mutex<BTreeMap<String, Opened>>,
}

type Opened = (Arc<dyn Source>, Descriptor);

impl<'a> Once<'a> {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(bases: &'a dyn Bases) -> Self {
        Self {
            bases,
            opened: Mutex::default(),
        }
    }
}

impl fmt::Debug for Once<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(opened.keys()).finish()
    }
}

impl Bases for Once<'_> {
    fn open(&self, reference: &str) -> Result<(Box<dyn Source>, Descriptor), Error> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((source, descriptor)) = opened.get(reference) {
            return Ok((Box::new(Shared(Arc::clone(source))), descriptor.clone()));
        }
        let (source, descriptor) = self.bases.open(reference)?;
        let source: Arc<dyn Source> = source.into();
        let found = (Arc::clone(&source), descriptor.clone());
        opened.insert(reference.to_owned(), found);
        Ok((Box::new(Shared(source)), descriptor))
    }
}

struct Shared(Arc<dyn Source>);

impl Source for Shared {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        self.0.roots()
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        self.0.fetch(descriptor)
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        self.0.origin(descriptor)
    }
}
