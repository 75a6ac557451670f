//! A daemon, as a destination: it is sent everything at the end, but for what it has.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cooperage_blob::{BlobWriter, CopyOptions, Error, Progress, Root, Sink, Source};
use cooperage_daemon::{Image, ImageName, LoadOptions, Loaded};
use cooperage_digest::{Algorithm, Digest};
use cooperage_image_spec::{Descriptor, Platform, Reference};

use crate::Network;
use crate::pushing::Sent;
use crate::stock::{Reading, Stock};

/// Blobs that are made here are kept until [`Loading::show`], all others lie in the stock.
pub(crate) struct Loading {
    network: Network,
    platform: Option<Platform>,
    stock: Arc<Stock>,
    progress: Arc<dyn Progress>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    roots: Vec<Root>,
    sent: Sent,
}

impl Loading {
    pub(crate) fn new(
        network: Network,
        platform: Option<Platform>,
        stock: Arc<Stock>,
        progress: Arc<dyn Progress>,
    ) -> Self {
        Self {
            network,
            platform,
            stock,
            progress,
            waiting: Mutex::default(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every change is one call on one collection, so a panic elsewhere leaves it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sent(&self) -> Sent {
        self.waiting().sent.clone()
    }

    /// Has the daemon load what was published.
    pub(crate) fn show(&self) -> Result<(), Error> {
        let roots = std::mem::take(&mut self.waiting().roots);
        self.load(&*self.stock, &roots, &*self.progress)
    }

    /// Has the daemon load an image straight from where it lies.
    pub(crate) fn load_from(
        &self,
        source: &dyn Source,
        root: &Root,
        options: &CopyOptions<'_>,
    ) -> Result<(), Error> {
        self.load(source, std::slice::from_ref(root), options.progress)
    }

    fn load(
        &self,
        source: &dyn Source,
        roots: &[Root],
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let images = images(roots)?;
        if images.is_empty() {
            return Ok(());
        }
        let engine = self.network.engine();
        let engine =
            engine.map_err(|error| Error::failed("there is no daemon").with_source(error))?;
        let mut options = LoadOptions::default();
        options.platform.clone_from(&self.platform);
        options.related = related(self.stock.lent.names());
        let counting = Counting {
            progress,
            layers: AtomicUsize::new(0),
        };
        options.progress = &counting;
        let loaded = engine
            .load(source, &images, &options)
            .map_err(|error| Error::failed("the daemon has not loaded it").with_source(error))?;
        let layers = counting.layers.load(Ordering::Relaxed);
        self.waiting().sent.add_loaded(&loaded, layers);
        not_named(&loaded)
    }
}

/// The images, each with the names that it is to have.
fn images(roots: &[Root]) -> Result<Vec<Image>, Error> {
    let mut images: BTreeMap<&Digest, Image> = BTreeMap::new();
    for root in roots {
        let image = images
            .entry(&root.descriptor.digest)
            .or_insert_with(|| Image {
                descriptor: root.descriptor.clone(),
                names: Vec::new(),
            });
        if let Some(name) = &root.name {
            let reference = name.parse::<Reference>().map_err(|error| {
                let text = format!("`{name}` cannot name an image in a daemon");
                Error::unsupported(text).with_source(error)
            })?;
            image.names.push(reference.with_default_tag());
        }
    }
    Ok(images.into_values().collect())
}

/// A base may have been pulled by its tag or by its digest.
fn related<'a>(bases: impl Iterator<Item = &'a Reference>) -> Vec<ImageName> {
    let mut names = Vec::new();
    for base in bases {
        names.push(base.clone().into());
        if let (Some(tag), Some(_)) = (base.tag(), base.digest()) {
            let bare = base.clone().without_tag_and_digest();
            names.extend(bare.with_tag(tag).map(ImageName::from));
        }
    }
    names
}

/// Names that the daemon did not give, all of them in one error.
fn not_named(loaded: &Loaded) -> Result<(), Error> {
    let failures = loaded.images.iter().flat_map(|image| &image.failures);
    let failures: Vec<_> = failures
        .map(|failure| format!("`{}`: {}", failure.name, failure.error))
        .collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the daemon has the image, and not under {}",
        failures.join(", nor under ")
    )))
}

impl std::fmt::Debug for Loading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loading")
            .field("network", &self.network)
            .field("platform", &self.platform)
            .field("stock", &self.stock)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl Sink for Loading {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        self.stock.has(descriptor)
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        Ok(Box::new(self.stock.spool.create(algorithm)?))
    }

    fn publish(&self, root: &Root) -> Result<(), Error> {
        if !self.stock.has(&root.descriptor)? {
            return Err(Error::blob_not_found(&root.descriptor, "what is at hand"));
        }
        self.waiting().roots.push(root.clone());
        Ok(())
    }
}

impl Source for Loading {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(self.waiting().roots.clone())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Reading<'_> {
        self.stock.fetch(descriptor)
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        self.stock.origin(descriptor)
    }
}

impl Sent {
    fn add_loaded(&mut self, loaded: &Loaded, layers: usize) {
        self.blobs += layers;
        self.bytes += loaded.bytes_sent;
        for image in &loaded.images {
            // Without an archive the whole image was there.
            let left_out = image.sent.as_ref().map(|sent| sent.left_out.len());
            self.skipped += left_out.unwrap_or(1);
        }
    }
}

/// Counts the layers that are sent.
struct Counting<'a> {
    progress: &'a dyn Progress,
    layers: AtomicUsize,
}

impl Progress for Counting<'_> {
    fn start(&self, what: &str, total: Option<u64>) -> u64 {
        self.layers.fetch_add(1, Ordering::Relaxed);
        self.progress.start(what, total)
    }

    fn advance(&self, id: u64, bytes: u64) {
        self.progress.advance(id, bytes);
    }

    fn finish(&self, id: u64) {
        self.progress.finish(id);
    }
}
