//! Moving an image, or whatever a root refers to, from one medium to another.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Index, Manifest};

use crate::{Error, Progress, Root, Sink, Source, read, transfer};

/// How deep indexes may nest: images of images of images; anything more is made to hurt.
const MAX_DEPTH: usize = 8;
/// How many blobs one root may refer to.
const MAX_BLOBS: usize = 100_000;

/// What a document refers to, in its own order: a manifest its config and layers, an index its
/// manifests, anything else nothing. A `subject` is not a child: it refers upwards.
///
/// # Errors
///
/// [`Error::is_malformed`] if the bytes are not the document that the media type says.
pub fn children(descriptor: &Descriptor, bytes: &[u8]) -> Result<Vec<Descriptor>, Error> {
    let malformed = |error| {
        Error::malformed(format!("`{}` is not a valid document", descriptor.digest))
            .with_source(error)
    };
    let (own, children) = if descriptor.media_type.is_index() {
        let index = Document::<Index>::parse(bytes.to_vec())
            .map_err(malformed)?
            .into_parts()
            .1;
        (index.media_type, index.manifests)
    } else if descriptor.media_type.is_manifest() {
        let manifest = Document::<Manifest>::parse(bytes.to_vec())
            .map_err(malformed)?
            .into_parts()
            .1;
        (
            manifest.media_type,
            [vec![manifest.config], manifest.layers].concat(),
        )
    } else {
        (None, Vec::new())
    };
    // A document that is read as one thing here and as another there is a known attack
    // (CVE-2021-41190): its own word and its descriptor's must agree.
    match own {
        Some(own) if own != descriptor.media_type => Err(Error::malformed(format!(
            "`{}` calls itself `{own}`, its descriptor says `{}`",
            descriptor.digest, descriptor.media_type
        ))),
        _ => Ok(children),
    }
}

/// What [`walk`] calls for each blob: with a document's bytes, and with none for any other blob.
pub type Visit<'a> = dyn FnMut(&Descriptor, Option<&[u8]>) -> Result<(), Error> + 'a;

/// Visits a descriptor and all it refers to, each blob once, children before those that refer to
/// them; `visit` is given a document's bytes, and none for any other blob.
///
/// # Errors
///
/// What reading a document gives, [`Error::is_malformed`] also for more than 8 levels of indexes
/// or 100,000 blobs, and whatever `visit` returns.
pub fn walk(
    source: &(impl Source + ?Sized),
    root: &Descriptor,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    walk_below(source, root, visit, &mut seen, 0)
}

fn walk_below(
    source: &(impl Source + ?Sized),
    at: &Descriptor,
    visit: &mut Visit<'_>,
    seen: &mut BTreeSet<Digest>,
    depth: usize,
) -> Result<(), Error> {
    if !seen.insert(at.digest.clone()) {
        return Ok(());
    }
    if depth > MAX_DEPTH || seen.len() > MAX_BLOBS {
        return Err(Error::malformed(format!(
            "`{}` lies too deep or among too many: at most {MAX_DEPTH} levels and {MAX_BLOBS} blobs are followed",
            at.digest
        )));
    }
    if !(at.media_type.is_index() || at.media_type.is_manifest()) {
        return visit(at, None);
    }
    let bytes = read(source, at)?;
    for child in children(at, &bytes)? {
        walk_below(source, &child, visit, seen, depth + 1)?;
    }
    visit(at, Some(&bytes))
}

/// How [`copy`] goes about it.
#[derive(Clone, Copy)]
pub struct CopyOptions<'a> {
    /// Blobs moved at once.
    pub jobs: NonZeroUsize,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

impl Default for CopyOptions<'_> {
    fn default() -> Self {
        const FOUR: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");
        Self {
            jobs: FOUR,
            progress: &crate::NoProgress,
        }
    }
}

impl std::fmt::Debug for CopyOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyOptions")
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

/// What [`copy`] moved.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Copied {
    /// Blobs that the sink did not have, documents among them.
    pub blobs: usize,
    /// Their length in bytes.
    pub bytes: u64,
    /// Blobs that the sink had.
    pub skipped: usize,
}

/// Copies a root and all it refers to, and then publishes it under its name.
///
/// Children come before those that refer to them, the name last: the sink never shows a root that
/// is not whole. What the sink has is not read again. Every byte is verified. If it fails, blobs
/// may lie in the sink that nothing names; the next copy makes use of them, collection removes
/// them.
///
/// Layers that are not to be distributed (`urls` in the descriptor) and that the source does not
/// hold stay where they are.
///
/// # Errors
///
/// Those of both media. With several jobs, that of the first blob in the root's order among those
/// that had failed.
pub fn copy(
    source: &(impl Source + ?Sized),
    root: &Root,
    sink: &(impl Sink + ?Sized),
    options: &CopyOptions<'_>,
) -> Result<Copied, Error> {
    let (mut leaves, mut documents) = (Vec::new(), Vec::new());
    walk(source, &root.descriptor, &mut |descriptor, document| {
        match document {
            Some(_) => documents.push(descriptor.clone()),
            None => leaves.push(descriptor.clone()),
        }
        Ok(())
    })?;
    let mut copied = copy_blobs(source, &leaves, sink, options)?;
    for document in &documents {
        copied.add(one(source, document, sink, options)?);
    }
    sink.publish(root)?;
    Ok(copied)
}

/// Copies blobs and nothing that they may refer to; those that the sink has are not read.
///
/// # Errors
///
/// Those of both media: of the first by digest, among those that had failed.
pub fn copy_blobs(
    source: &(impl Source + ?Sized),
    blobs: &[Descriptor],
    sink: &(impl Sink + ?Sized),
    options: &CopyOptions<'_>,
) -> Result<Copied, Error> {
    let unique: BTreeMap<_, _> = blobs.iter().map(|blob| (&blob.digest, blob)).collect();
    let unique: Vec<_> = unique.into_values().collect();
    let mut copied = Copied::default();
    for result in parallel(&unique, options.jobs, |blob| {
        one(source, blob, sink, options)
    }) {
        copied.add(result?);
    }
    Ok(copied)
}

impl Copied {
    fn add(&mut self, moved: Moved) {
        match moved {
            Moved::Bytes(bytes) => {
                self.blobs += 1;
                self.bytes += bytes;
            }
            Moved::Skipped => self.skipped += 1,
        }
    }
}

#[derive(Clone, Copy)]
enum Moved {
    Bytes(u64),
    Skipped,
}

fn one(
    source: &(impl Source + ?Sized),
    descriptor: &Descriptor,
    sink: &(impl Sink + ?Sized),
    options: &CopyOptions<'_>,
) -> Result<Moved, Error> {
    if sink.has(descriptor)? {
        return Ok(Moved::Skipped);
    }
    let progress = options.progress;
    let id = progress.start(descriptor.digest.short(), Some(descriptor.size));
    let result = transfer(source, descriptor, sink, &mut |bytes| {
        progress.advance(id, bytes);
    });
    progress.finish(id);
    match result {
        Ok(bytes) => Ok(Moved::Bytes(bytes)),
        Err(error) if error.is_not_found() && !descriptor.urls.is_empty() => Ok(Moved::Skipped),
        Err(error) => Err(error),
    }
}

/// Runs `work` over `items` on up to `jobs` threads, results in the order of `items`. After a
/// failure no new item is begun, and the results end with it.
fn parallel<T: Sync, R: Send>(
    items: &[T],
    jobs: NonZeroUsize,
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Vec<Result<R, Error>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results = Mutex::new(Vec::new());
    let run = || {
        while !failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = work(item);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            results
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push((at, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.get().min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
    let mut results = results
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}
