//! Images in pieces: what is there, what is damaged, what is elsewhere.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cooperage_blob::{CopyOptions, Error, Memory, Root, Source, copy, put};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Index, Manifest, MediaType, Reference, ToJson};
use cooperage_parts::{PartError, Parts, read_descriptor};
use tempfile::TempDir;

/// An image of two layers in a directory: `root`, `manifest`, `config`, `own` and `base`.
struct Scattered {
    directory: TempDir,
    root: Descriptor,
    own: Digest,
    base: Descriptor,
}

impl Scattered {
    fn new() -> Self {
        let memory = Memory::new();
        let config = put(&memory, MediaType::OCI_CONFIG, b"{}").unwrap();
        let base = put(&memory, MediaType::OCI_LAYER, b"the base's layer").unwrap();
        let own = put(&memory, MediaType::OCI_LAYER, b"a layer of its own").unwrap();
        let manifest = Document::new(Manifest::new(config, vec![base.clone(), own.clone()]));
        let root = manifest.descriptor(MediaType::OCI_MANIFEST);
        let directory = tempfile::tempdir().unwrap();
        let write = |name, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
        write("root", &root.to_json().to_canonical());
        write("manifest", manifest.raw());
        write("config", b"{}");
        write("own", b"a layer of its own");
        write("base", b"the base's layer");
        Self {
            own: own.digest,
            directory,
            root,
            base,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// All but the base's layer.
    fn parts(&self) -> Parts {
        let mut parts = Parts::new(read_descriptor(&self.file("root")).unwrap());
        for document in ["manifest", "config"] {
            parts.add_document(&self.file(document)).unwrap();
        }
        parts.add_blob(self.own.clone(), &self.file("own"));
        parts
    }
}

fn copied(parts: &Parts) -> Result<Memory, Error> {
    let to = Memory::new();
    copy(parts, &parts.roots()?[0], &to, &CopyOptions::default())?;
    Ok(to)
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// A registry's repository, as far as parts can tell.
struct Repository(Memory);

impl Source for Repository {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        self.0.roots()
    }
    fn fetch(&self, at: &Descriptor) -> Result<Box<dyn std::io::Read + Send + '_>, Error> {
        self.0.fetch(at)
    }
    fn origin(&self, _: &Descriptor) -> Option<Reference> {
        Some("registry.example/base".parse().unwrap())
    }
}

#[test]
fn an_image_is_put_together_from_its_files() {
    let scattered = Scattered::new();
    let mut parts = scattered.parts();
    parts.add_blob(scattered.base.digest.clone(), &scattered.file("base"));
    assert_eq!(parts.root(), &scattered.root);
    assert_eq!(
        parts.roots().unwrap(),
        [Root::unnamed(scattered.root.clone())]
    );
    let to = copied(&parts).unwrap();
    assert_eq!(to.digests().len(), 4);
    assert_eq!(parts.origin(&scattered.base), None);
    assert_eq!(parts.file(&scattered.own), Some(&*scattered.file("own")));
    assert_eq!(
        parts.file(&scattered.root.digest),
        Some(&*scattered.file("manifest"))
    );
}

#[test]
fn an_index_finds_the_documents_of_its_images() {
    let scattered = Scattered::new();
    let index = Document::new(Index::new(vec![scattered.root.clone()]));
    fs::write(scattered.file("index"), index.raw()).unwrap();
    let root = index.descriptor(MediaType::OCI_INDEX);
    fs::write(scattered.file("root"), root.to_json().to_canonical()).unwrap();
    let mut parts = scattered.parts();
    assert_eq!(
        parts.add_document(&scattered.file("index")).unwrap(),
        root.digest
    );
    parts.add_blob(scattered.base.digest.clone(), &scattered.file("base"));
    assert_eq!(copied(&parts).unwrap().digests().len(), 5);

    // Its image is in no part.
    let mut parts = Parts::new(root);
    parts.add_document(&scattered.file("index")).unwrap();
    let error = copied(&parts).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(error.to_string().contains("index` lists it"), "{error}");
}

#[test]
fn a_missing_blob_is_named_with_who_lists_it_and_who_was_asked() {
    let scattered = Scattered::new();
    let mut parts = scattered.parts();
    parts.add_source("oci:elsewhere", || Ok(Box::new(Memory::new())));
    let error = copied(&parts).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "blob `{}` (16 bytes) is not in any of the image's parts, although `{}` lists it, nor in `oci:elsewhere`",
            scattered.base.digest,
            scattered.file("manifest").display()
        )
    );

    // The root itself is listed nowhere.
    let parts = Parts::new(scattered.root.clone());
    let error = copied(&parts).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "blob `{}` ({} bytes) is not in any of the image's parts",
            scattered.root.digest, scattered.root.size
        )
    );
}

#[test]
fn what_is_in_no_file_comes_from_the_first_source_that_has_it() {
    let scattered = Scattered::new();
    let opened = Arc::new(AtomicUsize::new(0));
    let mut parts = scattered.parts();
    parts.add_source("one that cannot be opened", || {
        Err(Error::failed("nobody answers"))
    });
    parts.add_source("one that has nothing", || Ok(Box::new(Memory::new())));
    let count = Arc::clone(&opened);
    parts.add_source("one that has it", move || {
        count.fetch_add(1, Ordering::Relaxed);
        let memory = Memory::new();
        put(&memory, MediaType::OCI_LAYER, b"the base's layer")?;
        Ok(Box::new(Repository(memory)))
    });
    let own = Descriptor::new(MediaType::OCI_LAYER, scattered.own.clone(), 18);
    assert_eq!(parts.origin(&own), None);
    assert_eq!(opened.load(Ordering::Relaxed), 0, "opened before need");
    assert_eq!(copied(&parts).unwrap().digests().len(), 4);
    assert_eq!(copied(&parts).unwrap().digests().len(), 4);
    assert_eq!(opened.load(Ordering::Relaxed), 1, "opened more than once");
    assert_eq!(
        parts.origin(&scattered.base).unwrap().to_string(),
        "registry.example/base"
    );
}

#[test]
fn a_source_that_fails_is_the_reason_if_no_other_has_it() {
    let scattered = Scattered::new();
    let mut parts = scattered.parts();
    parts.add_source("silent", || Err(Error::failed("nobody answers")));
    parts.add_source("empty", || Ok(Box::new(Memory::new())));
    let error = copied(&parts).unwrap_err();
    assert_eq!(error.to_string(), "nobody answers");
}

#[test]
fn damaged_files_are_found() {
    let damaged = |bytes: &[u8]| {
        let scattered = Scattered::new();
        fs::write(scattered.file("own"), bytes).unwrap();
        let mut parts = scattered.parts();
        parts.add_blob(scattered.base.digest.clone(), &scattered.file("base"));
        let error = copied(&parts).unwrap_err();
        assert!(error.is_mismatch(), "{error:?}");
        let text = chain(&error);
        assert!(text.contains(scattered.own.as_str()), "{text}");
        text.replace(&*scattered.file("own").to_string_lossy(), "FILE")
    };
    assert!(damaged(b"a layer of its OWN").contains("not what its descriptor says"));
    let text = damaged(b"a layer");
    assert!(text.contains("from `FILE`: "), "{text}");
    assert!(text.contains("18 bytes") && text.contains('7'), "{text}");
    assert!(damaged(b"a layer of its own, and more").contains("from `FILE`"));

    let scattered = Scattered::new();
    fs::remove_file(scattered.file("own")).unwrap();
    let mut parts = scattered.parts();
    parts.add_blob(scattered.base.digest.clone(), &scattered.file("base"));
    let text = chain(&copied(&parts).unwrap_err());
    let expected = format!(
        "cannot open `{}`, which is to hold `{}`: ",
        scattered.file("own").display(),
        scattered.own
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn files_that_are_no_documents_are_refused() {
    let scattered = Scattered::new();
    let error = read_descriptor(&scattered.file("manifest")).unwrap_err();
    assert!(matches!(error, PartError::Descriptor { .. }), "{error}");
    assert!(
        chain(&error).contains("manifest` holds no descriptor: "),
        "{error}"
    );
    let error = read_descriptor(&scattered.file("nothing")).unwrap_err();
    assert!(matches!(error, PartError::Read { .. }), "{error}");

    let large = fs::File::create(scattered.file("large")).unwrap();
    large.set_len((16 << 20) + 1).unwrap();
    let error = scattered
        .parts()
        .add_document(&scattered.file("large"))
        .unwrap_err();
    assert!(matches!(error, PartError::TooLarge { .. }), "{error}");
    assert!(
        error.to_string().contains("at most 16777216 bytes"),
        "{error}"
    );
}
