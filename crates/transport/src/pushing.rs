//! A repository of a registry, as a destination: blobs go there at once, names at the end.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cooperage_blob::{BlobWriter, Error, Memory, Progress, Root, Sink, Source, Written, read};
use cooperage_digest::Algorithm;
use cooperage_image_spec::{Descriptor, MediaType, Reference};
use cooperage_registry::Repository;

use crate::spool::SpoolWriter;
use crate::stock::{Reading, Stock};

/// What went to a registry or a daemon.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sent {
    /// Blobs that went over, documents among them.
    pub blobs: usize,
    /// How many bytes went over.
    pub bytes: u64,
    /// Blobs that were there, or that the other side took from elsewhere itself.
    pub skipped: usize,
}

impl Sent {
    fn add(&mut self, descriptor: &Descriptor, bytes: u64) {
        if bytes == 0 && descriptor.size > 0 {
            self.skipped += 1;
            return;
        }
        self.blobs += 1;
        self.bytes += bytes;
    }
}

/// A blob that is made here is kept until its digest is known, and then sent unless the registry
/// has it. Manifests and indexes that are made here, and all that is to have a name, wait for
/// [`Pushing::show`].
pub(crate) struct Pushing {
    repository: Repository,
    stock: Arc<Stock>,
    progress: Arc<dyn Progress>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Manifests and indexes that were made here, children first.
    made: Vec<Descriptor>,
    roots: Vec<Root>,
    sent: Sent,
    /// The documents of roots that were not made here.
    documents: Memory,
}

fn is_document(media_type: &MediaType) -> bool {
    media_type.is_manifest() || media_type.is_index()
}

impl Pushing {
    pub(crate) fn new(
        repository: Repository,
        stock: Arc<Stock>,
        progress: Arc<dyn Progress>,
    ) -> Self {
        Self {
            repository,
            stock,
            progress,
            waiting: Mutex::default(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every change is one call on one collection, so a panic elsewhere leaves it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that blobs may lie in that repository as well, which is written at the same time.
    pub(crate) fn mount_from(&self, other: &Self) {
        self.repository.mount_from(other.repository.reference());
    }

    pub(crate) fn sent(&self) -> Sent {
        self.waiting().sent.clone()
    }

    pub(crate) fn roots(&self) -> Vec<Root> {
        self.waiting().roots.clone()
    }

    /// Sends the documents that waited, children first and names last. A name that stands for the
    /// right image already costs one request.
    pub(crate) fn show(&self) -> Result<(), Error> {
        let mut waiting = self.waiting();
        let Waiting {
            made,
            roots,
            sent,
            documents,
        } = &mut *waiting;
        let mut missing = Vec::new();
        for root in roots.iter() {
            if self.repository.holds(root)? {
                sent.skipped += 1;
            } else {
                missing.push(root);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let is_root =
            |at: &Descriptor| roots.iter().any(|root| root.descriptor.digest == at.digest);
        for document in made.iter().filter(|at| !is_root(at)) {
            if self.repository.holds(&Root::unnamed(document.clone()))? {
                sent.skipped += 1;
                continue;
            }
            let bytes = self.repository.take(&*self.stock, document, &mut |_| {})?;
            sent.add(document, bytes.unwrap_or_default());
        }
        for root in missing {
            let at = &root.descriptor;
            let source: &dyn Source = if documents.has(at)? {
                documents
            } else if self.stock.spool.has(&at.digest) {
                &*self.stock
            } else {
                &self.repository
            };
            let bytes = self.repository.take_root(source, root)?;
            sent.add(at, bytes.unwrap_or_default());
        }
        Ok(())
    }

    /// Sends a blob that is at hand, unless it is there.
    fn send(&self, descriptor: &Descriptor) -> Result<(), Error> {
        if self.repository.has(descriptor)? {
            self.waiting().sent.skipped += 1;
            return Ok(());
        }
        let (progress, what) = (&self.progress, descriptor.digest.short());
        let id = progress.start(&format!("{what} to the registry"), Some(descriptor.size));
        let mut moved = |bytes| progress.advance(id, bytes);
        let taken = self.take(&*self.stock, descriptor, &mut moved);
        progress.finish(id);
        taken.map(drop)
    }
}

impl std::fmt::Debug for Pushing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pushing")
            .field("repository", &self.repository)
            .field("stock", &self.stock)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl Sink for Pushing {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        // Others may have made it, and then it has to come here by itself.
        let same = |made: &Descriptor| made.digest == descriptor.digest;
        if self.waiting().made.iter().any(same) {
            return Ok(true);
        }
        let there = self.repository.has(descriptor)?;
        if there {
            self.waiting().sent.skipped += 1;
        }
        Ok(there)
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        Ok(Box::new(Writer {
            writer: self.stock.spool.create(algorithm)?,
            pushing: self,
        }))
    }

    fn publish(&self, root: &Root) -> Result<(), Error> {
        let descriptor = &root.descriptor;
        if !is_document(&descriptor.media_type) {
            return Err(Error::unsupported(format!(
                "`{}` is a `{}`: a registry gives names to manifests and indexes alone",
                descriptor.digest, descriptor.media_type
            )));
        }
        let at_hand = self.stock.spool.has(&descriptor.digest)
            || self.waiting().documents.has(descriptor)?
            || self.repository.has(descriptor)?;
        if !at_hand {
            let place = format!("`{}`", self.repository.reference());
            return Err(Error::blob_not_found(descriptor, place));
        }
        self.waiting().roots.push(root.clone());
        Ok(())
    }

    fn holds(&self, root: &Root) -> Result<bool, Error> {
        let there = self.repository.holds(root)?;
        if there {
            self.waiting().sent.skipped += 1;
        }
        Ok(there)
    }

    fn take(
        &self,
        source: &dyn Source,
        descriptor: &Descriptor,
        moved: &mut dyn FnMut(u64),
    ) -> Result<Option<u64>, Error> {
        let bytes = self.repository.take(source, descriptor, moved)?;
        if let Some(bytes) = bytes {
            self.waiting().sent.add(descriptor, bytes);
        }
        Ok(bytes)
    }

    /// Takes it, and publishes it at the end.
    fn take_root(&self, source: &dyn Source, root: &Root) -> Result<Option<u64>, Error> {
        if !is_document(&root.descriptor.media_type) {
            return Ok(None);
        }
        let bytes = read(&source, &root.descriptor)?;
        let mut waiting = self.waiting();
        let digest = root.descriptor.digest.clone();
        waiting.documents.insert_unverified(digest, bytes);
        waiting.roots.push(root.clone());
        Ok(Some(root.descriptor.size))
    }
}

impl Source for Pushing {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(self.roots())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Reading<'_> {
        match self.stock.fetch(descriptor) {
            Err(error) if error.is_not_found() => self.repository.fetch(descriptor),
            result => result,
        }
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        let lent = self.stock.origin(descriptor);
        lent.or_else(|| self.repository.origin(descriptor))
    }
}

/// A blob that is made here.
struct Writer<'a> {
    writer: SpoolWriter<'a>,
    pushing: &'a Pushing,
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl BlobWriter for Writer<'_> {
    fn finish(mut self: Box<Self>, expected: Option<&Descriptor>) -> Result<Written, Error> {
        let written = self.writer.end(expected)?;
        match expected {
            Some(document) if is_document(&document.media_type) => {
                self.pushing.waiting().made.push(document.clone());
            }
            Some(blob) => self.pushing.send(blob)?,
            None => {
                let any = MediaType::new("application/octet-stream");
                let blob = Descriptor::new(any, written.digest.clone(), written.size);
                self.pushing.send(&blob)?;
            }
        }
        Ok(written)
    }
}
