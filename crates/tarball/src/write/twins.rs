//! Files with the same content and the same attributes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::num::NonZeroUsize;

use cooperage_digest::{Algorithm, Digest, Hasher};
use rayon::prelude::*;

use super::order::{Form, Index, Item};
use super::{FoldError, FoldOptions};
use crate::Content;
use crate::content::{CHUNK, fill};
use crate::host::{self, Identity};
use crate::tree::store::Store;

/// Files shorter than this, in bytes, are not folded: a link entry has a head as well.
const MIN_LEN: u64 = 64 * 1024;

/// So many bytes of the head and of the tail are compared before whole files are.
const SAMPLE: usize = 4096;

/// What is known of a file that was read.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) digest: Digest,
    /// The state in which it was read; `None` for bytes in memory.
    pub(crate) identity: Option<Identity>,
}

/// Makes files links to the first of their kind, and gives what was learnt of those that were read.
pub(crate) fn fold(
    store: &Store,
    items: &mut [Item],
    options: &FoldOptions,
) -> Result<BTreeMap<Index, Proof>, FoldError> {
    let suspects = suspects(store, items);
    if suspects.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = with_threads(options.threads, || compare(store, items, suspects))??;
    let mut moved = BTreeMap::new();
    let mut leaders: BTreeMap<(usize, &Digest), Index> = BTreeMap::new();
    for (index, (bucket, proof)) in &found {
        let leader = *leaders.entry((*bucket, &proof.digest)).or_insert(*index);
        if leader != *index {
            moved.insert(*index, leader);
        }
    }
    for (index, item) in items.iter_mut().enumerate() {
        let leader = match item.form {
            Form::Link(leader) => moved.get(&leader),
            _ => moved.get(&(index as Index)),
        };
        if let Some(leader) = leader {
            item.form = Form::Link(*leader);
        }
    }
    Ok(found
        .into_iter()
        .map(|(index, (_, proof))| (index, proof))
        .collect())
}

/// Files that may fold, by index, with a number that those of one length and one set of attributes
/// share. None has its number for itself.
fn suspects(store: &Store, items: &[Item]) -> Vec<(Index, usize)> {
    let mut alike: BTreeMap<(u64, u32), Vec<Index>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(len) = foldable_len(store, item) {
            let attributes = store.attributes_id(item.entry);
            let alike = alike.entry((len, attributes)).or_default();
            alike.push(index as Index);
        }
    }
    let classes = alike.into_values().filter(|class| class.len() > 1);
    let numbered = classes.enumerate();
    numbered
        .flat_map(|(bucket, class)| class.into_iter().map(move |index| (index, bucket)))
        .collect()
}

/// The length of a file that may fold: only root can write to it through either name.
fn foldable_len(store: &Store, item: &Item) -> Option<u64> {
    if item.form != Form::Plain {
        return None;
    }
    let (len, fold) = store.file(item.entry)?;
    let attributes = store.attributes(item.entry);
    let of_root = attributes.uid == 0 && attributes.gid == 0 && attributes.mode & 0o022 == 0;
    (fold && of_root && len >= MIN_LEN).then_some(len)
}

type Found = BTreeMap<Index, (usize, Proof)>;

/// Reads the suspects: samples first, then in whole those whose samples are equal.
fn compare(
    store: &Store,
    items: &[Item],
    suspects: Vec<(Index, usize)>,
) -> Result<Found, FoldError> {
    let sampled: Vec<_> = suspects
        .into_par_iter()
        .map(|at| (at, read(store, &items[at.0 as usize], sample)))
        .collect();
    let mut alike: BTreeMap<(usize, Digest), Vec<Index>> = BTreeMap::new();
    for ((index, bucket), sample) in sampled {
        alike
            .entry((bucket, sample?.digest))
            .or_default()
            .push(index);
    }
    let alike: Vec<_> = alike
        .into_iter()
        .filter(|(_, indices)| indices.len() > 1)
        .flat_map(|((bucket, _), indices)| indices.into_iter().map(move |index| (index, bucket)))
        .collect();
    let hashed: Vec<_> = alike
        .into_par_iter()
        .map(|at| (at, read(store, &items[at.0 as usize], whole)))
        .collect();
    let mut found = BTreeMap::new();
    for ((index, bucket), proof) in hashed {
        found.insert(index, (bucket, proof?));
    }
    Ok(found)
}

/// Runs `work` on so many threads. What it gives does not depend on them.
fn with_threads<T: Send>(
    threads: Option<NonZeroUsize>,
    work: impl FnOnce() -> T + Send,
) -> Result<T, FoldError> {
    let Some(threads) = threads else {
        return Ok(work());
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.get())
        .build();
    let pool = pool.map_err(|error| FoldError::Threads {
        source: io::Error::other(error),
    })?;
    Ok(pool.install(work))
}

/// What is done with the bytes of a file, given its length.
type Summary = fn(&mut Hasher, &mut dyn ReadAt, u64) -> io::Result<()>;

fn read(store: &Store, item: &Item, summary: Summary) -> Result<Proof, FoldError> {
    let Some(content) = store.content(item.entry) else {
        unreachable!("only files may fold");
    };
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let identity = match &content {
        Content::Bytes(bytes) => summary(&mut hasher, &mut &**bytes, content.len()).map(|()| None),
        Content::File { path, len } => {
            summarise_file(&mut hasher, path, 0, *len, true, summary).map(Some)
        }
        Content::Slice { path, offset, len } => {
            summarise_file(&mut hasher, path, *offset, *len, false, summary).map(Some)
        }
    };
    let identity = identity.map_err(|source| FoldError::Read {
        path: content.path().map(Into::into).unwrap_or_default(),
        entry: store.path(item.name).display(),
        source,
    })?;
    Ok(Proof {
        digest: hasher.finish(),
        identity,
    })
}

fn summarise_file(
    hasher: &mut Hasher,
    path: &std::path::Path,
    offset: u64,
    len: u64,
    is_whole: bool,
    summary: Summary,
) -> io::Result<Identity> {
    let file = host::open(path)?;
    let metadata = file.metadata()?;
    host::expect_file(&metadata)?;
    let before = host::identity(&metadata);
    if is_whole && before.len != len {
        return Err(io::Error::other(format!(
            "it is {} bytes long, expected {len}",
            before.len
        )));
    }
    summary(
        hasher,
        &mut Part {
            file: &file,
            offset,
        },
        len,
    )?;
    if host::identity(&file.metadata()?) != before {
        return Err(io::Error::other("it was written to while it was read"));
    }
    Ok(before)
}

fn sample(hasher: &mut Hasher, bytes: &mut dyn ReadAt, len: u64) -> io::Result<()> {
    let mut buffer = [0; SAMPLE];
    for offset in [0, len - SAMPLE as u64] {
        bytes.read_exact_at(&mut buffer, offset)?;
        hasher.update(&buffer);
    }
    Ok(())
}

fn whole(hasher: &mut Hasher, bytes: &mut dyn ReadAt, len: u64) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut offset = 0;
    while offset < len {
        let count = (len - offset).min(CHUNK as u64) as usize;
        bytes.read_exact_at(&mut buffer[..count], offset)?;
        hasher.update(&buffer[..count]);
        offset += count as u64;
    }
    Ok(())
}

trait ReadAt {
    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for &[u8] {
    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut rest = self.get(offset as usize..).unwrap_or_default();
        if fill(&mut rest.by_ref(), buffer)? < buffer.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

struct Part<'a> {
    file: &'a File,
    offset: u64,
}

impl ReadAt for Part<'_> {
    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        host::read_exact_at(self.file, buffer, self.offset + offset)
    }
}
