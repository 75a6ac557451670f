//! What a copy does with whole, damaged, nested and hostile images.

use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use cooperage_blob::{
    BlobWriter, Copied, CopyOptions, Error, Memory, NoProgress, Root, Sink, Source, copy, open,
    put, read,
};
use cooperage_digest::{Algorithm, Digest};
use cooperage_image_spec::{Descriptor, Document, Index, Manifest, MediaType, Reference};
use proptest::prelude::*;

fn image(medium: &Memory, layers: &[&[u8]]) -> Descriptor {
    let config = put(medium, MediaType::OCI_CONFIG, b"{}").unwrap();
    let layers = layers
        .iter()
        .map(|layer| put(medium, MediaType::OCI_LAYER, layer).unwrap())
        .collect();
    let mut manifest = Manifest::new(config, layers);
    manifest.media_type = Some(MediaType::OCI_MANIFEST);
    put(
        medium,
        MediaType::OCI_MANIFEST,
        Document::new(manifest).raw(),
    )
    .unwrap()
}

fn index(medium: &Memory, manifests: Vec<Descriptor>) -> Descriptor {
    let document = Document::new(Index::new(manifests));
    put(medium, MediaType::OCI_INDEX, document.raw()).unwrap()
}

fn jobs(jobs: usize) -> CopyOptions<'static> {
    CopyOptions {
        jobs: NonZeroUsize::new(jobs).unwrap(),
        progress: &NoProgress,
    }
}

/// Remembers in which order blobs and names came.
#[derive(Default)]
struct Recorder(Memory, Mutex<Vec<String>>);

impl Sink for Recorder {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        self.0.has(descriptor)
    }
    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        self.1.lock().unwrap().push("blob".into());
        self.0.create(algorithm)
    }
    fn publish(&self, root: &Root) -> Result<(), Error> {
        self.1.lock().unwrap().push(format!("name {:?}", root.name));
        self.0.publish(root)
    }
}

#[test]
fn an_index_is_copied_whole_and_named_last() {
    let from = Memory::new();
    let (a, b) = (
        image(&from, &[b"one", b"two"]),
        image(&from, &[b"two", b"three"]),
    );
    let nested = index(&from, vec![b]);
    let root = Root::named("app", index(&from, vec![a, nested]));
    let to = Recorder::default();
    let copied = copy(&from, &root, &to, &jobs(3)).unwrap();
    // config, three layers, two manifests, two indexes: each once.
    assert_eq!((copied.blobs, copied.skipped), (8, 0));
    assert_eq!(to.0.digests(), from.digests());
    let order = to.1.into_inner().unwrap();
    assert_eq!(order.last().unwrap(), "name Some(\"app\")");
    assert_eq!(order.len(), 9);
    assert_eq!(to.0.roots().unwrap(), std::slice::from_ref(&root));
    let again = copy(&from, &root, &to.0, &jobs(1)).unwrap();
    assert_eq!(
        again,
        Copied {
            blobs: 0,
            bytes: 0,
            skipped: 8
        }
    );
}

#[test]
fn damage_is_found_and_nothing_is_published() {
    let from = Memory::new();
    let root = Root::named("app", image(&from, &[b"one", b"two"]));
    let layer = Digest::of(b"two");
    for (bytes, reason) in [
        (&b"tvo"[..], "found sha256:"),
        (b"tw", "found 2"),
        (b"twoo", "found at least 4"),
    ] {
        from.insert_unverified(layer.clone(), bytes);
        for threads in [1, 4] {
            let to = Memory::new();
            let error = copy(&from, &root, &to, &jobs(threads)).unwrap_err();
            assert!(error.is_mismatch(), "{error:?}");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains(reason), "{cause}");
            assert!(to.roots().unwrap().is_empty());
            assert!(!to.digests().contains(&layer));
        }
    }
}

#[test]
fn what_is_missing_is_named() {
    let from = Memory::new();
    let config = put(&from, MediaType::OCI_CONFIG, b"{}").unwrap();
    let layer = Descriptor::new(MediaType::OCI_LAYER, Digest::of(b"gone"), 4);
    let manifest = Document::new(Manifest::new(config, vec![layer.clone()]));
    let root = put(&from, MediaType::OCI_MANIFEST, manifest.raw()).unwrap();
    let error = copy(&from, &Root::unnamed(root), &Memory::new(), &jobs(2)).unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(
        error.to_string(),
        format!("blob `{}` (4 bytes) is not in memory", layer.digest)
    );
}

#[test]
fn what_cannot_be_verified_is_not_read() {
    let from = Memory::new();
    let digest: Digest = "blake3:00ff".parse().unwrap();
    from.insert_unverified(digest.clone(), &b"x"[..]);
    let descriptor = Descriptor::new(MediaType::OCI_LAYER, digest, 1);
    assert!(open(&from, &descriptor).err().unwrap().is_unverifiable());
    let error = copy(&from, &Root::unnamed(descriptor), &Memory::new(), &jobs(1)).unwrap_err();
    assert!(error.is_unverifiable());
}

#[test]
fn indexes_cannot_nest_without_end() {
    let from = Memory::new();
    let mut at = image(&from, &[b"deep"]);
    for _ in 0..6 {
        at = index(&from, vec![at]);
    }
    assert!(copy(&from, &Root::unnamed(at.clone()), &Memory::new(), &jobs(1)).is_ok());
    for _ in 0..4 {
        at = index(&from, vec![at]);
    }
    let error = copy(&from, &Root::unnamed(at), &Memory::new(), &jobs(1)).unwrap_err();
    assert!(
        error.is_malformed() && error.to_string().contains("at most 8 levels"),
        "{error}"
    );
}

/// CVE-2021-41190: a manifest served as an index, or the other way round.
#[test]
fn a_document_with_two_faces_is_refused() {
    let from = Memory::new();
    let mut index = Index::new(Vec::new());
    index.media_type = Some(MediaType::OCI_MANIFEST);
    let root = put(&from, MediaType::OCI_INDEX, Document::new(index).raw()).unwrap();
    let error = copy(&from, &Root::unnamed(root), &Memory::new(), &jobs(1)).unwrap_err();
    assert!(error.is_malformed(), "{error:?}");
}

#[test]
fn a_document_over_the_limit_is_not_read() {
    let from = Memory::new();
    let huge = Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b""), 1 << 40);
    assert!(read(&from, &huge).unwrap_err().is_too_large());
}

#[test]
fn a_name_is_taken_over_and_kept_in_place() {
    let medium = Memory::new();
    let (a, b) = (image(&medium, &[b"a"]), image(&medium, &[b"b"]));
    medium.publish(&Root::named("x", a.clone())).unwrap();
    medium.publish(&Root::unnamed(a.clone())).unwrap();
    medium.publish(&Root::unnamed(a)).unwrap();
    medium.publish(&Root::named("x", b.clone())).unwrap();
    let roots = medium.roots().unwrap();
    assert_eq!(roots.len(), 2);
    assert_eq!(roots[0], Root::named("x", b));
    let absent = Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b"absent"), 6);
    assert!(
        medium
            .publish(&Root::named("y", absent))
            .unwrap_err()
            .is_not_found()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_bytes_arrive(layers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..6), threads in 1usize..5) {
        let from = Memory::new();
        let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        let root = image(&from, &layers);
        let to = Memory::new();
        copy(&from, &Root::unnamed(root), &to, &jobs(threads)).unwrap();
        prop_assert_eq!(from.digests(), to.digests());
        for layer in layers {
            let descriptor = Descriptor::new(MediaType::OCI_LAYER, Digest::of(layer), layer.len() as u64);
            let mut bytes = Vec::new();
            open(&to, &descriptor).unwrap().read_to_end(&mut bytes).unwrap();
            prop_assert_eq!(&bytes[..], layer);
        }
    }
}

/// A medium like a registry: it takes blobs from their source, knows what it holds whole, and
/// mounts what lies elsewhere.
#[derive(Default)]
struct Registry {
    memory: Memory,
    asked: Mutex<Vec<String>>,
}

impl Registry {
    fn note(&self, what: &str) {
        self.asked.lock().unwrap().push(what.into());
    }
}

impl Sink for Registry {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        self.note("has");
        self.memory.has(descriptor)
    }
    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        self.note("create");
        self.memory.create(algorithm)
    }
    fn publish(&self, root: &Root) -> Result<(), Error> {
        self.note("publish");
        self.memory.publish(root)
    }
    fn holds(&self, root: &Root) -> Result<bool, Error> {
        self.note("holds");
        match root.name {
            None => self.memory.has(&root.descriptor),
            Some(_) => Ok(self.memory.roots()?.contains(root)),
        }
    }
    fn take(
        &self,
        source: &dyn Source,
        descriptor: &Descriptor,
        moved: &mut dyn FnMut(u64),
    ) -> Result<Option<u64>, Error> {
        self.note("take");
        let mut bytes = Vec::new();
        source.fetch(descriptor)?.read_to_end(&mut bytes).unwrap();
        put(&self.memory, descriptor.media_type.clone(), &bytes)?;
        if source.origin(descriptor).is_some() {
            return Ok(Some(0));
        }
        moved(descriptor.size);
        Ok(Some(descriptor.size))
    }
    fn take_root(&self, source: &dyn Source, root: &Root) -> Result<Option<u64>, Error> {
        self.note("take root");
        let bytes = read(&source, &root.descriptor)?;
        put(&self.memory, root.descriptor.media_type.clone(), &bytes)?;
        self.memory.publish(root)?;
        Ok(Some(root.descriptor.size))
    }
}

/// A source that says where its blobs lie as well.
struct Elsewhere(Memory);

impl Source for Elsewhere {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        self.0.roots()
    }
    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        self.0.fetch(descriptor)
    }
    fn origin(&self, _descriptor: &Descriptor) -> Option<Reference> {
        Some("registry.example.com/base".parse().unwrap())
    }
}

#[test]
fn a_sink_that_can_do_more_is_asked_for_less() {
    let from = Memory::new();
    let one = image(&from, &[b"one"]);
    let two = image(&from, &[b"two"]);
    let root = |name: &str, manifests| Root::named(name, index(&from, manifests));
    let to = Registry::default();
    let copied = |from: &dyn Source, root: &Root| {
        let copied = copy(from, root, &to, &jobs(1)).unwrap();
        let asked = std::mem::take(&mut *to.asked.lock().unwrap());
        (copied, asked.join(", "))
    };
    let first = root("v1", vec![one.clone()]);
    let (moved, asked) = copied(&from, &first);
    assert_eq!((moved.blobs, moved.skipped), (4, 0));
    assert_eq!(
        asked,
        "holds, holds, holds, has, take, has, take, has, take, take root"
    );
    assert_eq!(to.memory.roots().unwrap()[0], first);

    // What is there under its name takes one question, and under another one no bytes.
    let nothing = Copied {
        skipped: 1,
        ..Copied::default()
    };
    assert_eq!(copied(&from, &first), (nothing, "holds".into()));
    let again = Root::named("v2", first.descriptor.clone());
    assert_eq!(
        copied(&from, &again),
        (nothing, "holds, holds, take root".into())
    );

    // An image that is there is not looked into; what lies elsewhere does not count as moved.
    let both = root("v3", vec![one, two]);
    let (moved, _) = copied(&Elsewhere(from), &both);
    assert_eq!((moved.blobs, moved.skipped), (1, 4));
    assert_eq!(to.memory.roots().unwrap().len(), 3);
}

/// Gives its bytes raggedly, and then an error, if there is one.
struct Ragged(Vec<u8>, bool);

impl Source for Ragged {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(Vec::new())
    }
    fn fetch(&self, _descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        Ok(Box::new(Reader(&self.0, self.1)))
    }
}

struct Reader<'a>(&'a [u8], bool);

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.0.len() % 70_001 + 1);
        match self.0.read(&mut buffer[..most])? {
            0 if self.1 => Err(std::io::Error::other("broken")),
            n => Ok(n),
        }
    }
}

/// Large blobs are read ahead on a thread of their own.
#[test]
fn large_blobs_arrive_and_fail_like_small_ones() {
    for length in [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 77] {
        let bytes: Vec<u8> = (0..length).map(|at| (at * at % 251) as u8).collect();
        let blob = Descriptor::new(MediaType::OCI_LAYER, Digest::of(&bytes), length as u64);
        let moved = |source: &Ragged, limit: Option<u64>| {
            let (to, mut count) = (Full(Memory::new(), limit), 0);
            let result = cooperage_blob::transfer(source, &blob, &to, &mut |n| count += n);
            (
                result.map_err(|error| error.to_string()),
                count,
                to.0.digests().len(),
            )
        };
        let whole = Ragged(bytes.clone(), false);
        assert_eq!(moved(&whole, None), (Ok(length as u64), length as u64, 1));
        let (result, count, stored) = moved(&Ragged(bytes[..length / 2].to_vec(), true), None);
        assert!(result.unwrap_err().starts_with("cannot read"), "{length}");
        assert_eq!((count, stored), (length as u64 / 2, 0));
        let (result, _, stored) = moved(&Ragged(bytes[..length / 2].to_vec(), false), None);
        assert!(result.unwrap_err().contains("not what its descriptor says"));
        assert_eq!(stored, 0);
        let (result, count, stored) = moved(&whole, Some(300_000));
        assert!(result.unwrap_err().starts_with("cannot write"), "{length}");
        assert_eq!(stored, 0);
        assert!(count <= 300_000);
    }
}

/// Takes no more than so many bytes.
struct Full(Memory, Option<u64>);

struct FullWriter<'a>(Box<dyn BlobWriter + 'a>, u64);

impl Sink for Full {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        self.0.has(descriptor)
    }
    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        let writer = self.0.create(algorithm)?;
        Ok(Box::new(FullWriter(writer, self.1.unwrap_or(u64::MAX))))
    }
    fn publish(&self, root: &Root) -> Result<(), Error> {
        self.0.publish(root)
    }
}

impl std::io::Write for FullWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() as u64 > self.1 {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        self.1 -= bytes.len() as u64;
        self.0.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl BlobWriter for FullWriter<'_> {
    fn finish(
        self: Box<Self>,
        expected: Option<&Descriptor>,
    ) -> Result<cooperage_blob::Written, Error> {
        self.0.finish(expected)
    }
}
