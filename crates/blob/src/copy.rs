//! Moving an image, or whatever a root refers to, from one medium to another.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Index, Manifest};

use crate::medium::send;
use crate::{Error, Progress, Root, Sink, Source, read};

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
    let mut walk = Walk {
        enter: &mut |_| Ok(true),
        visit,
        seen: BTreeSet::new(),
    };
    walk_below(source, root, &mut walk, 0)
}

struct Walk<'a, 'b> {
    /// Whether a document is read at all.
    enter: &'a mut dyn FnMut(&Descriptor) -> Result<bool, Error>,
    visit: &'a mut Visit<'b>,
    seen: BTreeSet<Digest>,
}

fn walk_below(
    source: &(impl Source + ?Sized),
    at: &Descriptor,
    walk: &mut Walk<'_, '_>,
    depth: usize,
) -> Result<(), Error> {
    let Walk { enter, visit, seen } = walk;
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
    if !enter(at)? {
        return Ok(());
    }
    let bytes = read(source, at)?;
    for child in children(at, &bytes)? {
        walk_below(source, &child, walk, depth + 1)?;
    }
    (walk.visit)(at, Some(&bytes))
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
    /// Blobs that went over, documents among them.
    pub blobs: usize,
    /// Their length in bytes.
    pub bytes: u64,
    /// Blobs that the sink had, or got without a byte passing by; one for a document that it had
    /// with all that it refers to.
    pub skipped: usize,
}

/// Copies a root and all it refers to, and then publishes it under its name.
///
/// Children come before those that refer to them, the name last: the sink never shows a root that
/// is not whole. What the sink has is not read again; a sink that [holds](Sink::holds) a document
/// with all that it refers to is not asked for anything below it. Every byte is verified. If it
/// fails, blobs may lie in the sink that nothing names; the next copy makes use of them, collection
/// removes them.
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
    let mut copied = Copied::default();
    if sink.holds(root)? {
        copied.add(Moved::Skipped);
        return Ok(copied);
    }
    let (mut leaves, mut documents) = (Vec::new(), Vec::new());
    let mut enter = |document: &Descriptor| {
        let held = sink.holds(&Root::unnamed(document.clone()))?;
        if held {
            copied.add(Moved::Skipped);
        }
        Ok(!held)
    };
    let mut visit = |descriptor: &Descriptor, document: Option<&[u8]>| {
        match document {
            Some(_) => documents.push(descriptor.clone()),
            None => leaves.push(descriptor.clone()),
        }
        Ok(())
    };
    let mut walk = Walk {
        enter: &mut enter,
        visit: &mut visit,
        seen: BTreeSet::new(),
    };
    walk_below(source, &root.descriptor, &mut walk, 0)?;
    copied.add_all(copy_blobs(source, &leaves, sink, options)?);
    // The root itself comes last, in one step with its name where the sink can do that.
    let last = documents.pop_if(|last| last.digest == root.descriptor.digest);
    for document in &documents {
        copied.add(one(source, document, sink, options)?);
    }
    if let Some(bytes) = sink.take_root(&source, root)? {
        if last.is_some() {
            copied.add(Moved::Bytes(bytes));
        }
        return Ok(copied);
    }
    if let Some(document) = last {
        copied.add(one(source, &document, sink, options)?);
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

    fn add_all(&mut self, other: Self) {
        self.blobs += other.blobs;
        self.bytes += other.bytes;
        self.skipped += other.skipped;
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
    let result = send(source, descriptor, sink, &mut |bytes| {
        progress.advance(id, bytes);
    });
    progress.finish(id);
    match result {
        Ok(0) if descriptor.size > 0 => Ok(Moved::Skipped),
        Ok(bytes) => Ok(Moved::Bytes(bytes)),
        Err(error) if error.is_not_found() && !descriptor.urls.is_empty() => Ok(Moved::Skipped),
        Err(error) => Err(error),
    }
}

/// Runs `work` over `items` on up to `jobs` threads, results in the order of `items`.
///
/// After a failure no new item is begun: what was begun by then is ended, and of the rest there are
/// no results.
pub fn parallel<T: Sync, R: Send, E: Send>(
    items: &[T],
    jobs: NonZeroUsize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Vec<Result<R, E>> {
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
